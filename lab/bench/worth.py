"""Does diffusion earn its place? ``python run.py bench worth``: EditedID on the lab's model of rendered people against
the composite of the same crops, over strength, references and freedom, for each condition of the edit.

Runs on the tune split. Finished figures of a model are kept, so that a broken-off run goes on.
"""
from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..photos.records import as_bytes
from . import table, worlds
from .diffusion import COMPOSITE
from .quality import MODELS, Truth, judge
from .rendered import SHIPPED, digest
from .worlds import World

CACHE = Path(__file__).resolve().parents[2] / ".run" / "results" / "worth"
BASE = "composite"
UNGUARDED = {"guard.enabled": False}
"""Set in every run: where the guard gives the edit's face back, all runs would be equal and tell nothing."""
SHOWN = ("joint_rate", "recovery_a", "recovery_b", "landmark_error", "face_psnr", "seam_error", "realism_error",
         "element_error", "accepted")
"""Figures of which the difference to the composite is told."""
Figures = dict[str, float]


def variants() -> dict[str, Mapping[str, Any]]:
    """Values of the configuration by name, the composite first."""
    found: dict[str, Mapping[str, Any]] = {BASE: COMPOSITE}
    for strength in (0.2, 0.35, 0.5, 0.8, 1.0):
        for freedom in (0.3, 0.6, 1.0):
            found[f"strength {strength}, freedom {freedom}"] = {"sampling.strength": strength,
                                                                "sampling.freedom": freedom}
    for name, strength, freedom in (("default", 0.5, 0.3), ("free", 1.0, 1.0)):
        run = {"sampling.strength": strength, "sampling.freedom": freedom}
        found[f"{name}, no references"] = run | {"sampling.references": False}
        found[f"{name}, no gates"] = run | {"entangle.structure": 0.0, "entangle.detail": 0.0,
                                             "disentangle.strength": 0.0}
    return found


def measure(seed: int, world: World, methods: Any, folder: Path, names: Sequence[str],
            pictures: Path | None = None) -> dict[str, Figures]:
    """Figures of the variants on one triple, from the cache or anew; "edit" is the edit as it came.

    pictures: a folder that gets what is run anew, beside the photo, the edit and the truth.
    """
    file = folder / f"{seed}.json"
    known: dict[str, Figures] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    missing = [name for name in names if name not in known]
    if not missing:
        return known
    triple = world.triple(seed)
    judges = world.witness(triple)
    truth = Truth.of(triple, judges, world.photo(triple), world.places(triple))
    edit = judge(triple.drifted.image, truth, judges)
    known["edit"] = edit | {"joint_rate": world.whole(edit, edit)}
    for name in missing:
        methods.diffusion.evaluations = 0
        picture, report = methods.diffusion.restore([triple.original.image], triple.drifted.image,
                                                    UNGUARDED | variants()[name])
        found = judge(picture, truth, judges)
        found["joint_rate"] = world.whole(found, known["edit"])
        found["accepted"] = float(any(face["accepted"] for face in report["faces"]))
        found["evaluations"] = float(methods.diffusion.evaluations)
        known[name] = found
        if pictures is not None:
            keep(pictures / f"{seed} {name}.png", picture)
            for part in ("original", "drifted", "ideal"):
                keep(pictures / f"{seed} {part}.png", getattr(triple, part).image)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(known), encoding="utf-8")
    return known


def keep(file: Path, picture: NDArray[np.float32]) -> None:
    """Write a picture (H, W, 3) in [0, 1]."""
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(as_bytes(picture)).save(file)


def compare(found: Sequence[Mapping[str, Figures]], names: Sequence[str]) -> dict[str, Any]:
    """By variant, the mean of each figure and its paired difference to the composite, each with a 95 % interval."""
    def values(name: str, figure: str) -> NDArray[np.float64]:
        return np.array([one[name].get(figure, np.nan) for one in found], np.float64)

    return {name: {figure: {"mean": _told(table.interval(values(name, figure))),
                            "difference": _told(table.difference(values(name, figure), values(BASE, figure)))}
                   for figure in SHOWN} for name in names}


def _told(interval: tuple[float, float, float]) -> list[float | None]:
    return [None if np.isnan(number) else round(number, 4) for number in interval]


def text(groups: Mapping[str, dict[str, Any]], counts: Mapping[str, int]) -> str:
    """A Markdown table: in each group the joint rate of the composite, and what each variant adds to it."""
    lines = ["| condition | n | variant | joint rate | difference | recovery (B), difference |", "|---" * 6 + "|"]
    for group, methods in groups.items():
        for name, figures in methods.items():
            rate, more = figures["joint_rate"]["mean"][0], figures["recovery_b"]["difference"]
            shown = "–" if rate is None else f"{rate:.2f}"
            lines.append(f"| {group} | {counts[group]} | {name} | {shown} | {_signed(figures['joint_rate'])} | "
                         f"{_signed({'difference': more})} |")
    return "\n".join(lines)


def _signed(figure: Mapping[str, Any]) -> str:
    mean, low, high = figure["difference"]
    return "–" if mean is None else f"{mean:+.2f} ({low:+.2f} to {high:+.2f})"


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="bench worth", description=__doc__)
    parser.add_argument("--n", type=int, default=72, help="triples, half easy, half hard")
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--models", type=Path, default=MODELS, help="the lab's models")
    parser.add_argument("--cache", type=Path, default=CACHE, help="finished figures; safe to delete")
    parser.add_argument("--split", choices=("tune", "held-out"), default="tune",
                        help="held-out for what was chosen on tune alone")
    parser.add_argument("--model", type=Path, metavar="FILE", help="another model of rendered people, packed")
    parser.add_argument("--pictures", type=Path, metavar="FOLDER", help="keep the pictures of what is run anew")
    parser.add_argument("--only", help="variants with semicolons between; default: all of " + "; ".join(variants()))
    options = parser.parse_args(arguments)
    os.environ.setdefault("TQDM_DISABLE", "1")
    names = [BASE, *(options.only.split(";") if options.only else list(variants())[1:])]
    unknown = [name for name in names if name not in variants()]
    if unknown:
        parser.error(f"unknown variant {unknown[0]!r}")
    seeds = worlds.seeds("people3d", options.split, options.n)
    order = [seed for pair in zip(seeds[:len(seeds) // 2], seeds[len(seeds) // 2:]) for seed in pair]
    world = worlds.open_world("people3d", options.models, options.model)
    folder = options.cache / digest(options.model or options.models / SHIPPED)
    methods = world.methods("dit")
    found: dict[int, dict[str, Figures]] = {}
    for seed in [*order, *(seed for seed in seeds if seed not in order)]:
        found[seed] = measure(seed, world, methods, folder, names, options.pictures)
        print(f"  {seed}", file=sys.stderr, flush=True)
    groups: dict[str, list[dict[str, Figures]]] = {}
    for seed in seeds:
        for group in ("all", *world.groups(world.triple(seed))):
            groups.setdefault(group, []).append(found[seed])
    told = {group: compare(groups[group], ["edit", *names]) for group in sorted(groups)}
    print(text(told, {group: len(members) for group, members in groups.items()}))
    if options.json:
        content = {"world": "people3d", "split": options.split, "n": len(seeds), **worlds.known("people3d", ""),
                   "groups": told, "counts": {group: len(members) for group, members in groups.items()}}
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")
