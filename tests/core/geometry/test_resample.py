"""The pack's own low-pass and largest values, against what they stand for."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.ndimage import gaussian_filter

from editedid_core.geometry.affine import grid_under, places_under
from editedid_core.geometry.resample import blur, resample
from editedid_core.masks.elements import largest_around


def noise(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize(("size", "sigma"), [((96, 96), 1.3), ((160, 133), 6.0), ((256, 256), 20.0), ((31, 200), 9.0)])
def test_a_low_pass_is_gaussian_at_any_width_and_size(size: tuple[int, int], sigma: float) -> None:
    picture = F.interpolate((noise(1, 2, 9, 12) > 0.5).float(), size=size)
    wanted = np.stack([gaussian_filter(x, sigma, mode="nearest") for x in picture[0].double().numpy()])
    off = np.abs(blur(picture, sigma)[0].numpy() - wanted)
    edge = int(2 * sigma)
    assert off.mean() < 0.005 and off[:, edge:-edge, edge:-edge].max(initial=0) < 0.02
    assert torch.allclose(blur(torch.full((1, 1, *size), 0.7), sigma), torch.tensor(0.7), atol=1e-6)


@pytest.mark.parametrize("radius", [1, 2, 5, 8])
def test_largest_values_are_those_of_the_square(radius: int) -> None:
    picture = noise(1, 2, 40, 33) - 0.5
    kernel = 2 * radius + 1
    assert torch.equal(largest_around(picture, radius), F.max_pool2d(picture, kernel, 1, radius))


@pytest.mark.parametrize("left", [0, 45])
def test_a_window_is_read_as_the_whole_picture_is(left: int) -> None:
    """Reflection is left out where nothing would be reflected, and kept where the window reaches over the border."""
    picture = blur(noise(1, 3, 90, 120), 2.0)
    places = grid_under(np.array([[0.5, -0.1, 40.0], [0.1, 0.5, 30.0]]), 40, 40) - [left, 0]
    found = resample(picture[0].permute(1, 2, 0), places, 0.5)
    grid = (torch.from_numpy(places).float() * 2 / torch.tensor([119.0, 89.0]) - 1)[None]
    wanted = F.grid_sample(picture, grid, "bicubic", "reflection", align_corners=True)[0].permute(1, 2, 0)
    assert float((found - wanted.clamp(found.min(), found.max())).abs().max()) < 1e-5


def test_places_in_single_precision_are_the_same_places() -> None:
    turn = np.array([[3.7, -0.4, 2100.0], [0.4, 3.7, 1500.0]])
    assert places_under(turn, 30, 20, 5, 7).dtype == np.float32
    assert np.abs(places_under(turn, 30, 20, 5, 7) - grid_under(turn, 30, 20, 5, 7)).max() < 1e-3
