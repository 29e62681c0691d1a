"""Bands of a crop: what a picture of so many pixels can hold, and what lies above it."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

COARSEST = 4
"""Pixels across a crop that carry light and tone alone, of the face's parts nothing."""

_ROUNDS = 4


def low_band(picture: Tensor, cells: float) -> Tensor:
    """What of (N, C, S, S) a picture of `cells` pixels a side holds, smooth and at the same size.

    Reduced again it gives the same cells: the enlargement is corrected until it does.
    """
    count = max(1, round(cells))
    size = picture.shape[-1]
    if count >= size:
        return picture
    goal = F.adaptive_avg_pool2d(picture, count)
    low = _enlarged(goal, size)
    for _ in range(_ROUNDS):
        low = low + _enlarged(goal - F.adaptive_avg_pool2d(low, count), size)
    return low


def trusted_cells(cells: float, trust: float) -> float:
    """Cells a side up to which the small picture counts: COARSEST at trust 0, all of its `cells` at 1, evenly in
    octaves between."""
    finest = max(float(cells), COARSEST)
    return COARSEST * math.exp(trust * math.log(finest / COARSEST))


def exchange(photo: Tensor, small: Tensor, cells: float) -> Tensor:
    """The photo's detail on the small picture's band of `cells` pixels a side, (N, C, S, S) in [0, 1]."""
    return (photo + low_band(small - photo, cells)).clamp(0, 1)


def _enlarged(picture: Tensor, size: int) -> Tensor:
    if picture.shape[-1] == 1:
        return picture.expand(*picture.shape[:-2], size, size)
    return F.interpolate(picture, size=(size, size), mode="bicubic", align_corners=False)


def misfit(photo: Tensor, small: Tensor, weight: Tensor, cells: float) -> float:
    """How badly a photo (1, 3, S, S) explains a small face, in linear light: the mean square of what remains of the
    small face's cells after a gain, under weights (S, S)."""
    count = max(1, round(cells))
    w = F.adaptive_avg_pool2d(weight[None, None], count)
    w = w / w.sum().clamp(min=1e-6)
    a, b = (F.adaptive_avg_pool2d(x, count) for x in (photo, small))
    a, b = (x - (x * w).sum((2, 3), keepdim=True) for x in (a, b))
    gain = (a * b * w).sum() / ((a * a * w).sum() + 1e-4)
    return float(((b - gain * a).square() * w).sum())


def mean_by_fit(pictures: Tensor, misfits: list[float]) -> Tensor:
    """The mean (1, 3, S, S) of pictures (N, 3, S, S), each by the inverse of its misfit."""
    weight = torch.tensor([1 / (one + 1e-4) for one in misfits]).to(pictures)
    return (pictures * (weight / weight.sum())[:, None, None, None]).sum(0, keepdim=True)


def spread_of(pictures: list[Tensor], weight: Tensor) -> float:
    """How far pictures (1, 3, S, S) of one face differ from each other: the standard deviation over them, its square
    averaged under weights (S, S), in the pictures' unit."""
    variance = torch.cat(pictures).var(0, correction=1).mean(0)
    return float(((variance * weight.to(variance)).sum() / weight.sum().clamp(min=1e-6)).sqrt())
