"""Random numbers that depend on a person or a scene alone, on any device: hashed counters."""

from __future__ import annotations

import math

import torch

_MASK = 0xFFFFFFFF
_MANY = 1 << 19
"""Numbers from which hashing pays on a graphics card; fewer are hashed on the CPU, where a step is no kernel launch."""


def _scramble(x: torch.Tensor) -> torch.Tensor:
    x = (x ^ (x >> 16)) * 0x7FEB352D & _MASK
    x = (x ^ (x >> 15)) * 0x846CA68B & _MASK
    return x ^ (x >> 16)


class Dice:
    """A stream of random tensors for each of n seeds (n,); every call gives new numbers, the same on every device."""

    def __init__(self, seeds: torch.Tensor, device: torch.device, salt: int = 0) -> None:
        self.seeds = _scramble(seeds.cpu().long() & _MASK)
        self.device, self.salt = device, salt * 7919

    def uniform(self, *shape: int) -> torch.Tensor:
        """(n, *shape) in 0..1."""
        return self._here(*shape).to(self.device, non_blocking=True)

    def normal(self, *shape: int) -> torch.Tensor:
        """(n, *shape) standard normal."""
        a, b = self._here(*shape), self._here(*shape)
        return (torch.sqrt(-2 * torch.log(a.clamp(min=1e-7))) * torch.cos(2 * math.pi * b)).to(self.device,
                                                                                              non_blocking=True)

    def _here(self, *shape: int) -> torch.Tensor:
        self.salt += 1
        count = math.prod(shape)
        where = self.device if count * len(self.seeds) >= _MANY else torch.device("cpu")
        key = _scramble(self.seeds ^ (self.salt * 0x9E3779B1 & _MASK)).to(where)
        index = _scramble(torch.arange(count, device=where) + 0x51ED27)
        value = _scramble(key[:, None] ^ index[None])
        return ((value >> 8).float() * (1.0 / 16777216)).reshape(len(self.seeds), *shape)
