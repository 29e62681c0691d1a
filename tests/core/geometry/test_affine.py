"""The crop's frame and the maps between faces."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from editedid_core.geometry import affine
from editedid_core.geometry.resample import blur, resample

POINTS = np.array([[40.0, 50.0], [72.0, 50.0], [56.0, 68.0], [44.0, 84.0], [68.0, 84.0]])
places = st.floats(-500, 500)
angles = st.floats(-np.pi, np.pi)
scales = st.floats(0.1, 10)


def similarity(scale: float, angle: float, x: float, y: float) -> np.ndarray:
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    return np.array([[c, -s, x], [s, c, y]])


def test_the_frame_is_the_documented_formula() -> None:
    frame = affine.crop_frame(POINTS, 128)
    side = 2 * max(2.0 * 32, 1.8 * 34)
    assert affine.scale_of(frame) * 128 == pytest.approx(side)
    assert affine.apply(frame, [63.5, 63.5]) == pytest.approx([56.0, 50 + 0.35 * 34])


@given(scales, angles, places, places)
def test_the_frame_follows_the_face(scale: float, angle: float, x: float, y: float) -> None:
    """A moved face gives the moved crop: its points lie at the same places of the crop."""
    moved = affine.apply(similarity(scale, angle, x, y), POINTS)
    in_crop = affine.apply(affine.inverse_affine(affine.crop_frame(moved, 128)), moved)
    still = affine.apply(affine.inverse_affine(affine.crop_frame(POINTS, 128)), POINTS)
    assert in_crop == pytest.approx(still, abs=1e-3)
    assert in_crop[0, 1] == pytest.approx(in_crop[1, 1], abs=1e-6)  # the eyes are level


@given(scales, angles, places, places)
def test_a_similarity_is_found_exactly(scale: float, angle: float, x: float, y: float) -> None:
    true = similarity(scale, angle, x, y)
    assert affine.fit_similarity(POINTS, affine.apply(true, POINTS)) == pytest.approx(true, abs=1e-6)


def test_a_mirrored_face_is_not_mirrored_back() -> None:
    mirrored = POINTS * [-1, 1]
    assert np.linalg.det(affine.fit_similarity(POINTS, mirrored)[:, :2]) > 0


@given(scales, angles, places, places)
def test_inverse_and_composition(scale: float, angle: float, x: float, y: float) -> None:
    m = similarity(scale, angle, x, y)
    assert affine.compose(affine.inverse_affine(m), m) == pytest.approx(similarity(1, 0, 0, 0), abs=1e-6)


def test_a_grid_under_a_map_is_the_map_of_the_grid() -> None:
    matrix = np.array([[1.3, -0.2, 5.0], [0.2, 1.3, -7.0]])
    grid = affine.pixel_grid(5, 8, 3, -2)
    assert np.allclose(affine.grid_under(matrix, 5, 8, 3, -2), affine.apply(matrix, grid), atol=1e-12)


def test_points_that_coincide_are_refused() -> None:
    with pytest.raises(ValueError, match="coincide"):
        affine.crop_frame(np.zeros((5, 2)), 64)


def test_sampling_at_the_pixels_gives_the_pixels() -> None:
    picture = torch.rand(20, 30, 3)
    assert torch.allclose(resample(picture, affine.pixel_grid(20, 30), 1.0), picture, atol=1e-5)


def test_shrinking_does_not_alias() -> None:
    """A one-pixel checkerboard shrinks to grey, not to stripes."""
    y, x = np.mgrid[:128, :128]
    board = torch.from_numpy(((x + y) % 2).astype(np.float32))[..., None]
    small = resample(board, affine.pixel_grid(16, 16) * 8 + 3.5, 8.0)
    assert float((small - 0.5).abs().max()) < 0.02


@pytest.mark.parametrize(("size", "sigma"), [((9, 40), 0.8), ((9, 40), 3.9), ((520, 510), 2.5)])
def test_blur_is_the_gaussian_of_scipy(size: tuple[int, int], sigma: float) -> None:
    x = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(0))
    wanted = gaussian_filter(x.numpy(), (0, 0, sigma, sigma), mode="nearest", radius=math.ceil(3 * sigma))
    np.testing.assert_allclose(blur(x, sigma).numpy(), wanted, atol=1e-6)


def test_blur_keeps_a_constant_and_the_mean() -> None:
    constant = torch.full((1, 1, 40, 40), 0.3)
    assert torch.allclose(blur(constant, 9.0), constant, atol=1e-5)
    spot = torch.zeros(1, 1, 65, 65)
    spot[..., 32, 32] = 1
    assert float(blur(spot, 3.0).sum()) == pytest.approx(1, abs=1e-3)
