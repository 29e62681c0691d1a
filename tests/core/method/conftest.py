"""A model whose exact answer is known: data drawn from a mixture of Gaussians, in either noise space."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from editedid_core.engines.edited_id.noise_space import NoiseSpace
from editedid_core.engines.edited_id.trajectory import Rows

SHAPE = (4, 4, 4)


class MixtureDenoiser:
    """E[x0 | x] for a mixture of narrow Gaussians; counts the samples it was asked for."""

    def __init__(self, space: NoiseSpace, modes: int = 6, width: float = 0.3, seed: int = 1) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.space, self.width = space, width
        self.means = torch.randn(modes, *SHAPE, generator=generator)
        self.evaluations = 0
        self.seen: list[tuple[Rows, int]] = []

    def __call__(self, x: Tensor, sigma: float, rows: Rows, step: int) -> Tensor:
        self.evaluations += x.shape[0]
        self.seen.append((rows, step))
        rho = self.space.rho(sigma)
        y = x * (1 + rho) if self.space.flow else x
        variance = self.width**2 + rho**2
        distance = (y[:, None] - self.means[None]).flatten(2).square().sum(-1)
        share = torch.softmax(-distance / (2 * variance), 1)[..., None, None, None]
        posterior = self.means + self.width**2 / variance * (y[:, None] - self.means)
        return (share * posterior).sum(1)

    def sample(self, count: int, seed: int) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        index = torch.randint(len(self.means), (count,), generator=generator)
        return self.means[index] + self.width * torch.randn(count, *SHAPE, generator=generator)


SPACES = {"eps": (NoiseSpace(flow=False), 14.6), "flow": (NoiseSpace(flow=True), 1.0)}


@pytest.fixture(params=SPACES)
def world(request: pytest.FixtureRequest) -> tuple[NoiseSpace, float, MixtureDenoiser]:
    space, sigma_max = SPACES[request.param]
    return space, sigma_max, MixtureDenoiser(space)


@pytest.fixture
def mixture() -> type[MixtureDenoiser]:
    """The model for a space of one's own choice."""
    return MixtureDenoiser
