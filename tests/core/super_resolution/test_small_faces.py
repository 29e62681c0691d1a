"""A small face with photos of its person: placed, measured, given back without a model, and never made worse."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("insightface")

from editedid_core.appearance.damage import measure_damage
from editedid_core.config import SMALL_FACE
from editedid_core.crops.register import register
from editedid_core.engines.super_resolution.engine import SuperResolutionEngine
from editedid_core.faces.analyzers.insightface_backend import InsightFaceAnalyzer
from editedid_core.records import FaceCrop, FacePairs
from editedid_core.restore.caution import small_cautions
from editedid_core.restore.reference_photos import agreement, find_person
from editedid_core.restore.report import Decision, Restoration
from editedid_core.restore.runner import restore
from editedid_core.restore.small_face import find_small, pair_small, trust_in
from lab.bench.measures import face_psnr
from lab.portraits import triple_split
from lab.portraits.small_faces import Damage, SmallFace, childhood_photo, make_small_face

PACK = Path(__file__).resolve().parents[3] / "lab" / "models" / "insightface" / "lab"
SEEDS = triple_split("tune", 3)


@pytest.fixture(scope="module")
def analyzer() -> InsightFaceAnalyzer:
    return InsightFaceAnalyzer("lab", PACK, 320)


@pytest.fixture(scope="module")
def faces() -> list[SmallFace]:
    """Three people at 8 times, with three photos each."""
    return [make_small_face(seed, 8, photos=3, gallery=0) for seed in SEEDS]


def batch(*pictures: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.stack(pictures).astype(np.float32))


def run(analyzer: InsightFaceAnalyzer, image: np.ndarray, *photos: np.ndarray, **changes: object) -> Restoration:
    """Super-resolution by bands alone."""
    config = SMALL_FACE.changed({"crop.size": 128, "super_resolution.surroundings": "keep",
                                 **{name.replace("__", "."): value for name, value in changes.items()}})
    return restore(batch(*photos), batch(image), analyzer, SuperResolutionEngine(config.super_resolution), config)


def off(points: np.ndarray, truth: np.ndarray) -> float:
    """Mean distance of five points in eye distances."""
    return float(np.linalg.norm(points - truth, axis=1).mean() / np.linalg.norm(truth[1] - truth[0]))


def test_photos_place_a_face_that_nothing_else_finds(faces: list[SmallFace]) -> None:
    start, placed = [], []
    for face in faces[:2]:
        truth = face.truth.landmarks
        guess = truth + 0.15 * (truth[1] - truth[0])
        shots = [(torch.from_numpy(shot.image), shot.landmarks) for shot in face.photos]
        done = register(torch.from_numpy(face.small), guess, shots, 16)
        start.append(off(guess, truth))
        placed.append(off(done.points, truth))
        assert 0 < done.spread < 0.3 and sum(done.shares) == pytest.approx(1)
    assert np.mean(placed) < 0.85 * np.mean(start)


def test_the_same_face_is_placed_the_same_again(faces: list[SmallFace]) -> None:
    shots = [(torch.from_numpy(faces[0].photos[0].image), faces[0].photos[0].landmarks)]
    once, again = (register(torch.from_numpy(faces[0].small), faces[0].truth.landmarks, shots, 16) for _ in range(2))
    assert np.array_equal(once.points, again.points) and once.spread == again.spread


def test_without_a_box_the_middle_is_taken_and_with_one_the_box(analyzer: InsightFaceAnalyzer) -> None:
    blank = torch.full((1, 60, 100, 3), 0.5)
    (face,) = find_small(blank, analyzer, SMALL_FACE.find).faces
    assert face.embedding is None
    assert 45 < face.points[2][0] < 55
    (boxed,) = find_small(blank, analyzer, SMALL_FACE.find, {"x": 10, "y": 10, "width": 20, "height": 24}).faces
    assert 15 < boxed.points[2][0] < 25


@pytest.mark.parametrize("factor", [4, 8, 16])
def test_true_pixels_are_counted(factor: int) -> None:
    found = [measure_damage(torch.from_numpy(make_small_face(seed, factor, photos=0, gallery=0).small)).true_pixels
             for seed in SEEDS]
    assert abs(np.log2(np.mean(found) * factor / 128)) < 0.5


def test_noise_and_compression_lower_trust(faces: list[SmallFace]) -> None:
    hard = make_small_face(SEEDS[0], 8, Damage(20 / 255, 25), photos=0, gallery=0)
    clean, noisy = (measure_damage(torch.from_numpy(one.small)) for one in (faces[0], hard))
    assert noisy.error > 2 * clean.error
    assert trust_in(noisy, 16) < 0.7 * trust_in(clean, 16)
    assert trust_in(clean, 64) > 0.9 > 0.5 > trust_in(clean, 16)


def test_a_small_face_gets_its_person_back_and_the_rest_stays(analyzer: InsightFaceAnalyzer,
                                                              faces: list[SmallFace]) -> None:
    face = faces[0]
    done = run(analyzer, face.small, *(shot.image for shot in face.photos))
    (report,) = done.faces
    assert report.accepted and report.id_similarity_after is not None
    assert report.id_similarity_after > max(0.4, report.id_similarity_before + 0.2)
    assert done.outside_pixels_changed == 0 and done.mode == "photo and bands"
    assert torch.equal(done.image[done.mask == 0], batch(face.small)[done.mask == 0])


def test_photos_of_somebody_else_are_left_out_and_named(analyzer: InsightFaceAnalyzer, faces: list[SmallFace]) -> None:
    face, stranger = faces[0], faces[1].photos[0].image
    done = run(analyzer, face.small, face.photos[0].image, stranger, face.photos[1].image)
    assert [note for note in done.notes if "another person" in note and "picture 2" in note]
    alone = run(analyzer, face.small, face.photos[0].image, face.photos[1].image)
    assert torch.equal(done.image, alone.image)


def paired(analyzer: InsightFaceAnalyzer, image: np.ndarray, *photos: np.ndarray) -> FacePairs:
    """Who is who, and where the small face lies."""
    seen = find_person(batch(*photos), analyzer, SMALL_FACE.find)
    here = find_small(batch(image), analyzer, SMALL_FACE.find)
    return pair_small(batch(*photos), batch(image), seen, here, SMALL_FACE, analyzer=analyzer)


def flags(pairs: FacePairs) -> bool:
    """Whether the small face is said to be somebody else's."""
    (pair,) = pairs.pairs
    crop = FaceCrop(pair, np.eye(2, 3), np.eye(2, 3), 128, 0)
    return any("looks like another person's" in one for one in small_cautions(pair, crop))


