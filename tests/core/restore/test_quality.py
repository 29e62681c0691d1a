"""Qualities: one choice that sets others, several tries at a face, and which of them is the best."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest
import torch

from editedid_core.config import QUALITIES, RestoreConfig
from editedid_core.engines.edited_id.engine import TRIES, EditedIDEngine, Sampled
from editedid_core.engines.edited_id.settings import SampleSettings
from editedid_core.engines.protocol import FaceJob, FaceResult
from editedid_core.records import CropResult, PasteRecord
from editedid_core.restore.rank import MOVED, SEAM, rank, seam
from editedid_core.restore.report import Decision, FaceReport
from editedid_core.restore.runner import _Run

SIDE = 8
MASK = torch.linspace(0, 1, SIDE).expand(SIDE, SIDE)


def report(likeness: float | None, error: float | None = 0.0, decision: Decision = Decision.RESTORED) -> FaceReport:
    return FaceReport(0, (0.0, 0.0, 1.0, 1.0), 0.3, likeness, error, decision)


def job(**changes: Any) -> FaceJob:
    picture, mask = torch.full((1, SIDE, SIDE, 3), 0.5), torch.ones(SIDE, SIDE)
    return replace(FaceJob(picture, picture, picture[:0], mask, 0 * mask, 0.0, 0.0), **changes)


def test_a_quality_sets_what_it_says() -> None:
    plain = RestoreConfig()
    fast, standard, best = (replace(plain, quality=name).resolved() for name in QUALITIES)
    assert fast.sampling.steps == 1 and fast.tries == 1
    assert standard == replace(plain, quality="standard") and standard.tries == 1
    assert best.tries == len(TRIES) and best.sampling == plain.sampling
    assert fast.resolved() == fast and best.resolved() == best


def test_likeness_counts_less_what_moved_and_what_shows_at_the_rim() -> None:
    edited = torch.full((1, SIDE, SIDE, 3), 0.5)
    brighter = edited + 0.1 * (MASK < 1)[None, ..., None]
    assert seam(MASK, edited, edited) == 0 and seam(MASK, edited, brighter) == pytest.approx(0.1, abs=1e-6)
    inside = edited + 0.4 * (MASK == 1)[None, ..., None]
    assert seam(MASK, edited, inside) == 0  # the face itself is to change
    figure = rank(report(0.8, 0.05), MASK, edited, brighter)
    assert figure == pytest.approx(0.8 - MOVED * 0.05 - SEAM * 0.1, abs=1e-6)
    refused = rank(report(0.99, 0.0, Decision.KEPT_MOVED), MASK, edited, edited)
    assert refused < rank(report(0.1, 0.5), MASK, edited, brighter) and rank(report(None), MASK, edited, edited) < 0


def test_each_try_is_another_run() -> None:
    met: list[tuple[float, float, int]] = []

    def sample(original: Any, edited: Any, face: Any, element: Any, settings: SampleSettings, others: Any) -> Sampled:
        met.append((settings.strength, settings.freedom, settings.noise_seed))
        return Sampled(edited, 15, "given")

    engine = EditedIDEngine(lambda x: x, sample, lambda x: x, SampleSettings(strength=0.8, freedom=0.7, noise_seed=7),
                            detail=0.0)
    for attempt in range(len(TRIES)):
        engine.run(job(attempt=attempt))
    assert met[0] == (0.8, 0.7, 7) and len(set(met)) == len(TRIES)
    assert all(0 < strength <= 1 and 0 <= freedom <= 1 for strength, freedom, _ in met)
    assert {freedom for _, freedom, _ in met} == {0.0, 0.7, 1.0}


class Engine:
    """Gives a brighter crop in each try, and says what it cost."""

    def __init__(self, cost: int) -> None:
        self.cost = cost

    def run(self, job: FaceJob) -> FaceResult:
        return FaceResult(job.edited + 0.01 * job.attempt, self.cost, "given")


def test_the_default_budget_holds_all_tries() -> None:
    class Priced(Engine):
        def run(self, job: FaceJob) -> FaceResult:
            return replace(super().run(job), evaluations=round(15 * TRIES[job.attempt][0]))

    config, nothing = replace(RestoreConfig(), quality="best").resolved(), cast("Any", None)
    run = Judged(nothing, nothing, nothing, nothing, Priced(0), config, None, lambda: None, nothing)
    picture = torch.zeros(1, SIDE, SIDE, 3)
    crops = CropResult(picture, picture, MASK[None], MASK[None], PasteRecord((), MASK[None], (SIDE, SIDE), 1))
    assert run._best(job(), crops, 0, picture, None)[0].evaluations == config.most_evaluations == 60


class Judged(_Run):
    """A run whose guard gives the likeness of each try."""

    def _judge(self, crops: Any, i: int, before: Any, restored: torch.Tensor, least_gain: Any) -> FaceReport:
        return report((0.5, 0.7, 0.9, 0.6)[round(float(restored.mean() - 0.5) / 0.01)])


@pytest.mark.parametrize(("cost", "tries", "most", "taken", "spent"), [
    (15, 4, 60, 2, 60), (15, 4, 40, 1, 30), (15, 1, 60, 0, 15), (0, 4, 60, 0, 0), (70, 4, 60, 0, 70)])
def test_the_best_try_is_taken_within_the_budget(cost: int, tries: int, most: int, taken: int, spent: int) -> None:
    config = replace(RestoreConfig(), tries=tries, most_evaluations=most)
    nothing: Any = None
    run = Judged(nothing, nothing, nothing, nothing, Engine(cost), config, None, lambda: None, nothing)
    picture = torch.zeros(1, SIDE, SIDE, 3)
    crops = CropResult(picture, picture, MASK[None], MASK[None], PasteRecord((), MASK[None], (SIDE, SIDE), 1))
    result, found = run._best(job(), crops, 0, picture, None)
    assert float(result.crop.mean()) == pytest.approx(0.5 + 0.01 * taken, abs=1e-6) and result.evaluations == spent
    assert found.id_similarity_after == (0.5, 0.7, 0.9, 0.6)[taken]
