"""A soft photo gets the edit's sharpness, a sharp one stays; and resampling down and up keeps what a picture holds."""

from __future__ import annotations

import numpy as np
import torch

from editedid_core.appearance.sharpness import SOFTEST, match_sharpness
from editedid_core.geometry.affine import pixel_grid
from editedid_core.geometry.resample import blur, resample

SIDE = 128
EVERYWHERE = torch.ones(SIDE, SIDE)


def pattern() -> torch.Tensor:
    """(S, S, 3) with detail of every size, within [0.2, 0.8]."""
    noise = torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    fine = blur(noise, 1.0)
    return (0.5 + (fine - fine.mean()) / (fine - fine.mean()).abs().max() * 0.3)[0].permute(1, 2, 0)


def soft(picture: torch.Tensor, sigma: float = 0.8) -> torch.Tensor:
    return blur(picture.permute(2, 0, 1)[None], sigma)[0].permute(1, 2, 0)


def test_a_soft_photo_comes_nearer_to_the_sharp_one() -> None:
    sharp = pattern()
    blurred = soft(sharp)
    mended = match_sharpness(blurred, sharp, EVERYWHERE)
    assert float((mended - sharp).square().mean()) < 0.5 * float((blurred - sharp).square().mean())
    assert 0.0 <= float(mended.min()) and float(mended.max()) <= 1.0


def test_a_sharp_photo_is_not_softened() -> None:
    sharp = pattern()
    assert match_sharpness(sharp, soft(sharp), EVERYWHERE) is sharp


def test_detail_is_at_most_doubled() -> None:
    sharp = pattern()
    faint = soft(sharp, 3.0)
    detail = [x - soft(x, 0.008 * SIDE) for x in (faint, match_sharpness(faint, sharp, EVERYWHERE))]
    assert float(detail[1].std() / detail[0].std()) < 2.3


def test_only_what_both_show_is_compared() -> None:
    sharp = pattern()
    left = EVERYWHERE.clone()
    left[:, SIDE // 2:] = 0
    half_soft = torch.cat([sharp[:, :SIDE // 2], soft(sharp)[:, SIDE // 2:]], 1)
    assert torch.allclose(match_sharpness(half_soft, sharp, left), half_soft, atol=0.02)
    assert match_sharpness(half_soft, sharp, 0 * EVERYWHERE) is half_soft


def test_a_picture_made_larger_and_smaller_again_keeps_its_detail() -> None:
    """A crop is up to twice as fine as its picture, and pasted back: a triangle filter there loses a sixth of it."""
    picture = pattern()
    zoom = 1.8
    larger = resample(picture, (pixel_grid(round(zoom * SIDE), round(zoom * SIDE)) + 0.5) / zoom - 0.5, 1 / zoom)
    again = resample(larger, (pixel_grid(SIDE, SIDE) + 0.5) * zoom - 0.5, zoom)
    inside = np.s_[8:-8, 8:-8]
    kept = float((again[inside] - soft(again)[inside]).std() / (picture[inside] - soft(picture)[inside]).std())
    assert kept > 0.9


def test_a_mask_made_smaller_stays_between_nothing_and_all() -> None:
    mask = torch.zeros(SIDE, SIDE, 1)
    mask[40:80, 40:80] = 1
    small = resample(mask, (pixel_grid(40, 40) + 0.5) * 3.2 - 0.5, 3.2, padding="zeros", mode="bilinear")
    assert float(small.min()) == 0.0 and float(small.max()) == 1.0


def test_a_photo_sharper_than_the_edit_loses_some_of_its_detail_and_no_more() -> None:
    sharp = pattern()
    found = match_sharpness(sharp, soft(sharp, 3.0), EVERYWHERE, SOFTEST)
    detail = [x - soft(x, 0.008 * SIDE) for x in (sharp, found)]
    assert 0.6 < float(detail[1].std() / detail[0].std()) < 0.85
