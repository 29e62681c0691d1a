"""Portrait crops rendered once and kept as bytes: the pictures every diffusion model and autoencoder trains on.

    python -m lab.train.dataset --out CACHE --count 24000 --workers 2

Four pictures of each person, each in its own scene, 128 x 128 px in the portrait framing. Each person has a seed of
their own, so the cache is the same whatever the number of workers, and a broken-off run goes on where it stopped.
"""
from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

SIZE = 128
SCENES = 4  # pictures of one person
TRAIN_SEED = 31_001
HELD_OUT_SEED = 31_002
HELD_OUT = 256
CHUNK = 256  # pictures rendered between two marks of progress


@dataclass(frozen=True, eq=False)
class Cache:
    """train, held_out: uint8 (N,128,128,3), memory-mapped. No person is in both."""

    train: np.ndarray
    held_out: np.ndarray


def portrait(seed: int, index: int) -> np.ndarray:
    """Picture number `index` of the stream `seed`: uint8 (128,128,3)."""
    from ..portraits import crop_scene, render, sample_identity

    person = sample_identity(np.random.default_rng([seed, index // SCENES]))
    scene = crop_scene(np.random.default_rng([seed, index // SCENES, 1 + index % SCENES]))
    return np.clip(render(person, scene, SIZE).image * 255 + 0.5, 0, 255).astype(np.uint8)


def _render_chunk(path: Path, seed: int, start: int, stop: int) -> int:
    pictures = np.load(path, mmap_mode="r+")
    for i in range(start, stop):
        pictures[i] = portrait(seed, i)
    pictures.flush()
    return start


def _fill(path: Path, seed: int, count: int, workers: int) -> None:
    marks = path.with_suffix(".done")
    if not path.exists():
        np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=(count, SIZE, SIZE, 3)).flush()
        marks.write_text("")
    if len(np.load(path, mmap_mode="r")) != count:
        raise ValueError(f"{path} holds another number of pictures than {count}; delete it or choose another --out")
    done = set(marks.read_text().split())
    todo = [start for start in range(0, count, CHUNK) if str(start) not in done]
    with ProcessPoolExecutor(workers) as pool, marks.open("a") as log:
        jobs = [pool.submit(_render_chunk, path, seed, s, min(s + CHUNK, count)) for s in todo]
        for job in jobs:
            log.write(f"{job.result()}\n")
            log.flush()


def build(folder: Path, count: int, workers: int) -> Cache:
    """Render what is missing and open the cache."""
    folder.mkdir(parents=True, exist_ok=True)
    _fill(folder / "held_out.npy", HELD_OUT_SEED, HELD_OUT, workers)
    _fill(folder / "train.npy", TRAIN_SEED, count, workers)
    return open_cache(folder)


def open_cache(folder: Path) -> Cache:
    """Open a cache made by `build`; ValueError when there is none."""
    for name in ("train", "held_out"):
        if not (folder / f"{name}.npy").exists():
            raise ValueError(f"no picture cache in {folder}: make it with python -m lab.train.dataset --out {folder}")
    # "c": never written to, but what PyTorch takes without a copy must be writable
    return Cache(np.load(folder / "train.npy", mmap_mode="c"), np.load(folder / "held_out.npy", mmap_mode="c"))


def main(arguments: list[str] | None = None) -> None:
    """Command line; see the module's text."""
    parser = argparse.ArgumentParser(description="Render the training pictures once")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=24_000)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args(arguments)
    cache = build(options.out, options.count, options.workers)
    print(f"{len(cache.train)} training and {len(cache.held_out)} held-out pictures in {options.out}")


if __name__ == "__main__":
    main()
