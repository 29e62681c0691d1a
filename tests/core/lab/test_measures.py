"""Each measure of the quality benchmark: perfect for the truth, and moved the right way by one damage each."""
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from lab import portraits
from lab.bench import measures, table
from lab.bench.quality import TripleResult, further, resumed

SEED = 10_000_000  # an accessory triple of the tune split


@pytest.fixture(scope="module")
def triple() -> portraits.Triple:
    return portraits.make_triple(SEED, kind="accessory", drift="medium")


@pytest.fixture(scope="module")
def eyes(triple: portraits.Triple) -> float:
    return float(np.linalg.norm(triple.ideal.landmarks[1] - triple.ideal.landmarks[0]))


def inside(triple: portraits.Triple) -> np.ndarray:
    return (triple.ideal.masks.face > 0.5)[..., None]


def test_the_ideal_picture_is_perfect(triple: portraits.Triple, eyes: float) -> None:
    image, face = triple.ideal.image, triple.ideal.masks.face
    assert measures.face_psnr(image, image, face) == 60.0
    assert measures.face_ssim(image, image, face) == pytest.approx(1.0, abs=1e-6)
    assert measures.face_perceptual(image, image, face) == pytest.approx(0.0, abs=1e-6)
    assert measures.landmark_error(triple.ideal.landmarks, triple.ideal.landmarks) == 0.0
    assert measures.light_error(image, image, face, eyes) == 0.0
    assert measures.seam_error(image, image, face, eyes) == 0.0
    assert measures.element_error(image, image, triple.ideal.elements) == 0.0
    assert measures.recovery(0.9, 0.5, 0.9) == 1.0


def test_the_drifted_picture_scores_as_constructed(triple: portraits.Triple, eyes: float) -> None:
    drifted, ideal, face = triple.drifted.image, triple.ideal.image, triple.ideal.masks.face
    assert measures.recovery(0.5, 0.5, 0.9) == 0.0
    assert measures.outside_changed(drifted, drifted, face, eyes) == 0.0
    assert 10 < measures.face_psnr(drifted, ideal, face) < 40
    assert measures.face_ssim(drifted, ideal, face) < 0.99
    assert 0 < measures.landmark_error(triple.drifted.landmarks, triple.ideal.landmarks) < 0.3


def test_more_drift_is_further_away_in_every_picture_measure(eyes: float) -> None:
    def figures(drift: str) -> list[float]:
        triples = [portraits.make_triple(SEED + 6 * k, kind="background", drift=drift) for k in range(4)]
        rows = [(measures.face_psnr(t.drifted.image, t.ideal.image, t.ideal.masks.face),
                 measures.face_ssim(t.drifted.image, t.ideal.image, t.ideal.masks.face),
                 -measures.face_perceptual(t.drifted.image, t.ideal.image, t.ideal.masks.face)) for t in triples]
        return list(np.mean(rows, 0))

    assert all(small > large for small, large in zip(figures("small"), figures("large")))


def test_psnr_falls_with_noise_in_the_face_only(triple: portraits.Triple) -> None:
    image, face = triple.ideal.image, triple.ideal.masks.face
    noise = np.random.default_rng(0).normal(0, 0.05, image.shape).astype(np.float32)
    assert measures.face_psnr(image + noise * inside(triple), image, face) == pytest.approx(26, abs=0.5)
    assert measures.face_psnr(image + noise * ~(face > 0)[..., None], image, face) == 60.0


def test_ssim_falls_with_blur(triple: portraits.Triple) -> None:
    image, face = triple.ideal.image, triple.ideal.masks.face
    scores = [measures.face_ssim(ndimage.gaussian_filter(image, (s, s, 0)), image, face) for s in (0.5, 1.0, 2.0)]
    assert scores[0] > scores[1] > scores[2]


def test_perceptual_distance_grows_with_blur_and_ignores_light(triple: portraits.Triple) -> None:
    image, face = triple.ideal.image, triple.ideal.masks.face
    found = [measures.face_perceptual(ndimage.gaussian_filter(image, (s, s, 0)), image, face) for s in (0.5, 1.0, 2.0)]
    assert 0 < found[0] < found[1] < found[2]
    assert measures.face_perceptual(image + 0.1, image, face) < 1e-6


def test_landmark_error_is_a_share_of_the_eye_distance(triple: portraits.Triple, eyes: float) -> None:
    points = triple.ideal.landmarks
    assert measures.landmark_error(points + (0.1 * eyes, 0), points) == pytest.approx(0.1, abs=1e-4)
    assert measures.landmark_error(None, points) == measures.MISSED


def test_light_error_sees_light_and_not_detail(triple: portraits.Triple, eyes: float) -> None:
    image, face = triple.ideal.image, triple.ideal.masks.face
    noise = np.random.default_rng(0).normal(0, 0.05, image.shape).astype(np.float32)
    brighter = measures.light_error(image + 0.1, image, face, eyes)
    assert brighter == pytest.approx(0.1, rel=0.1)
    assert measures.light_error(image + noise, image, face, eyes) < 0.1 * brighter


