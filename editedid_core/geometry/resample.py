"""Resampling pictures under a map, without aliasing and without touching more of the picture than the map needs."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray


def resample(picture: torch.Tensor, positions: NDArray[np.floating], step: float, padding: str = "reflection",
           mode: str = "bicubic") -> torch.Tensor:
    """Read a picture at given positions.

    picture: (H, W, C) float. positions: (h, w, 2) x and y in its pixels. step: picture pixels per output pixel; above 1
    the needed part of the picture is first made smaller with a low-pass, so that nothing aliases.
    padding: "reflection", "border" or "zeros" beyond the border of the picture. mode: "bicubic" or "bilinear".
    Returns (h, w, C) float32, within the range of the picture.
    """
    height, width = picture.shape[:2]
    margin = math.ceil(3 * max(step, 1.0)) + 1
    places = torch.from_numpy(positions)
    (least, most) = (torch.stack([bound(places[..., axis]) for axis in (0, 1)]).double().numpy()
                     for bound in (torch.amin, torch.amax))
    low_end, high_end, last = np.floor(least) - margin, np.ceil(most) + margin, np.array([width - 1, height - 1])
    x0, y0 = (int(v) for v in np.clip(low_end, 0, last))
    x1, y1 = (int(v) for v in np.clip(high_end, 0, last))
    if padding == "reflection" and (low_end >= 0).all() and (high_end <= last).all():
        padding = "border"  # nothing is read beyond it, and torch takes a third of the time
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
    # first to the window's own corner, so that single precision is enough
    local = places - torch.from_numpy(-start / scale).to(places.dtype)
    local.mul_(torch.from_numpy(2 * scale / extent).to(places.dtype)).sub_(1)
    grid = local.to(window.device, torch.float32)[None]
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
    height, width = x.shape[-2:]
    shrink = 1
    while 4 * shrink <= sigma and 8 * shrink <= min(height, width):
        shrink *= 2
    if shrink == 1:
        return _gaussian(x, sigma)
    low, right = -height % shrink, -width % shrink
    whole = F.pad(x, (0, right, 0, low), mode="replicate") if low or right else x
    # squares of pixels and lines between them are a low-pass too
    narrow = math.sqrt(sigma**2 - (shrink**2 - 1) / 4) / shrink
    small = _gaussian(F.avg_pool2d(whole, shrink), narrow)
    return F.interpolate(small, size=whole.shape[-2:], mode="bilinear", align_corners=False)[..., :height, :width]


def _gaussian(x: torch.Tensor, sigma: float) -> torch.Tensor:
    """The same, pixel for pixel. Adding up moved copies takes a third of the time of a general convolution."""
    reach = math.ceil(3 * sigma)
    taps = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    for axis, pad in ((-1, (reach, reach, 0, 0)), (-2, (0, 0, reach, reach))):
        around, size = F.pad(x, pad, mode="replicate"), x.shape[axis]
        x = around.narrow(axis, reach, size) * (taps[reach] / taps.sum())
        for step, tap in enumerate(taps / taps.sum()):
            if step != reach:
                x.add_(around.narrow(axis, step, size), alpha=tap)
    return x
