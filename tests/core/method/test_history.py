"""The second-order history of the solver where a gate opens or closes."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from editedid_core.engines.edited_id.attention.blocks import BlockChoice
from editedid_core.engines.edited_id.attention.settings import Gate, Plan
from editedid_core.engines.edited_id.denoise import denoise_target, lock_step_source
from editedid_core.engines.edited_id.mixing import Mixing
from editedid_core.engines.edited_id.noise_grid import Window, make_noise_grid
from editedid_core.engines.edited_id.trajectory import Rows

EARLY, LATE = Window(0.0, 0.4), Window(0.4, 1.0)


@pytest.mark.parametrize("windows", [(), (Window(0.0, 0.5), Window(0.2, 1.0)), (Window(),)])
def test_the_first_step_down_past_the_end_of_a_window_is_of_first_order(world: tuple, windows: tuple) -> None:
    space, sigma_max, _ = world
    grid = make_noise_grid(space, sigma_max, 20, second_order=Window(), jumps=windows)
    first = [i for i in range(1, 21) if not grid.order[i - 1]]
    jumps = [i for i in range(1, 20) if any((grid.step_position(i) in w) != (grid.step_position(i + 1) in w)
                                            for w in windows)]
    assert first == sorted({1, *jumps})
    assert len(jumps) == {0: 0, 1: 0, 2: 2}[len(windows)]


def test_a_history_across_a_jump_would_lead_further_from_the_path(world: tuple, mixture: Any) -> None:
    """A model that answers otherwise in each of two windows, as gates make it, against the same run in fine steps."""
    space, sigma_max, model = world
    gated = [mixture(space, seed=seed) for seed in (2, 3)]
    clean, noise = model.sample(2, seed=3), torch.randn(1, 4, 4, 4, generator=torch.Generator().manual_seed(5))
    everywhere = torch.ones(1, 1, 4, 4)

    def run(steps: int, *jumps: Window) -> torch.Tensor:
        grid = make_noise_grid(space, sigma_max, steps, 0.5, second_order=Window(), jumps=jumps)

        def denoise(x: torch.Tensor, sigma: float, rows: Rows, step: int) -> torch.Tensor:
            return 0.5 * (model(x, sigma, rows, step) + gated[grid.step_position(step) in EARLY](x, sigma, rows, step))

        return denoise_target(denoise, space, grid, lock_step_source(clean, noise, grid), clean, everywhere, everywhere,
                              (0.3,) * grid.steps, Mixing(), True)

    path = run(120, EARLY, LATE)
    kept, anew = (float((run(10, *jumps) - path).square().mean().sqrt()) for jumps in ((), (EARLY, LATE)))
    assert anew < 0.8 * kept


def test_only_gates_that_act_make_jumps() -> None:
    blocks, nowhere = BlockChoice(frozenset({("up", 0)})), BlockChoice(frozenset())
    plan = Plan(Gate(0.5, 0.0, 0.5, blocks), Gate(0.0, 0.2, 1.0, blocks), Gate(1.0, 0.3, 1.0, nowhere), "edited", None,
                1.0)
    assert plan.windows == (Window(0.0, 0.5),)
