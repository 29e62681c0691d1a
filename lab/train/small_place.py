"""Train the network that places small faces: ``python -m lab.train.small_place --out FILE``.

Drawn portraits are moved, turned, mirrored, lit and reduced to a handful of pixels; the network learns where the five
points were and how sure it can be (Gaussian likelihood). About 15 minutes of one core, a quarter of it for drawing.
"""
from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

from editedid_core.crops.register import SIDE
from editedid_core.crops.small_place import EYES, FEWEST, WEIGHTS, PlaceNetwork

from ..portraits import crop_scene, render, sample_identity
from .parallel import spread

SEED = 41_001
DRAWN_AT = 64
PER_PERSON = 2
HELD_OUT = 500
"""Portraits that are only measured on."""
BATCH = 128
RATE = 2e-3
STAGES = ((5000, 2500, 1.0, 0.1), (3000, 3000, 0.1, 0.03))
"""Steps of a one-cycle schedule, how many of them run, the least share of the jitter, the share of warming up."""
SIZES, TURNS, PLACES = 0.08, 0.07, 0.035
"""Standard deviations of a box beyond that of the drawn framing: log of the size, radians, parts of the side."""
MIRRORED = [1, 0, 2, 4, 3]


def portrait(index: int) -> tuple[np.ndarray, np.ndarray]:
    """A portrait, uint8 (64, 64, 3), and its five points (5, 2) in parts of the side."""
    person = sample_identity(np.random.default_rng([SEED, index // PER_PERSON]))
    scene = crop_scene(np.random.default_rng([SEED, index // PER_PERSON, 1 + index % PER_PERSON]))
    drawn = render(person, scene, DRAWN_AT)
    return (np.clip(drawn.image * 255 + 0.5, 0, 255).astype(np.uint8),
            ((drawn.landmarks + 0.5) / DRAWN_AT).astype(np.float32))


def varied(pictures: Tensor, points: Tensor, least: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Crops (N, 3, SIDE, SIDE) in [0, 1] of portraits (N, 3, S, S) uint8, framed and lit at random; their points."""
    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator)

    n = len(pictures)
    flip = torch.rand(n, generator=generator) < 0.5
    seen = torch.where(flip.view(-1, 1, 1, 1), pictures.flip(3), pictures).float() / 255
    mirrored = points[:, MIRRORED] * torch.tensor([-1.0, 1.0]) + torch.tensor([1.0, 0.0])
    points = torch.where(flip.view(-1, 1, 1), mirrored, points)
    jitter = torch.rand(n, generator=generator) * (1 - least) + least
    size, turn = torch.exp(normal(n) * SIZES * jitter), normal(n) * TURNS * jitter
    move = normal(n, 2) * PLACES * jitter[:, None]
    c, s = torch.cos(turn) * size, torch.sin(turn) * size
    matrix = torch.stack([torch.stack([c, -s], -1), torch.stack([s, c], -1)], -2)
    grid = F.affine_grid(torch.cat([matrix, 2 * move[:, :, None]], -1), [n, 3, SIDE, SIDE], align_corners=False)
    seen = F.grid_sample(seen, grid, padding_mode="border", align_corners=False)
    points = torch.linalg.solve(matrix, (points - 0.5 - move[:, None]).transpose(1, 2)).transpose(1, 2) + 0.5
    light = torch.exp(normal(n, 3, 1, 1) * 0.12) * torch.exp(normal(n, 1, 1, 1) * 0.2)
    seen = (seen.clamp(1e-4, 1) ** torch.exp(normal(n, 1, 1, 1) * 0.2) * light).clamp(0, 1)
    grey = (torch.rand(n, 1, 1, 1, generator=generator) < 0.1).float()
    return seen * (1 - grey) + grey * seen.mean(1, keepdim=True), points


def reduced(crops: Tensor, pixels: int, generator: torch.Generator, noise: Tensor | None = None) -> Tensor:
    """Crops with so many true pixels across, noisy, enlarged again."""
    low = F.adaptive_avg_pool2d(crops, pixels)
    level = torch.rand(len(low), 1, 1, 1, generator=generator) ** 2 * 14 / 255 if noise is None else noise
    low = (low + torch.randn(low.shape, generator=generator) * level).clamp(0, 1)
    return low if pixels == SIDE else F.interpolate(low, size=(SIDE, SIDE), mode="bicubic").clamp(0, 1)


def train(pictures: Tensor, points: Tensor, stages: tuple[tuple[int, int, float, float], ...] = STAGES,
          ) -> PlaceNetwork:
    """The network after all stages."""
    torch.manual_seed(0)
    generator, network = torch.Generator().manual_seed(1), PlaceNetwork()
    for total, steps, least, warm in stages:
        optimiser = torch.optim.AdamW(network.parameters(), RATE, weight_decay=1e-3)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=total, pct_start=warm)
        for _ in range(steps):
            chosen = torch.randint(len(pictures), (BATCH,), generator=generator)
            crops, there = varied(pictures[chosen], points[chosen], least, generator)
            pixels = int(round(2 ** float(torch.rand(1, generator=generator) * 3 + 2)))
            found, sure = network(reduced(crops, pixels, generator), torch.full((BATCH,), float(pixels)))
            optimiser.zero_grad()
            (sure + 0.5 * (there - found).square() * torch.exp(-2 * sure)).mean().backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            schedule.step()
    return network.eval()


def error(network: PlaceNetwork, pictures: Tensor, points: Tensor, pixels: int) -> tuple[float, float]:
    """Mean distance of the points in eye distances, and the network's own estimate of a point's deviation."""
    generator = torch.Generator().manual_seed(2)
    crops, there = varied(pictures, points, STAGES[-1][2], generator)
    with torch.no_grad():
        found, sure = network(reduced(crops, pixels, generator, torch.tensor(0.01)),
                              torch.full((len(crops),), float(pixels)))
    eyes = (there[:, 1] - there[:, 0]).norm(dim=-1)
    return float(((found - there).norm(dim=-1).mean(1) / eyes).mean()), float(sure.exp().mean()) / EYES


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000, help="portraits")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    drawn = spread(portrait, list(range(options.count)), options.workers)
    pictures = torch.from_numpy(np.stack([one[0] for one in drawn])).permute(0, 3, 1, 2)
    points = torch.from_numpy(np.stack([one[1] for one in drawn]))
    network = train(pictures[HELD_OUT:], points[HELD_OUT:])
    save_file({name: value.half().contiguous() for name, value in network.state_dict().items()}, str(options.out))
    for pixels in (FEWEST, 8, 16):
        off, said = error(network, pictures[:HELD_OUT], points[:HELD_OUT], pixels)
        print(f"{pixels} pixels: points are {off:.3f} eye distances off, a point's deviation is said to be {said:.3f}")


if __name__ == "__main__":
    main()
