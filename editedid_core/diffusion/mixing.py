"""Mixing of two trajectories: the paper's law and the spherical one (METHOD §4)."""

from __future__ import annotations

import torch
from torch import Tensor

PAPER_RATE = 0.01
"""Learning rate of the paper's weight (EditedID, adaptive mixing)."""


def paper_weight(weight: float, mean_square_difference: float, rate: float = PAPER_RATE) -> float:
    """One step of the paper's adaptive weight, in closed form, kept in [0, 0.5].

    Gradient descent on L = |z1' - z2'|^2 (mean) with symmetric mixing z1' - z2' = (1 - 2 w)(z1 - z2) has
    1 - 2 w' = (1 - 2 w)(1 - 8 * rate * m), m = mean((z1 - z2)^2); no optimiser is needed.
    """
    shrink = min(max(1.0 - 8.0 * rate * mean_square_difference, 0.0), 1.0)
    return min(max(0.5 - 0.5 * (1.0 - 2.0 * weight) * shrink, 0.0), 0.5)


def paper_mix(z1: Tensor, z2: Tensor, weight: float) -> tuple[Tensor, Tensor]:
    """Symmetric mixing of two states (EditedID, adaptive mixing); weight 0.5 makes them one."""
    return torch.lerp(z1, z2, weight), torch.lerp(z2, z1, weight)


def spherical_mix(noise1: Tensor, noise2: Tensor, weight: Tensor) -> Tensor:
    """Noise of the original mixed into the edit's, keeping its standard deviation (ours, METHOD §4).

    `noise1`, `noise2`: (B, C, ..., h, w), about unit variance; `weight`: broadcastable to them, in [0, 1];
    0 returns `noise2` exactly and 1 returns `noise1` exactly. The plain average of two noises with
    correlation c has its std shrunk to sqrt((1 + c) / 2), which makes the picture smooth and pale.
    """
    dims = tuple(range(1, noise1.ndim))
    covariance = (noise1 * noise2).mean(dims, keepdim=True)
    power = (noise1.square().mean(dims, keepdim=True) * noise2.square().mean(dims, keepdim=True)).sqrt()
    correlation = (covariance / power.clamp_min(1e-12)).clamp(0.0, 1.0)
    norm = ((1 - weight) ** 2 + weight**2 + 2 * weight * (1 - weight) * correlation).sqrt()
    mixed = torch.lerp(noise2, noise1, weight.expand_as(noise1)) / norm
    return torch.where(weight == 0, noise2, torch.where(weight == 1, noise1, mixed))


def low_band(x: Tensor, blur: float) -> Tensor:
    """Gaussian low-pass over the last two axes; `blur` is the standard deviation in latent pixels, > 0."""
    from torchvision.transforms.functional import gaussian_blur  # slow to import, needed only here

    widest = 2 * min(x.shape[-2:]) - 1  # reflection padding must stay inside the picture
    kernel = min(2 * max(1, round(2.5 * blur)) + 1, widest)
    flat = x.reshape(-1, 1, *x.shape[-2:])
    return gaussian_blur(flat, [kernel, kernel], [blur, blur]).reshape(x.shape)
