"""The paper's run against a model with a known answer, and its laws against autograd."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from editedid_core.engines.edited_id.attention.regions import Regions
from editedid_core.engines.edited_id.attention.words import PromptWords, replace_maps
from editedid_core.engines.edited_id.mixing import Mixing, distance, paper_weight
from editedid_core.engines.edited_id.noise_grid import NoiseGrid, Window, make_noise_grid
from editedid_core.engines.edited_id.paper import MixedInversion, PaperResult, denoise_paper, deviation, invert_mixed
from editedid_core.engines.edited_id.trajectory import Rows

SHAPE = (4, 4, 4)
NOISE = torch.randn(1, *SHAPE, generator=torch.Generator().manual_seed(5))
EVERYWHERE = torch.ones(1, 1, 4, 4)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.floats(0, 0.1), st.floats(0.05, 3.0))
def test_closed_form_weight_equals_gradient_descent_on_variance_preserving_latents(seed: int, start: float,
                                                                                   size: float) -> None:
    """At each inversion step one update of the weight, on states that the last mixing moved. The states are y = z *
    sqrt(1 + rho^2), as the run has them; the gradient is taken on z, as the paper has it."""
    generator = torch.Generator().manual_seed(seed)
    z1, z2 = size * torch.randn(2, 1, *SHAPE, dtype=torch.float64, generator=generator)
    weight, learned = start, torch.tensor(start, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.SGD([learned], lr=0.01)
    for rho in torch.logspace(-1.3, 1.2, 12, dtype=torch.float64).tolist():
        mixed1, mixed2 = torch.lerp(z1, z2, learned), torch.lerp(z2, z1, learned)
        optimiser.zero_grad()
        (mixed1 - mixed2).square().mean().backward()
        optimiser.step()
        with torch.no_grad():
            learned.clamp_(0.0, 0.5)  # the paper's range
        scale = (1 + rho**2) ** 0.5
        weight = paper_weight(weight, float(distance(scale * torch.cat([z1, z2]), rho)), 0.01)
        assert abs(weight - float(learned.detach())) <= 1e-5
        drift = 0.1 * torch.randn(2, 1, *SHAPE, dtype=torch.float64, generator=generator)
        with torch.no_grad():
            z1, z2 = torch.lerp(z1, z2, weight) + drift[0], torch.lerp(z2, z1, weight) + drift[1]


def test_with_six_steps_the_weight_is_far_from_its_limit_when_it_is_forced(world: tuple) -> None:
    """Distances of states y instead of variance-preserving latents drive it to 0.5 within a step or two."""
    path, _ = inverted(world, 6, mixing=Mixing(final_steps=1))
    assert 0.1 < path.curve[-2] < 0.3


def inverted(world: tuple, steps: int = 6, window: Window | None = None,
             mixing: Mixing | None = None) -> tuple[MixedInversion, NoiseGrid]:
    space, sigma_max, model = world
    grid = make_noise_grid(space, sigma_max, steps, second_order=window)
    mixing = mixing or Mixing(final_steps=2)
    return invert_mixed(model, space, model.sample(2, seed=3), NOISE, grid, mixing), grid


def down(world: tuple, path: MixedInversion, grid: NoiseGrid, mask: Tensor = EVERYWHERE, **more: object) -> PaperResult:
    return denoise_paper(world[2], world[0], grid, path, mask, NOISE, **more)  # type: ignore[arg-type]


def test_both_sources_end_in_one_noise_by_a_weight_that_rises_to_a_half(world: tuple) -> None:
    path, grid = inverted(world)
    assert path.curve[-2:] == (0.5, 0.5) and path.curve[0] < 0.2
    assert list(path.curve) == sorted(path.curve)
    torch.testing.assert_close(path.states[-1][:1], path.states[-1][1:])
    torch.testing.assert_close(path.shared, path.states[-1][:1])
    assert len(path.states) == grid.steps + 1
    assert path.shared.std() > 0.3 * deviation(grid.rhos[-1])  # noise, not a faded mean


def test_without_mixing_the_sources_stay_apart(world: tuple) -> None:
    path, _ = inverted(world, mixing=Mixing(init_weight=0.0, rate=0.0, final_steps=0))
    assert path.curve == (0.0,) * 6
    assert (path.states[-1][0] - path.states[-1][1]).abs().max() > 0.1


def test_the_window_changes_both_ways(world: tuple) -> None:
    """DPM-Solver++ in the window, in the inversion and in the reconstruction, DDIM elsewhere."""
    window = Window(0.4, 1.0)
    plain, grid = inverted(world, 10)
    mixed, hybrid = inverted(world, 10, window)
    first = next(i for i, order in enumerate(hybrid.order) if order)
    torch.testing.assert_close(mixed.states[first], plain.states[first])
    assert not torch.allclose(mixed.states[first + 1], plain.states[first + 1])
    assert not any(order for i, order in enumerate(hybrid.order, start=1) if hybrid.step_position(i) < 0.4)
    assert not torch.allclose(down(world, plain, grid).latent, down(world, plain, hybrid).latent)


def test_the_run_costs_two_up_and_three_down(world: tuple) -> None:
    world[2].evaluations = 0
    path, grid = inverted(world)
    down(world, path, grid)
    assert world[2].evaluations == 2 * 6 + 3 * 6
    assert {rows for rows, _ in world[2].seen} == {Rows.SOURCES, Rows.ALL}


def test_blended_diffusion_keeps_the_edit_outside(world: tuple) -> None:
    path, grid = inverted(world)
    mask = torch.zeros(1, 1, 4, 4)
    mask[..., :2] = 1
    latent = down(world, path, grid, mask).latent
    assert torch.equal(latent[..., 2:], path.clean[1:, ..., 2:])
    assert not torch.allclose(latent[..., :2], path.clean[1:, ..., :2], atol=1e-2)


def test_without_null_text_the_sources_are_the_recorded_ones(world: tuple) -> None:
    path, grid = inverted(world)
    torch.testing.assert_close(down(world, path, grid).sources, path.clean, atol=1e-5, rtol=0)


class Correction:
    """The best a null text could do: the guided answer is whatever lands on the goal."""

    def __init__(self, model: Callable[..., Tensor], share: float) -> None:
        self.model, self.share, self.shift = model, share, torch.zeros(3, *SHAPE)

    def __call__(self, x: Tensor, sigma: float, rows: Rows, step: int) -> Tensor:
        return self.model(x, sigma, rows, step) + self.shift

    def fit(self, x: Tensor, sigma: float, land: Callable[[Tensor], Tensor], goal: Tensor, progress: float) -> None:
        assert 0 <= progress < 1
        answer = self.model(x, sigma, Rows.SOURCES, 0).requires_grad_()
        for _ in range(60):
            (gradient,) = torch.autograd.grad((land(answer) - goal).square().sum(), answer)
            slope = torch.autograd.functional.jvp(land, answer.detach(), torch.ones_like(answer))[1].mean()
            answer = (answer - 0.5 * gradient / slope**2).detach().requires_grad_()
        torch.testing.assert_close(land(answer), goal, atol=1e-4, rtol=1e-3)
        sources = self.share * (answer.detach() - self.model(x, sigma, Rows.SOURCES, 0))
        self.shift = torch.cat([sources, sources[1:]])


@pytest.mark.parametrize("window", [None, Window()])
def test_a_null_text_that_reaches_its_goals_brings_the_sources_back_from_one_noise(
        world: tuple, window: Window | None) -> None:
    path, grid = inverted(world, 6, window)
    errors = []
    for share in (0.0, 0.5, 1.0):
        null_text = Correction(world[2], share)
        done = denoise_paper(null_text, world[0], grid, path, EVERYWHERE, NOISE, null_text)
        errors.append(float((done.sources - path.clean).square().mean().sqrt()))
    assert errors[2] < 1e-2 < errors[1] < errors[0]


def test_hard_masks_share_an_overlap_by_a_and_b() -> None:
    face, element = torch.zeros(8, 8), torch.zeros(8, 8)
    face[:, :6], element[:, 4:] = 1, 1
    w1, w2 = Regions(face, element, "hard", 0.3).on_grid(4, 4, torch.zeros(1))
    torch.testing.assert_close(w1.view(4, 4)[0], torch.tensor([1.0, 1.0, 0.3, 0.0]))
    torch.testing.assert_close(w2.view(4, 4)[0], torch.tensor([0.0, 0.0, 0.7, 1.0]))


def test_words_take_their_maps_from_their_source_and_nothing_else_moves() -> None:
    generator = torch.Generator().manual_seed(0)
    q, k, v = torch.randn(3, 3, 2, 5, 8, generator=generator)
    words = PromptWords(face=(1,), element=(3, 4), length=5)

    def attended(maps: Tensor) -> Tensor:
        return maps[2:] @ v[2:]

    maps = torch.softmax(q @ k.transpose(-1, -2) * 0.3, -1)
    expected = maps.clone()
    expected[2, ..., 1], expected[2, ..., 3:] = maps[0, ..., 1], maps[1, ..., 3:]
    change = replace_maps(q, k, v, words, 0.3)
    torch.testing.assert_close(attended(maps) + change, attended(expected))
    assert replace_maps(q, k, v, PromptWords((), (), 5), 0.3).abs().max() == 0


def test_words_are_found_again_in_a_repeated_conditioning() -> None:
    words = PromptWords(face=(1,), element=(), length=7)
    assert words.columns(14, words.face, torch.device("cpu")).tolist() == [1, 8]
