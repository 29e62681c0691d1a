"""The tokens that gates read and write, found once for each token grid of a run."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from .regions import Regions

ACTS = 1e-3
"""A token whose weight in a region is smaller is left alone: the change would drown in the rounding of a picture."""
SEEN = 0.5
"""A source token is offered as a key where its region weighs at least this."""


@dataclass(frozen=True, eq=False)
class RegionTokens:
    """One region on one token grid.

    `positions` (m,): tokens of the target that the region weighs on, `weights` (m,) float32: how much;
    `keys` (j,): tokens of the source that may be seen as keys, on the axis of keys. Both count from its start.
    """

    positions: Tensor
    weights: Tensor
    keys: Tensor
    _shares: dict[tuple[float, torch.dtype], Tensor] = field(default_factory=dict)

    def share(self, strength: float, dtype: torch.dtype) -> Tensor:
        """Weights times the strength of a gate, (m,) of that type; made once."""
        if (strength, dtype) not in self._shares:
            self._shares[strength, dtype] = (self.weights * strength).to(dtype)
        return self._shares[strength, dtype]


@dataclass(frozen=True, eq=False)
class TokenSets:
    """Face and element tokens of one grid, on the device of the model."""

    face: RegionTokens
    element: RegionTokens

    @property
    def empty(self) -> bool:
        """Whether no gate can act on this grid."""
        return not len(self.face.positions) and not len(self.element.positions)


def find_tokens(regions: Regions, grid: tuple[int, int], start: int, keys_start: int,
                device: torch.device) -> TokenSets:
    """The tokens of a grid (height, width) whose first token stands at `start` on the token axis of queries and
    outputs, and at `keys_start` on that of keys and values.

    The masks are reduced where they are (main memory), so that asking how many tokens there are never makes the
    host wait for the device.
    """
    found = []
    for weights in regions.on_grid(*grid, regions.face):
        positions = (weights > ACTS).nonzero()[:, 0]
        keys = (weights >= SEEN).nonzero()[:, 0]
        found.append(RegionTokens((positions + start).to(device), weights[positions].float().to(device),
                                  (keys + keys_start).to(device)))
    return TokenSets(*found)
