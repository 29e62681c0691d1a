"""Train the measure of a small face's damage: ``python -m lab.train.picture_damage --cache CACHE``.

CACHE is that of ``lab.train.dataset``. Portraits are reduced, made noisy, compressed and enlarged as users' pictures
are; the network learns how much. The file goes to ``editedid_core/appearance/damage.safetensors``.
"""
from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional

from editedid_core.appearance.damage import SIDE, WEIGHTS, Damage, DamageNetwork, as_targets, spectra

from ..portraits.small_faces import Damage as Drawn
from ..portraits.small_faces import damaged, enlarged
from .parallel import spread

SEED = 71
BATCH = 256
STEPS = 2000
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


def shot(task: tuple[str, int]) -> tuple[np.ndarray, list[float]]:
    """A portrait of a file with the damage of a seed: its spectrum, and what is to be said of it."""
    file, seed = task
    rng = np.random.default_rng((SEED, seed))
    portraits = np.load(file, mmap_mode="r")
    picture = portraits[int(rng.integers(len(portraits)))].astype(np.float32) / 255
    picture = np.clip(picture[:, ::-1] if rng.random() < 0.5 else picture, 0, 1) ** float(rng.uniform(0.7, 1.4))
    seen, damage = draw(np.ascontiguousarray(picture), rng)
    found = spectra(torch.from_numpy(seen).permute(2, 0, 1)[None])[0].numpy()
    return found, as_targets(damage)


def shots(file: Path, count: int, first: int = 0, workers: int = 1) -> tuple[Tensor, Tensor]:
    """Spectra (count, FEATURES) and answers (count, 4)."""
    rows, answers = zip(*spread(shot, [(str(file), first + i) for i in range(count)], workers))
    return torch.from_numpy(np.stack(rows)), torch.tensor(answers)


def loss(answer: Tensor, target: Tensor) -> Tensor:
    """Mean absolute error, compression weighed like an octave."""
    weight = torch.tensor([1, 1, 1, 3.0])
    return functional.smooth_l1_loss(answer * weight, target * weight, beta=0.3)


def train(rows: Tensor, answers: Tensor, steps: int = STEPS) -> DamageNetwork:
    """The network after so many steps of BATCH shots."""
    generator = torch.Generator().manual_seed(SEED)
    torch.manual_seed(SEED)
    network = DamageNetwork()
    network.middle.copy_(rows.mean(0))
    network.spread.copy_(rows.std(0) + 1e-3)
    optimiser = torch.optim.AdamW(network.parameters(), RATE, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        chosen = torch.randint(len(rows), (BATCH,), generator=generator)
        optimiser.zero_grad()
        loss(network(rows[chosen]), answers[chosen]).backward()
        optimiser.step()
        schedule.step()
    return network.eval()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, required=True, help="of lab.train.dataset")
    parser.add_argument("--count", type=int, default=6000, help="portraits with damage to learn from")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    network = train(*shots(options.cache / "train.npy", options.count, 0, options.workers))
    save_file({name: value.contiguous() for name, value in network.state_dict().items()}, str(options.out))
    rows, answers = shots(options.cache / "held_out.npy", 500, options.count, options.workers)
    with torch.no_grad():
        off = (network(rows) - answers).abs().mean(0).tolist()
    names = ("scale (octaves)", "noise (octaves)", "error (octaves)", "compression")
    print("held out, mean error: " + ", ".join(f"{name} {value:.2f}" for name, value in zip(names, off)))


if __name__ == "__main__":
    main()
