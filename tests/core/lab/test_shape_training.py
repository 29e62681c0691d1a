"""Training of the dense landmarks and of the shape model: what they learn from is right, and a toy run learns it."""
from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from editedid_core.geometry.affine import apply, fit_similarity
from editedid_core.geometry.landmarks import MIRRORED
from lab import portraits
from lab.train import landmarks, shape_model
from lab.train.parallel import batches

UNSEEN = 45_000_000


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> tuple[np.ndarray, np.ndarray]:
    """A few portraits and their dense points, as the training has them."""
    return landmarks.shots(tmp_path_factory.mktemp("shots"), 4, UNSEEN)


def test_the_mirror_order_is_its_own_inverse_and_keeps_the_parts() -> None:
    order = MIRRORED
    assert np.array_equal(order[order], np.arange(68))
    for part in (slice(0, 17), slice(17, 27), slice(27, 36), slice(36, 48), slice(48, 60), slice(60, 68)):
        assert set(order[part]) == set(np.arange(68)[part])
    frontal = portraits.render(portraits.triple_identity(5), portraits.Scene(portraits.Placement()), 128).dense
    mirrored = (frontal * [-1, 1])[order]
    off = apply(fit_similarity(mirrored, frontal), mirrored) - frontal
    assert np.linalg.norm(off, axis=1).max() < 0.15 * shape_model.eyes_apart(frontal)


def test_shots_are_kept_and_read_again(tmp_path: Path, few: tuple[np.ndarray, np.ndarray],
                                       monkeypatch: pytest.MonkeyPatch) -> None:
    first = landmarks.shots(tmp_path, 2, UNSEEN)
    assert np.array_equal(first[0], few[0][:2]) and np.array_equal(first[1], few[1][:2])
    monkeypatch.setattr(landmarks, "spread", None)  # drawing again would be an error
    again = landmarks.shots(tmp_path, 2, UNSEEN)
    assert np.array_equal(first[0], again[0]) and np.array_equal(first[1], again[1])


def test_the_square_is_insightfaces() -> None:
    face_align = pytest.importorskip("insightface.utils.face_align")
    box = np.array([40.0, 30.0, 110.0, 132.0])
    side = landmarks.SIDE
    scale = side / (landmarks.MARGIN * 102)
    _, matrix = face_align.transform(np.zeros((192, 192, 3), np.uint8), (75.0, 81.0), side, scale, 0)
    assert landmarks.square(box) == pytest.approx(matrix, abs=1e-6)


@pytest.mark.parametrize("clean", [True, False])
def test_points_lie_on_the_face_in_every_square(few: tuple[np.ndarray, np.ndarray], clean: bool) -> None:
    """Dots drawn at the landmarks are found at the places that the network is to answer with."""
    points = few[1]
    dots = np.zeros((*few[0].shape[:3], 3), np.uint8)
    for picture, dense in zip(dots, points, strict=True):
        for channel, index in enumerate((36, 45, 8)):
            y, x = np.mgrid[:picture.shape[0], :picture.shape[1]]
            spot = np.exp(-((x - dense[index, 0]) ** 2 + (y - dense[index, 1]) ** 2) / 12)
            picture[..., channel] = np.round(255 * spot)
    draw = landmarks.Draw(dots, points, 4, 1, clean)
    turns = 0
    for step in range(1 if clean else 3):
        squares = draw(step)
        assert squares.pictures.shape == (4, 3, landmarks.SIDE, landmarks.SIDE)
        for picture, places in zip(squares.pictures, squares.points, strict=True):
            where = (places + 1) * landmarks.SIDE / 2
            for channel, index in enumerate((36, 45, 8)):
                y, x = np.unravel_index(int(picture[channel].argmax()), picture.shape[1:])
                nearest = min(np.hypot(*(where[i] - (x, y))) for i in (index, MIRRORED[index]))
                assert nearest < 4
                turns += int(np.hypot(*(where[index] - (x, y))) >= 4)
    assert (turns == 0) == clean  # some are mirrored


def test_batches_are_the_same_with_workers_and_without(few: tuple[np.ndarray, np.ndarray]) -> None:
    draw = landmarks.Draw(*few, 2, 1)
    here, ahead = batches(draw, 5, workers=0), batches(draw, 5, workers=1)
    first, second = ((next(here), next(ahead)) for _ in range(2))
    for alone, spread_out in (first, second):
        assert np.array_equal(alone.pictures, spread_out.pictures)
        assert np.array_equal(alone.points, spread_out.points)
    assert not np.array_equal(first[0].pictures, second[0].pictures)


def test_the_landmarks_command_leaves_a_network_that_insightface_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    model_zoo = pytest.importorskip("insightface.model_zoo")
    shots = landmarks.shots
    monkeypatch.setattr(landmarks, "shots", lambda cache, count, *rest: shots(cache, min(count, 4), *rest))
    out = tmp_path / "landmarks.onnx"
    monkeypatch.setattr(sys, "argv", ["landmarks", "--out", str(out), "--cache", str(tmp_path / "cache"), "--seconds",
                                      "1", "--pictures", "4", "--batch", "2", "--device", "cpu"])
    landmarks.main()
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["steps"] >= 1 and np.isfinite(told["error_all"])
    model = model_zoo.get_model(str(out), providers=["CPUExecutionProvider"])
    assert model.taskname == "landmark_2d_68"
    assert (tmp_path / "cache" / "landmarks.pt").is_file()


def triples(count: int) -> np.ndarray:
    return np.stack([shape_model._shapes(UNSEEN + i) for i in range(count)])


def test_the_mean_shape_is_symmetric_level_and_of_eyes_one_apart() -> None:
    mean = shape_model.mean_shape(triples(12)[:, 0])
    assert shape_model.eyes_apart(mean) == pytest.approx(1)
    assert mean.mean(0) == pytest.approx([0, 0], abs=1e-9)
    mirrored = (mean * [-1, 1])[MIRRORED]
    assert mirrored == pytest.approx(mean, abs=0.02)
    assert mean[8, 1] > mean[33, 1] > mean[27, 1]


def test_a_model_of_a_few_hundred_faces_already_tells_the_person_from_the_pose(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    from editedid_core.geometry import face_model

    out = tmp_path / "model.safetensors"
    monkeypatch.setattr(sys, "argv", ["shape_model", "--out", str(out), "--triples", "100", "--workers", "0"])
    shape_model.main()
    assert str(out) in capsys.readouterr().out
    assert {name: value.shape for name, value in load_file(str(out)).items()} == {
        "mean": (68, 2), "person": (136, 136), "axes": (shape_model.AXES, 136), "spread": (shape_model.AXES + 1,)}
    fresh = face_model._model.__wrapped__  # the shipped model may have been read before
    monkeypatch.setattr(face_model, "MODEL", out)
    monkeypatch.setattr(face_model, "_model", fresh)
    before, after = [], []
    for photo, drifted, ideal in triples(12):
        assert face_model.known(photo, drifted) > 0.9
        rough = np.random.default_rng(1).normal(0, 0.05 * shape_model.eyes_apart(drifted), drifted.shape)
        assert face_model.known(photo, drifted + rough) < 0.1
        before.append(np.linalg.norm(drifted - ideal, axis=1).mean())
        after.append(np.linalg.norm(face_model.person_in_pose(photo, drifted) - ideal, axis=1).mean())
    assert np.mean(after) < 0.8 * np.mean(before)
