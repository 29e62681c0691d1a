"""The way down: the target is carried from the mix of its sources to a clean latent beside them.

At every level the target is the edited picture's own state, plus the share of the original that the mixing curve gives
that level, plus a *deviation*: what the model says of the target beyond the blend of its two sources, carried along by
the solver. So where nothing asks for a change the edit comes back bit for bit; where the weight is one and the
surroundings agree the original comes back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, zeros_like

from .inversion import noised
from .mixing import Mixing, blend, clean_offset, distance, mixed_offset, mixing_curve
from .noise_grid import NoiseGrid
from .noise_space import NoiseSpace
from .solver import extrapolate, log_step
from .trajectory import Denoise, Rows, SourceLevel

OnStep = Callable[[int, Tensor], None]
"""Called after each step down with the steps done and the target's denoised latent (1, C, ..., h, w)."""

Source = Callable[[int], SourceLevel]
"""Both sources at level i, 1 to N."""


def run_curve(source: Source, grid: NoiseGrid, mixing: Mixing) -> tuple[float, ...]:
    """The mixing weight in [0, 0.5] of each step down, by the paper's law on the sources met there (**ours**).

    The paper's law runs along the inversion. Here it runs along the way down: the edit lays the picture out, and the
    original takes over towards the clean end, where identity is.
    """
    met = [distance(source(i).state, grid.rhos[i]) for i in range(grid.steps, 0, -1)]
    return mixing_curve(torch.stack(met).tolist(), mixing)  # the device is waited for once


def denoise_target(denoise: Denoise, space: NoiseSpace, grid: NoiseGrid, source: Source, clean: Tensor, weight: Tensor,
                   support: Tensor, curve: Sequence[float], mixing: Mixing, recompute_sources: bool,
                   on_step: OnStep | None = None, deviation_scale: Tensor | float = 1.0) -> Tensor:
    """Carry the target from the top of the grid to the clean latent, which is returned (1, C, ..., h, w).

    `clean`: (2, C, ..., h, w); `weight`, `support`: (1, 1, ..., h, w) in [0, 1]. `weight`: where the original is mixed
    in, each step by 2 * `curve` of it; `support`: where the target may differ from the edit at all (blended diffusion:
    0 keeps the edit's trajectory), whatever the number of steps. `recompute_sources`: evaluate the sources beside the
    target (their features are read from the same batch) instead of relying on recorded ones; `deviation_scale` in
    [0, 1], broadcastable: how much of what the model says of the target beyond its sources counts, 1 for all of it.
    """
    deviation = zeros_like(clean[1:])
    previous, h_last = None, 1.0
    rhos = grid.rhos
    share = torch.zeros_like(weight)
    for done, i in enumerate(range(grid.steps, 0, -1)):
        level = source(i)
        share = torch.minimum(weight * (2 * curve[done]), support)
        target = level.state[1:] + mixed_offset(level, rhos[i], share, mixing) + support * deviation
        if recompute_sources:
            rows = torch.cat([level.state, target])
            answer = denoise(space.to_model(rows, rhos[i]), space.sigma(rhos[i]), Rows.ALL, i)
            sources, denoised = answer[:2], answer[2:]
        else:
            denoised = denoise(space.to_model(target, rhos[i]), space.sigma(rhos[i]), Rows.TARGET, i)
            sources = level.denoised
        beyond = deviation_scale * (denoised - blend(sources, share))
        h = log_step(rhos[i], rhos[i - 1])
        estimate = extrapolate(beyond, previous, grid.order[i - 1], h, h_last)
        deviation = torch.lerp(estimate, deviation, rhos[i - 1] / rhos[i])
        previous, h_last = beyond, h
        if on_step is not None:
            on_step(done + 1, denoised)
    return clean[1:] + clean_offset(clean, share, mixing) + support * deviation


def lock_step_source(clean: Tensor, noise: Tensor, grid: NoiseGrid) -> Source:
    """Sources without inversion: both noised with one shared noise at every level (METHOD §3).

    What is known of each source's path is its clean latent, so that stands in for the model's answer.
    """

    def level(i: int) -> SourceLevel:
        return SourceLevel(noised(clean, noise, grid.rhos[i]), clean)

    return level
