"""The law of mixing: its weight, its spherical mean, its bands and its curve."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from editedid_core.engines.edited_id.mixing import (
    Mixing,
    low_band,
    mixed_offset,
    mixing_curve,
    paper_mix,
    paper_weight,
    spherical_mix,
)
from editedid_core.engines.edited_id.trajectory import SourceLevel

SHAPE = (4, 4, 4)


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


def test_the_mix_at_a_level_is_each_source_at_its_weight() -> None:
    state, denoised = torch.randn(2, 2, *SHAPE, generator=torch.Generator().manual_seed(0))
    level = SourceLevel(state, denoised)
    for mixing in (Mixing(), Mixing(spherical=False)):
        for weight, expected in ((0.0, state[1:]), (1.0, state[:1])):
            offset = mixed_offset(level, 2.0, torch.full((1, 1, 4, 4), weight), mixing)
            torch.testing.assert_close(state[1:] + offset, expected)
    assert float(mixed_offset(level, 2.0, torch.zeros(1, 1, 4, 4), Mixing()).abs().max()) == 0.0


@pytest.mark.parametrize("steps", [2, 3, 5])
def test_the_first_weight_has_a_say_in_short_runs_too(steps: int) -> None:
    low, high = (mixing_curve([1.0] * steps, Mixing(init_weight=w)) for w in (0.0, 0.3))
    assert low[0] < high[0] < 0.5 and low[-1] == high[-1] == 0.5
    assert mixing_curve([1.0], Mixing()) == (0.5,)
