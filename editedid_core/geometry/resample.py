"""Resampling pictures under a map, without aliasing and without touching more of the picture than the map needs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

_LARGE = 1 << 18
"""Pixels of a plane, from 512 by 512."""


def resample(picture: torch.Tensor, positions: NDArray[np.float64], step: float, padding: str = "reflection",
           mode: str = "bicubic") -> torch.Tensor:
    """Read a picture at given positions.

    picture: (H, W, C) float. positions: (h, w, 2) x and y in its pixels. step: picture pixels per output pixel; above 1
    the needed part of the picture is first made smaller with a low-pass, so that nothing aliases.
    padding: "reflection", "border" or "zeros" beyond the border of the picture. mode: "bicubic" or "bilinear".
    Returns (h, w, C) float32, within the range of the picture.
    """
    height, width = picture.shape[:2]
    margin = math.ceil(3 * max(step, 1.0)) + 1
    least, most = (torch.from_numpy(positions).amin((0, 1)).numpy(), torch.from_numpy(positions).amax((0, 1)).numpy())
    x0, y0 = (int(v) for v in np.clip(np.floor(least) - margin, 0, [width - 1, height - 1]))
    x1, y1 = (int(v) for v in np.clip(np.ceil(most) + margin, 0, [width - 1, height - 1]))
    window = picture[y0:y1 + 1, x0:x1 + 1].to(torch.float32).permute(2, 0, 1)[None]  # 1CHW
    low, high = window.amin(), window.amax()
    scale, start = np.ones(2), -np.array([x0, y0], dtype=np.float64)
    if step > 1.0:
        h = max(1, round(window.shape[2] / step))
        w = max(1, round(window.shape[3] / step))
        ratio = np.array([w / window.shape[3], h / window.shape[2]])
        window = F.interpolate(window, size=(h, w), mode=mode, antialias=True, align_corners=False)
        scale, start = ratio, (start + 0.5) * ratio - 0.5
    # one pixel wide pictures have no extent to normalise by; repeating the pixel gives them one
    window = F.pad(window, (0, int(window.shape[3] == 1), 0, int(window.shape[2] == 1)), mode="replicate")
    extent = np.array([window.shape[3] - 1, window.shape[2] - 1], dtype=np.float64)
    local = positions * (2 * scale / extent)
    local += 2 * start / extent - 1
    grid = torch.from_numpy(local.astype(np.float32)).to(window.device)[None]
    out = F.grid_sample(window, grid, mode=mode, padding_mode=padding, align_corners=True)
    if padding == "zeros":
        low, high = low.clamp(max=0), high.clamp(min=0)
    return out.clamp(low, high)[0].permute(1, 2, 0)


def read(picture: torch.Tensor, positions: NDArray[np.float64]) -> NDArray[np.float32]:
    """Picture (H, W, C) read bilinearly at positions (h, w, 2), as an array (h, w, C)."""
    return resample(picture, positions, 1.0, padding="border", mode="bilinear").numpy()


def blur(x: torch.Tensor, sigma: float) -> torch.Tensor:
    """Gaussian low-pass of (N, C, H, W) with standard deviation `sigma` in pixels; the border is replicated."""
    if sigma <= 0.05:
        return x
    # a wide kernel is computed on a smaller picture: the same low-pass for a fraction of the work
    shrink = max(1, int(sigma // 4))
    size = x.shape[-2:]
    small = x
    if shrink > 1 and min(size) >= 4 * shrink:
        small = F.interpolate(x, size=(math.ceil(size[0] / shrink), math.ceil(size[1] / shrink)), mode="area")
    else:
        shrink = 1
    weights = _gaussian(sigma / shrink)
    # planes that do not fit into a processor's cache together go through one by one
    parts = small.split(1, 1) if small[0, 0].numel() >= _LARGE else (small,)
    low = torch.cat([_weighted(_weighted(part, -1, weights), -2, weights) for part in parts], 1)
    return low if shrink == 1 else F.interpolate(low, size=size, mode="bilinear", align_corners=False)


@lru_cache
def _gaussian(sigma: float) -> tuple[float, ...]:
    """Weights at distance 0, 1 and so on, both sides of which add up to 1: in float32, in the order of `_weighted`, to
    the last bit, so that the inside of a mask stays 1."""
    weights = np.exp(-0.5 * (np.arange(math.ceil(3 * sigma) + 1) / sigma) ** 2)
    weights = (weights / (2 * weights.sum() - 1)).astype(np.float32)
    both = np.repeat(weights, 2)[1:]
    for _ in range(8):
        both[0] += 1 - np.cumsum(both)[-1]
    return float(both[0]), *(float(weight) for weight in weights[1:])


def _weighted(x: torch.Tensor, axis: int, weights: Sequence[float]) -> torch.Tensor:
    """Weighted sum of each place and its neighbours along an axis; weights: at distance 0, 1 and so on.

    Slices added up are two to eight times as fast as convolutions with few channels, kornia's among them.
    """
    reach, length = len(weights) - 1, x.shape[axis]
    padded = F.pad(x, (reach, reach, 0, 0) if axis == -1 else (0, 0, reach, reach), mode="replicate")
    out = padded.narrow(axis, reach, length) * weights[0]
    for k in range(1, reach + 1):
        for place in (reach - k, reach + k):
            out.add_(padded.narrow(axis, place, length), alpha=weights[k])
    return out
