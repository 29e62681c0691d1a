"""From linear light to a photograph: exposure, tone curve, colour, softness, grain."""

from __future__ import annotations

import torch

from .backdrop import blur
from .dice import Dice
from .scenes import LIGHTS, Scenes


def develop(linear: torch.Tensor, scenes: Scenes, gain: torch.Tensor) -> torch.Tensor:
    """Pictures (n, 3, S, S) in 0..1, sRGB, of linear ones and the camera's gain (n,)."""
    device, size = linear.device, linear.shape[-1]
    get = lambda name: scenes.values[name].to(device)[:, None, None, None]  # noqa: E731 - six casts
    low = (get("light") == LIGHTS.index("night")).float()
    exposure = gain[:, None, None, None] * torch.exp(get("exposure") - 0.45 * low)
    x = linear * exposure
    warm = get("warmth")
    x = x * torch.cat([1 + warm, torch.ones_like(warm), 1 - warm], 1)
    x = x + 0.05 * blur(x.clamp(max=4), size * 0.03)                    # glare of the lens
    x = x.clamp(min=0)
    x = torch.where(x < 0.45, x, 0.45 + 0.55 * (1 - torch.exp(-(x - 0.45) / 0.55)))  # film's shoulder
    x = torch.where(x < 0.0031308, 12.92 * x, 1.055 * x.clamp(min=1e-6) ** (1 / 2.4) - 0.055)
    contrast = get("contrast") * 1.06
    x = x + (contrast - 1) * (x - 0.45) * (1 - (2 * x - 1).abs().clamp(max=1))
    grey = (x * torch.tensor([0.3, 0.59, 0.11], device=device)[:, None, None]).sum(1, keepdim=True)
    x = grey + (x - grey) * get("saturation")
    soft = get("soft")
    x = torch.lerp(x, blur(x, 0.8 * size / 256), soft)
    noise = Dice(scenes.seed, device, 9).normal(3, size, size)
    noise = 0.6 * noise + 0.9 * blur(noise, 0.8)
    x = x + get("grain") * noise * (1.2 - 0.7 * x.clamp(0, 1)) * (1 + 1.2 * low)
    return x.clamp(0, 1)
