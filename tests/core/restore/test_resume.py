"""An interrupted run goes on where it stopped, and only where it is the same run."""

from __future__ import annotations

import pytest
import torch

from editedid_core.config import RestoreConfig
from editedid_core.engines.protocol import FaceJob, FaceResult
from editedid_core.restore.resume import FinishedFaces


class Interrupted(Exception):
    """As the host's, no ValueError and no RuntimeError."""


class Counting:
    """An engine that counts its faces, and is interrupted at one of them."""

    def __init__(self, stop_at: int = -1) -> None:
        self.runs, self.stop_at = 0, stop_at

    def run(self, job: FaceJob) -> FaceResult:
        if self.runs == self.stop_at:
            raise Interrupted
        self.runs += 1
        return FaceResult(job.edited + 0.1, 1, "counting")


def jobs(count: int) -> list[FaceJob]:
    crops = torch.rand(count, 1, 8, 8, 3, generator=torch.Generator().manual_seed(0))
    return [FaceJob(crop, crop / 2, crop[:0], torch.ones(8, 8), torch.zeros(8, 8), 0.0, 0.5) for crop in crops]


def ran(finished: FinishedFaces, engine: Counting, config: RestoreConfig, models: list[object],
        some: list[FaceJob]) -> list[FaceResult]:
    resuming = finished.engine(engine, config, models)
    return [resuming.run(job) for job in some]


CONFIG, MODELS = RestoreConfig(), [object(), object()]


def interrupted() -> FinishedFaces:
    """What is kept of a run that stopped at its fourth face."""
    finished = FinishedFaces()
    with pytest.raises(Interrupted):
        ran(finished, Counting(stop_at=3), CONFIG, MODELS, jobs(6))
    return finished


def test_the_second_run_does_the_rest_and_gives_the_same() -> None:
    engine, whole = Counting(), Counting()
    again = ran(interrupted(), engine, CONFIG, MODELS, jobs(6))
    once = ran(FinishedFaces(), whole, CONFIG, MODELS, jobs(6))
    assert (engine.runs, whole.runs) == (3, 6)
    assert all(torch.equal(one.crop, other.crop) for one, other in zip(again, once))


def test_another_setting_another_model_or_another_face_is_another_run() -> None:
    for config, models, some in ((CONFIG.changed({"crop.size": 64}), MODELS, jobs(3)),
                                 (CONFIG, [MODELS[0], object()], jobs(3)), (CONFIG, MODELS[:1], jobs(3)),
                                 (CONFIG, MODELS, jobs(9)[6:])):
        engine = Counting()
        ran(interrupted(), engine, config, models, some)
        assert engine.runs == 3


def test_nothing_is_kept_of_a_run_that_came_to_its_end() -> None:
    finished, engine = interrupted(), Counting()
    finished.close()
    ran(finished, engine, CONFIG, MODELS, jobs(3))
    assert engine.runs == 3
