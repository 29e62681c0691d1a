"""Train the measure of a small face's damage: ``python -m lab.train.picture_damage --cache CACHE``.

CACHE is that of ``lab.train.dataset``. Portraits are reduced, made noisy, compressed and enlarged as users' pictures
are; the network learns how much. The file goes to ``editedid_core/appearance/damage.safetensors``.
"""
from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional

from editedid_core.appearance.damage import SIDE, WEIGHTS, Damage, DamageNetwork, as_targets

from ..portraits.small_faces import Damage as Drawn
from ..portraits.small_faces import damaged, enlarged
from .dataset import open_cache

SEED = 71
BATCH = 16
RATE = 3e-3
ENLARGED = (Image.Resampling.BICUBIC, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS, Image.Resampling.BILINEAR,
            Image.Resampling.NEAREST)
"""How pictures are enlarged; most programs take the first."""


def draw(picture: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, Damage]:
    """A portrait (S, S, 3) in [0, 1] with random damage, and what the damage is."""
    pixels = round(SIDE / 2 ** rng.uniform(0, 4.3))
    small = enlarged(picture, pixels, Image.Resampling.BOX)
    noise = float(rng.choice((0.0, 1.0), p=(0.25, 0.75)) * 2 ** rng.uniform(0, 5)) / 255
    quality = 0 if rng.random() < 0.35 else int(rng.integers(15, 96))
    worse = damaged(small, Drawn(noise, quality), rng)
    error = float(np.sqrt(np.mean((worse - small) ** 2)))
    how = ENLARGED[int(rng.integers(len(ENLARGED)))]
    seen = enlarged(worse, SIDE, how) if pixels < SIDE else worse
    return seen, Damage(SIDE / pixels, noise, (100 - quality) / 100 if quality else 0.0, error)


def batch(portraits: np.ndarray, rng: np.random.Generator, count: int = BATCH) -> tuple[Tensor, Tensor]:
    """Pictures (count, 3, SIDE, SIDE) and what is to be said of them (count, 4)."""
    rows = []
    for index in rng.integers(len(portraits), size=count):
        picture = portraits[index].astype(np.float32) / 255
        picture = np.clip(picture[:, ::-1] if rng.random() < 0.5 else picture, 0, 1) ** float(rng.uniform(0.7, 1.4))
        turned = np.rot90(picture, int(rng.integers(4))) if rng.random() < 0.3 else picture
        seen, damage = draw(np.ascontiguousarray(turned), rng)
        rows.append((torch.from_numpy(seen).permute(2, 0, 1), torch.tensor(as_targets(damage))))
    pictures, targets = zip(*rows)
    return torch.stack(pictures), torch.stack(targets)


def loss(answer: Tensor, target: Tensor) -> Tensor:
    """Mean absolute error, compression weighed like an octave."""
    return functional.smooth_l1_loss(answer * torch.tensor([1, 1, 1, 3.0]), target * torch.tensor([1, 1, 1, 3.0]),
                                     beta=0.3)


def train(portraits: np.ndarray, seconds: float, seed: int = SEED) -> tuple[DamageNetwork, int]:
    """The network after so many seconds of this thread, and its steps."""
    torch.manual_seed(seed)
    rng, network = np.random.default_rng(seed), DamageNetwork()
    optimiser = torch.optim.AdamW(network.parameters(), RATE, weight_decay=1e-4)
    started, steps = time.thread_time(), 0
    while (spent := time.thread_time() - started) < seconds:
        for group in optimiser.param_groups:
            group["lr"] = RATE * (1 - spent / seconds) + 1e-5
        optimiser.zero_grad()
        pictures, targets = batch(portraits, rng)
        loss(network(pictures), targets).backward()
        optimiser.step()
        steps += 1
    return network.eval(), steps


def errors(network: DamageNetwork, portraits: np.ndarray, count: int = 256, seed: int = 5) -> list[float]:
    """Mean absolute errors of the four answers on fresh damage."""
    pictures, targets = batch(portraits, np.random.default_rng(seed), count)
    with torch.no_grad():
        return (network(pictures) - targets).abs().mean(0).tolist()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, required=True, help="of lab.train.dataset")
    parser.add_argument("--seconds", type=float, default=120, help="processor seconds")
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    cache = open_cache(options.cache)
    network, steps = train(cache.train, options.seconds)
    save_file({name: value.half().contiguous() for name, value in network.state_dict().items()}, str(options.out))
    names = ("scale (octaves)", "noise (octaves)", "error (octaves)", "compression")
    print(f"{steps} steps; held out: " + ", ".join(
        f"{name} {value:.2f}" for name, value in zip(names, errors(network, cache.held_out))))


if __name__ == "__main__":
    main()
