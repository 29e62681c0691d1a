"""Drawn people and the lab's recogniser: five are told apart, look-alikes are doubtful, strangers are left alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("insightface")

from editedid_core.config import MatchConfig
from editedid_core.faces.analyzers.insightface_backend import InsightFaceAnalyzer
from editedid_core.faces.detect import detect
from editedid_core.records import Faces
from editedid_core.restore.stages import match
from lab.portraits import Identity, drift_identity, group_picture, render, triple_identity
from lab.portraits.triples import original_scene, sized

PACK = Path(__file__).resolve().parents[3] / "lab" / "models" / "insightface" / "lab"
SEED = 30_000_100


@pytest.fixture(scope="module")
def analyzer() -> InsightFaceAnalyzer:
    return InsightFaceAnalyzer("lab", PACK, 640)


def found(analyzer: InsightFaceAnalyzer, *images: np.ndarray) -> Faces:
    return detect(torch.stack([torch.from_numpy(image) for image in images]), analyzer)


def portrait(person: Identity, seed: int) -> np.ndarray:
    """A photo of a person, in the seed's scene."""
    scene = original_scene(np.random.default_rng(seed))
    return render(person, replace(scene, placement=sized(scene.placement, person)), 128).image


def test_five_people_and_five_photos_in_any_order(analyzer: InsightFaceAnalyzer) -> None:
    """Each face is read once; then the photos come, and the people stand, in 50 orders."""
    group = group_picture(SEED, 5, size=192, photo_size=128, drift="small")
    edit = found(analyzer, group.edited.image)
    photos = found(analyzer, *(photo.image for photo in group.originals if photo is not None))
    middles = [person.landmarks.mean(0) for person in group.edited.people]
    who = {id(face): int(np.argmin([np.hypot(*(face.points.mean(0) - middle)) for middle in middles]))
           for face in edit.faces}
    for seed in range(50):
        order, places = np.random.default_rng(seed).permuted([range(5)] * 2, axis=1)
        shown = Faces(tuple(replace(photos.faces[i], frame=k) for k, i in enumerate(order)), 5, photos.image_size)
        stood = Faces(tuple(edit.faces[i] for i in places), 1, edit.image_size)
        pairs = match(shown, stood, MatchConfig()).pairs
        assert len(pairs) == 5 and all(who[id(pair.edited)] == order[pair.original.frame] for pair in pairs)


def test_of_two_look_alikes_the_match_is_doubtful(analyzer: InsightFaceAnalyzer) -> None:
    person = triple_identity(SEED)
    twin = drift_identity(person, 0.15, np.random.default_rng(1))
    photos = found(analyzer, portrait(person, 1), portrait(twin, 1), portrait(triple_identity(SEED + 1), 2))
    apart = MatchConfig(same_person=1.0)  # three people
    (pair,) = match(photos, found(analyzer, portrait(person, 3)), apart).pairs
    assert pair.rival is not None and pair.rival.face in photos.faces[:2]
    (alone,) = match(found(analyzer, portrait(person, 1), portrait(triple_identity(SEED + 1), 2)),
                     found(analyzer, portrait(person, 3)), apart).pairs
    assert alone.rival is None


def test_two_strangers_alone_are_not_swapped(analyzer: InsightFaceAnalyzer) -> None:
    photo = found(analyzer, portrait(triple_identity(SEED), 0))
    for other in (1, 4):
        result = match(photo, found(analyzer, portrait(triple_identity(SEED + other), other)), MatchConfig())
        assert result.pairs == () and len(result.refused) == 1
