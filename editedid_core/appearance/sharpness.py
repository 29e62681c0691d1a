"""Makes a photo as sharp as the edit it goes into (**ours**, METHOD §6).

A photo that was taken from further away, out of focus or saved small is soft beside a freshly generated picture, and a
soft face in a sharp head looks false.
"""

from __future__ import annotations

import math

import torch

from ..geometry.resample import blur

_FINE = 0.008
"""Standard deviation, in parts of a crop's side, of the low-pass above which detail counts as fine."""

_MOST = 2.0
"""More would show the photo's grain and its compression (drawn people, 2026-11)."""

SOFTEST = 0.65
"""Least share of its fine detail that a photo keeps: less would look waxy."""


def match_sharpness(picture: torch.Tensor, target: torch.Tensor, weight: torch.Tensor,
                    least: float = 1.0) -> torch.Tensor:
    """Strengthen the fine detail of `picture` until there is as much of it as in `target`, or weaken it down to
    `least` of it: a photo that is sharper than the picture around it looks pasted.

    picture, target: (S, S, 3) in [0, 1], aligned. weight: (S, S) in [0, 1], where both show the same things: eyes and
    mouth, since freckles and pores are the person's own. Returns (S, S, 3) in [0, 1]; the picture itself where it is
    as sharp, or where there is too little to compare.
    """
    total = float(weight.sum())
    if total < 16:
        return picture
    fine = _fine(picture)
    # of the target only the features matter, and the low-pass reaches little further
    reach = math.ceil(3 * _FINE * picture.shape[0]) + 1
    rows, columns = (torch.nonzero(weight.amax(axis) > 0).flatten() for axis in (1, 0))
    top, left = (max(0, int(found[0]) - reach) for found in (rows, columns))
    bottom, right = (int(found[-1]) + reach + 1 for found in (rows, columns))
    place = (slice(top, bottom), slice(left, right))
    there = _fine(target[place], picture.shape[0])
    here, inside = fine[..., place[0], place[1]], weight[place]
    energy = [(x.square().mean(1)[0] * inside).sum() for x in (here, there)]
    gain = float((energy[1] / energy[0].clamp(min=1e-9 * total)).sqrt().clamp(least, _MOST))
    return picture if gain == 1 else (picture + (gain - 1) * fine[0].permute(1, 2, 0)).clamp(0, 1)


def _fine(picture: torch.Tensor, side: int | None = None) -> torch.Tensor:
    """The fine detail of a picture (H, W, 3) out of a crop `side` pixels wide, its own width if None; (1, 3, H, W)."""
    x = picture.permute(2, 0, 1)[None]
    return x - blur(x, _FINE * (side or picture.shape[0]))
