"""Triples with truth from nothing but photos of people: another photo of the person is the ideal edit, and its face
morphed part of the way to somebody else's is the drifted one.

`photo`: pose, expression and light of the ideal are another photo's. `kept`: the ideal is the same photo under another
light, a little moved, as models edit that keep the pose. The same seed and the same photos give the same triples.
"""
from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from editedid_core.faces.analyzers.protocol import FaceAnalyzer
from editedid_core.geometry.affine import apply
from editedid_core.geometry.landmarks import five_of_68, openness

from .folder import ready_triples
from .landmarks import Landmarks
from .methods import largest
from .morph import drifted, face_unit, unlikeness
from .records import Array, Example, as_bytes, as_float, load
from .store import Store, code, key

Points = NDArray[np.float64]
Rng = np.random.Generator

SHARES = 0.35, 0.6
"""Least and most of the way, in shape and in appearance, that a face drifts to another."""
LEAST_EYES = 22.0
SMALL_EYES = 48.0
"""Pixels between the eyes: of faces that are used, and under which a triple belongs to the group `small`."""
DONOR_EYES = 28.0
SIDE = 640
KEPT_SHARE = 0.55
"""Share of people of whom a `kept` triple is made as well."""
MOST_USES = 3
NEAREST = 8
"""Donors are drawn from this many, those nearest in shape and expression, each used a few times at most."""


@dataclass(frozen=True, eq=False)
class Portrait:
    """Head and shoulders of one photo, float32 (H, W, 3), and the landmarks (68, 2) in it."""

    person: str
    file: Path
    picture: Array
    dense: Points

    @property
    def eyes(self) -> float:
        five = five_of_68(self.dense)
        return float(np.linalg.norm(five[1] - five[0]))


@dataclass(frozen=True, eq=False)
class Drift:
    """A finished triple, and how it was made."""

    kind: str
    original: Portrait
    ideal: Portrait
    drifted: Array
    held_out: tuple[Path, ...]
    geometry: float
    texture: float


def made_triples(people: Mapping[str, Sequence[Path]], analyzer: FaceAnalyzer, landmarks: Landmarks, store: Store,
                 seed: int) -> list[Example]:
    """The triples of these people, written into the cache where they are not there yet."""
    photos = [[name, *(key(file.read_bytes()) for file in files)] for name, files in people.items()]
    sources = "triples", "morph", "landmarks"
    name = key(seed, photos, analyzer.name, code(*(f"lab/photos/{source}.py" for source in sources)))
    folder = store.folder / "triples" / name
    if not (folder / "triples.json").is_file():
        made = drifts([p for who in people for p in portraits(who, people[who], analyzer, landmarks)], seed)
        _write(made, folder, store)
    return ready_triples(folder)


def portraits(person: str, files: Sequence[Path], analyzer: FaceAnalyzer, landmarks: Landmarks) -> list[Portrait]:
    """A portrait of each photo with a face that is large enough."""
    found = []
    for file in files:
        photo = load(file)
        face = largest(analyzer.find(photo))
        if face is not None:
            portrait = _portrait(person, file, as_float(photo), landmarks.find(photo, face.points.astype(np.float64)))
            if portrait.eyes >= LEAST_EYES:
                found.append(portrait)
    return found


def _portrait(person: str, file: Path, photo: Array, dense: Points) -> Portrait:
    five, unit = five_of_68(dense), face_unit(dense)
    eyes, mouth = five[:2].mean(0), five[3:].mean(0)
    middle, side = eyes + 0.45 * (mouth - eyes), 6.6 * unit
    left, top = (max(0, int(v)) for v in middle - [side / 2, 0.52 * side])
    right, bottom = (int(v) for v in middle + [side / 2, 0.48 * side])
    part, dense = photo[top:bottom, left:right], dense - [left, top]
    shrunk = min(1.0, SIDE / max(part.shape[:2]))
    if shrunk < 1:
        size = round(part.shape[1] * shrunk), round(part.shape[0] * shrunk)
        part = as_float(np.asarray(Image.fromarray(as_bytes(part)).resize(size, Image.Resampling.LANCZOS)))
        dense = (dense + 0.5) * shrunk - 0.5
    return Portrait(person, file, part, dense)


