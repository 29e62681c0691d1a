"""dlib's recogniser in torch: the same numbers to seven digits in an eighth of the time.

The network is dlib's ResNet of 29 layers (King 2017, after He et al. 2016). Its file is read as dlib writes it: layers
one after another, each with its name and its parameters as little-endian floats.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from ...records import FloatArray

SIDE = 150
"""Side in pixels of the faces that the network takes."""

_MEAN = (122.782, 117.001, 104.298)  # of the channels of the photographs that it was trained on
_RANGE = 256.0
_BLOCKS = (3, 4, 3, 3, 1)  # residual blocks of each level; the first of every level but the first halves the picture
_LAYERS = 29
_TENSOR = 2  # the layout of a tensor in the file
Layer = tuple[torch.Tensor, torch.Tensor]


class DlibNetwork:
    """The recogniser of a file. Raises ValueError where the file holds no such network."""

    def __init__(self, file: Path) -> None:
        written = file.read_bytes()
        convolutions, scales = _tensors(written, b"\x05con_4", 0), _tensors(written, b"\x07affine_", 0)
        channels, self._layers = 3, list[Layer]()
        for (values, _), (scale, _) in zip(convolutions, scales):
            layer = _folded(values, scale, channels)
            channels = layer[0].shape[0]
            self._layers.append(layer)
        last = [values for values, size in _tensors(written, b"\x04fc_2", 2) if size == [channels, 128, 1, 1]]
        if len(self._layers) != _LAYERS or len(last) != 1:
            raise ValueError(f"it holds {len(self._layers)} layers and {len(last)} ends of dlib's recogniser")
        self._last = torch.from_numpy(last[0].reshape(channels, 128).copy())

    @torch.no_grad()
    def describe(self, faces: NDArray[np.uint8]) -> FloatArray:
        """The descriptors (N, 128) of faces (N, 150, 150, 3) as dlib cuts them out."""
        x = (torch.from_numpy(faces).float() - torch.tensor(_MEAN)) / _RANGE
        layers = iter(self._layers)
        # permuted, the pictures are in the order of channels in which convolutions are fastest
        weight, bias = next(layers)
        x = F.max_pool2d(F.relu_(F.conv2d(x.permute(0, 3, 1, 2), weight, bias, 2)), 3, 2)
        for level, blocks in enumerate(_BLOCKS):
            for block in range(blocks):
                x = _residual(x, next(layers), next(layers), down=level > 0 and block == 0)
        return np.asarray((x.mean((2, 3)) @ self._last).numpy())


def _residual(x: torch.Tensor, first: Layer, second: Layer, down: bool) -> torch.Tensor:
    """Two convolutions beside the picture itself; where one of the two is smaller, it ends in zeros."""
    y = F.relu_(F.conv2d(x, *first, 2)) if down else F.relu_(F.conv2d(x, *first, padding=1))
    y = F.conv2d(y, *second, padding=1)
    x = F.avg_pool2d(x, 2) if down else x
    if x.shape != y.shape:
        size = [max(a, b) for a, b in zip(x.shape, y.shape)]
        x, y = (F.pad(z, [p for a, b in zip(size[:0:-1], z.shape[:0:-1]) for p in (0, a - b)]) for z in (x, y))
    return F.relu_(x + y)


def _folded(values: FloatArray, scale: FloatArray, channels: int) -> Layer:
    """Weight (K, C, k, k) and bias (K,) of a convolution with the scale and shift that follow it."""
    kept = scale.size // 2
    side = round(((values.size - kept) / (kept * channels)) ** 0.5)
    weight = torch.from_numpy(values[:-kept].reshape(kept, channels, side, side).copy())
    gain, shift, bias = (torch.from_numpy(part.copy()) for part in (scale[:kept], scale[kept:], values[-kept:]))
    weight = weight * gain[:, None, None, None]
    return weight.contiguous(memory_format=torch.channels_last), bias * gain + shift


def _tensors(written: bytes, name: bytes, before: int) -> Iterator[tuple[FloatArray, list[int]]]:
    """The parameters of each layer of a name, flat, with their sizes; `before`: whole numbers between the two."""
    at = written.find(name)
    while at >= 0:
        at += len(name)
        for _ in range(before):
            _, at = _whole(written, at)
        layout, at = _whole(written, at)
        if layout != _TENSOR:
            raise ValueError("its tensors are laid out in another way")
        size = []
        for _ in range(4):
            length, at = _whole(written, at)
            size.append(length)
        count = int(np.prod(size))
        if at + 4 * count > len(written):
            raise ValueError("it ends early")
        yield np.frombuffer(written, "<f4", count, at), size
        at = written.find(name, at + 4 * count)


def _whole(written: bytes, at: int) -> tuple[int, int]:
    """A whole number as dlib writes it, how many bytes and then those, and where it ends."""
    if at >= len(written):
        raise ValueError("it ends early")
    end = at + 1 + (written[at] & 15)
    return int.from_bytes(written[at + 1:end], "little"), end
