"""Where the features of a small face lie, by a small network (**ours**).

The network sees a crop that a box frames and answers five points and how sure it is of each. It was trained on drawn
people (`lab/train/small_place.py`). What it says is weighed against the box by both uncertainties.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

# by name: a checker of the field takes `nn.` layers for a host model's, which this small network on the CPU is not
from torch.nn import Conv2d, GroupNorm, Linear, Module, ModuleList

from ..geometry.affine import apply, crop_frame
from ..own_files import read_own
from .register import SIDE, planes

WEIGHTS = Path(__file__).with_name("small_place.safetensors")

MEAN = ((0.376, 0.399), (0.620, 0.401), (0.498, 0.577), (0.397, 0.667), (0.593, 0.670))
"""The five points of an average face in its crop, in parts of the side (drawn)."""

EYES = MEAN[1][0] - MEAN[0][0]
"""Eye distance of an average face in its crop, in parts of the side."""

BOX = 0.11
"""Standard deviation of a point that a box foretells, in eye distances: that of a box drawn by hand."""

FEWEST, MOST = 4, SIDE
"""True pixels across a crop that the network knows."""


class PlaceNetwork(Module):
    """Crops (N, 3, SIDE, SIDE) in [0, 1] and their true pixels across (N,) -> five points (N, 5, 2) in parts of the
    side, and the logarithm of their standard deviations (N, 5, 2)."""

    def __init__(self, widths: tuple[int, ...] = (20, 40, 64), hidden: int = 64) -> None:
        super().__init__()
        channels = (4, *widths)
        self.convs = ModuleList(Conv2d(a, b, 3, stride=2, padding=1) for a, b in zip(channels, widths))
        self.norms = ModuleList(GroupNorm(4, width) for width in widths)
        self.mid = Linear(widths[-1] * (SIDE >> len(widths)) ** 2, hidden)
        self.out = Linear(hidden, 20)

    def forward(self, crops: Tensor, pixels: Tensor) -> tuple[Tensor, Tensor]:
        mean, spread = crops.mean((1, 2, 3), keepdim=True), crops.std((1, 2, 3), keepdim=True) + 0.05
        octaves = ((pixels.log2() - 3) / 2)[:, None, None, None].expand(-1, 1, SIDE, SIDE)
        x = torch.cat([(crops - mean) / spread, octaves], 1)
        for conv, norm in zip(self.convs, self.norms):
            x = F.silu(norm(conv(x)))
        answer = self.out(F.silu(self.mid(x.flatten(1))))
        points, sure = answer.view(-1, 2, 5, 2).unbind(1)
        return points * 0.1 + torch.tensor(MEAN), sure * 0.3 - 3.5


@dataclass(frozen=True, eq=False)
class Place:
    """points: (5, 2), pixels of the picture. spread: standard deviation of a point in eye distances."""

    points: NDArray[np.float64]
    spread: float


def place(picture: Tensor, points: ArrayLike, pixels: float) -> Place:
    """The five points of a small face, from those that a box foretells.

    picture: (H, W, C) that holds the face near `points` (5, 2). pixels: true pixels across the face's crop
    (`crop_frame`), at any size the picture was enlarged to.
    """
    start = np.asarray(points, np.float64)
    frame = crop_frame(start, SIDE)
    seen = planes(picture, frame)[None]
    known = torch.tensor([float(min(max(pixels, FEWEST), MOST))])
    with torch.no_grad():
        found, sure = _network()(seen.float().clamp(0, 1), known)
    there = apply(frame, found[0].double().numpy() * SIDE - 0.5)
    spread = sure[0].double().exp().numpy() / EYES
    share = BOX**2 / (BOX**2 + spread**2)
    left = BOX * spread / np.sqrt(BOX**2 + spread**2)
    return Place(start + share * (there - start), float(math.sqrt((left**2).mean())))


@cache
def _network() -> PlaceNetwork:
    """The network, read once a process."""
    network = PlaceNetwork()
    network.load_state_dict({name: torch.from_numpy(value).float() for name, value in read_own(WEIGHTS).items()})
    return network.eval()
