"""The noise space, the grid and the solver: one clock for a run, in either space."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from editedid_core.engines.edited_id.noise_grid import NoiseGrid, Window, make_noise_grid, strength_for_drift
from editedid_core.engines.edited_id.noise_space import NoiseSpace
from editedid_core.engines.edited_id.solver import extrapolate, step

SHAPE = (4, 4, 4)
SPACES = {"eps": (NoiseSpace(flow=False), 14.6), "flow": (NoiseSpace(flow=True), 1.0)}


@given(st.floats(1e-4, 0.97))
def test_sigma_and_rho_are_inverse(sigma: float) -> None:
    for space, _ in SPACES.values():
        assert space.sigma(space.rho(sigma)) == pytest.approx(sigma, rel=1e-6)


def test_both_families_add_noise_as_the_host_does() -> None:
    clean, noise = torch.randn(1, *SHAPE), torch.randn(1, *SHAPE)
    for (space, _), sigma in ((SPACES["eps"], 3.0), (SPACES["flow"], 0.7)):
        x = space.to_model(clean + space.rho(sigma) * noise, space.rho(sigma))
        expected = (1 - sigma) * clean + sigma * noise if space.flow else clean + sigma * noise
        torch.testing.assert_close(x, expected)


def test_grid_is_uniform_in_lambda_and_cut_by_strength(world: tuple) -> None:
    space, sigma_max, _ = world
    whole, part = (make_noise_grid(space, sigma_max, 10, s) for s in (1.0, 0.7))
    ratios = torch.tensor(whole.rhos)[1:] / torch.tensor(whole.rhos)[:-1]
    torch.testing.assert_close(ratios, ratios[:1].expand_as(ratios))
    assert part.steps == 7
    assert part.rhos == pytest.approx(whole.rhos[:8])
    assert space.sigma(whole.rhos[-1]) <= 0.9801 or not space.flow


def test_grid_names_what_is_wrong(world: tuple) -> None:
    space, sigma_max, _ = world
    with pytest.raises(ValueError, match="steps"):
        make_noise_grid(space, sigma_max, 0)
    with pytest.raises(ValueError, match="strength"):
        make_noise_grid(space, sigma_max, 10, 0.0)


def test_strength_falls_with_the_drift_where_it_may() -> None:
    whole = [strength_for_drift(0.6, drift, 1.0) for drift in (-0.1, 0.0, 0.25, 0.5, 1.4)]
    assert whole == pytest.approx([0.06, 0.06, 0.3, 0.6, 0.6])
    assert [strength_for_drift(0.6, drift, 0.0) for drift in (0.0, 0.25, 1.0)] == [0.6, 0.6, 0.6]
    assert strength_for_drift(0.6, 0.25, 0.5) == pytest.approx(0.45)


@pytest.mark.parametrize("strength", [0.2, 0.5, 1.0])
def test_window_switches_the_solver_in_the_same_part_of_any_run(world: tuple, strength: float) -> None:
    space, sigma_max, _ = world
    grid = make_noise_grid(space, sigma_max, 20, strength, second_order=Window(0.5, 1.0))
    used = [grid.step_position(i) for i, order in enumerate(grid.order, start=1) if order]
    assert len(used) == grid.steps // 2 - 1 and min(used) >= 0.5
    assert grid.order[0] == 0.0  # the last step down
    assert any(make_noise_grid(space, sigma_max, 10, 0.5, second_order=Window()).order)


@pytest.mark.parametrize("inside", [1, 0, 0.5, np.float32(0.5), np.float64(0.25), np.int64(1)])
def test_a_window_holds_numbers_of_any_kind(inside: Any) -> None:
    assert inside in Window()
    assert inside + 2 not in Window() and "0.5" not in Window()


def test_positions_run_from_the_noisiest_level_to_the_clean_picture(world: tuple) -> None:
    space, sigma_max, _ = world
    for strength in (0.2, 0.5, 1.0):
        grid = make_noise_grid(space, sigma_max, 10, strength)
        assert grid.position(grid.rhos[-1]) == 0.0 and grid.position(grid.rhos[0]) == 1.0
        assert grid.position(grid.rho_at(0.3)) == pytest.approx(0.3)
        down = [grid.step_position(i) for i in range(grid.steps, 0, -1)]
        middles = [grid.position((high * low) ** 0.5) for high, low in zip(grid.rhos[:0:-1], grid.rhos[-2::-1])]
        assert down == pytest.approx(middles)


def test_strength_is_a_share_of_lambda_and_nothing_is_rounded_away(world: tuple) -> None:
    space, sigma_max, _ = world
    tops = [make_noise_grid(space, sigma_max, 10, strength).rhos[-1] for strength in (0.5, 0.52, 1.0)]
    assert tops[0] < tops[1] < tops[2]
    assert tops[0] ** 2 == pytest.approx(0.05 * tops[2])


@pytest.mark.parametrize(("flow", "sigma_max", "whole", "half"), [
    (False, 14.6, 14.6, 0.8544), (False, 4518.0, 20.0, 1.0), (False, 80.0, 20.0, 1.0), (True, 1.0, 49.0, 1.5652)])
def test_no_run_starts_above_the_ceiling(flow: bool, sigma_max: float, whole: float, half: float) -> None:
    """A schedule with zero terminal signal-to-noise ratio ends at 4500; half of its lambda began at 15."""
    for strength, top in ((1.0, whole), (0.5, half)):
        assert make_noise_grid(NoiseSpace(flow), sigma_max, 10, strength).rhos[-1] == pytest.approx(top, rel=1e-3)


def test_second_order_is_exact_for_a_denoised_linear_in_lambda() -> None:
    now, before = torch.tensor([2.0]), torch.tensor([1.0])
    assert extrapolate(now, before, 1.0, 0.5, 0.5) == pytest.approx(2.5)  # value in the middle of the next step
    assert extrapolate(now, before, 0.0, 0.5, 0.5) == now
    assert extrapolate(now, None, 1.0, 0.5, 0.5) == now


def test_step_up_undoes_step_down() -> None:
    y, denoised = torch.randn(2, *SHAPE), torch.randn(2, *SHAPE)
    down = step(y, denoised, 3.0, 1.5)
    up = step(down, denoised, 1.5, 3.0)
    torch.testing.assert_close(up, y)


def test_the_grid_of_two_spaces_is_one() -> None:
    grids: list[NoiseGrid] = [make_noise_grid(s, s.sigma(14.6), 10, 0.7) for s in (NoiseSpace(False), NoiseSpace(True))]
    assert grids[0].rhos == pytest.approx(grids[1].rhos)
