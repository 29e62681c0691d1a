"""Rendered people for the quality benchmark, judged by what was trained on photographs.

The tune split lies in the repository; triples of other people are drawn when they are first asked for and kept in
`.run/people3d`. Likeness is measured to a photo of the person that no method sees.
"""
from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from editedid_core.faces.analyzers.protocol import FaceAnalyzer
from editedid_core.geometry.landmarks import five_of_68

from ..checkpoints import Checkpoint
from ..models_io import expand
from ..people3d import split
from ..people3d.people import SPLITS
from ..people3d.triples import DRIFTS, HARD, KINDS
from ..photos import opening
from ..photos.analyzers import open_analyzer
from ..photos.ghost import FEATURE_LIMIT, LIMIT, ghosts
from ..photos.judges import Judge
from ..photos.landmarks import Landmarks, landmarks_for
from ..photos.measures import Scene, cut, scene
from ..photos.records import as_bytes, as_float, load
from ..photos.store import DEFAULT, KeptAnalyzer, Store
from ..photos.whole import DECIDING
from . import measures
from .methods import Methods
from .worlds import kinds_of

Array = NDArray[np.float32]
ROOT = Path(__file__).resolve().parents[2]
STORED = ROOT / "lab" / "people3d" / "splits"
DRAWN_HERE = ROOT / ".run" / "people3d"
COUNT = 72
"""Triples of a split, the easy half first."""
STRIDE = 7
"""From one triple to the next one that is taken: neighbours have the same size of drift, every sixth the same kind."""
SIZE = 256
CENTRED = ("hse",)
"""Recognisers that need the mean of all photos, and are left out."""
MODEL = "people_kontext"
"""Begin of the name under which a model of rendered people is loaded; it tells the pack that it reads references."""
SHIPPED = Path("people3d", "people_dit.safetensors")
"""The lab's model of rendered people, in the folder of the lab's models."""


@dataclass(frozen=True, eq=False)
class Masks:
    """`face` (S, S)."""

    face: Array


@dataclass(frozen=True, eq=False)
class Picture:
    """See `worlds.Picture`. The photos' masks are empty: only edits are measured."""

    image: Array
    landmarks: Array
    masks: Masks
    elements: Array


@dataclass(frozen=True, eq=False)
class Triple:
    """See `worlds.Triple`. held_out: another photo of the person. hard: of the half that differs by design."""

    original: Picture
    ideal: Picture
    drifted: Picture
    held_out: Picture
    kind: str
    drift: str
    seed: int
    keeps_pose: bool
    hard: bool


@dataclass(frozen=True, eq=False)
class Witnesses:
    """The judges of one triple. analyzer: finds faces. first: the recogniser that the pack's guard asks. others: those
    whose mean likeness decides. around: the triple, to find ghosts in."""

    analyzer: FaceAnalyzer
    first: Judge
    others: tuple[Judge, ...]
    around: Scene

    def points(self, picture: Array, near: Array | None = None) -> Array | None:
        """Five points (5, 2) of the face closest to `near` (5, 2), or of the largest one; None without a face."""
        faces = self.analyzer.find(as_bytes(picture))
        if near is None:
            return max(faces, key=lambda face: face.size).points if faces else None
        return min((face.points for face in faces), key=lambda five: float(np.abs(five - near).mean()), default=None)

    def identity(self, picture: Array, points: Array) -> tuple[Array, Array]:
        """Embeddings by the guard's recogniser and by the others, side by side: a cosine is the mean of theirs."""
        seen = as_bytes(picture)
        return self.first.embed(seen, points), np.concatenate([judge.embed(seen, points) for judge in self.others])

    def damage(self, picture: Array, points: Array) -> float:
        """Share of the face that shows photo and edit at once; never under the limit of a clean face."""
        around = self.around
        found = ghosts(around.photos, around.edit, cut(picture, around.frame), around.mask, around.features)
        return LIMIT * max(1.0, found.share / LIMIT, found.worst / FEATURE_LIMIT)


