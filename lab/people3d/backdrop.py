"""What is behind people: blurred rooms, trees, streets and studio walls, linear."""

from __future__ import annotations

import torch

from .dice import Dice
from .scenes import LIGHTS, Scenes

SIDE = 96
SHAPES = 44


def gaussian(sigma: float, device: torch.device) -> torch.Tensor:
    """A normalised kernel, three deviations to each side."""
    reach = max(1, int(3 * sigma + 0.5))
    x = torch.arange(-reach, reach + 1, device=device)
    kernel = torch.exp(-0.5 * (x / max(sigma, 1e-3)) ** 2)
    return kernel / kernel.sum()


def blur(image: torch.Tensor, sigma: float) -> torch.Tensor:
    """Gaussian blur of (n, C, H, W), edges repeated."""
    if sigma < 0.15:
        return image
    channels = image.shape[1]
    kernel = gaussian(sigma, image.device)
    reach = len(kernel) // 2
    image = torch.nn.functional.pad(image, (reach, reach, 0, 0), mode="replicate")
    image = torch.nn.functional.conv2d(image, kernel.view(1, 1, 1, -1).expand(channels, 1, 1, -1), groups=channels)
    image = torch.nn.functional.pad(image, (0, 0, reach, reach), mode="replicate")
    return torch.nn.functional.conv2d(image, kernel.view(1, 1, -1, 1).expand(channels, 1, -1, 1), groups=channels)


def backdrops(scenes: Scenes, size: int, device: torch.device) -> torch.Tensor:
    """Pictures (n, 3, size, size), linear, already out of focus."""
    n = len(scenes)
    dice = Dice(scenes.backdrop, device, 3)
    kind = scenes.light.to(device)
    y, x = torch.meshgrid(*[(torch.arange(SIDE, device=device) + 0.5) / SIDE] * 2, indexing="ij")

    def tint(share: float, level: torch.Tensor) -> torch.Tensor:
        hue = dice.uniform(3) + torch.tensor([0.35, 0.22, 0.05], device=device)
        hue = hue / hue.mean(1, keepdim=True)
        return level[:, None] * (1 + share * (hue - 1))

    studio = kind == LIGHTS.index("studio")
    outside = (kind == LIGHTS.index("overcast")) | (kind == LIGHTS.index("sun"))
    night = kind == LIGHTS.index("night")
    light = torch.where(night, 0.02, torch.where(outside, 0.30, 0.18)) * torch.exp(0.6 * dice.normal())
    light = torch.where(studio, 0.02 * torch.exp(3.3 * dice.uniform()), light)
    wall = tint(0.28, light)
    image = wall[:, :, None, None].expand(n, 3, SIDE, SIDE).clone()
    falloff = 1.25 - 0.9 * ((x - dice.uniform()[:, None, None]) ** 2 + (y - 0.4 * dice.uniform()[:, None, None]) ** 2).sqrt()
    image = image * falloff.clamp(0.25, 1.4)[:, None]
    # outside: sky above, ground below the horizon
    horizon = (0.25 + 0.5 * dice.uniform())[:, None, None]
    sky = torch.tensor([0.62, 0.74, 0.92], device=device) * (0.7 + 0.6 * dice.uniform())[:, None]
    ground = tint(0.5, 0.06 + 0.15 * dice.uniform()) * torch.tensor([0.95, 1.0, 0.75], device=device)
    land = torch.where((y[None] < horizon)[:, None], sky[:, :, None, None], ground[:, :, None, None])
    image = torch.where(outside[:, None, None, None], land, image)
    # shapes: furniture, leaves, lights
    leaf = dice.uniform() < 0.6
    for k in range(SHAPES):
        cx, cy = dice.uniform()[:, None, None] * 1.3 - 0.15, dice.uniform()[:, None, None] * 1.2 - 0.1
        a, b = 0.02 + 0.20 * dice.uniform()[:, None, None] ** 2, 0.02 + 0.32 * dice.uniform()[:, None, None] ** 2
        tall = outside & leaf
        small = 0.03 + 0.09 * dice.uniform()[:, None, None]
        round_ = ((x - cx) ** 2 + (y - cy) ** 2).sqrt() < small
        square = ((x - cx).abs() < a) & ((y - cy).abs() < b)
        inside = torch.where((tall | night)[:, None, None], round_, square)
        colour = tint(0.30, light * torch.exp(1.0 * dice.normal()))
        green = torch.tensor([0.10, 0.17, 0.05], device=device) * torch.exp(0.9 * dice.normal())[:, None] * (1 + 0.25 * dice.normal(3))
        lamp = torch.tensor([1.3, 0.85, 0.45], device=device) * (0.3 + 2.0 * dice.uniform()[:, None]) * (1 + 0.45 * dice.normal(3)).clamp(0.1, 2)
        colour = torch.where(tall[:, None], green, torch.where((night & (dice.uniform() < 0.5))[:, None], lamp, colour))
        share = torch.where(studio, 0.0, torch.where(night, 0.75, 0.6)) * (1.0 if k < 24 else (tall | night).float())
        image = torch.lerp(image, colour[:, :, None, None].clamp(min=0).expand_as(image), (inside.float() * share[:, None, None])[:, None])
    window = ((x - dice.uniform()[:, None, None]).abs() < 0.10) & ((y - 0.3).abs() < 0.28)
    bright = (window & (kind == LIGHTS.index("window"))[:, None, None] & (dice.uniform() < 0.4)[:, None, None])[:, None]
    image = torch.where(bright, torch.full_like(image, 1.1), image)
    soft, softer = blur(image, 1.6), blur(image, 5.0)
    share = scenes.blur.to(device)[:, None, None, None]
    share = torch.where(studio[:, None, None, None], torch.ones_like(share), share)
    image = torch.lerp(soft, softer, share)
    return torch.nn.functional.interpolate(image, (size, size), mode="bicubic", align_corners=False).clamp(min=0)
