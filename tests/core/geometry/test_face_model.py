"""What of two faces' difference in shape is the person, told on people that no training saw."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file

from editedid_core.geometry.affine import apply, fit_similarity
from editedid_core.geometry.face_model import MODEL, known, person_in_pose
from editedid_core.geometry.landmarks import COUNT, MIRRORED
from lab import portraits
from lab.people3d.geometry_only import landmark_triples

MOST = 0.3
"""Eye distances of the mean shape that a point may be moved."""


@pytest.fixture(scope="module")
def triples() -> list[portraits.Triple]:
    return [portraits.make_triple(seed, size=64) for seed in portraits.triple_split("tune", 60)]


def shapes(triple: portraits.Triple) -> tuple[np.ndarray, ...]:
    """Photo, drifted edit and true edit, (68, 2) each."""
    return tuple(shot.dense.astype(np.float64) for shot in (triple.original, triple.drifted, triple.ideal))


def away(shape: np.ndarray, truth: np.ndarray) -> float:
    return float(np.linalg.norm(shape - truth, axis=1).mean())


@pytest.mark.parametrize("keeps_pose", [True, False])
def test_an_edit_comes_closer_to_the_person(triples: list[portraits.Triple], keeps_pose: bool) -> None:
    """Also where pose and expression changed, which a copy of the photo's shape would undo."""
    before, after, copied = [], [], []
    for triple in triples:
        if triple.keeps_pose == keeps_pose:
            photo, edit, ideal = shapes(triple)
            before.append(away(edit, ideal))
            after.append(away(person_in_pose(photo, edit), ideal))
            copied.append(away(apply(fit_similarity(photo, edit), photo), ideal))
    assert len(before) > 10
    assert np.sum(after) < 0.65 * np.sum(before)
    assert keeps_pose or np.sum(after) < np.sum(copied)


@settings(deadline=None, max_examples=20)
@given(st.floats(0.2, 5), st.floats(-3.1, 3.1), st.floats(-500, 500), st.floats(-500, 500))
def test_size_place_and_roll_are_no_person(triples: list[portraits.Triple], scale: float, angle: float, x: float,
                                           y: float) -> None:
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    turn = np.array([[c, -s, x], [s, c, y]])
    photo, edit, _ = shapes(triples[1])
    assert person_in_pose(apply(turn, edit), edit) == pytest.approx(edit, abs=1e-6)
    # and where the shapes differ, the answer does not depend on where the faces lie
    assert person_in_pose(apply(turn, photo), edit) == pytest.approx(person_in_pose(photo, edit), abs=1e-6)
    assert person_in_pose(photo, apply(turn, edit)) == pytest.approx(apply(turn, person_in_pose(photo, edit)), abs=1e-5)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 99), st.floats(0.01, 50))
def test_no_point_moves_further_than_allowed(triples: list[portraits.Triple], seed: int, shake: float) -> None:
    _, edit, _ = shapes(triples[0])
    photo = edit + np.random.default_rng(seed).normal(0, shake, edit.shape)
    to_mean = fit_similarity(edit, load_file(str(MODEL))["mean"])
    moved = np.linalg.norm(apply(to_mean, person_in_pose(photo, edit)) - apply(to_mean, edit), axis=1)
    assert moved.max() <= MOST + 1e-9
    assert shake < 20 or moved.max() > 0.1  # the bound is what holds it


def test_the_mirrored_photo_gives_the_mirrored_shape(triples: list[portraits.Triple]) -> None:
    """The model has no favourite side: learnt on both, it answers alike within a hundredth of the eye distance."""
    def mirrored(shape: np.ndarray) -> np.ndarray:
        return (shape * [-1, 1])[MIRRORED]

    for triple in triples[:8]:
        photo, edit, _ = shapes(triple)
        eyes = np.linalg.norm(edit[42:48].mean(0) - edit[36:42].mean(0))
        answer = mirrored(person_in_pose(mirrored(photo), mirrored(edit)))
        assert np.linalg.norm(answer - person_in_pose(photo, edit), axis=1).mean() < 0.01 * eyes


def test_the_model_is_a_small_file_with_a_face_of_eyes_one_apart() -> None:
    model = load_file(str(MODEL))
    assert model["person"].shape == (2 * COUNT, 2 * COUNT)
    mean = model["mean"]
    assert np.linalg.norm(mean[42:48].mean(0) - mean[36:42].mean(0)) == pytest.approx(1, abs=1e-3)
    assert MODEL.stat().st_size < 50_000


def test_drawn_people_are_known_wherever_they_lie(triples: list[portraits.Triple]) -> None:
    """Also as a detector sees them, a hundredth of the eye distance off."""
    rng = np.random.default_rng(4)
    turn = np.array([[0.3, -2.0, 40.0], [2.0, 0.3, -7.0]])
    for triple in triples:
        photo, edit, _ = (shape + rng.normal(0, 0.012 * np.linalg.norm(shape[45] - shape[36]) / 1.4, shape.shape)
                          for shape in shapes(triple))
        assert known(photo, edit) > 0.7
        assert known(apply(turn, photo), edit) == pytest.approx(known(photo, edit), abs=1e-6)
    assert np.mean([known(*shapes(triple)[:2]) for triple in triples]) > 0.98


def test_other_people_are_strange_even_beside_a_drawn_one(triples: list[portraits.Triple]) -> None:
    """Rendered people, who stand for photographed ones: those may not be shown here."""
    rendered = landmark_triples(range(100), torch.Generator().manual_seed(1)).numpy().astype(np.float64)
    drawn = shapes(triples[0])[0]
    assert np.mean([known(photo, edit) for photo, edit, _ in rendered]) < 0.02
    assert np.mean([known(drawn, edit) for _, edit, _ in rendered]) < 0.05
    assert np.mean([known(photo, drawn) for photo, _, _ in rendered]) < 0.05
