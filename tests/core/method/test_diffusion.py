"""Inversion and the way down, against a model with a known answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from editedid_core.engines.edited_id.denoise import denoise_target, lock_step_source, run_curve
from editedid_core.engines.edited_id.inversion import InversionKind, invert, reconstruct
from editedid_core.engines.edited_id.mixing import Mixing, paper_weight
from editedid_core.engines.edited_id.noise_grid import Window, make_noise_grid
from editedid_core.engines.edited_id.noise_space import NoiseSpace
from editedid_core.engines.edited_id.trajectory import Rows, SourceLevel

SHAPE = (4, 4, 4)


def shared_noise_of(seed: int = 5) -> torch.Tensor:
    return torch.randn(1, *SHAPE, generator=torch.Generator().manual_seed(seed))


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


def test_eps_and_flow_forms_of_one_model_give_the_same_picture(mixture: Callable[[NoiseSpace], Any]) -> None:
    """One denoiser on one grid of rho, asked in two spaces; what the host makes of eps and v is tested with it."""
    pictures = []
    for flow in (False, True):
        space = NoiseSpace(flow)
        world = space, space.sigma(14.6), mixture(space)
        weight = torch.tensor([0.0, 0.4, 0.8, 1.0]).expand(1, 1, 4, 4)
        pictures.append(replay(world, weight, torch.ones(1, 1, 4, 4), True, 10, Mixing(), 1.0)[0])
    torch.testing.assert_close(*pictures, rtol=1e-3, atol=1e-3)
