"""The one clock of a run: its noise levels, and positions between them (METHOD §2).

A position is a share of lambda = -ln rho of this run: 0 is its noisiest level, 1 the clean picture. Windows of gates
and of the solver are positions, so they act in the same part of a run at any strength, shift and family.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real

from .noise_space import NoiseSpace

SIGMA_FLOOR = 0.05
"""Default rho of the known noise that stands for the clean picture (METHOD §3: 0.03 to 0.1)."""

DRIFTED = 0.5
"""A face that is so far from its person, as 1 - cosine, is a stranger's, and the whole strength is for it."""

LEAST_SHARE = 0.1
"""Part of the strength that a face gets however near it is."""


@dataclass(frozen=True)
class Window:
    """Positions from `start` to `end`, both included: 0 is the run's noisiest level, 1 the clean picture."""

    start: float = 0.0
    end: float = 1.0

    def __contains__(self, position: object) -> bool:
        return isinstance(position, Real) and self.start <= float(position) <= self.end


WHOLE_RUN = Window()


@dataclass(frozen=True)
class NoiseGrid:
    """Noise levels of one run, ascending, and uniform in lambda unless they are a distilled model's own.

    `rhos` has N + 1 entries, from the known noise (`sigma_floor`), which stands for the clean picture, to the top;
    `order[i]` in [0, 1] is the weight of the second-order term in step i + 1 (0 is DDIM/Euler, 1 is
    DPM-Solver++(2M)). Step i, 1 to N, leads from level i - 1 to level i on the way up and back on the way down.
    """

    rhos: tuple[float, ...]
    order: tuple[float, ...]

    @property
    def steps(self) -> int:
        return len(self.rhos) - 1

    def position(self, rho: float) -> float:
        """Where a noise level lies in the run: 0 at the top, 1 at the floor."""
        return math.log(self.rhos[-1] / rho) / math.log(self.rhos[-1] / self.rhos[0])

    def rho_at(self, position: float) -> float:
        """Inverse of `position`."""
        return self.rhos[-1] * (self.rhos[0] / self.rhos[-1]) ** position

    def step_position(self, step: int) -> float:
        """The middle of step 1 to N, on the way up as on the way down.

        The middle, so that two windows that meet share the steps between them, and a run of one step is at 0.5.
        """
        return step_position(step, self.steps)


def step_position(step: int, steps: int) -> float:
    """`NoiseGrid.step_position` for a run of so many steps."""
    return 1.0 - (step - 0.5) / steps


def strength_for_drift(strength: float, drift: float, share: float) -> float:
    """The strength for a face that has drifted by `drift`, 1 - cosine to the person (**ours**): with `share` 1 it falls
    in proportion below DRIFTED, down to a tenth; with `share` 0 it stays."""
    return strength * (1 - share * (1 - min(max(drift / DRIFTED, LEAST_SHARE), 1.0)))


def make_noise_grid(space: NoiseSpace, sigma_max: float, steps: int, strength: float = 1.0,
                    sigma_floor: float = SIGMA_FLOOR, second_order: Window | None = None,
                    jumps: Sequence[Window] = ()) -> NoiseGrid:
    """The lowest `strength` share of a model's lambda, divided as evenly as the whole would be by `steps`.

    `sigma_max`: the model's highest sigma, capped as `NoiseSpace.highest_rho` says; `steps` >= 1; `strength` in
    (0, 1]; `sigma_floor`: rho of the known noise the trajectories start with, small and positive; steps in
    `second_order` use the 2M rule, except the last one down (the history ends there) and the first one down inside or
    past each of `jumps`: the model answers otherwise in those windows, so the step before says nothing of the slope.
    Raises ValueError.
    """
    if steps < 1:
        raise ValueError(f"steps must be at least 1, got {steps}.")
    if not 0.0 < strength <= 1.0:
        raise ValueError(f"strength must lie in (0, 1], got {strength}.")
    highest = space.highest_rho(sigma_max)
    if not 0.0 < sigma_floor < highest:
        raise ValueError(f"sigma_floor must lie between 0 and {highest:.3f}, got {sigma_floor}.")
    used = max(1, round(steps * strength))
    ratio = strength * math.log(highest / sigma_floor) / used
    rhos = tuple(sigma_floor * math.exp(ratio * i) for i in range(used + 1))
    places = [step_position(i + 1, used) for i in range(used)]
    inside = [[place in window for window in jumps] for place in places]

    def order(i: int) -> float:
        jumped = i + 1 < used and inside[i] != inside[i + 1]
        return float(second_order is not None and places[i] in second_order and i > 0 and not jumped)

    return NoiseGrid(rhos, tuple(map(order, range(used))))


def strength_of_own(space: NoiseSpace, sigmas: Sequence[float], share: float,
                    sigma_floor: float = SIGMA_FLOOR) -> float:
    """The strength at which `make_own_grid` takes `share` of a distilled model's own steps, an odd one upwards.

    In hundredths, so that the number can be told and typed; levels lie further apart.
    """
    highest = space.highest_rho(max(sigmas))
    rhos = _own_levels(space, sigmas, sigma_floor)
    top = rhos[max(1, math.ceil(share * len(rhos))) - 1]
    return min(1.0, math.ceil(100 * math.log(top / sigma_floor) / math.log(highest / sigma_floor)) / 100)


def _own_levels(space: NoiseSpace, sigmas: Sequence[float], sigma_floor: float) -> list[float]:
    """Levels of a distilled model's own schedule, ascending. Raises ValueError where none lies above the floor."""
    highest = space.highest_rho(max(sigmas))
    rhos = sorted({min(highest, space.highest_rho(sigma)) for sigma in sigmas if sigma > 0})
    rhos = [rho for rho in rhos if rho > sigma_floor]
    if not rhos:
        raise ValueError("The model's own schedule has no noise level above sigma_floor.")
    return rhos


def make_own_grid(space: NoiseSpace, sigmas: Sequence[float], strength: float = 1.0,
                  sigma_floor: float = SIGMA_FLOOR, most: int = 200) -> NoiseGrid:
    """A distilled model's own levels, as far as they lie in the lowest `strength` share of lambda, at least one.

    `sigmas`: of its whole schedule, in any order. It was taught to step between these; DDIM leads from each to the
    next. `most`: how many of them at most, the noisiest always among them. `strength` and `sigma_floor` as in
    `make_noise_grid`. Raises ValueError where no sigma lies above the floor.
    """
    rhos = _own_levels(space, sigmas, sigma_floor)
    highest = space.highest_rho(max(sigmas))
    top = sigma_floor * (highest / sigma_floor) ** strength
    used = [rho for rho in rhos if rho <= top * (1 + 1e-6)] or rhos[:1]
    kept = min(most, len(used))
    used = [used[round((i + 1) * len(used) / kept) - 1] for i in range(kept)]
    return NoiseGrid((sigma_floor, *used), (0.0,) * len(used))
