"""The quality benchmark: ``python run.py bench quality``, one table, one JSON, one contact sheet.

Every picture is made from what a user has (two pictures, the pack's detector) and judged against the truth that only
the lab has. All figures but seconds and megabytes are the same to the last digit when it is run again.
"""
from __future__ import annotations

import argparse
import importlib
import json
import math
import os
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..photos.store import code
from . import measures, sheet, table, worlds
from .methods import NAMES, Methods, Outcome
from .rivals import Case
from .worlds import Picture, Triple, Witness, World

Array = NDArray[np.float32]
MODELS = Path(__file__).resolve().parent.parent / "models"
FINISHED = Path(__file__).resolve().parents[2] / ".run" / "results" / "quality"
"""Where `--resume` keeps figures; safe to delete."""

SLOW = ("paper_50", "paper_official", "fast", "best", "no_model", "no_diffusion_face_shape_1", "default_face_shape_1",
        "no_diffusion_face_shape_0", "default_face_shape_0")
"""Methods that run only when they are named, most because up to 400 network evaluations a face do not fit into ten
minutes; all of the face shape is the default."""

SHOWN = 8
"""Triples listed by seed; more are only counted."""


@dataclass(frozen=True, eq=False)
class Truth:
    """What is known of a triple: the triple, the judges' figures of its three pictures, masks in the ideal picture."""

    triple: Triple
    original_identity: tuple[Array, Array]
    ideal_identity: tuple[float, float]
    drifted_identity: tuple[float, float]
    eyes: float
    places: Array

    @classmethod
    def of(cls, triple: Triple, judges: Witness, photo: Picture | None = None, places: Array | None = None) -> Truth:
        """photo: to which likeness is measured, the original where None. places: where the five points belong, the
        ideal picture's landmarks where None."""
        photo = triple.original if photo is None else photo
        original = judges.identity(photo.image, photo.landmarks)
        points = triple.ideal.landmarks
        likeness = []
        for picture in (triple.ideal, triple.drifted):
            seen = judges.points(picture.image, picture.landmarks)
            found = judges.identity(picture.image, picture.landmarks if seen is None else seen)
            likeness.append((measures.cosine(found[0], original[0]), measures.cosine(found[1], original[1])))
        eyes = float(np.linalg.norm(points[1] - points[0]))
        return cls(triple, original, likeness[0], likeness[1], eyes, points if places is None else places)


def judge(out: Array, truth: Truth, judges: Witness) -> dict[str, float]:
    """All measures of one picture but the joint rate and the costs, by name.

    The recognisers and the critic see the face where the detector finds it in the picture itself, as recognisers are
    used everywhere; how far the features are from where they belong is the landmark error's matter.
    """
    ideal, drifted = truth.triple.ideal, truth.triple.drifted
    face = ideal.masks.face
    points = judges.points(out, ideal.landmarks)
    seen = ideal.landmarks if points is None else points
    found = judges.identity(out, seen)
    likeness = [measures.cosine(a, b) for a, b in zip(found, truth.original_identity)]
    anywhere = np.maximum.reduce([face, ideal.elements, drifted.masks.face, drifted.elements])
    return {
        "identity_a": likeness[0],
        "identity_b": likeness[1],
        "recovery_a": measures.recovery(likeness[0], truth.drifted_identity[0], truth.ideal_identity[0]),
        "recovery_b": measures.recovery(likeness[1], truth.drifted_identity[1], truth.ideal_identity[1]),
        "face_psnr": measures.face_psnr(out, ideal.image, face),
        "face_ssim": measures.face_ssim(out, ideal.image, face),
        "face_perceptual": measures.face_perceptual(out, ideal.image, face),
        "landmark_error": measures.landmark_error(points, truth.places),
        "light_error": measures.light_error(out, ideal.image, face, truth.eyes),
        "seam_error": measures.seam_error(out, ideal.image, face, truth.eyes),
        "realism_error": judges.damage(out, seen),
        "element_error": measures.element_error(out, ideal.image, ideal.elements),
        "outside_changed": measures.outside_changed(out, drifted.image, anywhere, truth.eyes),
    }


@dataclass(frozen=True, eq=False)
class TripleResult:
    """One triple: figures by method and measure, and the pictures where they are wanted."""

    seed: int
    title: str
    groups: tuple[str, ...]
    figures: dict[str, dict[str, float]]
    pictures: dict[str, Array]