def drifts(pool: Sequence[Portrait], seed: int) -> list[Drift]:
    """Triples of all people of the pool of whom there are photos enough. ValueError with less than two people."""
    people = sorted({portrait.person for portrait in pool})
    if len(people) < 2:
        raise ValueError("Photos of two people at least are needed: a face drifts towards somebody else's.")
    used: Counter[Path] = Counter()
    made = []
    for person in people:
        rng = np.random.default_rng((seed, *person.encode()))
        own = [portrait for portrait in pool if portrait.person == person]
        order = [own[i] for i in rng.permutation(len(own))]
        pairs = [("photo", order[2 * i], order[2 * i + 1]) for i in range(min(2, len(own) // 2))]
        if rng.random() < KEPT_SHARE or not pairs:
            photo = order[-1]
            pairs.append(("kept", photo, _same_again(photo, rng)))
        for kind, original, ideal in pairs:
            donors = [p for p in pool if p.person != person and p.eyes >= DONOR_EYES and used[p.file] < MOST_USES]
            if donors:
                donor = _donor(ideal, donors, rng)
                used[donor.file] += 1
                made.append(_drift(kind, original, ideal, donor, own, rng))
    return made


def _drift(kind: str, original: Portrait, ideal: Portrait, donor: Portrait, own: Sequence[Portrait],
           rng: Rng) -> Drift:
    geometry, texture = (float(rng.uniform(*SHARES)) for _ in range(2))
    picture, _ = drifted(ideal.picture, ideal.dense, donor.picture, donor.dense, geometry, texture)
    held_out = tuple(p.file for p in own if p.file not in (original.file, ideal.file))
    small = kind == "photo" and min(original.eyes, ideal.eyes) < SMALL_EYES
    return Drift("small" if small else kind, original, ideal, picture, held_out, geometry, texture)


def _donor(ideal: Portrait, donors: Sequence[Portrait], rng: Rng) -> Portrait:
    """One of those whose face, held as the ideal's is, can be mixed with it without doubled lids or teeth."""
    state = openness(ideal.dense)

    def unfit(other: Portrait) -> float:
        change = np.abs(openness(other.dense) - state)
        return unlikeness(ideal.dense, other.dense) + 0.5 * float(change[2]) + 0.2 * float(change[0] + change[1])

    near = sorted(donors, key=lambda other: (unfit(other), str(other.file)))[:NEAREST]
    return near[int(rng.integers(len(near)))]


def _same_again(photo: Portrait, rng: Rng) -> Portrait:
    """The same photo with another lamp, other colours and a little turned, scaled and moved."""
    height, width = photo.picture.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    towards = rng.uniform(0, 2 * np.pi)
    ramp = (x / width - 0.5) * 2 * np.cos(towards) + (y / height - 0.5) * 2 * np.sin(towards)
    lamp = np.exp(rng.uniform(0.25, 0.5) * ramp + rng.uniform(-0.35, 0.25))[..., None] * np.exp(rng.normal(0, 0.1, 3))
    lit = np.clip(photo.picture**2.2 * lamp, 0, 1) ** (1 / 2.2)
    scale, turn = 1 + rng.uniform(-0.05, 0.05), np.radians(rng.uniform(-3, 3))
    linear = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    middle = np.array([width / 2, height / 2])
    move = np.column_stack([linear, middle + rng.uniform(-0.03, 0.03, 2) * width - linear @ middle])
    picture = cv2.warpAffine(lit.astype(np.float32), move, (width, height), flags=cv2.INTER_CUBIC,
                             borderMode=cv2.BORDER_REFLECT)
    return Portrait(photo.person, photo.file, np.clip(picture, 0, 1), apply(move, photo.dense))


def _write(made: Sequence[Drift], folder: Path, store: Store) -> None:
    entries: list[dict[str, Any]] = []
    for number, drift in enumerate(made):
        name = f"{number:02d}"
        place = folder / "triples" / name
        place.mkdir(parents=True, exist_ok=True)
        for part, picture in (("original", drift.original.picture), ("ideal", drift.ideal.picture),
                              ("drifted", drift.drifted)):
            Image.fromarray(as_bytes(picture)).save(place / f"{part}.png")
        entries.append({"triple": name, "person": drift.original.person, "kind": drift.kind,
                        "geometry": round(drift.geometry, 3), "texture": round(drift.texture, 3),
                        "held_out_photos": [str(photo.resolve()) for photo in drift.held_out]})
    store.write(folder / "triples.json", json.dumps(entries, indent=1).encode())
