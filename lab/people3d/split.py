"""Draw a split of triples into a folder that `run.py bench photos` reads.

    python -m lab.people3d.split tune lab/people3d/splits/tune --n 72

Half of the triples are easy, half hard. Each has a photo that no method sees, to judge the likeness by. What is there
is kept, so a stopped run goes on. The same split and number give the same pictures.
"""
from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from .people import SPLITS, people_of
from .triples import make_triples, original_scenes, split_seeds
from .world import World

QUALITY = 88
PARTS = ("original", "ideal", "drifted", "held_out")


def entry(number: int, seed: int, hard: bool) -> dict[str, Any]:
    """The line of triples.json but for what drawing tells."""
    name = f"{number:03d}"
    return {"triple": name, "person": f"p{seed}", "kind": "hard" if hard else "easy", "seed": seed,
            "held_out_photos": [f"triples/{name}/held_out.jpg"]}


def draw(world: World, seed: int, hard: bool, size: int, folder: Path) -> dict[str, str]:
    """Draw the four pictures of a triple into `folder`; what the edit changes and how far the face drifted."""
    triple = make_triples(world, [seed], size, hard, truth=False)
    person = people_of([seed])
    again = original_scenes(person, torch.Generator().manual_seed(seed * 2 + 1_000_000_007))
    drawn = (triple.original, triple.ideal, triple.drifted, world.draw(person, again, size))
    folder.mkdir(parents=True, exist_ok=True)
    for part, one in zip(PARTS, drawn):
        pixels = (one.pictures[0].permute(1, 2, 0).clamp(0, 1) * 255).round().cpu().numpy().astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{part}.part", "JPEG", quality=QUALITY, optimize=True)
        (folder / f"{part}.part").replace(folder / f"{part}.jpg")
    return {"edit": triple.kinds[0], "drift": triple.drifts[0]}


def make_split(world: World, name: str, folder: Path, count: int, size: int = 256) -> None:
    """Draw `count` triples of the split `name`, easy ones first. ValueError for an unknown split."""
    seeds = split_seeds(name, count)
    known = {line["triple"]: line for line in _lines(folder)}
    lines = []
    for number, seed in enumerate(seeds):
        line = entry(number, seed, hard=2 * number >= count)
        place = folder / "triples" / line["triple"]
        old = known.get(line["triple"])
        if old is None or {**old, **line} != old or not all((place / f"{part}.jpg").is_file() for part in PARTS):
            line |= draw(world, seed, line["kind"] == "hard", size, place)
            print(f"{name} {line['triple']}", flush=True)
        else:
            line = old
        lines.append(line)
        rest = [one for one in known.values() if one["triple"] not in {done["triple"] for done in lines}]
        (folder / "triples.json").write_text(json.dumps(lines + rest, indent=0) + "\n", encoding="utf-8")


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