def run_triple(seed: int, names: list[str], methods: Methods, world: World, keep: bool) -> TripleResult:
    """Every method on one triple, judged."""
    triple = world.triple(seed)
    judges = world.witness(triple)
    truth = Truth.of(triple, judges, world.photo(triple), world.places(triple))
    plain = judge(triple.drifted.image, truth, judges)
    points = [judges.points(picture.image) for picture in (triple.original, triple.drifted)]
    figures, pictures = {}, {"original": triple.original.image, "ideal": triple.ideal.image}
    for name in names:
        if points[0] is None or points[1] is None:
            outcome = Outcome(triple.drifted.image, 0, 0.0, 0.0)  # a user whose face is not found keeps the edit
        else:
            outcome = methods.run(name, Case(triple.original.image, triple.drifted.image, points[0], points[1], seed))
        found = judge(outcome.picture, truth, judges)
        found["joint_rate"] = world.whole(found, plain)
        found |= {f"gain_{one}": found[f"identity_{one}"] - plain[f"identity_{one}"] for one in "ab"}
        found |= {"evaluations": float(outcome.evaluations), "seconds": outcome.seconds, "peak_mb": outcome.peak_mb}
        figures[name] = found
        pictures[name] = outcome.picture
    title = f"{seed}  {triple.kind}, {triple.drift} drift" + ("" if triple.keeps_pose else ", pose changed")
    return TripleResult(seed, title, world.groups(triple), figures, pictures if keep else {})


@dataclass(frozen=True)
class Task:
    """What is to be run, on which world, by how many processes of one thread each. keep: the pictures, for a sheet.
    finished: folder of figures that a broken-off run has left, and that this one goes on from, or None."""

    world: str
    names: list[str]
    family: str
    models: Path
    workers: int
    keep: bool
    finished: Path | None = None

    def file(self, seed: int) -> Path | None:
        """Of a triple's finished figures; another one after any change of the code."""
        if self.finished is None or self.keep:
            return None
        return self.finished / self.world / self.family / code("editedid_core", "nodes", "lab") / f"{seed}.json"


def _share(seeds: list[int], task: Task) -> list[TripleResult]:
    """One worker's triples; every process opens its own judges and its own host."""
    world = worlds.open_world(task.world, task.models)
    methods = world.methods(task.family)
    results = []
    for seed in seeds:
        results.append(resumed(task.file(seed), task.names,
                               lambda names, seed=seed: run_triple(seed, names, methods, world, task.keep)))
        print(f"  {results[-1].title}", file=sys.stderr, flush=True)
    return results


def resumed(file: Path | None, names: list[str], run: Callable[[list[str]], TripleResult]) -> TripleResult:
    """A triple's result: figures in the file are taken from there, and what `run` makes of the other names is added."""
    if file is None:
        return run(names)
    told = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {"figures": {}}
    missing = [name for name in names if name not in told["figures"]]
    if missing:
        made = run(missing)
        told = {"seed": made.seed, "title": made.title, "groups": list(made.groups),
                "figures": told["figures"] | made.figures}
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(".part")
        part.write_text(json.dumps(told), encoding="utf-8")
        part.replace(file)
    return TripleResult(told["seed"], told["title"], tuple(told["groups"]),
                        {name: told["figures"][name] for name in names}, {})


def run(seeds: list[int], task: Task) -> list[TripleResult]:
    """All triples, dealt out to the processes, returned in the order of the seeds."""
    if task.workers <= 1:
        return _share(seeds, task)
    shares = [seeds[first::task.workers] for first in range(task.workers)]
    with ProcessPoolExecutor(task.workers, mp_context=get_context("spawn")) as pool:
        jobs = [pool.submit(_share, share, task) for share in shares if share]
        results = [result for job in jobs for result in job.result()]
    return sorted(results, key=lambda result: seeds.index(result.seed))


def gather(results: list[TripleResult], names: list[str]) -> dict[str, dict[str, NDArray[np.float64]]]:
    """Values (N,) by method and measure, in the order of the triples."""
    return {
        name: {m: np.array([result.figures[name][m] for result in results], np.float64) for m in table.MEASURES}
        for name in names
    }


