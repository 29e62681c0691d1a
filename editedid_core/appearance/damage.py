"""How damaged a small face is: its true pixels, its noise and its compression, by a small network (**ours**).

The network was trained on drawn people with drawn damage (`lab/train/picture_damage.py`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WEIGHTS = Path(__file__).with_name("damage.safetensors")
SIDE = 64
"""Pixels of the crop that the network sees, in the framing of `crop_frame`."""

WIDTHS = (16, 24, 32, 48)
_STEP = 255.0
LEAST_SCALE, MOST_SCALE = 1.0, 32.0


@dataclass(frozen=True)
class Damage:
    """scale: pixels of a crop of SIDE pixels that one true pixel covers, 1 or more. noise: standard deviation of the
    noise of a true pixel, in [0, 1]. jpeg: strength of its compression, 0 none, 1 quality 0. error: root mean square
    error of a true pixel by noise and compression together, in [0, 1]."""

    scale: float
    noise: float
    jpeg: float
    error: float

    @property
    def true_pixels(self) -> float:
        """True pixels across the crop."""
        return SIDE / self.scale


class DamageNetwork(nn.Module):
    """Crops (N, 3, SIDE, SIDE) in [0, 1] -> (N, 4): log2 of scale, log2 of noise and error in 8-bit steps + 0.5,
    compression."""

    def __init__(self) -> None:
        super().__init__()
        widths = (3, *WIDTHS)
        self.stages = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1) for a, b in zip(widths, widths[1:]))
        self.head = nn.Sequential(nn.Linear(2 * sum(WIDTHS), 64), nn.SiLU(), nn.Linear(64, 4))

    def forward(self, x: Tensor) -> Tensor:
        seen = []
        x = (x - 0.5) * 4
        for i, stage in enumerate(self.stages):
            x = F.silu(stage(x))
            # how much there is of each texture and how unevenly: blur and noise are nothing else
            seen += [x.mean((2, 3)), x.var((2, 3)).add(1e-5).log()]
            if i + 1 < len(self.stages):
                x = F.avg_pool2d(x, 2)
        return self.head(torch.cat(seen, 1))


def measure_damage(crop: Tensor) -> Damage:
    """The damage of a face's crop (S, S, 3) in [0, 1], cut in the framing of `crop_frame`, any S."""
    picture = crop.detach().to("cpu", torch.float32).movedim(-1, 0)[None].clamp(0, 1)
    if picture.shape[-1] != SIDE:
        picture = F.interpolate(picture, size=(SIDE, SIDE), mode="bicubic", antialias=True).clamp(0, 1)
    with torch.no_grad():
        scale, noise, error, jpeg = _network()(picture)[0].tolist()
    return Damage(min(max(2.0**scale, LEAST_SCALE), MOST_SCALE), max(2.0**noise - 0.5, 0.0) / _STEP,
                  min(max(jpeg, 0.0), 1.0), max(2.0**error - 0.5, 0.0) / _STEP)


def as_targets(damage: Damage) -> list[float]:
    """The four numbers that the network should answer."""
    return [math.log2(damage.scale), math.log2(damage.noise * _STEP + 0.5), math.log2(damage.error * _STEP + 0.5),
            damage.jpeg]


@cache
def _network() -> DamageNetwork:
    """The network, read once a process."""
    from safetensors.torch import load_file

    network = DamageNetwork()
    network.load_state_dict({name: value.float() for name, value in load_file(str(WEIGHTS)).items()})
    return network.eval()
