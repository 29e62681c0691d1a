"""EditedID as the paper has it: mixing during inversion, one shared z_T, hybrid solver, three rows down (METHOD §1).

**Ours**, where the paper is silent or bound to Stable Diffusion: the grid (uniform in lambda), the little known noise
at its lower end, and the stand-in for null-text optimisation where that cannot act: the states recorded on the way up,
which are what it tries to reach.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import torch
from torch import Tensor

from .denoise import OnStep
from .inversion import noised
from .mixing import Mixing, distance, paper_mix, paper_weight
from .noise_grid import NoiseGrid
from .noise_space import NoiseSpace
from .solver import extrapolate, log_step, step
from .trajectory import Denoise, Rows


@dataclass(frozen=True, eq=False)
class MixedInversion:
    """Both sources on their way up, mixed after every step.

    `clean`: (2, C, ..., h, w), row 0 original, row 1 edited; `states[i]`: the same at level i of the noise grid, after
    the mixing; `shared`: z_T (1, C, ..., h, w), the mean of the last; `curve`: the weight after each step.
    """

    clean: Tensor
    states: tuple[Tensor, ...]
    shared: Tensor
    curve: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class PaperResult:
    """`latent`: the restored picture (1, C, ..., h, w); `sources`: both sources as they came back (2, C, ..., h, w)."""

    latent: Tensor
    sources: Tensor


class NullText(Protocol):
    """Fits what stands for "no text" in a guided model, one embedding a source and step, before that step is taken.

    `x`: (2, C, ..., h, w), the sources as the model takes them at `sigma`; `land`: differentiable, from a guided
    answer of that shape to the states that the step leads to, in units of their deviation; `goal`: where they should
    be, same units; `progress` in [0, 1): share of the steps that are done.
    """

    def fit(self, x: Tensor, sigma: float, land: Callable[[Tensor], Tensor], goal: Tensor, progress: float) -> None: ...


def invert_mixed(denoise: Denoise, space: NoiseSpace, clean: Tensor, noise: Tensor, grid: NoiseGrid,
                 mixing: Mixing) -> MixedInversion:
    """Adaptive mixing: invert both sources, after each step z1 <- (1 - w) z1 + w z2 and z2 symmetrically.

    DDIM with the 2M rule in the grid's window, the same window as on the way down; 2 N evaluations. The weight
    follows `paper_weight` on variance-preserving latents and is 0.5 in the last `final_steps` steps. `noise`:
    broadcastable to `clean`.
    """
    rhos = grid.rhos
    state = noised(clean, noise, rhos[0])
    states, curve = [state], []
    weight, previous, h_last = mixing.init_weight, None, 1.0
    for i in range(grid.steps):
        denoised = denoise(space.to_model(state, rhos[i]), space.sigma(rhos[i]), Rows.SOURCES, i + 1)
        h = log_step(rhos[i], rhos[i + 1])
        state = step(state, extrapolate(denoised, previous, grid.order[i], h, h_last), rhos[i], rhos[i + 1])
        previous, h_last = denoised, h
        forced = i >= grid.steps - mixing.final_steps
        met = float(distance(state, rhos[i + 1]))
        weight = 0.5 if forced else paper_weight(weight, met, mixing.rate)
        state = torch.cat(paper_mix(state[:1], state[1:], weight))
        states.append(state)
        curve.append(weight)
    return MixedInversion(clean, tuple(states), state.mean(0, keepdim=True), tuple(curve))


@dataclass(frozen=True, eq=False)
class _Down:
    """One step of the hybrid solver for some rows, with those rows' last denoised."""

    rho: float
    rho_next: float
    order: float
    h_last: float
    previous: Tensor | None

    @property
    def h(self) -> float:
        return log_step(self.rho, self.rho_next)

    def take(self, state: Tensor, denoised: Tensor) -> Tensor:
        estimate = extrapolate(denoised, self.previous, self.order, self.h, self.h_last)
        return step(state, estimate, self.rho, self.rho_next)

    def land(self, state: Tensor, denoised: Tensor) -> Tensor:
        """Where the two sources arrive, divided by the deviation of noisy states there."""
        previous = None if self.previous is None else self.previous[:2]
        first = _Down(self.rho, self.rho_next, self.order, self.h_last, previous)
        return first.take(state, denoised) / deviation(self.rho_next)


def deviation(rho: float) -> float:
    """Standard deviation of y = x0 + rho n for data of deviation one."""
    return (1.0 + rho**2) ** 0.5


def denoise_paper(denoise: Denoise, space: NoiseSpace, grid: NoiseGrid, path: MixedInversion, mask: Tensor,
                  noise: Tensor, null_text: NullText | None = None, on_step: OnStep | None = None) -> PaperResult:
    """Three rows from z_T to the picture, the target blended with the edit outside `mask` (blended diffusion).

    `mask`: (1, 1, ..., h, w), 1 where the target is free. With `null_text` the sources are reconstructed from z_T
    with fitted embeddings; without it they follow the states recorded on the way up. 3 N guided evaluations, and
    what the fitting takes.
    """
    rhos = grid.rhos
    rows = torch.cat([path.shared.expand_as(path.clean) if null_text is not None else path.states[-1], path.shared])
    previous, h_last = None, 1.0
    for i in range(grid.steps, 0, -1):
        down = _Down(rhos[i], rhos[i - 1], grid.order[i - 1], h_last, previous)
        x, sigma = space.to_model(rows, rhos[i]), space.sigma(rhos[i])
        if null_text is not None:
            goal = path.states[i - 1] / deviation(rhos[i - 1])
            null_text.fit(x[:2], sigma, partial(down.land, rows[:2]), goal, 1 - i / grid.steps)
        denoised = denoise(x, sigma, Rows.ALL, i)
        rows = down.take(rows, denoised)
        sources = rows[:2] if null_text is not None else path.states[i - 1]
        rows = torch.cat([sources, torch.lerp(sources[1:], rows[2:], mask.expand_as(path.shared))])
        previous, h_last = denoised, down.h
        if on_step is not None:
            on_step(grid.steps - i + 1, denoised[2:])
    clean = rows - rhos[0] * noise
    return PaperResult(torch.lerp(path.clean[1:], clean[2:], mask.expand_as(path.shared)), clean[:2])
