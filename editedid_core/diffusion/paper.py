"""EditedID as the paper has it: mixing during inversion, hybrid solver, one shared z_T (METHOD §1).

Null-text optimisation makes the paper's sources come back exactly; here their own recorded inversions
stand in for it (**ours**), which gives the same exact sources.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .inversion import anchored
from .loop import Mixing, OnStep
from .mixing import paper_mix, paper_weight
from .schedule import Schedule
from .solver import extrapolate, log_step, step
from .space import NoiseSpace
from .trajectory import Denoise, Rows, SourceLevel, Trajectory


def shared_noise(denoise: Denoise, space: NoiseSpace, clean: Tensor, noise: Tensor, schedule: Schedule,
                 mixing: Mixing) -> tuple[Tensor, tuple[float, ...]]:
    """Invert both sources with mixing at each step; returns z_T (1, C, ..., h, w) and the weights.

    DDIM with the 2M rule in the schedule's window, the same window as on the way down; 2 N evaluations.
    """
    rhos = schedule.rhos
    state = anchored(clean, noise, rhos[0])
    weight = mixing.init_weight
    curve: list[float] = []
    previous, h_last = None, 1.0
    for i in range(schedule.steps):
        denoised = denoise(space.to_model(state, rhos[i]), space.sigma(rhos[i]), Rows.SOURCES, i + 1)
        h = log_step(rhos[i], rhos[i + 1])
        estimate = extrapolate(denoised, previous, schedule.order[i], h, h_last)
        state = step(state, estimate, rhos[i], rhos[i + 1])
        previous, h_last = denoised, h
        forced = i >= schedule.steps - mixing.final_steps
        weight = 0.5 if forced else paper_weight(weight, float((state[0] - state[1]).square().mean()), mixing.rate)
        state = torch.cat(paper_mix(state[:1], state[1:], weight))
        curve.append(weight)
    return state.mean(0, keepdim=True), tuple(curve)


def descend_paper(denoise: Denoise, space: NoiseSpace, schedule: Schedule, trajectory: Trajectory, top: Tensor,
                  mask: Tensor, noise: Tensor, on_step: OnStep | None = None) -> Tensor:
    """Three rows from z_T to the picture: sources on their own trajectories, target blended outside `mask`.

    `mask`: (1, 1, ..., h, w), 1 where the target is free; outside it follows the edited picture (blended
    diffusion). 3 N evaluations.
    """
    rhos = schedule.rhos
    target, previous, h_last = top, None, 1.0
    for i in range(schedule.steps, 0, -1):
        level: SourceLevel = trajectory.levels[i - 1]
        target = torch.lerp(level.state[1:], target, mask.expand_as(target))
        rows = torch.cat([level.state + level.shift, target])
        denoised = denoise(space.to_model(rows, rhos[i]), space.sigma(rhos[i]), Rows.ALL, i)[2:]
        h = log_step(rhos[i], rhos[i - 1])
        estimate = extrapolate(denoised, previous, schedule.order[i - 1], h, h_last)
        target = step(target, estimate, rhos[i], rhos[i - 1])
        previous, h_last = denoised, h
        if on_step is not None:
            on_step(schedule.steps - i + 1, denoised)
    clean = target - rhos[0] * noise
    return torch.lerp(trajectory.clean[1:], clean, mask.expand_as(clean))
