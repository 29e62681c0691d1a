"""Noise space, grids, inversion, mixing and the way down, against a model with a known answer."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from editedid_core.diffusion.inversion import invert, invert_naive, reconstruct
from editedid_core.diffusion.loop import (
    Mixing,
    descend,
    lock_step_source,
    mixed_start,
    trajectory_curve,
)
from editedid_core.diffusion.mixing import low_band, paper_mix, paper_weight, spherical_mix
from editedid_core.diffusion.schedule import Window, lambda_grid, strength_for_drift
from editedid_core.diffusion.solver import extrapolate, step
from editedid_core.diffusion.space import NoiseSpace
from editedid_core.diffusion.trajectory import Rows

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
    whole, part = (lambda_grid(space, sigma_max, 10, s) for s in (1.0, 0.7))
    ratios = torch.tensor(whole.rhos)[1:] / torch.tensor(whole.rhos)[:-1]
    torch.testing.assert_close(ratios, ratios[:1].expand_as(ratios))
    assert part.steps == 7
    assert part.rhos == whole.rhos[:8]
    assert space.sigma(whole.rhos[-1]) <= 0.9801 or not space.flow


def test_grid_names_what_is_wrong(world: tuple) -> None:
    space, sigma_max, _ = world
    with pytest.raises(ValueError, match="steps"):
        lambda_grid(space, sigma_max, 0)
    with pytest.raises(ValueError, match="strength"):
        lambda_grid(space, sigma_max, 10, 0.0)


def test_strength_falls_with_the_drift_where_it_may() -> None:
    whole = [strength_for_drift(0.6, drift, 1.0) for drift in (-0.1, 0.0, 0.25, 0.5, 1.4)]
    assert whole == pytest.approx([0.06, 0.06, 0.3, 0.6, 0.6])
    assert [strength_for_drift(0.6, drift, 0.0) for drift in (0.0, 0.25, 1.0)] == [0.6, 0.6, 0.6]
    assert strength_for_drift(0.6, 0.25, 0.5) == pytest.approx(0.45)


def test_window_switches_the_solver_and_never_on_the_last_step(world: tuple) -> None:
    space, sigma_max, _ = world
    grid = lambda_grid(space, sigma_max, 10, second_order=Window(space.sigma(1.0), 0.0))
    used = [space.sigma(r) for r, o in zip(grid.rhos[1:], grid.order, strict=True) if o]
    assert used and max(used) <= space.sigma(1.0)
    assert grid.order[0] == 0.0


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
    grid = lambda_grid(space, sigma_max, steps)
    errors, costs = [], []
    for method in (invert, invert_naive):
        model.evaluations = 0
        top = method(model, space, clean, noise, grid).levels[-1].state
        back = reconstruct(model, space, top, noise, grid)
        costs.append(model.evaluations)
        errors.append(float((back - clean).square().mean().sqrt()))
    assert costs[0] == costs[1] == 4 * steps
    assert errors[0] <= 0.5 * errors[1]


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


def replay(world: tuple, weight: torch.Tensor, support: torch.Tensor, joint: bool) -> tuple:
    space, sigma_max, model = world
    clean, noise = model.sample(2, seed=3), shared_noise_of()
    grid = lambda_grid(space, sigma_max, 10, 0.7, second_order=Window(1e9, 0.0))
    trajectory = invert(model, space, clean, noise, grid)
    start = mixed_start(trajectory, grid.rhos[-1], weight, Mixing())
    levels = trajectory.levels
    latent = descend(model, space, grid, lambda i: levels[i - 1], clean, start, weight, support, joint)
    return latent, clean


@pytest.mark.parametrize("joint", [False, True])
def test_no_weight_returns_the_edit_bit_for_bit(world: tuple, joint: bool) -> None:
    latent, clean = replay(world, torch.zeros(1, 1, 4, 4), torch.ones(1, 1, 4, 4), joint)
    torch.testing.assert_close(latent, clean[1:], rtol=0, atol=1e-5)
    latent, clean = replay(world, torch.ones(1, 1, 4, 4), torch.zeros(1, 1, 4, 4), joint)
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
    grid = lambda_grid(space, sigma_max, 10, 0.7)
    source = lock_step_source(clean, noise, grid)
    nothing = torch.zeros(1, 1, 4, 4)
    latent = descend(model, space, grid, source, clean, nothing * clean[1:], nothing, nothing + 1, True)
    torch.testing.assert_close(latent, clean[1:], rtol=0, atol=1e-5)
    assert {rows for rows, _ in model.seen} == {Rows.ALL}
    everything = nothing + 1
    latent = descend(model, space, grid, source, clean, clean[:1] - clean[1:], everything, everything, True)
    torch.testing.assert_close(latent, clean[:1], rtol=0, atol=1e-4)


def test_the_model_pulls_a_half_way_mix_to_what_it_knows(world: tuple) -> None:
    """Half of each source is like nothing in the data; a way down that ignored the model would stay there."""
    space, sigma_max, model = world
    clean, noise = model.means[:2], shared_noise_of()
    grid = lambda_grid(space, sigma_max, 10)
    half = torch.full((1, 1, 4, 4), 0.5)
    start = half * (clean[:1] - clean[1:])
    latent = descend(model, space, grid, lock_step_source(clean, noise, grid), clean, start, half, half * 2, True)

    def strangeness(x: torch.Tensor) -> float:
        return float((x - model.means).flatten(1).norm(dim=1).min())

    assert strangeness(latent) < 0.7 * strangeness(clean.mean(0, keepdim=True))


def test_curve_rises_and_is_forced_at_the_end(world: tuple) -> None:
    space, sigma_max, model = world
    grid = lambda_grid(space, sigma_max, 10)
    trajectory = invert(model, space, model.sample(2, 3), shared_noise_of(), grid)
    curve = trajectory_curve(trajectory, Mixing(init_weight=0.05, final_steps=3))
    assert list(curve) == sorted(curve)
    assert curve[-3:] == (0.5, 0.5, 0.5)
    assert curve[0] < 0.5
