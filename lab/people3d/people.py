"""Who is drawn: shape, colours, marks, habits. No picture yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from .head import load_head
from .shapes import make_shape
from .traits import FIRST_OF_SHAPE, SIZE, TRAITS, make_traits

SPLITS = {"train": (0, 10_000_000), "tune": (10_000_000, 20_000_000), "held-out": (20_000_000, 30_000_000)}
"""Seeds of people, as in the drawn world; splits never share one."""
JUMPING = ("bald", "part", "cut", "earring", "moustache")
"""Traits that are this or that: a blend takes those of the nearer person."""


@dataclass(frozen=True, eq=False)
class People:
    """n people. shape: (n, K) weights of the targets. values: (n, M) traits in the order of `TRAITS`.
    marks: (n,) int32, seeds of freckles, moles and hair. All on the CPU; drawing takes them to its device."""

    shape: torch.Tensor
    values: torch.Tensor
    marks: torch.Tensor

    def __len__(self) -> int:
        return len(self.marks)

    def __getitem__(self, index: slice | torch.Tensor | list[int]) -> People:
        return People(self.shape[index], self.values[index], self.marks[index])

    def trait(self, name: str) -> torch.Tensor:
        """(n,) one trait. Raises ValueError for an unknown name."""
        return self.values[:, TRAITS.index(name)]

    def blend(self, other: People, t: float | torch.Tensor) -> People:
        """People drifted towards others: t 0 is these, 1 the others, a number or (n,).

        Freckles, moles and whatever is this or that jump at one half.
        """
        share = torch.as_tensor(t, dtype=torch.float32).expand(len(self))[:, None]
        values = torch.lerp(self.values, other.values, share)
        nearer = share > 0.5
        for name in JUMPING:
            k = TRAITS.index(name)
            values[:, k] = torch.where(nearer[:, 0], other.values[:, k], self.values[:, k])
        return People(
            torch.lerp(self.shape, other.shape, share), values, torch.where(nearer[:, 0], other.marks, self.marks)
        )

    @staticmethod
    def cat(parts: Sequence[People]) -> People:
        """Several groups as one."""
        return People(
            torch.cat([p.shape for p in parts]),
            torch.cat([p.values for p in parts]),
            torch.cat([p.marks for p in parts]),
        )


def make_people(z: torch.Tensor, marks: torch.Tensor) -> People:
    """People of standard normals (n, SIZE) and seeds of their marks (n,)."""
    traits = make_traits(z)
    return People(make_shape(z, traits, load_head().names), torch.stack([traits[k] for k in TRAITS], 1), marks.int())


def sample_people(n: int, generator: torch.Generator | None = None) -> People:
    """n people at random."""
    return make_people(torch.randn(n, SIZE, generator=generator), torch.randint(1 << 30, (n,), generator=generator))


def people_of(seeds: Sequence[int], marked: float = 1.0) -> People:
    """The person of each seed, whatever else is asked for. marked: how far the features are from the average face's;
    less than 1 gives regular faces."""
    rows = [np.random.default_rng((3, int(s))) for s in seeds]
    z = np.stack([r.standard_normal(SIZE) for r in rows])
    z[:, FIRST_OF_SHAPE:] *= marked
    return make_people(torch.from_numpy(z).float(), torch.tensor([int(r.integers(1 << 30)) for r in rows]))
