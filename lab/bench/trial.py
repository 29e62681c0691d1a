"""Variants of Restore Identity over triples, with every finished figure kept, so that a broken-off run goes on."""
from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..checkpoints import Checkpoint, of_the_lab
from ..portraits import Portrait
from . import measures, table
from .conditions import Condition, NoisyAnalyzer, displaced, make, more_photos
from .diffusion import DiffusionMethods, UnavailableError
from .judges import Judges, as_bytes
from .quality import Truth, judge
from .rivals import PIXEL_RIVALS, Case
from .switches import Change, values_for
from .variants import Variant

ROOT = Path(__file__).resolve().parent.parent.parent
CACHE = ROOT / ".run" / "results" / "trials"
"""Finished figures, one file a family and triple; safe to delete."""

DECIDING = ("conditions", "diffusion", "judges", "measures", "quality", "rivals", "switches", "trial")
"""The modules of this package on which figures depend; the others only choose what to run and write it up."""

Figures = dict[str, float]


@dataclass(frozen=True)
class Result:
    """One variant on one triple. `figures`: measures by name, empty where it could not run; `problem` says why."""

    seed: int
    figures: Figures
    problem: str = ""


@dataclass(frozen=True, eq=False)
class _Pictures:
    """A triple under a condition, what is known of it, and the drifted picture's own figures."""

    truth: Truth
    plain: Figures
    photos: list[NDArray[np.float32]]


@dataclass(eq=False)
class Runner:
    """One process: its host, its judges, its triples."""

    family: str
    models: Path
    checkpoint: Checkpoint
    judges: Judges = field(init=False)
    methods: DiffusionMethods = field(init=False)

    def __post_init__(self) -> None:
        self.judges = Judges.open(self.models)
        self.methods = DiffusionMethods(self.family, self.models, checkpoint=self.checkpoint)
        self._pictures = lru_cache(maxsize=4)(self._make)

    def run(self, seed: int, variant: Variant) -> Result:
        """The figures of one variant on one triple, all that the quality benchmark measures."""
        pictures = self._pictures(seed, replace(variant.condition, noise=0.0))
        started = time.perf_counter()
        self.methods.evaluations = 0
        told = {"given_up": 0.0, "warned": 0.0}
        try:
            if variant.rival is None:
                picture, told = self._restore(seed, variant, pictures)
            else:
                picture = self._rival(seed, variant, pictures)
        except UnavailableError as reason:
            return Result(seed, {}, str(reason))
        seconds = time.perf_counter() - started
        found = judge(picture, pictures.truth, self.judges)
        found["joint_rate"] = float(measures.restored_whole(found, pictures.plain))
        found |= {"evaluations": float(self.methods.evaluations), "seconds": seconds, **told}
        return Result(seed, found)

    def _make(self, seed: int, condition: Condition) -> _Pictures:
        triple = make(seed, condition)
        photos = [triple.original, *more_photos(seed, condition)]
        truth = _of_all(Truth.of(triple, self.judges), photos, self.judges)
        plain = judge(triple.drifted.image, truth, self.judges)
        return _Pictures(truth, plain, [photo.image for photo in photos[:condition.used]])

    def _restore(self, seed: int, variant: Variant, pictures: _Pictures) -> tuple[NDArray[np.float32], Figures]:
        """The picture, and what the report says of it: whether the edit's face was kept, and whether it warned."""
        methods, change = self.methods, variant.change
        analyzer = methods.analyzer
        if variant.condition.noise > 0:
            analyzer = NoisyAnalyzer(analyzer, variant.condition.noise, seed)
        edited = pictures.truth.triple.drifted.image
        picture, report = methods.restore(pictures.photos, edited, values_for(change, methods, self.family), analyzer,
                                          methods.model_in_half if change.half else None)
        faces = report["faces"]
        warned = any(face["warnings"] for face in faces) or bool(report["notes"]) or not faces
        return picture, {"given_up": float(not any(face["accepted"] for face in faces)), "warned": float(warned)}

    def _rival(self, seed: int, variant: Variant, pictures: _Pictures) -> NDArray[np.float32]:
        triple = pictures.truth.triple
        places = [self.judges.points(picture.image) for picture in (triple.original, triple.drifted)]
        if places[0] is None or places[1] is None:
            return triple.drifted.image
        assert variant.rival is not None
        noise = variant.condition.noise
        first = displaced(places[0], noise, as_bytes(triple.original.image), seed)
        second = displaced(places[1], noise, as_bytes(triple.drifted.image), seed)
        return PIXEL_RIVALS[variant.rival](Case(triple.original.image, triple.drifted.image, first, second, seed))


@dataclass(frozen=True)
class Plan:
    """What to run: `seeds` by `variants` on a checkpoint of a family, with the finished figures under `cache`."""

    family: str
    models: Path
    seeds: tuple[int, ...]
    variants: tuple[Variant, ...]
    cache: Path
    state: str
    checkpoint: Checkpoint

    def key(self, variant: Variant) -> str:
        """Changes with the variant (not with its name), with the code and with the models."""
        change = variant.change
        what = f"{self.state} {sorted(change.values.items())} {change.half} {variant.condition} {variant.rival}"
        return hashlib.sha256(what.encode()).hexdigest()[:20]

    def file(self, seed: int) -> Path:
        return self.cache / self.family / f"{seed}.jsonl"


