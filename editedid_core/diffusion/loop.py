"""The way down: the target is carried from the mixed start to a clean latent beside its sources.

The target is kept as an *offset* from the edited picture's own trajectory, and only what the model says
of it *beyond* its two sources is extrapolated. So where nothing asks for a change the offset is exactly
zero and the edit comes back bit for bit; where the weight is one and the surroundings agree the original
comes back; and in between the step is the ordinary solver step, which is linear in state and denoised.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, zeros_like

from .inversion import anchored
from .mixing import PAPER_RATE, low_band, paper_weight, spherical_mix
from .schedule import Schedule
from .solver import extrapolate, log_step
from .space import NoiseSpace
from .trajectory import Denoise, Rows, SourceLevel, Trajectory

OnStep = Callable[[int, Tensor], None]
"""Called after each step down with the steps done and the target's denoised latent (1, C, ..., h, w)."""


@dataclass(frozen=True)
class Mixing:
    """How the two trajectories are mixed at the top.

    `init_weight` in [0, 0.5] and `rate`: the paper's adaptive law; `final_steps`: last inversion steps in
    which the weight is forced to 0.5, its maximum; `denoised_share` in [0, 1]: how much of the original's
    denoised part joins the edit's beside its noise (**ours**); `low_band_blur`: standard deviation in
    latent pixels below which the edit's own light and colour are kept, 0 for off (**ours**).
    """

    init_weight: float = 0.05
    rate: float = PAPER_RATE
    final_steps: int = 3
    denoised_share: float = 1.0
    low_band_blur: float = 0.0


def mixing_curve(differences: list[float], mixing: Mixing) -> tuple[float, ...]:
    """The weight after each inversion step, from the mean squared differences of the states met there."""
    weight = mixing.init_weight
    curve = []
    for i, difference in enumerate(differences):
        forced = i >= len(differences) - mixing.final_steps
        weight = 0.5 if forced else paper_weight(weight, difference, mixing.rate)
        curve.append(weight)
    return tuple(curve)


def trajectory_curve(trajectory: Trajectory, mixing: Mixing) -> tuple[float, ...]:
    """`mixing_curve` of an inversion's states."""
    differences = torch.stack([(v.state[0] - v.state[1]).square().mean() for v in trajectory.levels])
    return mixing_curve(differences.tolist(), mixing)  # the device is waited for once


def mixed_start(trajectory: Trajectory, rho: float, weight: Tensor, mixing: Mixing) -> Tensor:
    """Offset of the mixed start from the edited picture's top state (METHOD §4), (1, C, ..., h, w).

    `weight`: (1, 1, ..., h, w) in [0, 1], already scaled by the curve; where it is 0 the offset is 0.
    """
    top = trajectory.levels[-1]
    noise = (top.state - top.denoised) / rho
    mixed = spherical_mix(noise[:1], noise[1:], weight)
    start = rho * (mixed - noise[1:])
    start = start + mixing.denoised_share * weight * (top.denoised[:1] - top.denoised[1:])
    if mixing.low_band_blur > 0:
        start = start - weight * low_band(start, mixing.low_band_blur)
    return start


def descend(denoise: Denoise, space: NoiseSpace, schedule: Schedule, source: Callable[[int], SourceLevel],
            clean: Tensor, start: Tensor, weight: Tensor, support: Tensor, joint: bool,
            on_step: OnStep | None = None, freedom: Tensor | float = 1.0) -> Tensor:
    """Carry the target from the top level down; returns its clean latent (1, C, ..., h, w).

    `source(i)`: both sources at level i (1..N); `clean`: (2, C, ..., h, w); `start`: offset at the top;
    `weight`: as in `mixed_start`; `support` in [0, 1]: where the target may differ from the edit at all
    (blended diffusion: 0 keeps the edit's trajectory); `joint`: evaluate the sources beside the target
    (their features are read from the same batch) instead of relying on recorded ones; `freedom` in [0, 1],
    broadcastable: how much of what the model says of the target beyond its sources counts, 1 for all of it.
    """
    offset = start * support
    previous, h_last = None, 1.0
    rhos = schedule.rhos
    for i in range(schedule.steps, 0, -1):
        level = source(i)
        shift = _blend(level.shift, weight)
        target = level.state[1:] + offset + shift
        if joint:
            rows = torch.cat([level.state + level.shift, target])
            answer = denoise(space.to_model(rows, rhos[i]), space.sigma(rhos[i]), Rows.ALL, i)
            sources, denoised = answer[:2], answer[2:]
        else:
            denoised = denoise(space.to_model(target, rhos[i]), space.sigma(rhos[i]), Rows.TARGET, i)
            sources = level.denoised
        deviation = freedom * (denoised - _blend(sources, weight))
        h = log_step(rhos[i], rhos[i - 1])
        estimate = extrapolate(deviation, previous, schedule.order[i - 1], h, h_last)
        gap = _blend(level.denoised, weight) - level.denoised[1:] + estimate
        moved = offset + shift - level.shift[1:]  # how far the model's input was from the edit's
        offset = (offset + (rhos[i - 1] - rhos[i]) / rhos[i] * (moved - gap)) * support
        previous, h_last = deviation, h
        if on_step is not None:
            on_step(schedule.steps - i + 1, denoised)
    return clean[1:] + offset


def _blend(pair: Tensor, weight: Tensor) -> Tensor:
    """Original (row 0) over edited (row 1) by weight, (1, C, ..., h, w)."""
    return torch.lerp(pair[1:], pair[:1], weight.expand_as(pair[:1]))


def lock_step_source(clean: Tensor, noise: Tensor, schedule: Schedule) -> Callable[[int], SourceLevel]:
    """Sources without inversion: both noised with one shared noise at every level (METHOD §3).

    What is known of each source's path is its clean latent, so that stands in for the model's answer.
    """

    def level(i: int) -> SourceLevel:
        state = anchored(clean, noise, schedule.rhos[i])
        return SourceLevel(state, zeros_like(state), clean)

    return level
