"""Sigma grids and the solver's order along them (METHOD §2)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .space import FLOW_SIGMA_CEILING, NoiseSpace

DRIFTED = 0.5
"""A face that is so far from its person, as 1 - cosine, is a stranger's, and the whole strength is for it."""

LEAST_SHARE = 0.1
"""Part of the strength that a face gets however near it is."""


@dataclass(frozen=True)
class Window:
    """A range of sigmas, both ends included."""

    high: float
    low: float

    def __contains__(self, sigma: object) -> bool:
        return isinstance(sigma, float) and self.low <= sigma <= self.high


@dataclass(frozen=True)
class Schedule:
    """Noise levels of one run, ascending from the known-noise anchor to the top.

    `rhos` has N + 1 entries; `order[i]` in [0, 1] is the weight of the second-order term in the step that
    arrives at or leaves level i + 1 (0 is DDIM/Euler, 1 is DPM-Solver++(2M)).
    """

    rhos: tuple[float, ...]
    order: tuple[float, ...]

    @property
    def steps(self) -> int:
        return len(self.rhos) - 1


def strength_for_drift(strength: float, drift: float, share: float) -> float:
    """The strength for a face that has drifted by `drift`, 1 - cosine to the person (**ours**): with `share` 1 it falls
    in proportion below DRIFTED, down to a tenth; with `share` 0 it stays."""
    return strength * (1 - share * (1 - min(max(drift / DRIFTED, LEAST_SHARE), 1.0)))


def lambda_grid(space: NoiseSpace, sigma_max: float, steps: int, strength: float = 1.0,
                anchor: float = 0.05, second_order: Window | None = None) -> Schedule:
    """A grid uniform in lambda = -ln rho, cut to the lowest `strength` share of its steps.

    `sigma_max`: the model's highest sigma (flow models are capped at 0.98); `steps` >= 1; `strength` in
    (0, 1]; `anchor`: rho of the known noise the trajectories start with, small and positive; steps whose
    sigma lies in `second_order` use the 2M rule, except the last one down (the history ends there).
    """
    if steps < 1:
        raise ValueError(f"steps must be at least 1, got {steps}.")
    if not 0.0 < strength <= 1.0:
        raise ValueError(f"strength must lie in (0, 1], got {strength}.")
    top = space.rho(min(sigma_max, FLOW_SIGMA_CEILING) if space.flow else sigma_max)
    if not 0.0 < anchor < top:
        raise ValueError(f"The anchor noise level must lie between 0 and {top:.3f}, got {anchor}.")
    used = max(1, round(steps * strength))
    ratio = math.log(top / anchor) / steps
    rhos = tuple(anchor * math.exp(ratio * i) for i in range(used + 1))
    order = tuple(
        1.0 if second_order is not None and i > 0 and space.sigma(rhos[i + 1]) in second_order else 0.0
        for i in range(used)
    )
    return Schedule(rhos, order)