def further(results: list[TripleResult], names: list[str]) -> dict[str, dict[str, list[int]]]:
    """By method, the seeds whose face recogniser "a" or "b" finds less like the person than the edit as it came."""
    return {name: {one: [result.seed for result in results if result.figures[name][f"gain_{one}"] < 0] for one in "ab"}
            for name in names}


def main(arguments: list[str]) -> None:
    task = argparse.ArgumentParser(add_help=False)
    task.add_argument("--task", choices=("restoration", "super-resolution"), default="restoration")
    if task.parse_known_args(arguments)[0].task == "super-resolution":
        importlib.import_module(f"{__package__}.super_resolution").main(arguments)
        return
    parser = argparse.ArgumentParser(prog="bench quality", description=__doc__)
    parser.add_argument("--task", choices=("restoration", "super-resolution"), default="restoration",
                        help="super-resolution has options of its own: see its --help")
    parser.add_argument("--world", choices=worlds.NAMES, default="drawn", help="people3d: rendered people, half of the "
                        "triples easy, half hard")
    parser.add_argument("--split", choices=("tune", "held-out"), default="tune")
    parser.add_argument("--methods", help="names with commas between, out of " + ", ".join(NAMES)
                        + "; default: all but " + ", ".join(SLOW))
    parser.add_argument("--family", choices=("unet", "dit"), default="unet")
    parser.add_argument("--n", type=int, default=50, help="number of triples")
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--sheet", type=Path, help="write the contact sheet here (PNG or JPEG)")
    parser.add_argument("--rows", type=int, default=24, help="triples on the contact sheet, best and worst first")
    parser.add_argument("--models", type=Path, default=MODELS, help="the lab's models")
    parser.add_argument("--resume", action="store_true", help="keep each triple's figures, and go on from those of a "
                        "broken-off run of the same code; seconds and megabytes are then of either run")
    parser.add_argument("--workers", type=int, default=2, help="processes of one thread each")
    options = parser.parse_args(arguments)
    os.environ.setdefault("TQDM_DISABLE", "1")  # the host's progress bars would bury the table
    names = options.methods.split(",") if options.methods else [name for name in NAMES if name not in SLOW]
    unknown = [name for name in names if name not in NAMES]
    if options.resume and options.sheet:
        parser.error("--resume keeps figures and no pictures for a sheet: leave one of the two out")
    if unknown:
        parser.error(f"unknown method {unknown[0]!r}: choose from {', '.join(NAMES)}")
    try:
        seeds = worlds.seeds(options.world, options.split, options.n)
    except ValueError as problem:
        parser.error(str(problem))
    results = run(seeds, Task(options.world, names, options.family, options.models, options.workers,
                              options.sheet is not None, FINISHED if options.resume else None))
    values = gather(results, names)
    print(table.text(values))
    print()
    print(table.pairs(values))
    groups = [(group, np.array([group in result.groups for result in results]))
              for group in sorted({group for result in results for group in result.groups})]
    print("\n" + table.by_group(values, groups))
    lost = further(results, names)
    print("\nLess like the person than the edit as it came, by recogniser A or B:")
    for name, seeds_of in lost.items():
        print(f"{name}: " + ", ".join(f"{one.upper()} {len(found)}{f' {found}' if len(found) <= SHOWN else ''}"
                                      for one, found in seeds_of.items()))
    if options.json:
        content = {"world": options.world, "split": options.split, "n": len(results)}
        content |= worlds.known(options.world, options.family)
        content["methods"] = table.summary(values)
        content["further"] = lost
        content["groups"] = {group: table.summary(table.part(values, within)) for group, within in groups}
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    if options.sheet:
        last = names[-1]
        ranked = sheet.order(values[last]["joint_rate"], values[last]["recovery_b"], options.rows)
        sheet.draw([(results[i].title + _marks(results[i]), results[i].pictures) for i in ranked], options.sheet)


def _marks(result: TripleResult) -> str:
    """Recovery by the second recogniser of each method, a star where the triple is restored whole."""
    cells = []
    for name, found in result.figures.items():
        gained = found["recovery_b"]
        star = "*" if found["joint_rate"] == 1 else ""
        cells.append(f"{name} {'-' if math.isnan(gained) else f'{gained:.2f}'}{star}")
    return "    " + "  ".join(cells)
