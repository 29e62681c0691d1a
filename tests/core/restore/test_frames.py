"""A drawn sequence of one person who turns and speaks, restored as frames and, to compare, as single pictures."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("insightface")

from editedid_core.config import RestoreConfig
from editedid_core.engines.composite import CompositeEngine
from editedid_core.engines.protocol import FaceJob, FaceResult
from editedid_core.faces.analyzers.insightface_backend import InsightFaceAnalyzer
from editedid_core.faces.face_map import face_map
from editedid_core.restore.frames import decided_together
from editedid_core.restore.report import Decision, Restoration
from editedid_core.restore.runner import restore
from lab.portraits import drift_identity, render, triple_identity
from lab.portraits.triples import original_scene, sized

PACK = Path(__file__).resolve().parents[3] / "lab" / "models" / "insightface" / "lab"
PERSON, SIDE = 10_000_004, 112


@dataclass(frozen=True, eq=False)
class Sequence:
    """photo (1, S, S, 3); edited and truth (N, S, S, 3), the drifted and the true person in the same frames; face
    (N, S, S), where the true face is."""

    photo: torch.Tensor
    edited: torch.Tensor
    truth: torch.Tensor
    face: torch.Tensor


def drawn_sequence(frames: int, side: int = SIDE) -> Sequence:
    """One person who turns the head and speaks."""
    rng = np.random.default_rng(PERSON)
    person = triple_identity(PERSON)
    other = drift_identity(person, 0.8, rng)
    scene = original_scene(rng)
    scene = replace(scene, placement=sized(scene.placement, person), noise=0.0, glasses="", earrings="")
    shots = []
    for t in np.linspace(0, 1, frames):
        place = replace(scene.placement, yaw=0.16 * np.sin(2 * np.pi * t), x=scene.placement.x + 0.03 * t)
        shots.append(replace(scene, placement=place, mouth_open=0.25 + 0.25 * np.sin(6 * np.pi * t)))
    truth = [render(person, shot, side) for shot in shots]
    edited = [render(other, shot, side) for shot in shots]

    def stacked(images: list[np.ndarray]) -> torch.Tensor:
        return torch.from_numpy(np.stack(images).astype(np.float32))

    return Sequence(stacked([render(person, scene, side).image]), stacked([one.image for one in edited]),
                    stacked([one.image for one in truth]), stacked([one.masks.face for one in truth]))


def frame_change(pictures: torch.Tensor, masks: torch.Tensor) -> float:
    """Mean change of the faces from frame to frame in 8-bit levels."""
    both = torch.minimum(masks[1:], masks[:-1])
    change = (pictures[1:] - pictures[:-1]).abs().mean(-1)
    return 255 * float((change * both).sum() / both.sum())


@pytest.fixture(scope="module")
def sequence() -> Sequence:
    return drawn_sequence(8)


@pytest.fixture(scope="module")
def analyzer() -> InsightFaceAnalyzer:
    return InsightFaceAnalyzer("lab", PACK, 256)


CONFIG = RestoreConfig().changed({"crop.size": 96, "match.min_similarity": -1.0, "frames.enabled": True})


@pytest.fixture(scope="module")
def done(sequence: Sequence, analyzer: InsightFaceAnalyzer) -> Restoration:
    return restore(sequence.photo, sequence.edited, analyzer, CompositeEngine(), CONFIG)


def test_the_person_keeps_a_number_and_one_decision(done: Restoration) -> None:
    assert [face.person for face in done.faces] == [1] * 8
    assert [face.frame for face in done.faces] == list(range(8))
    assert len({face.accepted for face in done.faces}) == 1
    assert [one.found for one in done.pictures] == [1] * 8


def test_a_choice_by_the_persons_number_counts_for_all_frames(
    done: Restoration, sequence: Sequence, analyzer: InsightFaceAnalyzer
) -> None:
    assert done.matching.people is not None
    shown = face_map(done.matching.people, "", 0.6, *(lambda face: face.thumbnail,) * 2)
    assert shown["counts"] == [1, 1] and [face["name"] for face in shown["edited"]] == ["1"]
    assert shown["edited"][0]["picture"].startswith("data:image/jpeg")
    config = CONFIG.changed({"match.pairs": f"faces=1/1, 1=skip ({shown['edited'][0]['likest']:.2f})"})
    again = restore(sequence.photo, sequence.edited[:3], analyzer, CompositeEngine(), config)
    assert again.notes == () and again.faces == () and len(again.left_alone) == 3
    assert all(one.chosen for one in again.left_alone)


def test_the_restored_face_changes_as_the_true_one_does(done: Restoration, sequence: Sequence) -> None:
    assert frame_change(done.image, sequence.face) <= 1.2 * frame_change(sequence.truth, sequence.face)


class Breaking(CompositeEngine):
    """An engine that fails at its second face."""

    def __init__(self) -> None:
        self.runs = 0

    def run(self, job: FaceJob) -> FaceResult:
        self.runs += 1
        if self.runs == 2:
            raise RuntimeError("out of memory")
        return super().run(job)


@pytest.mark.parametrize("frames", [False, True])
def test_a_picture_that_fails_is_reported_and_the_others_go_on(
    sequence: Sequence, analyzer: InsightFaceAnalyzer, frames: bool
) -> None:
    config = CONFIG.changed({"frames.enabled": frames, "guard.enabled": False})
    done = restore(sequence.photo, sequence.edited[:3], analyzer, Breaking(), config)
    assert [face.decision for face in done.faces] == [Decision.RESTORED, Decision.FAILED, Decision.RESTORED]
    assert done.faces[1].warnings == ("out of memory",) and any("out of memory" in one for one in done.warnings())
    assert torch.equal(done.image[1], sequence.edited[1])
    assert not torch.equal(done.image[2], sequence.edited[2])
    assert [(one.restored, one.kept) for one in done.pictures] == [(1, 0), (0, 1), (1, 0)]


class Broken:
    """An engine that fails at every face."""

    def run(self, job: FaceJob) -> FaceResult:
        raise ValueError("the decoded crop holds values that are not numbers")


@pytest.mark.parametrize("pictures", [1, 2])
def test_a_run_that_fails_at_every_face_is_an_error(
    sequence: Sequence, analyzer: InsightFaceAnalyzer, pictures: int
) -> None:
    with pytest.raises(ValueError, match="not numbers"):
        restore(sequence.photo, sequence.edited[:pictures], analyzer, Broken(), CONFIG)


def test_frames_without_a_face_are_no_error_but_no_face_at_all_is(
    sequence: Sequence, analyzer: InsightFaceAnalyzer
) -> None:
    grey = torch.full_like(sequence.edited[:1], 0.5)
    some = torch.cat([sequence.edited[:2], grey])
    done = restore(sequence.photo, some, analyzer, CompositeEngine(), CONFIG)
    assert [one.found for one in done.pictures] == [1, 1, 0] and torch.equal(done.image[2], grey[0])
    with pytest.raises(ValueError, match="edited: no face was found"):
        restore(sequence.photo, grey, analyzer, CompositeEngine(), CONFIG)


def test_most_frames_decide() -> None:
    yes, no, failed = Decision.RESTORED, Decision.KEPT_MOVED, Decision.FAILED
    assert decided_together([yes, no, yes, failed, no], [1, 1, 1, 1, 2]) == [
        yes, Decision.RESTORED_AS_MOST, yes, failed, no]
    assert decided_together([no, yes, no], [1, 1, 1]) == [no, Decision.KEPT_AS_MOST, no]
