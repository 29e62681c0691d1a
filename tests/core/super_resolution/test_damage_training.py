"""What the measure of damage learns from, and that it learns."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from editedid_core.appearance.damage import FEATURES, SIDE, spectra
from lab.train.picture_damage import draw, train


def test_damage_is_drawn_with_its_right_answer() -> None:
    portrait = np.random.default_rng(0).random((128, 128, 3)).astype(np.float32)
    found = [draw(portrait, np.random.default_rng(seed)) for seed in range(40)]
    assert all(seen.shape == (SIDE, SIDE, 3) for seen, _ in found)
    assert {damage.jpeg == 0 for _, damage in found} == {True, False}
    clean = [damage for _, damage in found if damage.noise == 0 and damage.jpeg == 0]
    assert clean and all(damage.error < 1e-6 for damage in clean)
    assert all(1 <= damage.scale <= 22 for _, damage in found)


def test_blur_empties_the_high_bands_and_noise_fills_them() -> None:
    generator = torch.Generator().manual_seed(0)
    sharp = torch.rand(1, 3, SIDE, SIDE, generator=generator)
    soft = torch.nn.functional.avg_pool2d(sharp, 5, 1, 2)
    noisy = soft + 0.1 * torch.randn(soft.shape, generator=generator)
    high = [float(spectra(one).view(2, -1)[0, -8:].mean()) for one in (soft, noisy, sharp)]
    assert high[0] < high[1] < high[2]
    assert spectra(sharp).shape == (1, FEATURES)


def test_training_finds_a_rule() -> None:
    generator = torch.Generator().manual_seed(1)
    rows = torch.randn(600, FEATURES, generator=generator)
    answers = rows[:, :4] * torch.tensor([1.0, 2.0, 1.0, 0.3])
    network = train(rows[:500], answers[:500], steps=80)
    with torch.no_grad():
        error = (network(rows[500:]) - answers[500:]).abs().mean()
    assert float(error) < 0.8 * float(answers[500:].abs().mean())
    assert pytest.approx(rows[:500].mean(0).tolist(), abs=1e-5) == network.middle.tolist()
