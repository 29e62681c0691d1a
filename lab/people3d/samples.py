"""The samples of a chunk that show something, and what shading finds out about them."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from .geometry import Shape
from .light import Lights
from .mesh import Mesh
from .people import People
from .scenes import Scenes

MASKS = ("face", "lips", "nose", "eyes", "brows", "mouth", "hair", "beard", "glasses", "hat", "clothes", "neck_ears")


@dataclass(frozen=True, eq=False)
class Chunk:
    """What a chunk is made of."""

    people: People
    scenes: Scenes
    shape: Shape
    mesh: Mesh
    lights: Lights


@dataclass(frozen=True, eq=False)
class Surface:
    """N surface samples: picture (N,), corners (N, 3) of their triangle and weights (N, 3), part (N,), place (N, 3) on
    the template, masks (N, 4), normal, view, world (N, 3), lit and sky (N, 1), traits (N,) by name, marks (N,)."""

    picture: torch.Tensor
    corners: torch.Tensor
    weights: torch.Tensor
    part: torch.Tensor
    place: torch.Tensor
    masks: torch.Tensor
    normal: torch.Tensor
    view: torch.Tensor
    world: torch.Tensor
    lit: torch.Tensor
    sky: torch.Tensor
    traits: dict[str, torch.Tensor]
    marks: torch.Tensor

    def at(self, rows: torch.Tensor) -> Surface:
        """Some of the samples."""
        values = {k: getattr(self, k) for k in self.__dataclass_fields__}
        return Surface(
            **{k: {n: t[rows] for n, t in v.items()} if isinstance(v, dict) else v[rows] for k, v in values.items()}
        )

    def mix(self, values: torch.Tensor) -> torch.Tensor:
        """Values (V, ...) of the head's vertices at the samples; samples of props give nonsense."""
        corners = self.corners.clamp(max=len(values) - 1)
        weights = self.weights.reshape(len(corners), 3, *[1] * (values.dim() - 1))
        return (
            weights[:, 0] * values[corners[:, 0]]
            + weights[:, 1] * values[corners[:, 1]]
            + weights[:, 2] * values[corners[:, 2]]
        )

    def mix_own(self, values: torch.Tensor) -> torch.Tensor:
        """Values (n, V) that differ by picture, at the samples."""
        corners = self.corners.clamp(max=values.shape[1] - 1)
        return sum(self.weights[:, k] * values[self.picture, corners[:, k]] for k in range(3))  # type: ignore[return-value]


@dataclass(frozen=True, eq=False)
class Shaded:
    """N samples, filled in place. colour (N, 3): what leaves at once; light (N, 3): irradiance that spreads in skin,
    flesh (N, 1) and albedo (N, 3) of it; parts (N, 12) in the order of `MASKS`."""

    colour: torch.Tensor
    light: torch.Tensor
    flesh: torch.Tensor
    albedo: torch.Tensor
    parts: torch.Tensor

    @staticmethod
    def empty(count: int, device: torch.device) -> Shaded:
        """All zero."""
        zero = lambda width: torch.zeros(count, width, device=device)  # noqa: E731 - five buffers
        return Shaded(zero(3), zero(3), zero(1), zero(3), zero(len(MASKS)))
