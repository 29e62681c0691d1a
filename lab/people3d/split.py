"""Draw a split of triples into a folder that `run.py bench photos` and `bench quality --world people3d` read.

    python -m lab.people3d.split tune lab/people3d/splits/tune --n 72

Half of the triples are easy, half hard. Each has a photo that no method sees, to judge the likeness by, and
`truth.npz`: where the landmarks are and what is face. What is there is kept, so a stopped run goes on. The same split
and number give the same pictures.
"""
from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from .edits import original_scenes
from .people import SPLITS, people_of
from .triples import Triples, make_triples, split_seeds
from .world import World

QUALITY = 88
PARTS = ("original", "ideal", "drifted", "held_out")
TRUTH = "truth.npz"
FACE = ("face", "lips", "nose", "eyes", "brows", "mouth", "beard")
ELEMENTS = ("glasses", "hat")
"""Masks of the world that are the face, and what is worn over it."""


def entry(number: int, seed: int, hard: bool) -> dict[str, Any]:
    """The line of triples.json but for what drawing tells."""
    name = f"{number:03d}"
    return {"triple": name, "person": f"p{seed}", "kind": "hard" if hard else "easy", "seed": seed,
            "held_out_photos": [f"triples/{name}/held_out.jpg"]}


def draw(world: World, seed: int, hard: bool, size: int, folder: Path) -> dict[str, str]:
    """Draw the four pictures of a triple into `folder`, and its truth; what the edit changes and how far the face
    drifted. Pictures that are there stay."""
    triple = make_triples(world, [seed], size, hard)
    drawn = dict(zip(PARTS, (triple.original, triple.ideal, triple.drifted)))
    if not (folder / f"{PARTS[-1]}.jpg").is_file():
        person = people_of([seed])
        again = original_scenes(person, torch.Generator().manual_seed(seed * 2 + 1_000_000_007))
        drawn[PARTS[-1]] = world.draw(person, again, size)
    folder.mkdir(parents=True, exist_ok=True)
    for part, one in drawn.items():
        if (folder / f"{part}.jpg").is_file():
            continue
        pixels = (one.pictures[0].permute(1, 2, 0).clamp(0, 1) * 255).round().cpu().numpy().astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{part}.part", "JPEG", quality=QUALITY, optimize=True)
        (folder / f"{part}.part").replace(folder / f"{part}.jpg")
    write_truth(triple, folder / TRUTH)
    return {"edit": triple.kinds[0], "drift": triple.drifts[0]}


def write_truth(triple: Triples, file: Path) -> None:
    """Write landmarks (3, 68, 2) of original, ideal and drifted; bits of the masks of face and worn things, (2, S, S)
    each, of ideal and drifted; and whether the edit keeps the pose."""
    pictures = triple.original, triple.ideal, triple.drifted
    masks = [one.masks for one in pictures[1:] if one.masks is not None]
    bits = {name: np.packbits(np.stack([sum(m[part][0] for part in parts).cpu().numpy() > 0.5 for m in masks]), -1)
            for name, parts in (("face", FACE), ("elements", ELEMENTS))}
    marks = np.stack([one.landmarks68[0].cpu().numpy() for one in pictures]).astype(np.float32)
    part = file.with_suffix(".part.npz")
    np.savez_compressed(part, landmarks=marks, keeps_pose=triple.keeps_pose.numpy(), **bits)
    part.replace(file)


def is_whole(place: Path) -> bool:
    """Whether a triple's folder holds its pictures and its truth."""
    return all((place / file).is_file() for file in (*(f"{part}.jpg" for part in PARTS), TRUTH))


def make_split(world: World, name: str, folder: Path, count: int, size: int = 256,
               numbers: Sequence[int] | None = None) -> None:
    """Draw `count` triples of the split `name`, easy ones first, or of these only some `numbers`. ValueError for an
    unknown split."""
    seeds = split_seeds(name, count)
    lines = {line["triple"]: line for line in _lines(folder)}
    for number in range(count) if numbers is None else numbers:
        line = entry(number, seeds[number], hard=2 * number >= count)
        place = folder / "triples" / line["triple"]
        old = lines.get(line["triple"], {})
        same = {**old, **line} == old
        if not same:
            shutil.rmtree(place, ignore_errors=True)
        if not is_whole(place):
            old = line | draw(world, seeds[number], line["kind"] == "hard", size, place)
            print(f"{name} {line['triple']}", flush=True)
        lines[line["triple"]] = old
        whole = [lines[one] for one in sorted(lines)]
        (folder / "triples.json").write_text(json.dumps(whole, indent=0) + "\n", encoding="utf-8")


def _lines(folder: Path) -> list[dict[str, Any]]:
    file = folder / "triples.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("split", choices=tuple(SPLITS))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--n", type=int, default=72)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    torch.set_num_threads(1)
    make_split(World(options.device), options.split, options.folder, options.n, options.size)


if __name__ == "__main__":
    main()
