"""Brings the light and tone of one picture to another's, in low frequencies. METHOD §6.

Mid and high frequencies, which carry identity, stay those of the first picture.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from ..geometry.resample import blur

_FLOOR = 0.01  # linear light; keeps the ratio finite in black
_LARGEST_RATIO = 4.0
_TOE, _DARK = 0.04045, 0.055
"""The value of sRGB up to which it is linear, and what is added to it beyond: then it is a power of light."""
_POWER = 2.4
_SEEN = 256
"""Pixels a side in which light is measured."""
_LEAST_SIGMA = 3.0
"""Pixels of the low-pass's standard deviation where it is computed."""


def to_linear(srgb: torch.Tensor) -> torch.Tensor:
    """sRGB values in [0, 1] to linear light (IEC 61966-2-1)."""
    power = srgb.clamp(min=0).add_(_DARK).mul_(1 / (1 + _DARK)).pow_(_POWER)
    return torch.where(srgb <= _TOE, srgb / 12.92, power)


def to_srgb(linear: torch.Tensor) -> torch.Tensor:
    """Linear light in [0, 1] to sRGB values."""
    return torch.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear.clamp(min=0.0031308) ** (1 / 2.4) - 0.055)


def relight(picture: torch.Tensor, target: torch.Tensor, weight: torch.Tensor, strength: float = 1.0,
            sigma: float = 0.07) -> torch.Tensor:
    """Multiply `picture` by the ratio of the low-passed pictures, so that its light and tone become the target's.

    picture, target: (S, S, 3) sRGB in [0, 1], aligned. weight: (S, S) in [0, 1], where the two show the same surface
    (skin): only there is light compared, by normalised convolution, so hair and background do not bleed in; away from
    it the nearest known ratio holds. strength: 0 (unchanged) to 1. sigma: of the low-pass, in parts of S.
    Returns (S, S, 3) in [0, 1]. With no weight anywhere the picture comes back unchanged.
    """
    if strength <= 0 or float(weight.max()) <= 0:
        return picture
    ratio = light_ratio(linear_light(picture), linear_light(target), weight, sigma)
    return in_light(picture, ratio if strength == 1 else ratio**strength)


def linear_light(picture: torch.Tensor) -> torch.Tensor:
    """A picture (S, S, 3) sRGB in linear light, (1, 3, s, s) with s at most `_SEEN`."""
    return to_linear(_reduced(picture.permute(2, 0, 1)[None].clamp(0, 1), _SEEN))


def light_ratio(light: torch.Tensor, target: torch.Tensor, weight: torch.Tensor, sigma: float = 0.07
                ) -> torch.Tensor:
    """The ratio of a target's low-passed light to a picture's, (1, 3, z, z), z as fine as the low-pass.

    light, target: (1, 3, s, s), as `linear_light` gives them. weight, sigma: as of relight().
    """
    low_a, low_b = _lows(light, target, weight, sigma)
    return ((low_b + _FLOOR) / (low_a + _FLOOR)).clamp(1 / _LARGEST_RATIO, _LARGEST_RATIO)


def in_light(picture: torch.Tensor, ratio: torch.Tensor) -> torch.Tensor:
    """A picture (S, S, 3) in sRGB with its light multiplied by a ratio (1, 3, z, z).

    Beyond its linear toe sRGB is a power of light with something subtracted, so that a ratio of light is a ratio of it.
    """
    gain = F.interpolate(ratio ** (1 / _POWER), size=picture.shape[:2], mode="bilinear", align_corners=False)
    gain = gain[0].permute(1, 2, 0)
    known = picture.clamp(0, 1)
    lit = (known + _DARK).mul_(gain).sub_(_DARK)
    toe = (known <= _TOE).logical_or_(lit <= _TOE)
    if bool(toe.any()):
        lit[toe] = to_srgb((to_linear(known[toe]) * gain[toe] ** _POWER).clamp(0, 1))
    return lit.clamp_(0, 1)


def light_spread(light: torch.Tensor, target: torch.Tensor, weight: torch.Tensor, sigma: float = 0.06) -> float:
    """How differently two aligned pictures, as `linear_light` gives them, are lit: standard deviation, where `weight`
    (S, S) is more than a half, of the logarithm of their ratio of low-passed light. 0 for one light, also at another
    brightness."""
    low_a, low_b = (low.mean(1)[0] + _FLOOR for low in _lows(light, target, weight, sigma))
    inside = _reduced(weight[None, None], low_a.shape[-1])[0, 0] > 0.5
    return float((low_a / low_b).log()[inside].std()) if int(inside.sum()) >= 16 else 0.0


def _reduced(x: torch.Tensor, most: int) -> torch.Tensor:
    """(1, C, S, S) with `most` pixels a side at most."""
    return x if x.shape[-1] <= most else F.interpolate(x, size=(most, most), mode="area")


def _lows(light: torch.Tensor, target: torch.Tensor, weight: torch.Tensor, sigma: float
          ) -> tuple[torch.Tensor, torch.Tensor]:
    """The low-passed light of both, (1, 3, z, z): normalised convolution (Knutsson and Westin 1993), weighted local
    means, wider where nothing is known nearby."""
    w = _reduced(weight[None, None].to(light.dtype), light.shape[-1])
    size = light.shape[-1]
    while size % 2 == 0 and sigma * size / 2 >= _LEAST_SIGMA:
        size //= 2
    known = _reduced(torch.cat([light * w, target * w, w], 1), size)
    overall = known[:, :-1].sum((2, 3), keepdim=True) / known[:, -1:].sum().clamp(min=1e-6)
    far, near = (blur(known, width * sigma * known.shape[-1]) for width in (4, 1))
    wide = (far[:, :-1] + 1e-3 * overall) / (far[:, -1:] + 1e-3)
    low = (near[:, :-1] + 0.02 * wide) / (near[:, -1:] + 0.02)
    return low[:, :3], low[:, 3:]
