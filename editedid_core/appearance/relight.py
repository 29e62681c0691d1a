"""Brings the light and tone of one picture to another's, in low frequencies. METHOD §6.

Mid and high frequencies, which carry identity, stay those of the first picture.
"""

from __future__ import annotations

import torch

from ..geometry.resample import blur

_FLOOR = 0.01  # linear light; keeps the ratio finite in black
_LARGEST_RATIO = 4.0


def to_linear(srgb: torch.Tensor) -> torch.Tensor:
    """sRGB values in [0, 1] to linear light (IEC 61966-2-1)."""
    return torch.where(srgb <= 0.04045, srgb / 12.92, ((srgb.clamp(min=0) + 0.055) / 1.055) ** 2.4)


def to_srgb(linear: torch.Tensor) -> torch.Tensor:
    """Linear light in [0, 1] to sRGB values."""
    return torch.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear.clamp(min=0.0031308) ** (1 / 2.4) - 0.055)


def relight(picture: torch.Tensor, target: torch.Tensor, weight: torch.Tensor, strength: float = 1.0,
            sigma: float = 0.07, linear: tuple[torch.Tensor, torch.Tensor] | None = None) -> torch.Tensor:
    """Multiply `picture` by the ratio of the low-passed pictures, so that its light and tone become the target's.

    picture, target: (S, S, 3) sRGB in [0, 1], aligned. weight: (S, S) in [0, 1], where the two show the same surface
    (skin): only there is light compared, by normalised convolution, so hair and background do not bleed in; away from
    it the nearest known ratio holds. strength: 0 (unchanged) to 1. sigma: of the low-pass, in parts of S. linear: what
    `linear_light` makes of both, where it is at hand.
    Returns (S, S, 3) in [0, 1]. With no weight anywhere the picture comes back unchanged.
    """
    if strength <= 0 or float(weight.max()) <= 0:
        return picture
    size = picture.shape[0]
    w = weight[None, None].to(picture.dtype)
    a, b = linear or (linear_light(picture), linear_light(target))
    low_a, low_b = _low(a, w, sigma * size), _low(b, w, sigma * size)
    ratio = ((low_b + _FLOOR) / (low_a + _FLOOR)).clamp(1 / _LARGEST_RATIO, _LARGEST_RATIO)
    return to_srgb((a * ratio**strength).clamp(0, 1))[0].permute(1, 2, 0)


def linear_light(picture: torch.Tensor) -> torch.Tensor:
    """A picture (S, S, 3) sRGB in linear light, (1, 3, S, S)."""
    return to_linear(picture.clamp(0, 1)).permute(2, 0, 1)[None]


def light_spread(light: torch.Tensor, target: torch.Tensor, weight: torch.Tensor, sigma: float = 0.06) -> float:
    """How differently two aligned pictures, as `linear_light` gives them, are lit: standard deviation, where `weight`
    (S, S) is more than a half, of the logarithm of their ratio of low-passed light. 0 for one light, also at another
    brightness."""
    inside = weight > 0.5
    if int(inside.sum()) < 16:
        return 0.0
    w = weight[None, None].to(light.dtype)
    low = [_low(x, w, sigma * light.shape[-1]).mean(1)[0] + _FLOOR for x in (light, target)]
    return float((low[0] / low[1]).log()[inside].std())


def _low(x: torch.Tensor, w: torch.Tensor, sigma: float) -> torch.Tensor:
    """Normalised convolution (Knutsson and Westin 1993): weighted local means, wider where nothing is known nearby."""
    overall = (x * w).sum((2, 3), keepdim=True) / w.sum().clamp(min=1e-6)
    wide_weight = blur(w, 4 * sigma)
    wide = (blur(x * w, 4 * sigma) + 1e-3 * overall) / (wide_weight + 1e-3)
    return (blur(x * w, sigma) + 0.02 * wide) / (blur(w, sigma) + 0.02)
