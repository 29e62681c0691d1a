"""More than one photo of a person: which one is used, and what likeness is measured to."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from editedid_core.config import MatchConfig
from editedid_core.faces.similarity import mean_embedding, person_similarity, pose_distance
from editedid_core.records import Face, Faces
from editedid_core.restore.stages import match
from lab.portraits import Placement, Scene, render, triple_identity

MakeFace = Callable[..., Face]
YAWS = (-0.3, -0.1, 0.1, 0.3)


def portrait_face(yaw: float, smile: float = 0.0, frame: int = 0, embedding: tuple[float, ...] = (1.0, 0.0)) -> Face:
    """A drawn person's true landmarks."""
    portrait = render(triple_identity(5), Scene(Placement(yaw=yaw), smile=smile), 128)
    length = np.asarray(embedding, np.float32)
    return Face(np.array([20, 20, 108, 108], np.float32), portrait.landmarks, 0.9, length / np.linalg.norm(length),
                None, frame, (128, 128))


@settings(deadline=None, max_examples=30)
@given(st.floats(0.3, 3.0), st.floats(-3.0, 3.0), st.floats(-50, 50), st.floats(-50, 50))
def test_roll_size_and_place_are_no_pose(scale: float, angle: float, x: float, y: float) -> None:
    face = portrait_face(0.1)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = Face(face.box, (face.points @ turn.T + [x, y]).astype(np.float32), 0.9, None, None, 0, (128, 128))
    assert pose_distance(moved, face) == pytest.approx(0.0, abs=1e-4)


def test_the_distance_grows_with_yaw_and_with_the_smile() -> None:
    face = portrait_face(0.0)
    assert pose_distance(portrait_face(0.3), face) > pose_distance(portrait_face(0.15), face) > 0.01
    assert pose_distance(portrait_face(0.0, smile=0.9), face) > pose_distance(portrait_face(0.0, smile=0.2), face)


@pytest.mark.parametrize("yaw", [-0.28, -0.08, 0.12, 0.25])
def test_the_photo_in_the_nearest_pose_comes_first(yaw: float) -> None:
    photos = [portrait_face(each, frame=i, embedding=(1.0, 0.1 * i)) for i, each in enumerate(YAWS)]
    originals = Faces(tuple(photos), len(photos), (128, 128))
    edited = Faces((portrait_face(yaw, embedding=(1.0, 0.0)),), 1, (128, 128))
    pair = match(originals, edited, MatchConfig(photos="nearest pose")).pairs[0]
    nearest = int(np.argmin([abs(each - yaw) for each in YAWS]))
    assert pair.original is photos[nearest]
    assert pair.originals[0] is pair.original and len(pair.originals) == len(photos)
    likest = match(originals, edited, MatchConfig(photos="likest")).pairs[0]
    assert likest.original is photos[0]


def test_likeness_is_measured_to_the_mean_of_all_photos(make_face: MakeFace) -> None:
    photos = [make_face(80, 60, embedding=vector, frame=i) for i, vector in enumerate(([1, 0.4, 0], [1, -0.4, 0]))]
    face = make_face(80, 60, embedding=[1, 0, 0.2])
    mean = mean_embedding(photos)
    assert mean is not None and np.allclose(mean, [1, 0, 0], atol=1e-6)
    expected = float(np.dot(mean, face.embedding))
    assert person_similarity(photos, face) == pytest.approx(expected)
    originals, edited = Faces(tuple(photos), 2, (200, 300)), Faces((face,), 1, (200, 300))
    pair = match(originals, edited, MatchConfig()).pairs[0]
    assert pair.similarity == pytest.approx(expected)


def test_one_photo_without_an_embedding_leaves_no_mean(make_face: MakeFace) -> None:
    photos = [make_face(80, 60, embedding=[1, 0]), make_face(80, 60, embedding=None, frame=1)]
    assert mean_embedding(photos) is None
    with pytest.raises(ValueError, match="face analyzer"):
        person_similarity(photos, photos[0])