def test_seam_error_sees_a_cut_along_the_face_and_not_a_change_within(triple: portraits.Triple, eyes: float) -> None:
    image, face = triple.ideal.image, triple.ideal.masks.face
    cut = image + 0.1 * inside(triple)
    middle = ndimage.distance_transform_edt(face > 0.5) > 0.5 * eyes
    assert measures.seam_error(cut, image, face, eyes) > 0.005
    assert measures.seam_error(image + 0.1 * middle[..., None], image, face, eyes) == pytest.approx(0, abs=1e-6)


def test_element_error_sees_only_the_elements(triple: portraits.Triple) -> None:
    image, elements = triple.ideal.image, triple.ideal.elements
    assert elements.sum() > 20
    assert measures.element_error(image + 0.1 * elements[..., None], image, elements) > 0.05
    assert measures.element_error(image + 0.1 * (elements == 0)[..., None], image, elements) == 0.0
    assert np.isnan(measures.element_error(image, image, np.zeros_like(elements)))


def test_outside_changed_counts_pixels_away_from_the_face(triple: portraits.Triple, eyes: float) -> None:
    image, face = triple.drifted.image, triple.drifted.masks.face
    touched = image.copy()
    touched[:4] += 0.1
    assert measures.outside_changed(touched, image, face, eyes) > 0
    assert measures.outside_changed(image + 0.1 * (face > 0.5)[..., None], image, face, eyes) == 0.0
    assert measures.outside_changed(image + 1e-7, image, face, eyes) == 0.0


def test_recovery_is_the_share_of_the_lost_likeness() -> None:
    assert measures.recovery(0.7, 0.5, 0.9) == pytest.approx(0.5)
    assert measures.recovery(0.3, 0.5, 0.9) < 0
    assert np.isnan(measures.recovery(0.7, 0.9, 0.9))


DRIFTED = {"recovery_b": 0.0, "identity_b": 0.5, "outside_changed": 0.0, "landmark_error": 0.05, "light_error": 0.02,
           "seam_error": 0.01, "realism_error": 0.1, "element_error": float("nan")}


def test_restored_whole_needs_every_part() -> None:
    good = DRIFTED | {"recovery_b": 0.7}
    assert measures.restored_whole(good, DRIFTED)
    assert not measures.restored_whole(DRIFTED, DRIFTED)
    for name, worse in (("recovery_b", 0.59), ("outside_changed", 0.001), ("landmark_error", 0.07),
                        ("light_error", 0.023), ("seam_error", 0.012), ("realism_error", 0.12)):
        assert not measures.restored_whole(good | {name: worse}, DRIFTED), name
    assert measures.restored_whole(good | {"landmark_error": 0.064, "light_error": 0.0219}, DRIFTED)


def test_groups_hold_the_means_of_their_own_triples() -> None:
    values = {"paste": {m: np.array([0.0, 1.0, 3.0]) for m in table.MEASURES}}
    within = np.array([False, True, True])
    rows = table.by_group(values, [("kind light", within), ("all", np.ones(3, bool))]).splitlines()[2:]
    assert rows[0].split(" | ")[:4] == ["| kind light", "2", "paste", "2.000"]
    assert rows[1].split(" | ")[:4] == ["| all", "3", "paste", "1.333"]
    assert table.summary(table.part(values, within))["paste"]["joint_rate"]["mean"] == 2.0


def test_faces_further_from_the_person_are_listed_by_recogniser() -> None:
    gains = {1: (0.2, -0.1), 2: (0.0, 0.0), 3: (-0.1, 0.3), 4: (-0.2, -0.2)}  # 2 kept the edit: no further
    results = [TripleResult(seed, "", (), {"default": {"gain_a": a, "gain_b": b}}, {})
               for seed, (a, b) in gains.items()]
    assert further(results, ["default"]) == {"default": {"a": [3, 4], "b": [1, 4]}}


def test_a_broken_off_run_goes_on(tmp_path: Path) -> None:
    asked: list[list[str]] = []

    def run(names: list[str]) -> TripleResult:
        asked.append(names)
        return TripleResult(7, "7", ("kind light",), {name: {"recovery_b": float("nan")} for name in names}, {})

    file = tmp_path / "here" / "7.json"
    resumed(file, ["paste"], run)
    again = resumed(file, ["poisson", "paste"], run)
    assert asked == [["paste"], ["poisson"]]
    assert list(again.figures) == ["poisson", "paste"] and np.isnan(again.figures["paste"]["recovery_b"])
    assert (again.seed, again.groups) == (7, ("kind light",))


def test_a_face_that_a_recogniser_does_not_see_has_no_likeness() -> None:
    nobody = np.full(1, np.nan, np.float32)
    assert np.isnan(measures.cosine(nobody, np.ones(128, np.float32)))
    assert np.isnan(measures.recovery(0.5, float("nan"), 0.9))
