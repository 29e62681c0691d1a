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

from ..own_files import read_own

WEIGHTS = Path(__file__).with_name("damage.safetensors")
SIDE = 64
"""Pixels of the crop that the network sees, in the framing of `crop_frame`."""

RINGS = 16
FEATURES = 4 * RINGS
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
    """Spectra (N, FEATURES) of crops -> (N, 4): log2 of scale, log2 of noise and of error in 8-bit steps + 0.5,
    compression."""

    def __init__(self) -> None:
        from torchvision.ops import MLP  # slow to import, needed only here

        super().__init__()
        self.middle = nn.Parameter(torch.zeros(FEATURES), requires_grad=False)
        self.spread = nn.Parameter(torch.ones(FEATURES), requires_grad=False)
        self.layers = MLP(FEATURES, [64, 64, 4], activation_layer=nn.SiLU, inplace=False)

    def forward(self, spectra: Tensor) -> Tensor:
        answer: Tensor = self.layers((spectra - self.middle) / self.spread)
        return answer


def spectra(pictures: Tensor) -> Tensor:
    """Log power (N, FEATURES) of pictures (N, 3, SIDE, SIDE) in [0, 1]: of luminance and of colour, by frequency, along
    the pixel rows and columns and across them. Blur empties the high bands, noise fills them, and compression leaves
    its mark along the rows and columns."""
    light = pictures.mean(1, keepdim=True)
    parts = torch.cat([light, pictures[:, :1] - light, pictures[:, 2:] - light], 1)
    window = torch.hann_window(SIDE, periodic=False)
    parts = (parts - parts.mean((2, 3), keepdim=True)) * window * window[:, None]
    power = torch.fft.fft2(parts).abs().square().flatten(2)
    power = torch.stack([power[:, 0], power[:, 1] + power[:, 2]], 1)  # (N, 2, SIDE * SIDE)
    return ((power @ _bins()).flatten(1) + 1e-6).log()


@cache
def _bins() -> Tensor:
    """(SIDE * SIDE, 2 * RINGS): which frequencies each feature is the mean of."""
    line = torch.fft.fftfreq(SIDE).abs()
    across, down = line.expand(SIDE, SIDE), line[:, None].expand(SIDE, SIDE)
    ring = (torch.maximum(across, down) * 2 * RINGS).long().clamp(max=RINGS - 1)
    aside = (torch.minimum(across, down) < 0.25 * torch.maximum(across, down)).long()
    which = F.one_hot((ring * 2 + aside).flatten(), 2 * RINGS).float()
    return which / which.sum(0).clamp(min=1)


def measure_damage(crop: Tensor) -> Damage:
    """The damage of a face's crop (S, S, 3) in [0, 1], cut in the framing of `crop_frame`, any S."""
    picture = crop.detach().to("cpu", torch.float32).movedim(-1, 0)[None].clamp(0, 1)
    if picture.shape[-1] != SIDE:
        picture = F.interpolate(picture, size=(SIDE, SIDE), mode="bicubic", antialias=True).clamp(0, 1)
    with torch.no_grad():
        scale, noise, error, jpeg = _network()(spectra(picture))[0].tolist()
    return Damage(min(max(2.0**scale, LEAST_SCALE), MOST_SCALE), max(2.0**noise - 0.5, 0.0) / _STEP,
                  min(max(jpeg, 0.0), 1.0), max(2.0**error - 0.5, 0.0) / _STEP)


def as_targets(damage: Damage) -> list[float]:
    """The four numbers that the network should answer."""
    return [math.log2(damage.scale), math.log2(damage.noise * _STEP + 0.5), math.log2(damage.error * _STEP + 0.5),
            damage.jpeg]


@cache
def _network() -> DamageNetwork:
    """The network, read once a process."""
    network = DamageNetwork()
    network.load_state_dict({name: torch.from_numpy(value).float() for name, value in read_own(WEIGHTS).items()})
    return network.eval()
