"""The shipped judges on people they never saw: the detector's points, both recognisers, the critic's ranking."""
from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("insightface")

from editedid_core.faces.analyzers.insightface_backend import InsightFaceAnalyzer
from editedid_core.geometry.affine import crop_frame, fit_similarity
from lab import portraits
from lab.bench.judges import MODELS, Judges
from lab.bench.measures import cosine, landmark_error
from lab.train.damage import Layers, damaged

UNSEEN = 41_000_000
"""Seeds of persons that no split and no training has."""


@pytest.fixture(scope="module")
def judges() -> Judges:
    return Judges.open()


@pytest.fixture(scope="module")
def triples() -> list[portraits.Triple]:
    return [portraits.make_triple(UNSEEN + 7 * k) for k in range(24)]


def test_insightface_itself_loads_the_pack_and_finds_the_faces(
    triples: list[portraits.Triple], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from insightface.app import FaceAnalysis

    shutil.copytree(MODELS / "insightface" / "lab", tmp_path / "models" / "lab")
    monkeypatch.chdir(tmp_path)  # insightface takes a folder named as the pack in the current one for the pack
    app = FaceAnalysis(name="lab", root=str(tmp_path), providers=["CPUExecutionProvider"])
    app.prepare(ctx_id=-1)
    assert set(app.models) == {"detection", "recognition", "landmark_2d_68"}
    for triple in triples[:4]:
        found = app.get(_bgr(triple.original.image))
        assert len(found) == 1
        assert landmark_error(found[0].kps, triple.original.landmarks) < 0.12
        assert dense_error(found[0].landmark_2d_68, triple.original.dense) < 0.06
        assert found[0].normed_embedding.shape == (len(triple.original.identity.vector()),)


def dense_error(found: np.ndarray, truth: np.ndarray) -> float:
    """Mean distance of 68 points from the truth, as a share of the eye distance."""
    eyes = np.linalg.norm(truth[42:48].mean(0) - truth[36:42].mean(0))
    return float(np.linalg.norm(found - truth, axis=1).mean() / eyes)


def test_dense_landmarks_are_within_two_percent_of_the_eye_distance(triples: list[portraits.Triple]) -> None:
    """Through the pack's own analyzer, from the picture to the picture's pixels."""
    analyzer = InsightFaceAnalyzer("lab", MODELS / "insightface" / "lab", 320)
    errors = []
    for triple in triples[:12]:
        picture = np.ascontiguousarray(_bgr(triple.ideal.image)[..., ::-1])
        face = max(analyzer.find(picture), key=lambda face: face.score)
        assert face.dense is not None and face.dense.shape == (68, 2)
        errors.append(dense_error(face.dense, triple.ideal.dense))
    assert np.mean(errors) < 0.02
    assert max(errors) < 0.06


def _bgr(image: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(np.round(image[..., ::-1] * 255).astype(np.uint8))


def test_the_points_are_within_two_percent_of_the_eye_distance(
    judges: Judges, triples: list[portraits.Triple]
) -> None:
    errors = []
    for triple in triples:
        for shot in (triple.original, triple.ideal, triple.drifted):
            errors.append(landmark_error(judges.points(shot.image), shot.landmarks))
    assert max(errors) < 0.5, "a face was missed"
    assert np.mean(errors) < 0.02


def test_every_face_of_a_group_is_found(judges: Judges) -> None:
    group = portraits.group_picture(UNSEEN, 4, size=256)
    boxes, points = judges.detector.detect(_bgr(group.truth.image), input_size=(640, 640))
    assert len(boxes) == 4
    for person in group.truth.people:
        assert min(landmark_error(found, person.landmarks) for found in points) < 0.2


@pytest.mark.parametrize("which", [0, 1], ids=["a", "b"])
def test_people_are_told_apart_across_scenes(judges: Judges, which: int) -> None:
    shots = []
    for person in range(16):
        rng = np.random.default_rng((UNSEEN, person))
        who = portraits.sample_identity(rng)
        scenes = [portraits.render(who, portraits.crop_scene(rng)) for _ in range(3)]
        shots.append([judges.identity(shot.image, shot.landmarks)[which] for shot in scenes])
    same = [cosine(row[i], row[j]) for row in shots for i, j in ((0, 1), (0, 2), (1, 2))]
    other = [cosine(a, b) for i, row in enumerate(shots) for after in shots[i + 1:] for a in row for b in after]
    auc = np.mean(np.array(same)[:, None] > np.array(other)[None])
    assert auc >= 0.999  # a small sample; the cards hold the figure of a large one


@pytest.mark.parametrize("which", [0, 1], ids=["a", "b"])
def test_likeness_falls_as_a_face_drifts(judges: Judges, which: int) -> None:
    curves = []
    for person in range(10):
        rng = np.random.default_rng((UNSEEN + 1, person))
        who = portraits.sample_identity(rng)
        scene, other_scene = portraits.crop_scene(rng), portraits.crop_scene(rng)
        first = portraits.render(who, other_scene)
        truth = judges.identity(first.image, first.landmarks)[which]
        curve = []
        for distance in (0.0, 0.4, 0.7, 1.05):
            shot = portraits.render(portraits.drift_identity(who, distance, rng), scene)
            curve.append(cosine(truth, judges.identity(shot.image, shot.landmarks)[which]))
        curves.append(curve)
    means = np.mean(curves, 0)
    assert all(near > far for near, far in zip(means, means[1:])), means


def test_the_critic_ranks_damage(judges: Judges, triples: list[portraits.Triple]) -> None:
    given: dict[str, list[float]] = {"true": [], "ghost": [], "smear": [], "misaligned": [], "wrong_light": []}
    rng = np.random.default_rng(0)
    for triple in triples[:12]:
        points = triple.drifted.landmarks
        in_place = crop_frame(points, 192)
        back = np.linalg.inv(np.vstack([in_place, (0, 0, 1)]))[:2]
        moved = fit_similarity(points, triple.original.landmarks) @ np.vstack([in_place, (0, 0, 1)])
        both = Layers(
            _sampled(triple.drifted.image, in_place), _sampled(triple.original.image, moved),
            (points @ back[:, :2].T + back[:, 2]).astype(np.float32),
        )
        given["true"].append(judges.damage(both.edited, both.points))
        for kind in ("ghost", "smear", "misaligned", "wrong_light"):
            given[kind].append(judges.damage(damaged(both, kind, 0.6, rng)[0], both.points))
    means = {kind: np.mean(values) for kind, values in given.items()}
    assert all(value > 1.25 * means["true"] for kind, value in means.items() if kind != "true"), means
    assert means["misaligned"] > means["smear"] > means["ghost"], means


def _sampled(picture: np.ndarray, to_picture: np.ndarray) -> np.ndarray:
    import cv2

    return cv2.warpAffine(picture, to_picture, (192, 192), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                          borderMode=cv2.BORDER_REPLICATE)
