"""Mixing of two trajectories: the paper's law and the spherical one (METHOD §4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .trajectory import SourceLevel

PAPER_RATE = 0.01
"""Learning rate of the paper's weight (EditedID, adaptive mixing)."""

MOST_OPPOSED = -0.99
"""Correlation below which two noises are taken for no more opposed: at -1 half of each is nothing at all."""


@dataclass(frozen=True)
class Mixing:
    """How the two trajectories are mixed.

    `init_weight` in [0, 0.5] and `rate`: the paper's adaptive law; `final_steps`: last steps in which the weight is
    forced to 0.5, its maximum; `spherical`: noises keep their deviation (**ours**), else they are averaged as in the
    paper; `low_band_blur`: standard deviation in latent pixels below which the edit's own light and colour are kept, 0
    for off (**ours**).
    """

    init_weight: float = 0.05
    rate: float = PAPER_RATE
    final_steps: int = 3
    spherical: bool = True
    low_band_blur: float = 0.0


def distance(pair: Tensor, rho: float) -> Tensor:
    """Mean squared difference of two states y (2, C, ..., h, w) as variance-preserving latents z = y / sqrt(1 + rho^2),
    a scalar."""
    return (pair[0] - pair[1]).square().mean() / (1.0 + rho**2)


def paper_weight(weight: float, mean_square_difference: float, rate: float = PAPER_RATE) -> float:
    """One step of the paper's adaptive weight, in closed form, kept in [0, 0.5].

    Gradient descent on L = |z1' - z2'|^2 (mean) with symmetric mixing z1' - z2' = (1 - 2 w)(z1 - z2) has
    1 - 2 w' = (1 - 2 w)(1 - 8 * rate * m), m = mean((z1 - z2)^2); no optimiser is needed. z is the variance-preserving
    latent (`distance`).
    """
    shrink = min(max(1.0 - 8.0 * rate * mean_square_difference, 0.0), 1.0)
    return min(max(0.5 - 0.5 * (1.0 - 2.0 * weight) * shrink, 0.0), 0.5)


def mixing_curve(distances: Sequence[float], mixing: Mixing) -> tuple[float, ...]:
    """The weight in [0, 0.5] at each step of a run, from the distance of the sources (`distance`) at each."""
    weight = mixing.init_weight
    curve = []
    # in a short run the law keeps the first step, or its weight would have no say
    forced_steps = min(mixing.final_steps, max(1, len(distances) - 1))
    for i, difference in enumerate(distances):
        forced = i >= len(distances) - forced_steps
        weight = 0.5 if forced else paper_weight(weight, difference, mixing.rate)
        curve.append(weight)
    return tuple(curve)


def paper_mix(z1: Tensor, z2: Tensor, weight: float) -> tuple[Tensor, Tensor]:
    """Symmetric mixing of two states (EditedID, adaptive mixing); weight 0.5 makes them one."""
    return torch.lerp(z1, z2, weight), torch.lerp(z2, z1, weight)


def blend(pair: Tensor, weight: Tensor) -> Tensor:
    """Original (row 0) over edited (row 1) by weight, (1, C, ..., h, w)."""
    return torch.lerp(pair[1:], pair[:1], weight.expand_as(pair[:1]))


def spherical_mix(noise1: Tensor, noise2: Tensor, weight: Tensor) -> Tensor:
    """Noise of the original mixed into the edit's, keeping its standard deviation (ours, METHOD §4).

    `noise1`, `noise2`: (B, C, ..., h, w), about unit variance; `weight`: broadcastable to them, in [0, 1];
    0 returns `noise2` exactly and 1 returns `noise1` exactly. The plain average of two noises with
    correlation c has its std shrunk to sqrt((1 + c) / 2), which makes the picture smooth and pale.
    """
    dims = tuple(range(1, noise1.ndim))
    covariance = (noise1 * noise2).mean(dims, keepdim=True)
    power = (noise1.square().mean(dims, keepdim=True) * noise2.square().mean(dims, keepdim=True)).sqrt()
    correlation = (covariance / power.clamp_min(1e-12)).clamp(MOST_OPPOSED, 1.0)
    norm = ((1 - weight) ** 2 + weight**2 + 2 * weight * (1 - weight) * correlation).sqrt()
    mixed = torch.lerp(noise2, noise1, weight.expand_as(noise1)) / norm
    return torch.where(weight == 0, noise2, torch.where(weight == 1, noise1, mixed))


def mixed_offset(level: SourceLevel, rho: float, weight: Tensor, mixing: Mixing) -> Tensor:
    """How far the mix of both sources at one level lies from the edited picture's state there (1, C, ..., h, w).

    `weight`: (1, 1, ..., h, w) in [0, 1]; 0 gives exactly nothing, and 1 the way to the original. What is known of each
    picture is blended, its noise is mixed on the sphere.
    """
    if not mixing.spherical:
        return _without_low_band(weight * (level.state[:1] - level.state[1:]), weight, mixing)
    noise = (level.state - level.denoised) / rho
    offset = rho * (spherical_mix(noise[:1], noise[1:], weight) - noise[1:])
    offset = offset + weight * (level.denoised[:1] - level.denoised[1:])
    return _without_low_band(offset, weight, mixing)


def clean_offset(clean: Tensor, weight: Tensor, mixing: Mixing) -> Tensor:
    """`mixed_offset` of the clean latents (2, C, ..., h, w), which hold no noise."""
    return _without_low_band(weight * (clean[:1] - clean[1:]), weight, mixing)


def _without_low_band(offset: Tensor, weight: Tensor, mixing: Mixing) -> Tensor:
    return offset - weight * low_band(offset, mixing.low_band_blur) if mixing.low_band_blur > 0 else offset


def low_band(x: Tensor, blur: float) -> Tensor:
    """Gaussian low-pass over the last two axes; `blur` is the standard deviation in latent pixels, > 0."""
    from torchvision.transforms.functional import gaussian_blur  # slow to import, needed only here

    widest = 2 * min(x.shape[-2:]) - 1  # reflection padding must stay inside the picture
    kernel = min(2 * max(1, round(2.5 * blur)) + 1, widest)
    flat = x.reshape(-1, 1, *x.shape[-2:])
    return gaussian_blur(flat, [kernel, kernel], [blur, blur]).reshape(x.shape)
