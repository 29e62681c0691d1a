"""Inversion: from a clean latent up its own trajectory (METHOD §3)."""

from __future__ import annotations

from typing import Literal, get_args

from torch import Tensor

from .noise_grid import NoiseGrid
from .noise_space import NoiseSpace
from .solver import step
from .trajectory import Denoise, Rows, SourceLevel, Trajectory

InversionKind = Literal["velocity reuse", "naive", "fixed point"]
INVERSION_KINDS: tuple[InversionKind, ...] = get_args(InversionKind)


def noised(clean: Tensor, noise: Tensor, rho: float) -> Tensor:
    """y = x0 + rho * n. At the floor n is the known noise: the same for every source, undone at the end."""
    return clean + rho * noise


def invert(denoise: Denoise, space: NoiseSpace, clean: Tensor, noise: Tensor, grid: NoiseGrid,
           rows: Rows = Rows.SOURCES, kind: InversionKind = "velocity reuse") -> Trajectory:
    """Both sources, or what `rows` says, from the clean latent to the top of the grid.

    `clean`: (R, C, ..., h, w) in the model's latent space; `noise`: broadcastable to it. `kind`: "velocity reuse", N
    evaluations; "fixed point", the same with each slope taken twice, 2 N; "naive", plain DDIM as in the paper, N.
    """
    if kind == "naive":
        return _naive(denoise, space, clean, noise, grid, rows)
    return _predicted(denoise, space, clean, noise, grid, rows, 2 if kind == "fixed point" else 1)


def _predicted(denoise: Denoise, space: NoiseSpace, clean: Tensor, noise: Tensor, grid: NoiseGrid, rows: Rows,
               evaluations: int) -> Trajectory:
    """Velocity reuse (Uni-Inv), or a fixed point with more evaluations a step (AIDI, ReNoise).

    The exact inverse of Euler needs the slope at the state it leads to. That state is predicted with the slope of the
    step before (the known noise for the first), the model is evaluated there, and the slope found is used for the step:
    third-order local error.
    """
    rhos = grid.rhos
    state = noised(clean, noise, rhos[0])
    slope = noise.expand_as(clean)
    levels = []
    for i in range(1, len(rhos)):
        rise = rhos[i] - rhos[i - 1]
        for _ in range(evaluations):
            predicted = state + rise * slope
            denoised = denoise(space.to_model(predicted, rhos[i]), space.sigma(rhos[i]), rows, i)
            slope = (predicted - denoised) / rhos[i]
        state = state + rise * slope
        levels.append(SourceLevel(predicted, denoised))
    return Trajectory(clean, tuple(levels), state)


def _naive(denoise: Denoise, space: NoiseSpace, clean: Tensor, noise: Tensor, grid: NoiseGrid,
           rows: Rows) -> Trajectory:
    """Plain DDIM inversion: the slope is taken at the lower end of each step. Its error is what velocity reuse
    removes."""
    rhos = grid.rhos
    state = noised(clean, noise, rhos[0])
    levels = []
    for i in range(1, len(rhos)):
        low = rhos[i - 1]
        denoised = denoise(space.to_model(state, low), space.sigma(low), rows, i)
        state = step(state, denoised, low, rhos[i])
        levels.append(SourceLevel(state, denoised))
    return Trajectory(clean, tuple(levels), state)


def reconstruct(denoise: Denoise, space: NoiseSpace, top: Tensor, noise: Tensor, grid: NoiseGrid) -> Tensor:
    """Plain Euler steps of two rows from the top level down to the clean latent, evaluating anew."""
    state = top
    rhos = grid.rhos
    for i in range(len(rhos) - 1, 0, -1):
        denoised = denoise(space.to_model(state, rhos[i]), space.sigma(rhos[i]), Rows.SOURCES, i)
        state = step(state, denoised, rhos[i], rhos[i - 1])
    return state - rhos[0] * noise
