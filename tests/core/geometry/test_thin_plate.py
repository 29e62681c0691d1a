"""The smooth map between landmarks: it leads them where they belong, never folds, and ends near the face."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from editedid_core.geometry.affine import pixel_grid
from editedid_core.geometry.landmarks import five_of_68
from editedid_core.geometry.thin_plate import Bend, bend
from lab import portraits

SIDE = 160
LEADING = np.r_[0:17, 27:68]  # brows follow
REACH = 0.4
"""Eye distances from the landmarks' hull within which all that is seen happens."""
SEEN = 0.02
"""Pixels; moving less is not seen."""


@pytest.fixture(scope="module")
def triples() -> list[portraits.Triple]:
    return [portraits.make_triple(seed, size=SIDE) for seed in portraits.triple_split("tune", 4)]


@pytest.fixture(scope="module")
def edit(triples: list[portraits.Triple]) -> np.ndarray:
    """One drifted face's landmarks."""
    return triples[0].drifted.dense.astype(np.float64)


def unit_of(dense: np.ndarray) -> float:
    five = five_of_68(dense)
    return float(np.linalg.norm(five[1] - five[0]))


def from_hull(shape: np.ndarray, side: int) -> np.ndarray:
    """(side, side) distance in pixels of every pixel from the convex hull of landmarks; 0 inside."""
    import cv2

    inside = np.zeros((side, side), np.uint8)
    cv2.fillConvexPoly(inside, cv2.convexHull(np.round(shape).astype(np.int32)), 1)
    return cv2.distanceTransform(1 - inside, cv2.DIST_L2, 5)


def least_area(how: Bend, side: int) -> float:
    """The smallest area that any pixel of a picture is taken to."""
    places = pixel_grid(side, side) + how.at((0, 0, side, side))
    down, across = np.diff(places, axis=0)[:, :-1], np.diff(places, axis=1)[:-1]
    return float((across[..., 0] * down[..., 1] - across[..., 1] * down[..., 0]).min())


def displaced(how: Bend, points: np.ndarray) -> np.ndarray:
    """Where a map takes points (K, 2), read between its pixels."""
    low = np.floor(points).astype(int)
    moved = []
    for (x, y), point in zip(low, points, strict=True):
        cell = how.at((x, y, x + 2, y + 2))
        u, v = point - (x, y)
        weights = np.outer([1 - v, v], [1 - u, u])
        moved.append(point + (weights[..., None] * cell).sum((0, 1)))
    return np.array(moved)


def test_landmarks_arrive_where_they_are_led(triples: list[portraits.Triple]) -> None:
    for triple in triples:
        here, there = (shot.dense.astype(np.float64) for shot in (triple.drifted, triple.ideal))
        there = here + there - there.mean(0) - here + here.mean(0)
        off = np.linalg.norm(displaced(bend(here, there), here) - there, axis=1)[LEADING]
        moved = np.linalg.norm(there - here, axis=1)[LEADING]
        assert off.mean() < 0.25 * moved.mean()
        assert off.max() < 0.08 * unit_of(here)


def test_nothing_to_do_is_nothing_done(triples: list[portraits.Triple]) -> None:
    here = triples[0].drifted.dense.astype(np.float64)
    assert np.abs(bend(here, here).nodes).max() < 1e-9


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 999), violence=st.floats(0.01, 3.0))
def test_a_map_never_folds_and_ends_near_the_face(edit: np.ndarray, seed: int, violence: float) -> None:
    """Whatever the landmarks ask for: each by itself somewhere else, up to three eye distances away."""
    here = edit + 40
    there = here + np.random.default_rng(seed).normal(0, violence * unit_of(here), here.shape)
    how, side = bend(here, there), SIDE + 80
    assert least_area(how, side) > 0
    apart = from_hull(np.concatenate([here, there]), side)
    moved = np.linalg.norm(how.at((0, 0, side, side)), axis=-1)
    assert float(moved[apart > REACH * unit_of(here) + 2].max(initial=0)) < SEEN


@settings(max_examples=25, deadline=None)
@given(x=st.floats(-200, 400), y=st.floats(-200, 300), scale=st.floats(0.05, 3), height=st.integers(1, 150),
       width=st.integers(1, 250))
def test_the_window_lies_in_the_picture_and_holds_all_that_moves(edit: np.ndarray, x: float, y: float, scale: float,
                                                                 height: int, width: int) -> None:
    here = edit * scale + [x, y]
    how = bend(here, here + [0.1 * scale, 0] * np.sign(here - here.mean(0)))
    x0, y0, x1, y1 = how.window(height, width)
    assert x1 <= x0 or (0 <= x0 < x1 <= width)
    assert y1 <= y0 or (0 <= y0 < y1 <= height)
    everywhere = np.linalg.norm(how.at((0, 0, width, height)), axis=-1)
    inside = np.zeros_like(everywhere)
    if x1 > x0 and y1 > y0:
        inside[y0:y1, x0:x1] = np.linalg.norm(how.at((x0, y0, x1, y1)), axis=-1)
    assert np.abs(inside - everywhere).max() < 1e-3


def test_a_profile_keeps_its_size(edit: np.ndarray) -> None:
    """Eyes that coincide say nothing about how large a face is: the map's nodes stay few."""
    here = edit * 8
    here[:, 0] = here[:, 0].mean() + 0.3 * (here[:, 0] - here[:, 0].mean())
    here[42:48] = here[36:42]
    how = bend(here, here + [0, 4])
    assert how.nodes.shape[0] * how.nodes.shape[1] < 20_000
