"""Dense landmarks of other layouts as 68 points, and what is read from those."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from editedid_core.geometry.affine import apply
from editedid_core.geometry.landmarks import COUNT, MIRRORED, as_68, five_of_68, openness
from lab.portraits import Placement, Scene, render, triple_identity


def shape(**scene: float) -> np.ndarray:
    """A drawn person's landmarks, (68, 2)."""
    return render(triple_identity(5), Scene(Placement(), **scene), 128).dense.astype(np.float64)


@pytest.mark.parametrize("count", [68, 106, 468, 478])
def test_every_layout_gives_68_of_its_own_points(count: int) -> None:
    dense = np.column_stack([np.arange(count), -np.arange(count)]).astype(np.float32)
    found = as_68(dense)
    assert found is not None and found.shape == (COUNT, 2) and found.dtype == np.float64
    chosen = found[:, 0].astype(int)
    assert len(set(chosen)) == COUNT
    assert np.array_equal(found, dense[chosen])


# vertices of the face mesh that are each other's mirror, and those on the middle line
TWINS = {
    162: 389, 234: 454, 93: 323, 58: 288, 172: 397, 136: 365, 149: 378, 148: 377, 70: 300, 63: 293, 105: 334, 66: 296,
    107: 336, 75: 305, 97: 326, 33: 263, 160: 387, 158: 385, 133: 362, 153: 380, 144: 373, 61: 291, 39: 269, 37: 267,
    181: 405, 84: 314, 78: 308, 82: 312, 87: 317,
}
MIDDLE = 152, 168, 197, 5, 4, 2, 0, 17, 13, 14


def test_the_mesh_puts_twins_where_the_mirror_expects_them() -> None:
    twin = TWINS | {right: left for left, right in TWINS.items()} | {point: point for point in MIDDLE}
    dense = np.column_stack([np.arange(468), np.zeros(468)])
    found = as_68(dense)
    assert found is not None
    chosen = found[:, 0].astype(int)
    assert [twin[point] for point in chosen.tolist()] == chosen[MIRRORED].tolist()


def test_the_mesh_with_irises_is_the_mesh_without() -> None:
    mesh = np.random.default_rng(0).normal(size=(478, 2))
    assert np.array_equal(as_68(mesh), as_68(mesh[:468]))


@pytest.mark.parametrize("count", [0, 5, 67, 98, 203])
def test_an_unknown_layout_gives_none(count: int) -> None:
    assert as_68(np.zeros((count, 2))) is None


def test_no_landmarks_give_none() -> None:
    assert as_68(None) is None


def test_five_points_are_those_of_the_portrait() -> None:
    portrait = render(triple_identity(5), Scene(Placement(yaw=0.2, roll=0.3)), 128)
    five = five_of_68(portrait.dense.astype(np.float64))
    eyes = np.linalg.norm(portrait.landmarks[1] - portrait.landmarks[0])
    assert np.linalg.norm(five - portrait.landmarks, axis=1).max() < 0.08 * eyes


def test_openness_is_measured_in_widths() -> None:
    """Eyes 10 wide and open by 4 and 2, a mouth 20 wide and open by 5, its corners 3 above its middle."""
    points = np.zeros((COUNT, 2))
    for first, x, gap in ((36, 0, 4), (42, 30, 2)):
        points[first:first + 6] = [(x, 0), (x + 3, -gap / 2), (x + 7, -gap / 2), (x + 10, 0), (x + 7, gap / 2),
                                   (x + 3, gap / 2)]
    points[48], points[54], points[51], points[57] = (10, 30), (30, 30), (20, 31), (20, 35)
    points[[61, 62, 63]], points[[67, 66, 65]] = [(16, 30), (20, 30), (24, 30)], [(16, 35), (20, 35), (24, 35)]
    left, right, gap, lift = openness(points)
    assert (left, right, gap) == pytest.approx((0.4, 0.2, 0.25))
    assert abs(lift) == pytest.approx(3 / 20)


@settings(deadline=None, max_examples=30)
@given(st.floats(0.2, 5), st.floats(-3.1, 3.1), st.floats(-99, 99))
def test_openness_does_not_see_roll_size_and_place(scale: float, angle: float, x: float) -> None:
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    dense = shape(smile=0.5, mouth_open=0.4)
    assert openness(apply([[c, -s, x], [s, c, -x]], dense)) == pytest.approx(openness(dense), abs=1e-6)


def test_lids_mouth_and_smile_are_told_apart() -> None:
    base = openness(shape())
    opened = openness(shape(mouth_open=0.8))
    assert opened[2] > base[2] + 0.1 and opened[:2] == pytest.approx(base[:2], abs=0.02)
    assert abs(openness(shape(smile=0.9))[3] - base[3]) > 0.05


def test_points_that_coincide_are_no_error() -> None:
    assert np.isfinite(openness(np.zeros((COUNT, 2)))).all()
