"""Triples under a condition differ in that one thing, by the amount asked for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from editedid_core.records import Face
from lab.bench.conditions import COVERS, Condition, NoisyAnalyzer, make, more_photos
from lab.portraits import identity_distance, make_triple

SEED = 10_000_003


def test_without_a_condition_it_is_the_seeds_own_triple() -> None:
    assert np.array_equal(make(SEED, Condition()).drifted.image, make_triple(SEED).drifted.image)
    assert np.array_equal(make(SEED, Condition(noise=0.05)).drifted.image, make_triple(SEED).drifted.image)


@pytest.mark.parametrize("seed", [SEED, SEED + 2])
@pytest.mark.parametrize("axis", ["yaw", "pitch"])
def test_the_heads_are_turned_apart_by_what_was_asked(axis: str, seed: int) -> None:
    triple = make(seed, Condition(**{axis: 16.0}))
    turned = [getattr(picture.scene.placement, axis) for picture in (triple.original, triple.ideal)]
    assert np.degrees(abs(turned[1] - turned[0])) == pytest.approx(16.0)
    assert turned[0] == pytest.approx(-turned[1])


@pytest.mark.parametrize("eyes", [8, 24, 48])
def test_faces_have_the_size_that_was_asked(eyes: int) -> None:
    triple = make(SEED, Condition(eyes=eyes))
    for picture in (triple.original, triple.ideal):
        assert np.linalg.norm(picture.landmarks[1] - picture.landmarks[0]) == pytest.approx(eyes, rel=0.15)


def test_covers_hide_more_and_more_of_the_face() -> None:
    shares = [float(make(SEED, Condition(cover=cover)).ideal.masks.face.sum()) for cover in COVERS]
    assert shares[0] == max(shares) and shares[-1] == min(shares)


def test_the_drift_is_the_distance_that_was_asked() -> None:
    near, far = (make(SEED, Condition(drift=drift)) for drift in (0.3, 1.5))
    assert identity_distance(near.ideal.identity, near.drifted.identity) == pytest.approx(0.3, rel=0.1)
    assert identity_distance(far.ideal.identity, far.drifted.identity) == pytest.approx(1.5, rel=0.1)


def test_more_photos_show_the_same_person_elsewhere() -> None:
    triple, photos = make(SEED, Condition(photos=4)), more_photos(SEED, Condition(photos=4))
    assert len(photos) == 3
    assert all(photo.identity == triple.original.identity for photo in photos)
    assert len({photo.scene for photo in (triple.original, *photos)}) == 4


@dataclass(frozen=True)
class Exact:
    """An analyzer that knows where the face is."""

    points: np.ndarray
    name: str = "exact"
    licence: str = ""

    def find(self, image: np.ndarray, threshold: float = 0.5) -> list[Face]:
        box = np.array([0, 0, *image.shape[1::-1]], np.float32)
        return [Face(box, self.points, 1.0, None, None, 0, (image.shape[0], image.shape[1]))]


def test_landmark_noise_has_the_size_that_was_asked_and_comes_back_the_same() -> None:
    points = np.array([[60, 60], [100, 60], [80, 80], [65, 100], [95, 100]], np.float32)
    pictures = [np.full((128, 128, 3), value, np.uint8) for value in range(200)]
    noisy = NoisyAnalyzer(Exact(points), 0.05, SEED)
    moved = np.stack([noisy.find(picture)[0].points - points for picture in pictures])
    assert np.sqrt(np.square(moved).sum(-1).mean()) == pytest.approx(0.05 * 40, rel=0.1)
    assert np.array_equal(noisy.find(pictures[3])[0].points, noisy.find(pictures[3])[0].points)
