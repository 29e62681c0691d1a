"""Noise space, grids, inversion, mixing and the way down, against a model with a known answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from editedid_core.engines.edited_id.denoise import denoise_target, lock_step_source, run_curve
from editedid_core.engines.edited_id.inversion import InversionKind, invert, reconstruct
from editedid_core.engines.edited_id.mixing import (
    Mixing,
    low_band,
    mixed_offset,
    mixing_curve,
    paper_mix,
    paper_weight,
    spherical_mix,
)
from editedid_core.engines.edited_id.noise_grid import NoiseGrid, Window, make_noise_grid, strength_for_drift
from editedid_core.engines.edited_id.noise_space import NoiseSpace
from editedid_core.engines.edited_id.solver import extrapolate, step
from editedid_core.engines.edited_id.trajectory import Rows, SourceLevel

SHAPE = (4, 4, 4)
SPACES = {"eps": (NoiseSpace(flow=False), 14.6), "flow": (NoiseSpace(flow=True), 1.0)}


def shared_noise_of(seed: int = 5) -> torch.Tensor:
    return torch.randn(1, *SHAPE, generator=torch.Generator().manual_seed(seed))


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


@pytest.mark.parametrize("steps", [10, 20])
def test_velocity_reuse_halves_the_round_trip_error(world: tuple, steps: int) -> None:
    space, sigma_max, model = world
    clean, noise = model.sample(2, seed=3), shared_noise_of()
    grid = make_noise_grid(space, sigma_max, steps)
    errors, costs = [], []
    kinds: tuple[InversionKind, ...] = ("velocity reuse", "naive", "fixed point")
    for kind in kinds:
        model.evaluations = 0
        top = invert(model, space, clean, noise, grid, kind=kind).top
        back = reconstruct(model, space, top, noise, grid)
        costs.append(model.evaluations)
        errors.append(float((back - clean).square().mean().sqrt()))
    assert costs[0] == costs[1] == 4 * steps and costs[2] == 6 * steps
    assert errors[0] <= 0.5 * errors[1]
    assert errors[2] <= 0.5 * errors[1]


@settings(max_examples=30)
@given(st.floats(0, 0.5), st.floats(0, 1e4))
def test_weight_stays_in_its_range(weight: float, difference: float) -> None:
    assert weight - 1e-9 <= paper_weight(weight, difference) <= 0.5


def test_half_weight_makes_one_state() -> None:
    z1, z2 = torch.randn(1, *SHAPE), torch.randn(1, *SHAPE)
    a, b = paper_mix(z1, z2, 0.5)
    torch.testing.assert_close(a, b)


@pytest.mark.parametrize("shared", [0.0, 0.5, 0.9])
def test_spherical_mix_keeps_the_deviation_where_the_average_loses_it(shared: float) -> None:
    generator = torch.Generator().manual_seed(0)
    common, a, b = torch.randn(3, 1, 16, 64, 64, generator=generator)
    n1, n2 = (shared**0.5 * common + (1 - shared) ** 0.5 * n for n in (a, b))
    weight = torch.full((1, 1, 64, 64), 0.5)
    assert float(spherical_mix(n1, n2, weight).std()) == pytest.approx(1.0, abs=0.02)
    if shared < 0.9:
        assert float(torch.lerp(n1, n2, 0.5).std()) < 0.9


@pytest.mark.parametrize("weight", [0.2, 0.5, 0.8])
@pytest.mark.parametrize("correlation", [-0.9, -0.5, 0.0, 0.5, 1.0])
def test_opposed_noises_keep_their_deviation_too(correlation: float, weight: float) -> None:
    a, b = torch.randn(2, 1, 16, 64, 64, generator=torch.Generator().manual_seed(0))
    n1, n2 = a, correlation * a + (1 - correlation**2) ** 0.5 * b
    mixed = spherical_mix(n1[None], n2[None], torch.full((1, 1, 1, 64, 64), weight))
    assert float(mixed.std()) == pytest.approx(1.0, abs=0.03)


def test_spherical_mix_is_exact_at_both_ends() -> None:
    n1, n2 = torch.randn(2, 1, *SHAPE)
    weight = torch.tensor([0.0, 1.0, 0.5, 0.2]).expand(1, 1, 4, 4)
    mixed = spherical_mix(n1, n2, weight)
    assert torch.equal(mixed[..., 0], n2[..., 0])
    assert torch.equal(mixed[..., 1], n1[..., 1])


def test_low_band_keeps_a_constant_and_removes_a_checkerboard() -> None:
    flat = torch.full((1, 2, 16, 16), 3.0)
    torch.testing.assert_close(low_band(flat, 2.0), flat)
    board = (torch.arange(16)[:, None] + torch.arange(16)) % 2 * 2.0 - 1
    assert low_band(board.expand(1, 2, 16, 16), 2.0).abs().max() < 0.05


FULL = Mixing(init_weight=0.5)
ALWAYS = Window()


def replay(world: tuple, weight: torch.Tensor, support: torch.Tensor, recompute: bool, steps: int = 10,
           mixing: Mixing = FULL, strength: float = 0.7, window: Window = ALWAYS) -> tuple:
    space, sigma_max, model = world
    clean, noise = model.sample(2, seed=3), shared_noise_of()
    grid = make_noise_grid(space, sigma_max, steps, strength, second_order=window)
    levels = invert(model, space, clean, noise, grid).levels

    def source(i: int) -> SourceLevel:
        return levels[i - 1]

    latent = denoise_target(model, space, grid, source, clean, weight, support, run_curve(source, grid, mixing),
                            mixing, recompute)
    return latent, clean


@pytest.mark.parametrize("recompute", [False, True])
def test_no_weight_returns_the_edit_bit_for_bit(world: tuple, recompute: bool) -> None:
    latent, clean = replay(world, torch.zeros(1, 1, 4, 4), torch.ones(1, 1, 4, 4), recompute)
    torch.testing.assert_close(latent, clean[1:], rtol=0, atol=1e-5)
    latent, clean = replay(world, torch.ones(1, 1, 4, 4), torch.zeros(1, 1, 4, 4), recompute)
    assert torch.equal(latent, clean[1:])


def test_full_weight_returns_the_original(world: tuple) -> None:
    latent, clean = replay(world, torch.ones(1, 1, 4, 4), torch.ones(1, 1, 4, 4), False)
    error = (latent - clean[:1]).square().mean().sqrt()
    assert error < 0.1 * (clean[1:] - clean[:1]).square().mean().sqrt()


def test_outside_the_support_nothing_moves(world: tuple) -> None:
    support = torch.zeros(1, 1, 4, 4)
    support[..., 1:3, 1:3] = 1
    latent, clean = replay(world, support, support, True)
    outside = support.expand_as(latent) == 0
    assert torch.equal(latent[outside], clean[1:][outside])
    assert not torch.equal(latent, clean[1:])


def test_replay_costs_three_samples_a_step(world: tuple) -> None:
    world[2].evaluations = 0
    replay(world, torch.ones(1, 1, 4, 4), torch.ones(1, 1, 4, 4), False)
    assert world[2].evaluations == 21
    assert {rows for rows, _ in world[2].seen} == {Rows.SOURCES, Rows.TARGET}


def test_lock_step_needs_no_inversion_and_keeps_the_edit(world: tuple) -> None:
    space, sigma_max, model = world
    clean, noise = model.sample(2, seed=3), shared_noise_of()
    grid = make_noise_grid(space, sigma_max, 10, 0.7)
    source = lock_step_source(clean, noise, grid)
    nothing = torch.zeros(1, 1, 4, 4)
    curve = (0.5,) * grid.steps
    latent = denoise_target(model, space, grid, source, clean, nothing, nothing + 1, curve, FULL, True)
    torch.testing.assert_close(latent, clean[1:], rtol=0, atol=1e-5)
    assert {rows for rows, _ in model.seen} == {Rows.ALL}
    everything = nothing + 1
    latent = denoise_target(model, space, grid, source, clean, everything, everything, curve, FULL, True)
    torch.testing.assert_close(latent, clean[:1], rtol=0, atol=1e-4)


def test_the_model_pulls_a_half_way_mix_to_what_it_knows(world: tuple) -> None:
    """Half of each source is like nothing in the data; a way down that ignored the model would stay there."""
    space, sigma_max, model = world
    clean, noise = model.means[:2], shared_noise_of()
    grid = make_noise_grid(space, sigma_max, 10)
    half = torch.full((1, 1, 4, 4), 0.5)
    source = lock_step_source(clean, noise, grid)
    latent = denoise_target(model, space, grid, source, clean, half, half * 2, (0.5,) * 10, FULL, True)

    def strangeness(x: torch.Tensor) -> float:
        return float((x - model.means).flatten(1).norm(dim=1).min())

    assert strangeness(latent) < 0.7 * strangeness(clean.mean(0, keepdim=True))


@pytest.mark.parametrize(("weight", "support"), [(0.5, 1.0), (1.0, 0.5), (0.5, 0.5)])
def test_half_a_mask_is_half_a_blend_whatever_the_number_of_steps(world: tuple, weight: float, support: float) -> None:
    """What is multiplied in at every step would leave a tenth of it after 50."""
    whole = torch.ones(1, 1, 4, 4)
    for steps in (5, 10, 50):
        latent, clean = replay(still(world), whole * weight, whole * support, False, steps)
        way = clean[:1] - clean[1:]
        share = float(((latent - clean[1:]) * way).sum() / way.square().sum())
        assert share == pytest.approx(0.5, abs=0.01)


def still(world: tuple) -> tuple:
    """The world with a model that has no opinion of its own: it blends as its inputs blend."""
    space, sigma_max, model = world

    class Linear(type(model)):  # type: ignore[misc]
        def __call__(self, x: torch.Tensor, sigma: float, rows: Rows, step: int) -> torch.Tensor:
            rho = space.rho(sigma)
            return (x * (1 + rho) if space.flow else x) / (1 + rho**2)

    return space, sigma_max, Linear(space)


def test_the_curve_follows_the_law_down_the_run_and_is_forced_at_the_end(world: tuple) -> None:
    space, sigma_max, model = world
    clean = model.sample(2, 3)
    grid = make_noise_grid(space, sigma_max, 10)
    levels = invert(model, space, clean, shared_noise_of(), grid).levels

    def source(i: int) -> SourceLevel:
        return levels[i - 1]

    curve = run_curve(source, grid, Mixing(init_weight=0.05, final_steps=3))
    assert list(curve) == sorted(curve)
    assert curve[-3:] == (0.5, 0.5, 0.5)
    weight = 0.05
    for i, found in zip(range(10, 3, -1), curve):
        difference = (levels[i - 1].state[0] - levels[i - 1].state[1]).square().mean() / (1 + grid.rhos[i] ** 2)
        weight = paper_weight(weight, float(difference))
        assert found == pytest.approx(weight, abs=1e-6)


@pytest.mark.parametrize("change", [{"init_weight": 0.3}, {"final_steps": 0}, {"final_steps": 1}, {"rate": 0.2},
                                    {"spherical": False}, {"low_band_blur": 0.6}])
def test_every_number_of_the_mixing_changes_the_result(world: tuple, change: dict[str, Any]) -> None:
    whole = torch.full((1, 1, 4, 4), 0.8)
    plain, other = (replay(world, whole, whole, False, 10, Mixing(**more), 0.5)[0] for more in ({}, change))
    assert not torch.allclose(plain, other, atol=1e-4)


def test_the_solvers_window_changes_the_result(world: tuple) -> None:
    whole = torch.full((1, 1, 4, 4), 0.8)
    found = [replay(world, whole, whole, False, 10, Mixing(), 0.5, window)[0]
             for window in (Window(), Window(0.5, 1.0), Window(0.0, 0.5), Window(0.0, 0.0))]
    for i, first in enumerate(found):
        assert all(not torch.allclose(first, other, atol=1e-5) for other in found[i + 1 :])


def test_the_mix_at_a_level_is_each_source_at_its_weight() -> None:
    state, denoised = torch.randn(2, 2, *SHAPE, generator=torch.Generator().manual_seed(0))
    level = SourceLevel(state, denoised)
    for mixing in (Mixing(), Mixing(spherical=False)):
        for weight, expected in ((0.0, state[1:]), (1.0, state[:1])):
            offset = mixed_offset(level, 2.0, torch.full((1, 1, 4, 4), weight), mixing)
            torch.testing.assert_close(state[1:] + offset, expected)
    assert float(mixed_offset(level, 2.0, torch.zeros(1, 1, 4, 4), Mixing()).abs().max()) == 0.0


def test_eps_and_flow_forms_of_one_model_give_the_same_picture(mixture: Callable[[NoiseSpace], Any]) -> None:
    """One denoiser on one grid of rho, asked in two spaces; what the host makes of eps and v is tested with it."""
    pictures = []
    for flow in (False, True):
        space = NoiseSpace(flow)
        world = space, space.sigma(14.6), mixture(space)
        weight = torch.tensor([0.0, 0.4, 0.8, 1.0]).expand(1, 1, 4, 4)
        pictures.append(replay(world, weight, torch.ones(1, 1, 4, 4), True, 10, Mixing(), 1.0)[0])
    torch.testing.assert_close(*pictures, rtol=1e-3, atol=1e-3)


def test_the_grid_of_two_spaces_is_one() -> None:
    grids: list[NoiseGrid] = [make_noise_grid(s, s.sigma(14.6), 10, 0.7) for s in (NoiseSpace(False), NoiseSpace(True))]
    assert grids[0].rhos == pytest.approx(grids[1].rhos)


@pytest.mark.parametrize("steps", [2, 3, 5])
def test_the_first_weight_has_a_say_in_short_runs_too(steps: int) -> None:
    low, high = (mixing_curve([1.0] * steps, Mixing(init_weight=w)) for w in (0.0, 0.3))
    assert low[0] < high[0] < 0.5 and low[-1] == high[-1] == 0.5
    assert mixing_curve([1.0], Mixing()) == (0.5,)