def test_where_as_many_photos_show_somebody_else_the_small_face_decides(analyzer: InsightFaceAnalyzer,
                                                                        faces: list[SmallFace]) -> None:
    found = paired(analyzer, faces[0].small, faces[1].photos[0].image, faces[0].photos[0].image)
    assert found.pairs[0].original.frame == 1 and [face.frame for face in found.unmatched_original] == [0]
    (note,) = found.notes
    assert "2 people, as many of each: face 1 of picture 2" in note
    assert not flags(found)


def test_photos_of_a_wrong_person_are_flagged(analyzer: InsightFaceAnalyzer, faces: list[SmallFace]) -> None:
    """Not every one is: a handful of pixels does not always tell (docs/SUPER_RESOLUTION.md has the rates)."""
    assert flags(paired(analyzer, faces[1].small, faces[2].photos[0].image))


def test_a_childs_photo_among_an_adults_is_flagged(analyzer: InsightFaceAnalyzer, faces: list[SmallFace]) -> None:
    first, second = (shot.image for shot in faces[0].photos[:2])
    seen = find_person(batch(first, childhood_photo(SEEDS[0]).image, second), analyzer, SMALL_FACE.find)
    (note,) = agreement(seen, SMALL_FACE.match.same_person).notes
    assert "picture 2" in note and "another age" in note


def test_one_photo_is_enough_and_the_report_says_what_it_costs(analyzer: InsightFaceAnalyzer,
                                                               faces: list[SmallFace]) -> None:
    done = run(analyzer, faces[0].small, faces[0].photos[0].image)
    assert done.faces[0].accepted
    assert any("one photo" in warning for warning in done.faces[0].warnings)


@pytest.mark.parametrize("factor", [1, 2])
def test_mild_damage_costs_nothing_good(analyzer: InsightFaceAnalyzer, factor: int) -> None:
    """Where the picture holds most of the face, it stays as it is."""
    face = make_small_face(SEEDS[0], factor, photos=1, gallery=0)
    done = run(analyzer, face.small, face.photos[0].image)
    assert torch.equal(done.image, batch(face.small))
    assert done.faces[0].decision is Decision.KEPT_SHARP


def test_moderate_damage_costs_no_fidelity(analyzer: InsightFaceAnalyzer) -> None:
    """At 4 times the face's own pixels are kept, and the guard takes the photo's detail only if it helps."""
    face = make_small_face(SEEDS[0], 4, photos=2, gallery=0)
    done = run(analyzer, face.small, *(shot.image for shot in face.photos), super_resolution__scale=4.0)
    truth, mask = face.truth.image, face.truth.masks.face
    assert face_psnr(done.image[0].numpy(), truth, mask) > face_psnr(face.small, truth, mask) - 0.3
