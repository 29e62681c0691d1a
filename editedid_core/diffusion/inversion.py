"""Inversion: from a clean latent up its own trajectory, one evaluation a step (METHOD §3)."""

from __future__ import annotations

from torch import Tensor, zeros_like

from .schedule import Schedule
from .solver import step
from .space import NoiseSpace
from .trajectory import Denoise, Rows, SourceLevel, Trajectory


def anchored(clean: Tensor, noise: Tensor, rho: float) -> Tensor:
    """The known-noise start y = x0 + rho * n; the same n serves every source and is undone at the end."""
    return clean + rho * noise


def invert(denoise: Denoise, space: NoiseSpace, clean: Tensor, noise: Tensor, schedule: Schedule,
           rows: Rows = Rows.SOURCES) -> Trajectory:
    """Velocity-reuse inversion (Uni-Inv; METHOD §3) of both sources, N evaluations of two rows; or of what `rows` says.

    The exact inverse of Euler needs the slope at the state it leads to. That state is predicted with the
    slope of the step before (the known noise for the first), the model is evaluated there, and the slope
    found is used for the step: third-order local error. `clean`: (2, C, ..., h, w) in the model's latent
    space; `noise`: broadcastable to it.
    """
    rhos = schedule.rhos
    state = anchored(clean, noise, rhos[0])
    slope = noise.expand_as(clean)
    levels = []
    for i in range(1, len(rhos)):
        rise = rhos[i] - rhos[i - 1]
        predicted = state + rise * slope
        denoised = denoise(space.to_model(predicted, rhos[i]), space.sigma(rhos[i]), rows, i)
        slope = (predicted - denoised) / rhos[i]
        state = state + rise * slope
        levels.append(SourceLevel(state, predicted - state, denoised))
    return Trajectory(clean, tuple(levels))


def invert_naive(denoise: Denoise, space: NoiseSpace, clean: Tensor, noise: Tensor,
                 schedule: Schedule) -> Trajectory:
    """Plain DDIM inversion (the paper's): the slope is taken at the lower end of each step.

    Same cost and arguments as `invert`; its error is what velocity reuse removes.
    """
    rhos = schedule.rhos
    state = anchored(clean, noise, rhos[0])
    levels = []
    for i in range(1, len(rhos)):
        low = rhos[i - 1]
        denoised = denoise(space.to_model(state, low), space.sigma(low), Rows.SOURCES, i)
        state = step(state, denoised, low, rhos[i])
        levels.append(SourceLevel(state, zeros_like(state), denoised))
    return Trajectory(clean, tuple(levels))


def reconstruct(denoise: Denoise, space: NoiseSpace, top: Tensor, noise: Tensor, schedule: Schedule) -> Tensor:
    """Plain Euler descent of two rows from the top level to the clean latent, evaluating anew."""
    state = top
    rhos = schedule.rhos
    for i in range(len(rhos) - 1, 0, -1):
        denoised = denoise(space.to_model(state, rhos[i]), space.sigma(rhos[i]), Rows.SOURCES, i)
        state = step(state, denoised, rhos[i], rhos[i - 1])
    return state - rhos[0] * noise