def plan(family: str, models: Path, seeds: Iterable[int], variants: Iterable[Variant], cache: Path = CACHE,
         own: Checkpoint | None = None) -> Plan:
    """Each variant's reference is run as well, before it; what is asked for twice is run once. `own`: instead of the
    lab's checkpoint."""
    wanted: list[Variant] = []
    for variant in variants:
        wanted += [variant.reference, variant]
    checkpoint = own or of_the_lab(family)
    state = f"{_state(models, family, checkpoint)} {checkpoint}"
    whole = Plan(family, models, tuple(seeds), (), cache, state, checkpoint)
    return replace(whole, variants=tuple({whole.key(v): v for v in wanted}.values()))


def run(task: Plan, workers: int) -> dict[str, list[Result]]:
    """Everything of the plan, from the cache or anew; results by `Plan.key`, in the order of the seeds."""
    missing = [seed for seed in task.seeds if any(task.key(v) not in _cached(task, seed) for v in task.variants)]
    known = len(task.seeds) - len(missing)
    print(f"{len(task.seeds)} triples by {len(task.variants)} variants; {known} triples are known", file=sys.stderr)
    shares = [tuple(missing[first::max(1, workers)]) for first in range(max(1, workers))]
    if len(missing) > 1 and workers > 1:
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            jobs = [pool.submit(_work, replace(task, seeds=share)) for share in shares if share]
            for job in jobs:
                job.result()
    elif missing:
        _work(replace(task, seeds=tuple(missing)))
    found = [_cached(task, seed) for seed in task.seeds]
    return {task.key(v): [one[task.key(v)] for one in found] for v in task.variants}


def values(results: list[Result], measure: str) -> NDArray[np.float64]:
    """(N,) one measure over the triples, NaN where it is undefined."""
    return np.array([result.figures.get(measure, np.nan) for result in results], np.float64)


def cell(results: list[Result], measure: str, digits: int) -> str:
    """The mean for a table, "-" where there is none."""
    mean = table.interval(values(results, measure))[0]
    return "-" if np.isnan(mean) else f"{mean:.{digits}f}"


def _of_all(truth: Truth, photos: list[Portrait], judges: Judges) -> Truth:
    """With likeness measured to the mean of several photos, so that none is favoured for being compared with itself."""
    if len(photos) == 1:
        return truth
    found = [_seen(photo, judges) for photo in photos]
    means = [np.mean([one[i] / np.linalg.norm(one[i]) for one in found], axis=0).astype(np.float32) for i in (0, 1)]
    likeness = []
    for picture in (truth.triple.ideal, truth.triple.drifted):
        here = _seen(picture, judges)
        likeness.append((measures.cosine(here[0], means[0]), measures.cosine(here[1], means[1])))
    return replace(truth, original_identity=(means[0], means[1]), ideal_identity=likeness[0],
                   drifted_identity=likeness[1])


def _seen(portrait: Portrait, judges: Judges) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Both recognisers' embeddings of a face where the detector finds it, as `quality.judge` takes them."""
    points = judges.points(portrait.image, portrait.landmarks)
    return judges.identity(portrait.image, portrait.landmarks if points is None else points)


def _work(task: Plan) -> None:
    """One worker's triples, every figure written down as soon as it is known."""
    runner = Runner(task.family, task.models, task.checkpoint)
    started, done = time.monotonic(), 0
    for seed in task.seeds:
        known = _cached(task, seed)
        task.file(seed).parent.mkdir(parents=True, exist_ok=True)
        with task.file(seed).open("a", encoding="utf-8") as stream:
            for variant in task.variants:
                key = task.key(variant)
                if key in known:
                    continue
                same = task.key(replace(variant, change=Change()))
                if same in known and variant.rival is None and variant.change.is_none:
                    known[key] = known[same]
                else:
                    known[key] = runner.run(seed, variant)
                row = {"key": key, "variant": variant.name, "figures": known[key].figures}
                stream.write(json.dumps(row | {"problem": known[key].problem}) + "\n")
                stream.flush()
        done += 1
        left = (time.monotonic() - started) / done * (len(task.seeds) - done)
        print(f"  triple {seed}: {done} of {len(task.seeds)}, about {left / 60:.0f} min left", file=sys.stderr,
              flush=True)


def _cached(task: Plan, seed: int) -> dict[str, Result]:
    if not task.file(seed).is_file():
        return {}
    rows = task.file(seed).read_text(encoding="utf-8").splitlines()
    found = {}
    for line in rows:
        try:
            row = json.loads(line)
        except ValueError:  # the line at which an earlier run was broken off
            continue
        found[row["key"]] = Result(seed, row["figures"], row["problem"])
    return found


def _state(models: Path, family: str, checkpoint: Checkpoint) -> str:
    """A digest of all that decides a figure: the pack's and the lab's code, the model, the judges."""
    digest = hashlib.sha256()
    folders = (ROOT / "editedid_core", ROOT / "nodes", ROOT / "lab" / "portraits")
    files = [file for folder in folders for file in sorted(folder.rglob("*.py"))]
    files += [Path(__file__).with_name(f"{name}.py") for name in DECIDING]
    files += [models / checkpoint.file, models / f"{family}_blocks.json", *sorted(models.rglob("*.onnx"))]
    for file in files:
        digest.update(file.read_bytes() if file.is_file() else b"")
    return digest.hexdigest()
