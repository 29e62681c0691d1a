"""``python run.py bench who``: who is who among drawn people, as the matching of the defaults says.

For each seed: a group of five with drifted faces and a photo of each in random order; photos of a person, of somebody
who looks alike and of a third, and an edit of the first; and two strangers alone, one in the photo, one in the edit.
"""
from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from editedid_core.config import RestoreConfig
from editedid_core.faces.analyzers.protocol import FaceAnalyzer
from editedid_core.faces.detect import detect
from editedid_core.records import Faces
from editedid_core.restore.stages import match

from ..photos.analyzers import LAB, open_analyzer
from ..portraits import Identity, drift_identity, group_picture, render, triple_identity
from ..portraits.triples import original_scene, sized
from .judges import Array

FIRST = 40_000_000
"""Seeds from here on are people of no split."""
PEOPLE, SIDE = 5, 256
"""Of a group, and the height of its picture in pixels."""
ALIKE = 0.15
"""How far somebody who looks alike is from a person; strangers are about 1.37 apart."""


def main(arguments: Sequence[str]) -> None:
    """Run the benchmark with command-line arguments."""
    parser = argparse.ArgumentParser(prog="run.py bench who", description="Who is who among drawn people.")
    parser.add_argument("--n", type=int, default=50, help="seeds")
    parser.add_argument("--drift", choices=("small", "medium", "large"), default="medium", help="of the group's faces")
    parser.add_argument("--min-similarity", type=float, default=RestoreConfig().match.min_similarity)
    parser.add_argument("--gpu", action="store_true", help=argparse.SUPPRESS)  # run.py passes it on
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    config = RestoreConfig().changed({"match.min_similarity": options.min_similarity})
    analyzer = open_analyzer(LAB)
    total: Counter[str] = Counter()
    for seed in range(FIRST, FIRST + options.n):
        total += group(seed, options.drift, analyzer, config)
        total += alike(seed, analyzer, config)
        total += strangers(seed, analyzer, config)
    print(f"{PEOPLE * options.n} people in groups of {PEOPLE}, {options.drift} drift: {total['right']} paired with "
          f"their photo, {total['wrong']} with another one's, {total['unpaired']} with none.\n"
          f"{options.n} people beside one who looks alike: {total['marked']} marked as doubtful.\n"
          f"{options.n} pairs of strangers alone: {total['alone']} left alone.")


def group(seed: int, drift: str, analyzer: FaceAnalyzer, config: RestoreConfig) -> Counter[str]:
    """Five people and their photos in random order: right, wrong and unpaired faces of the edit."""
    drawn = group_picture(seed, PEOPLE, size=SIDE, drift=drift)
    order = np.random.default_rng(seed).permutation(PEOPLE)
    photos = found(analyzer, *(photo.image for i in order if (photo := drawn.originals[i]) is not None))
    pairs = match(photos, found(analyzer, drawn.edited.image), config.match).pairs
    middles = np.array([person.landmarks.mean(0) for person in drawn.edited.people])
    shown = [int(np.hypot(*(middles - pair.edited.points.mean(0)).T).argmin()) for pair in pairs]
    right = sum(one == order[pair.original.frame] for one, pair in zip(shown, pairs))
    return Counter(right=right, wrong=len(pairs) - right, unpaired=PEOPLE - len(pairs))


def alike(seed: int, analyzer: FaceAnalyzer, config: RestoreConfig) -> Counter[str]:
    """Photos of two who look alike and of a third, an edit of the first: whether the pair is marked."""
    person, third = triple_identity(seed), triple_identity(seed + 1)
    twin = drift_identity(person, ALIKE, np.random.default_rng(seed))
    photos = found(analyzer, portrait(person, 1), portrait(twin, 1), portrait(third, 2))
    edit = found(analyzer, portrait(person, 3))
    pairs = match(photos, edit, replace(config.match, same_person=1.0)).pairs  # three people
    return Counter(marked=sum(pair.rival is not None for pair in pairs))


def strangers(seed: int, analyzer: FaceAnalyzer, config: RestoreConfig) -> Counter[str]:
    """A photo of one person and an edit of another one: whether both are left alone."""
    photo, edit = (found(analyzer, portrait(triple_identity(one), one)) for one in (seed, seed + 500_000))
    return Counter(alone=not match(photo, edit, config.match).pairs)


def portrait(person: Identity, seed: int) -> Array:
    """A photo of a person in the scene of a seed."""
    scene = original_scene(np.random.default_rng(seed))
    return render(person, replace(scene, placement=sized(scene.placement, person)), 128).image


def found(analyzer: FaceAnalyzer, *pictures: Array) -> Faces:
    """The faces of pictures of one size."""
    return detect(torch.stack([torch.from_numpy(picture) for picture in pictures]), analyzer)