def seeds(name: str, n: int) -> list[int]:
    """Seeds of `n` triples of a split, half of them hard, of every kind and drift. ValueError where it has less."""
    if n > COUNT:
        raise ValueError(f"The rendered {name} split has {COUNT} triples, {n} were asked for: lower --n.")
    start, half = SPLITS[name][0], COUNT // 2
    order = [STRIDE * number % half for number in range(half)]
    return [start + number for number in (*order[:n - n // 2], *(half + number for number in order[:n // 2]))]


def deciding(cache: Path) -> dict[str, list[str]]:
    """Names of the recogniser that the guard asks, "a", and of those whose mean likeness decides, "b"."""
    usual = [name for name in opening.usual_judges(cache, "dlib")[0] if name not in CENTRED]
    return {"a": ["dlib"], "b": usual[:DECIDING]}


class Rendered:
    """See `worlds.World`. cache: where recognisers of photographs are installed (`bench photos --install-judges`).
    packed: a model of rendered people instead of the shipped one."""

    def __init__(self, models: Path, cache: Path = DEFAULT, packed: Path | None = None) -> None:
        self._models, self._packed = models, packed or models / SHIPPED
        store = Store(cache)
        self.analyzer: FaceAnalyzer = KeptAnalyzer(open_analyzer("dlib"), store)
        named = deciding(cache)
        self._first, *others = (opening.open_judge(name, cache) for name in (*named["a"], *named["b"]))
        self._others = tuple(others)
        self._landmarks: Landmarks = landmarks_for(self.analyzer)

    def triple(self, seed: int) -> Triple:
        """Read from the repository or the cache, or drawn into the cache first."""
        name, start = next((name, start) for name, (start, end) in SPLITS.items() if start <= seed < end)
        number = seed - start
        hard = 2 * number >= COUNT
        stored, place = (folder / name / "triples" / f"{number:03d}" for folder in (STORED, DRAWN_HERE))
        if split.is_whole(stored):
            return read(stored, seed, hard)
        if not split.is_whole(place):
            split.draw(self._world, seed, hard, SIZE, place)
        return read(place, seed, hard)

    @cached_property
    def _world(self) -> Any:
        from ..people3d import World

        return World("cpu")

    def photo(self, triple: Triple) -> Picture:
        """The photo held out; where no face is found in it, the one that all methods see."""
        faces = self.analyzer.find(as_bytes(triple.held_out.image))
        face = max(faces, key=lambda one: one.size, default=None)
        return triple.original if face is None else replace(triple.held_out, landmarks=face.points)

    def witness(self, triple: Triple) -> Witnesses:
        pictures = [as_bytes(one.image) for one in (triple.original, triple.drifted, triple.ideal)]
        points = [self._five(one) for one in (triple.original, triple.drifted, triple.ideal)]
        around = scene(pictures[0], points[0], pictures[1], points[1], pictures[2], points[2], self._landmarks)
        return Witnesses(self.analyzer, self._first, self._others, around)

    def places(self, triple: Triple) -> Array:
        """Where the detector finds them in the ideal picture: it calls other places of a face an eye's middle than
        the truth does."""
        return self._five(triple.ideal).astype(np.float32)

    def _five(self, picture: Picture) -> NDArray[np.float64]:
        faces = self.analyzer.find(as_bytes(picture.image))
        nearest = min((face.points for face in faces), default=picture.landmarks,
                      key=lambda five: float(np.abs(five - picture.landmarks).mean()))
        return np.asarray(nearest, np.float64)

    def whole(self, out: dict[str, float], drifted: dict[str, float]) -> float:
        """NaN where the drift took no likeness to the held-out photo: there the edit itself would be whole."""
        told = not np.isnan(drifted["recovery_b"])
        return float(measures.restored_whole(out, drifted)) if told else float("nan")

    def groups(self, triple: Triple) -> tuple[str, ...]:
        return "half hard" if triple.hard else "half easy", *kinds_of(triple)

    def methods(self, family: str) -> Methods:
        """With the lab's model of rendered people, whatever the family, and its true empty prompt."""
        from ..train.text import TextEncoder

        checkpoint = Checkpoint(f"{MODEL}_{digest(self._packed)}.safetensors", SIZE)
        file = ROOT / ".run" / "models" / "checkpoints" / checkpoint.file
        if not file.is_file():
            expand(self._packed, file)
        say = TextEncoder()
        context, pooled = say(torch.from_numpy(say.rows([])[None]))
        return Methods(family, self._models, checkpoint, self.analyzer, [[context, {"pooled_output": pooled}]])


def digest(packed: Path) -> str:
    """Names the contents of a model's file."""
    return hashlib.sha256(packed.read_bytes()).hexdigest()[:8]


def read(place: Path, seed: int, hard: bool) -> Triple:
    """A triple of a split's folder."""
    known = HARD if hard else KINDS
    truth = np.load(place / split.TRUTH)
    five = [five_of_68(one).astype(np.float32) for one in truth["landmarks"]]
    empty = np.zeros((0, 0), np.float32)
    masks = {name: np.unpackbits(truth[name], axis=-1).astype(np.float32) for name in ("face", "elements")}
    images = [as_float(load(place / f"{part}.jpg")) for part in split.PARTS]
    original, held_out = (Picture(image, points, Masks(empty), empty)
                          for image, points in ((images[0], five[0]), (images[3], np.zeros((0, 2), np.float32))))
    ideal, drifted = (Picture(images[1 + k], five[1 + k], Masks(masks["face"][k]), masks["elements"][k])
                      for k in range(2))
    drift = DRIFTS[seed // len(known) % len(DRIFTS)]
    return Triple(original, ideal, drifted, held_out, known[seed % len(known)], drift, seed,
                  bool(truth["keeps_pose"][0]), hard)
