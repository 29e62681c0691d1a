"""Warnings where results are known to break, and none where they hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from editedid_core.config import GuardConfig
from editedid_core.faces.similarity import pose_distance
from editedid_core.records import Face, FacePair
from editedid_core.restore.caution import LEAST_LIKE, MOST_COVERED, MOST_TURNED, SMALLEST, cautions, eye_distance
from editedid_core.restore.guard import needed_gain

MakeFace = Callable[..., Face]


@pytest.fixture
def pair(make_face: MakeFace) -> FacePair:
    face = make_face(80, 60, embedding=[1, 0])
    return FacePair(face, face, 0.9, (face,))


def scaled(face: Face, factor: float) -> Face:
    return replace(face, points=(face.points * factor).astype(np.float32))


def test_a_good_pair_gets_none(pair: FacePair) -> None:
    assert eye_distance(pair.edited) > SMALLEST
    assert cautions(pair, covered=0.02) == ()
    assert cautions(replace(pair, similarity=None)) == ()


@pytest.mark.parametrize("which", ["original", "edited"])
def test_small_faces_are_told_with_their_size(pair: FacePair, which: str) -> None:
    face = getattr(pair, which)
    small = scaled(face, 12.4 / eye_distance(face))
    found = cautions(replace(pair, **{which: small}))
    assert len(found) == 1 and "12 pixels" in found[0]
    assert ("photo" in found[0]) == (which == "original")


def test_another_pose_is_told(pair: FacePair) -> None:
    turned = pair.original.points.copy()
    turned[2, 0] += 0.4 * eye_distance(pair.original)
    photo = replace(pair.original, points=turned)
    assert pose_distance(photo, pair.edited) > MOST_TURNED
    found = cautions(replace(pair, original=photo))
    assert len(found) == 1 and "different sides" in found[0]


def test_what_is_covered_and_what_has_drifted_away_is_told(pair: FacePair) -> None:
    assert "75%" in cautions(pair, covered=0.75)[0]
    assert not cautions(pair, covered=MOST_COVERED)
    assert "0.10" in cautions(replace(pair, similarity=0.1))[0]
    assert not cautions(replace(pair, similarity=LEAST_LIKE))


def test_a_face_that_is_nearly_right_need_gain_less() -> None:
    guard = GuardConfig(least_gain=0.05, enough=0.25)
    assert needed_gain(guard, 0.3) == 0.05
    assert needed_gain(guard, 0.92) == pytest.approx(0.02)
    assert needed_gain(replace(guard, least_gain=0.0), 0.3) == 0.0
    assert needed_gain(guard, 0.3, glasses=True) == pytest.approx(0.03)
