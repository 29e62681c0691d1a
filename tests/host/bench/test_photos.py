"""Several photos of one person on the lab's models: one chosen, or all together in the detail gate."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lab.bench.conditions import Condition, make, more_photos
from lab.bench.diffusion import DiffusionMethods
from lab.bench.quality import MODELS
from lab.inprocess import Host

SEED = 10_000_003
STEPS = 2
VALUES: dict[str, Any] = {"sampling.steps": STEPS, "sampling.strength": 1.0, "guard.enabled": False}


@pytest.fixture(scope="module")
def methods(host: Host, request: Any) -> DiffusionMethods:
    methods = DiffusionMethods(getattr(request, "param", "dit"), MODELS, host)
    methods.crop_size //= 2  # nothing here is about how good a face becomes
    return methods


@pytest.fixture(scope="module")
def pictures() -> tuple[list[np.ndarray], np.ndarray]:
    condition = Condition(photos=3)
    triple = make(SEED, condition)
    return [triple.original.image, *(p.image for p in more_photos(SEED, condition))], triple.drifted.image


@pytest.mark.parametrize(("methods", "mode"), [("unet", "replay"), ("dit", "lock-step")], indirect=["methods"])
def test_each_further_photo_costs_one_evaluation_a_step_and_changes_the_face(
        methods: DiffusionMethods, pictures: tuple[list[np.ndarray], np.ndarray], mode: str) -> None:
    photos, edited = pictures
    results = {}
    for choice in ("nearest pose", "all together"):
        results[choice] = methods.restore(photos, edited, {**VALUES, "sampling.mode": mode, "match.photos": choice})
    chosen, together = (results[choice][1]["network_evaluations"] for choice in ("nearest pose", "all together"))
    assert together == chosen + 2 * STEPS
    assert not np.array_equal(results["nearest pose"][0], results["all together"][0])


def test_a_single_photo_is_the_same_whatever_is_chosen(methods: DiffusionMethods,
                                                       pictures: tuple[list[np.ndarray], np.ndarray]) -> None:
    photos, edited = pictures
    first, second = (methods.restore(photos[:1], edited, {**VALUES, "match.photos": choice})
                     for choice in ("likest", "all together"))
    assert np.array_equal(first[0], second[0])
    assert first[1]["network_evaluations"] == second[1]["network_evaluations"]


def test_a_small_face_is_told_in_the_report(methods: DiffusionMethods) -> None:
    values = {**VALUES, "engine": "composite", "crop.size": 2 * methods.crop_size}
    triple = make(SEED, Condition(eyes=12))
    _, report = methods.restore([triple.original.image], triple.drifted.image, values)
    assert any("enlarge the edited picture" in warning for warning in report["faces"][0]["warnings"])
    plain = make(SEED, Condition())
    _, report = methods.restore([plain.original.image], plain.drifted.image, values)
    assert not any("small" in warning for warning in report["faces"][0]["warnings"])
