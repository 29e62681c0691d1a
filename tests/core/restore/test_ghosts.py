"""Ghosts: a face that shows photo and edit at once is told from one that shows either at each place."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor

from editedid_core.restore.ghosts import ghosts_in

SIDE = 256
POINTS = np.array([[96.0, 106], [160, 106], [128, 146], [104, 176], [152, 176]])


def textured(seed: int) -> Tensor:
    """A picture (S, S, 3) with structure of its own."""
    noise = gaussian_filter(np.random.default_rng(seed).normal(size=(SIDE, SIDE)), 2.5)
    light = 0.5 + 0.1 * noise / noise.std()
    return torch.from_numpy(np.repeat(light[..., None], 3, -1).clip(0, 1).astype(np.float32))


PHOTO, EDIT = textured(0), textured(1)


def beside() -> Tensor:
    """The photo at the left and the edit at the right."""
    return torch.where((torch.arange(SIDE) < 120)[None, :, None], PHOTO, EDIT)


@pytest.mark.parametrize(("made", "clean"), [
    (PHOTO, True), (EDIT, True), (beside(), True), (0.6 * PHOTO + 0.4 * EDIT, False), (0.9 * PHOTO + 0.1 * EDIT, True)])
def test_a_blend_of_both_is_a_ghost_and_one_beside_the_other_is_none(made: Tensor, clean: bool) -> None:
    found = ghosts_in(made, PHOTO, EDIT, POINTS)
    assert found.clean is clean
    assert found.share > 0.3 if not clean else found.share < 0.06


def test_a_ghost_of_one_feature_is_enough() -> None:
    mouth = torch.zeros(SIDE, SIDE, 1)
    mouth[158:196, 92:166] = 1
    found = ghosts_in(torch.lerp(PHOTO, EDIT, 0.45 * mouth), PHOTO, EDIT, POINTS)
    assert found.worst > 0.5 and not found.clean


def test_size_does_not_matter() -> None:
    def large(x: Tensor) -> Tensor:
        return x.repeat_interleave(2, 0).repeat_interleave(2, 1)

    blend = 0.5 * PHOTO + 0.5 * EDIT
    found = ghosts_in(large(blend), PHOTO, large(EDIT), (POINTS + 0.5) * 2 - 0.5)
    assert found.share == pytest.approx(ghosts_in(blend, PHOTO, EDIT, POINTS).share, abs=0.05)
