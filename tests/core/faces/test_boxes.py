"""Boxes and landmarks of other nodes: every usual layout is read, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from editedid_core.faces.external import faces_from_boxes, faces_from_landmarks
from editedid_core.faces.find import find_faces
from editedid_core.records import Faces
from editedid_core.restore.stages import require_faces

SIZE = (100, 200)
BOX = [20.0, 10.0, 60.0, 50.0]


@pytest.mark.parametrize("nothing", [[], [[]], (), np.zeros((0, 4)), torch.zeros(0, 5), [None], None,
                                     ((100, 200), []), [((100, 200), [])]])
def test_no_boxes_are_no_faces(nothing: Any) -> None:
    found = faces_from_boxes(nothing, 1, SIZE)
    assert found.faces == () and found.frames == 1
    require_faces(found, "image", "pass through")
    with pytest.raises(ValueError, match="no face was found"):
        require_faces(found, "image", "error")


def test_empty_lists_of_boxes_pass_through_for_a_batch() -> None:
    faces = find_faces(torch.zeros(3, *SIZE, 3), boxes=[])
    assert faces.faces == () and faces.frames == 3
    assert faces_from_landmarks({"frames": [], "image_size": SIZE}, 3, SIZE).faces == ()


@pytest.mark.parametrize("boxes", [
    {"x": 20, "y": 10, "width": 40, "height": 40}, {"x1": 20, "y1": 10, "x2": 60, "y2": 50},
    {"left": 20, "top": 10, "right": 60, "bottom": 50}, {"x": 20, "y": 10, "w": 40, "h": 40}, {"bbox": BOX},
    BOX, [BOX], [[BOX]], np.array(BOX), np.array([BOX]), torch.tensor([BOX]), [torch.tensor([BOX])],
    [np.array([[*BOX, 0.9]])], [{"bbox": BOX, "score": 0.9}], [[{"box": tuple(BOX), "confidence": 0.9}]],
    [[*BOX, 0.9, 0]], {"boxes": torch.tensor([BOX]), "scores": torch.tensor([0.9]), "labels": torch.tensor([1])},
    [{"boxes": np.array([BOX]), "scores": [0.9]}], [{"xyxy": np.array(BOX)}], {"bboxes": [BOX]},
    [SimpleNamespace(bbox=BOX, score=0.9)], [[SimpleNamespace(bbox=np.array(BOX))]],
    ((100, 200), [SimpleNamespace(bbox=BOX, confidence=np.array([0.9]))]), [((100, 200), [SimpleNamespace(bbox=BOX)])],
])
def test_boxes_of_other_layouts_are_read(boxes: Any) -> None:
    (face,) = faces_from_boxes(boxes, 1, SIZE, threshold=0.5).faces
    np.testing.assert_allclose(face.box, BOX)
    assert face.score == pytest.approx(0.9) or face.score == 1.0


def test_boxes_of_an_unknown_layout_are_named() -> None:
    for boxes in ([{"centre": 3}], "face", 7, [[1, 2, 3]], [["a"]], [300.0, 200.0, 80.0, 90.0], [[0, 0, np.nan, 5]],
                  [{"bbox": [5, 5, 4, -4]}], {"boxes": [BOX], "scores": 0.9}, SimpleNamespace(bbox=BOX, score="high"),
                  [{"bbox": BOX, "score": [1, 2]}], [10**400, 0, 60, 50], {"bbox": [object()] * 4}, 1j, b"box",
                  [[*BOX, np.nan]], {"x": torch.ones(2), "y": 0, "w": 9, "h": 9}):
        with pytest.raises(ValueError, match="bounding_box holds .*connect boxes as") as told:
            faces_from_boxes(boxes, 1, SIZE)
        assert "\n" not in str(told.value)


def lists(*boxes: list[float], seen: Any = None) -> tuple[list[list[float]], bool]:
    """How boxes of bare numbers are read in a picture of SIZE, and whether that is said to be unsure."""
    found = faces_from_boxes([list(boxes)], 1, SIZE, seen=seen)
    return [face.box.tolist() for face in found.faces], any("as well" in note for note in found.notes)


def test_a_corner_and_a_size_are_told_from_two_corners() -> None:
    corners = [120, 50, 150, 80]
    assert lists([120, 60, 30, 30]) == ([[120, 60, 150, 90]], False)  # its second corner would lie before the first
    assert lists([20, 10, 60, 50], [120, 60, 30, 30]) == ([[20, 10, 80, 60], [120, 60, 150, 90]], False)
    assert lists([20, 10, 60, 50], corners) == ([[20, 10, 60, 50], corners], False)  # it would leave the picture
    assert lists([20, 10, 30, 40]) == ([[20, 10, 50, 50]], False)  # as corners it would be a sliver
    assert lists([20, 10, 60, 50]) == ([[20, 10, 60, 50]], True)
    assert faces_from_boxes([{"xyxy": [20, 10, 30, 40]}], 1, SIZE).faces[0].box.tolist() == [20, 10, 30, 40]


def test_the_faces_found_tell_how_lists_are_read(make_face: Any) -> None:
    for expected in ([20, 10, 60, 50], [20, 10, 80, 60]):
        there = replace(make_face(40, 30), box=np.array(expected, np.float32))
        assert lists([20, 10, 60, 50], seen=partial(Faces, (there,), 1, SIZE)) == ([expected], False)
    assert lists([20, 10, 60, 50], seen=partial(Faces, (), 1, SIZE)) == ([[20, 10, 60, 50]], True)


def test_boxes_in_parts_of_the_picture_are_told_from_boxes_in_pixels() -> None:
    for boxes in ([[0.2, 0.1, 0.6, 0.5]], [{"x": 0.2, "y": 0.1, "width": 0.4, "height": 0.4}]):
        with pytest.raises(ValueError, match="in pixels, not in parts"):
            faces_from_boxes(boxes, 1, SIZE)
    assert faces_from_boxes([[0, 0, 0, 0]], 1, SIZE).faces == ()  # what some detectors give for no face


@pytest.mark.parametrize("landmarks", [[1, 2], "mesh", {"frames": [[{"points": 3}]], "image_size": SIZE},
                                       {"frames": [["face"]], "image_size": SIZE},
                                       {"frames": [[{"landmarks_xy": np.zeros((5, 2))}]], "image_size": SIZE},
                                       {"frames": 3}, {"frames": [[]], "image_size": "large"}, {"frames": [7]},
                                       {"frames": [[{"landmarks_xy": np.full((478, 2), np.nan)}]], "image_size": SIZE},
                                       {"frames": [[{"landmarks_xy": np.ones((478, 2)), "score": "high"}]]}])
def test_landmarks_of_another_kind_are_named(landmarks: Any) -> None:
    with pytest.raises(ValueError, match="face_landmarks .*MediaPipe"):
        faces_from_landmarks(landmarks, 1, SIZE)
    assert faces_from_landmarks({"frames": [None], "image_size": SIZE}, 1, SIZE).faces == ()


def test_a_mesh_without_extent_is_no_face() -> None:
    empty = {"landmarks_xy": np.zeros((478, 2)), "score": None}
    assert faces_from_landmarks({"frames": [[empty]], "image_size": SIZE}, 1, SIZE).faces == ()


def test_a_low_score_of_a_list_is_left_out() -> None:
    assert faces_from_boxes([[*BOX, 0.2]], 1, SIZE, threshold=0.5).faces == ()
