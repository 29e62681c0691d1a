"""The whole way without a model: what is sampled is given, faces are found and judged by the lab's pack."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("insightface")

from editedid_core.appearance.skin_tone import OTHER_LIGHT
from editedid_core.config import RestoreConfig
from editedid_core.crops.cut import cut_crops
from editedid_core.crops.paste import as_pasted
from editedid_core.engines.protocol import FaceJob, FaceResult
from editedid_core.faces.analyzers.insightface_backend import InsightFaceAnalyzer
from editedid_core.faces.analyzers.protocol import FaceAnalyzer
from editedid_core.faces.detect import detect
from editedid_core.faces.match import match_faces
from editedid_core.faces.similarity import person_similarity
from editedid_core.geometry.reshape import reshape_faces
from editedid_core.pictures import to_bytes
from editedid_core.records import CropResult, Face, FaceCrop, FacePairs
from editedid_core.restore import runner, stages
from editedid_core.restore.report import Decision, FaceReport, Restoration
from editedid_core.restore.runner import restore
from lab import portraits

PACK = Path(__file__).resolve().parents[3] / "lab" / "models" / "insightface" / "lab"
SIDE = 192



@pytest.fixture(scope="module")
def analyzer() -> InsightFaceAnalyzer:
    return InsightFaceAnalyzer("lab", PACK, 384)


def pictures(*seeds: int, kind: str | None = None) -> tuple[torch.Tensor, torch.Tensor]:
    """The photos and the drifted edits of triples, each side by side in one picture."""
    triples = [portraits.make_triple(seed, kind, "large", SIDE) for seed in seeds]
    photo, edit = (torch.from_numpy(np.concatenate([getattr(triple, name).image for triple in triples], 1))[None]
                   for name in ("original", "drifted"))
    return photo, edit


@dataclass
class Given:
    """An engine that gives each face in turn its "photo", its "edit", or "nothing" (grey)."""

    gives: Iterator[str]

    def run(self, job: FaceJob) -> FaceResult:
        grey = torch.full_like(job.edited, 0.5)
        return FaceResult({"photo": job.original, "edit": job.edited, "nothing": grey}[next(self.gives)], 1, "given")


def run(analyzer: FaceAnalyzer, photo: torch.Tensor, edit: torch.Tensor, *gives: str,
        mask: torch.Tensor | None = None, **options: object) -> Restoration:
    """Restore with an engine that `gives`; all of the shape is given and everybody paired unless `options` (paths with
    "__" for the dot) say otherwise."""
    paths = {name.replace("__", "."): value for name, value in options.items()}
    config = RestoreConfig().changed({"crop.size": 128, "shape.face_shape": 1.0, "match.min_similarity": -1.0, **paths})
    return restore(photo, edit, analyzer, Given(cycle(gives)), config, mask)


SEEDS = portraits.triple_split("tune", 8)


def is_first(crop: FaceCrop) -> bool:
    """Whether a crop is of the person at the left."""
    return float(crop.pair.as_found.centre[0]) < SIDE


@pytest.fixture
def refuse_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """A guard that accepts nothing of the first face, not even its shape."""
    judge = runner.judge

    def strict(crop: FaceCrop, *rest: Any) -> FaceReport:
        report = judge(crop, *rest)
        return replace(report, decision=Decision.KEPT_NO_NEARER) if is_first(crop) else report

    monkeypatch.setattr(runner, "judge", strict)


def test_a_face_that_is_given_up_keeps_its_pixels_and_its_shape(
    analyzer: InsightFaceAnalyzer, refuse_the_first: None
) -> None:
    photo, edit = pictures(*SEEDS[:2])
    before = edit.clone()
    done = run(analyzer, photo, edit, "photo", "photo")
    assert [face.accepted for face in done.faces] == [False, True]
    assert torch.equal(edit, before)
    assert torch.equal(done.image[:, :, :SIDE], edit[:, :, :SIDE])
    assert not bool(done.mask[:, :, :SIDE].any())
    assert not torch.equal(done.image[:, :, SIDE:], edit[:, :, SIDE:])
    assert torch.equal(done.image[done.mask == 0], edit[done.mask == 0])
    assert done.outside_pixels_changed == 0


class Seconded:
    """The lab's analyzer with a second recogniser, to whom the found faces look as told, one after the other: those of
    the photo, of the edit, of the crop before and after."""

    def __init__(self, analyzer: InsightFaceAnalyzer, *looks: list[float]) -> None:
        self._analyzer, self._looks = analyzer, iter(looks)
        self.name, self.licence = analyzer.name, analyzer.licence

    def find(self, image: np.ndarray, threshold: float = 0.5) -> list[Face]:
        look = np.array(next(self._looks), dtype=np.float32)
        return [replace(face, second=look) for face in self._analyzer.find(image, threshold)]


def test_a_second_recogniser_has_to_see_the_face_come_nearer(analyzer: InsightFaceAnalyzer) -> None:
    photo, edit = pictures(SEEDS[0])
    person, stranger = [1.0, 0.0], [0.0, 1.0]
    for after, decision in ((person, Decision.RESTORED), (stranger, Decision.KEPT_NO_NEARER)):
        seconded = Seconded(analyzer, person, stranger, stranger, after)
        done = run(seconded, photo, edit, "photo", shape__face_shape=0.0)
        assert done.faces[0].decision is decision


def test_where_all_of_the_shape_is_refused_half_of_it_is_tried(
    analyzer: InsightFaceAnalyzer, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo, edit = pictures(*SEEDS[:2])
    whole, half = (run(analyzer, photo, edit, "photo", "photo", shape__face_shape=share) for share in (1.0, 0.5))
    judge, cut = runner.judge, stages.crop_pairs
    rounds: list[FacePairs] = []

    def counted(photos: torch.Tensor, shaped: torch.Tensor, pairs: FacePairs, *rest: Any) -> CropResult:
        if pairs.pairs:
            rounds.append(pairs)
        return cut(photos, shaped, pairs, *rest)

    def strict(crop: FaceCrop, *rest: Any) -> FaceReport:
        report = judge(crop, *rest)
        refused = len(rounds) == 1 and is_first(crop)
        return replace(report, decision=Decision.KEPT_NO_NEARER) if refused else report

    monkeypatch.setattr(stages, "crop_pairs", counted)
    monkeypatch.setattr(runner, "judge", strict)
    kept = run(analyzer, photo, edit, "photo", "photo", guard__retry_gain=1.0)  # more than it can win
    assert [face.accepted for face in kept.faces] == [False, True]
    assert torch.equal(kept.image[:, :, :SIDE], edit[:, :, :SIDE])
    rounds.clear()
    done = run(analyzer, photo, edit, "photo", "photo")
    assert [face.accepted for face in done.faces] == [True, True]
    assert "by 0.5" in done.faces[0].note and done.faces[1].note == "restored"
    assert done.network_evaluations == 3  # two faces, one of them twice
    assert torch.equal(done.image[:, :, :SIDE], half.image[:, :, :SIDE])
    assert torch.equal(done.image[:, :, SIDE:], whole.image[:, :, SIDE:])
    assert torch.equal(done.mask[:, :, :SIDE], half.mask[:, :, :SIDE])
    assert done.outside_pixels_changed == 0


def test_where_half_of_the_shape_is_refused_too_the_edits_own_shape_is_tried(
    analyzer: InsightFaceAnalyzer, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo, edit = pictures(SEEDS[0])
    plain = run(analyzer, photo, edit, "photo", shape__face_shape=0.0)
    judge = runner.judge

    def strict(crop: FaceCrop, *rest: Any) -> FaceReport:
        report = judge(crop, *rest)
        return replace(report, decision=Decision.KEPT_NO_NEARER) if crop.pair.shaped else report

    monkeypatch.setattr(runner, "judge", strict)
    done = run(analyzer, photo, edit, "photo")
    assert done.faces[0].accepted and "shape was not changed" in done.faces[0].note
    assert torch.equal(done.image, plain.image) and torch.equal(done.mask, plain.mask)
    assert done.network_evaluations == 3


def test_where_mixing_fails_the_shape_alone_may_stay(analyzer: InsightFaceAnalyzer) -> None:
    photo, edit = pictures(SEEDS[0])
    done = run(analyzer, photo, edit, "nothing")
    (face,) = done.faces
    assert face.accepted
    assert "only its shape" in face.note
    assert face.id_similarity_after > face.id_similarity_before
    pairs = match_faces(detect(photo, analyzer), detect(edit, analyzer), -1.0, 0.25)
    assert torch.equal(done.image, reshape_faces(edit, pairs).image)


def test_a_mask_drawn_on_the_edit_follows_the_face(
    analyzer: InsightFaceAnalyzer, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo, edit = pictures(SEEDS[0])
    drawn = torch.zeros(SIDE, SIDE)
    drawn[SIDE // 3:SIDE // 2] = 1
    used: list[torch.Tensor] = []
    crop = stages.crop_pairs

    def noted(photos: torch.Tensor, shaped: torch.Tensor, pairs: Any, size: int, mask: torch.Tensor, *rest: Any) -> Any:
        used.append(mask)
        return crop(photos, shaped, pairs, size, mask, *rest)

    monkeypatch.setattr(stages, "crop_pairs", noted)
    run(analyzer, photo, edit, "photo", mask=drawn)
    pairs = match_faces(detect(photo, analyzer), detect(edit, analyzer), -1.0, 0.25)
    wanted = reshape_faces(edit, pairs).moved(drawn)
    assert not torch.equal(wanted[0], drawn)
    assert torch.equal(used[0], wanted)


def test_skin_tone_changes_the_neck_as_well_and_says_where_it_could_not(analyzer: InsightFaceAnalyzer) -> None:
    for kind, told in (("background", False), ("light", True)):
        photo, edit = pictures(SEEDS[3], kind=kind)
        plain, toned = (run(analyzer, photo, edit, "edit", shape__skin_tone=amount, guard__enabled=False)
                        for amount in (0.0, 1.0))
        assert bool((toned.mask > plain.mask).any()) != told
        assert (OTHER_LIGHT in toned.faces[0].warnings) == told
        assert OTHER_LIGHT not in plain.faces[0].warnings
        assert toned.outside_pixels_changed == 0
        assert torch.equal(toned.image, plain.image) == told


def test_skin_tone_leaves_what_the_element_mask_covers(analyzer: InsightFaceAnalyzer) -> None:
    photo, edit = pictures(SEEDS[3], kind="background")
    covered = torch.ones(1, SIDE, SIDE)
    plain, toned = (run(analyzer, photo, edit, "edit", mask=covered, shape__face_shape=0.0, shape__skin_tone=amount,
                        guard__enabled=False) for amount in (0.0, 1.0))
    assert torch.equal(toned.image, plain.image)


def test_a_face_given_up_keeps_its_skin_tone(analyzer: InsightFaceAnalyzer, refuse_the_first: None) -> None:
    photo, edit = pictures(SEEDS[3], kind="background")
    done = run(analyzer, photo, edit, "nothing", shape__skin_tone=1.0)
    assert torch.equal(done.image, edit)
    assert not bool(done.mask.any())


def test_the_only_face_given_up_leaves_the_picture(analyzer: InsightFaceAnalyzer, refuse_the_first: None) -> None:
    photo, edit = pictures(SEEDS[0])
    done = run(analyzer, photo, edit, "nothing")
    assert torch.equal(done.image, edit)
    assert not bool(done.mask.any())
    assert "kept" in done.faces[0].note


def test_shape_alone_brings_the_face_nearer_and_none_leaves_it(analyzer: InsightFaceAnalyzer) -> None:
    """Nothing mixed in: what changes is the shape, and without it only what resampling a crop loses."""
    gains = []
    for seed in SEEDS[:2]:
        photo, edit = pictures(seed)
        shaped, plain = (run(analyzer, photo, edit, "edit", shape__face_shape=amount, guard__enabled=False)
                         for amount in (1.0, 0.0))
        gains.append(shaped.faces[0].id_similarity_after - shaped.faces[0].id_similarity_before)
        person, before, after = (detect(image, analyzer).faces[0] for image in (photo, edit, plain.image))
        assert person_similarity((person,), after) == pytest.approx(person_similarity((person,), before), abs=0.02)
        # the edit itself, though seen in the shaped face's crop
        assert shaped.faces[0].id_similarity_before == pytest.approx(plain.faces[0].id_similarity_before, abs=0.05)
        lost, changed = (float((done.image - edit).abs().mean()) for done in (plain, shaped))
        assert lost < 0.2 * changed
        assert torch.equal(shaped.image[shaped.mask == 0], edit[shaped.mask == 0])
        # the points' new places are meant, and no error
        assert shaped.faces[0].landmark_error < 0.06
        found = [detect(image, analyzer).faces[0].dense for image in (edit, shaped.image, plain.image)]
        moved = [np.linalg.norm(dense - found[0], axis=1).mean() for dense in found[1:]]
        assert moved[0] > 3 * moved[1]
    assert np.mean(gains) > 0.05


def test_a_picture_without_a_face_is_an_error_of_its_own_or_passes_through_with_a_record(
    analyzer: InsightFaceAnalyzer
) -> None:
    photo, edit = pictures(SEEDS[0])
    batch = torch.cat([edit, torch.full_like(edit, 0.5)])
    with pytest.raises(ValueError, match="edited: no face was found in picture 2 of 2"):
        run(analyzer, photo, batch, "photo")
    done = run(analyzer, photo, batch, "photo", find__no_face="pass through", shape__face_shape=0.0)
    assert torch.equal(done.image[1], batch[1]) and not torch.equal(done.image[0], batch[0])
    assert [(one.frame, one.found, one.restored) for one in done.pictures] == [(0, 1, 1), (1, 0, 0)]
    assert any("Picture 2: no face was found" in warning for warning in done.warnings())
    alone = run(analyzer, photo, edit, "photo", shape__face_shape=0.0)
    assert torch.equal(done.image[:1], alone.image)


def test_a_person_who_is_left_alone_is_reported_and_not_touched(analyzer: InsightFaceAnalyzer) -> None:
    photo, edit = pictures(SEEDS[0])
    _, stranger = pictures(SEEDS[1])
    done = run(analyzer, photo, stranger, "photo", match__min_similarity=0.99)
    assert torch.equal(done.image, stranger) and not done.faces
    (alone,) = done.left_alone
    assert "likely another person" in alone.note and any("min_similarity" in warning for warning in done.warnings())
    assert done.report()["left_alone"][0]["note"] == alone.note


def test_what_is_judged_is_what_is_pasted(analyzer: InsightFaceAnalyzer) -> None:
    """The guard's picture of a face against the same face cut out of the finished picture."""
    photo, edit = pictures(SEEDS[0])
    looked: list[np.ndarray] = []

    class Watched:
        name, licence = analyzer.name, analyzer.licence

        def find(self, image: np.ndarray, threshold: float = 0.5) -> list[Face]:
            looked.append(image)
            return analyzer.find(image, threshold)

    config = RestoreConfig().changed({"crop.size": 128, "match.min_similarity": -1.0, "guard.enabled": False,
                                      "shape.face_shape": 0.0, "paste.feather": 0.2, "paste.colour": 1.0})
    done = restore(photo, edit, Watched(), Given(cycle(["photo"])), config)
    pairs = match_faces(detect(photo, analyzer), detect(edit, analyzer), -1.0, 0.25)
    prepared = stages.shape_and_tone(photo, edit, pairs, [0.0], 0.0, None)
    crops = stages.cut(photo, prepared, config)
    seen = as_pasted(crops.edited[0], crops.original[0], crops.record.masks[0], 0.2, 1.0)
    assert any(np.array_equal(image, to_bytes(seen)) for image in looked)
    again = cut_crops(done.image, crops.record)[0]
    inside = crops.face_mask[0] > 0.01
    hard = torch.lerp(crops.edited[0], crops.original[0], crops.record.masks[0][..., None])
    off, off_hard = (float((picture - again).abs().mean(-1)[inside].mean()) for picture in (seen, hard))
    assert off < 0.01 and off < 0.5 * off_hard
