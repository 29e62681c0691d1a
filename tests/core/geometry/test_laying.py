"""How a photo is laid over an edit: the mean face turned, with its mouth opened or its eyes moved apart."""

from __future__ import annotations

import numpy as np
import pytest

from editedid_core.geometry.laying import lay, person_places
from editedid_core.geometry.mean_mesh import mean_mesh
from editedid_core.geometry.visibility import shown_map
from editedid_core.masks.frontal_face import frontal_face

SIZE, UNIT = 128, 32.0
LIPS_BELOW, NOSE, OUTLINE = [14, 17, 84, 314, 87, 317, 181, 405], 4, [234, 454, 152, 10]
EYES = [33, 133, 263, 362, 159, 145, 386, 374, 468, 473]


def turned(points: np.ndarray, yaw: float = 0.0, scale: float = UNIT, middle: float = SIZE / 2) -> np.ndarray:
    """A frontal face (478, 3) in a picture, turned by degrees."""
    a = np.radians(yaw)
    turn = np.array([[np.cos(a), 0, -np.sin(a)], [0, 1, 0], [np.sin(a), 0, np.cos(a)]])
    return points @ turn.T * scale + [middle, middle - 12 * scale / UNIT, 0]


def mean() -> np.ndarray:
    return mean_mesh().points.copy()


def open_mouth() -> np.ndarray:
    points = mean()
    points[LIPS_BELOW, 1] += 0.2
    return points


def wide_eyes() -> np.ndarray:
    """Another person: the eyes lie higher, and so do lids and irises."""
    points = mean()
    near = np.min([np.linalg.norm(points[:, :2] - at, axis=1) for at in ((-0.5, 0), (0.5, 0))], 0) < 0.3
    points[near, 1] -= 0.06
    return points


def test_one_face_in_two_places_is_only_moved_turned_and_scaled() -> None:
    laying = lay(turned(mean(), scale=80, middle=300), turned(mean()), SIZE)
    y, x = np.mgrid[:SIZE, :SIZE]
    wanted = np.stack([x - SIZE / 2, y - SIZE / 2 + 12], -1) * 80 / UNIT + [300, 300 - 12 * 80 / UNIT]
    assert np.abs(laying.positions - wanted).max() < 0.01


@pytest.mark.parametrize("yaw", [-25.0, 25.0])
def test_a_turned_photo_is_bent_to_the_edits_pose(yaw: float) -> None:
    photo, edit = turned(mean(), yaw), turned(mean())
    laying = lay(photo, edit, SIZE)
    for point in (NOSE, 61, 291, 33, 263, 50, 280):
        x, y = edit[point, :2].round().astype(int)
        off = laying.positions[y, x] - photo[point, :2]
        assert np.hypot(*off) < 0.06 * UNIT, point
    rigid = np.hypot(*(laying.to_original[:, :2] @ edit[NOSE, :2] + laying.to_original[:, 2] - photo[NOSE, :2]))
    assert rigid > 0.1 * UNIT  # the similarity alone would miss it


def test_a_feature_in_another_state_follows_the_edit_and_the_others_stay_the_persons() -> None:
    person = wide_eyes()
    talking = person.copy()
    talking[LIPS_BELOW, 1] += 0.2
    edit = turned(mean())
    same, other = (person_places(turned(p), edit) for p in (person, talking))
    unit = UNIT * 0.06
    assert (edit[EYES, 1] - same[EYES, 1]).mean() > 0.6 * unit
    assert (edit[EYES, 1] - other[EYES, 1]).mean() > 0.5 * unit
    assert np.abs(other[LIPS_BELOW, 1] - edit[LIPS_BELOW, 1]).max() < 0.02 * UNIT


def test_the_more_two_poses_differ_the_less_is_the_persons_and_the_outline_never_is() -> None:
    edit = turned(mean())
    kept = [(edit[EYES, 1] - person_places(turned(wide_eyes(), yaw), edit)[EYES, 1]).mean() for yaw in (0, 10, 30)]
    assert kept[0] > kept[1] > kept[2] > 0
    wide = mean()
    wide[:, 0] *= 1.2
    assert np.allclose(person_places(turned(wide), edit)[OUTLINE], edit[OUTLINE])
    none = person_places(turned(wide_eyes()), edit, own=0.0)
    assert np.allclose(none, edit)


def test_what_a_turned_photo_hides_is_told() -> None:
    away, straight = turned(mean(), 45), turned(mean())
    shown = shown_map(away, straight)
    face = frontal_face(np.zeros((SIZE, SIZE, 3), np.uint8), straight)
    left, right = (shown[tuple(face.place(point).round().astype(int)[::-1])] for point in (234, 454))
    assert min(left, right) < 0.1
    assert max(left, right) > 0.9
    assert shown_map(straight, straight)[face.inside].min() > 0.9
    assert shown_map(away, away)[face.inside].mean() > 0.7  # the edit is turned as well: little is lost


def test_a_folded_wing_of_the_nose_is_no_hidden_place_but_a_hidden_mouth_is() -> None:
    straight = turned(mean())
    for point, axis, hidden in ((129, 0, False), (87, 0, True), (78, 1, False)):  # last: a dot on closed lips
        folded = straight.copy()
        folded[point, axis] += 0.3 * UNIT
        assert bool((shown_map(folded, straight) < 0.5).any()) is hidden
