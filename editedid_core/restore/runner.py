"""The runner: takes two pictures through all stages. Nodes, demo and benchmarks share it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ..appearance.skin_tone import OTHER_LIGHT, UNSURE
from ..config import RestoreConfig
from ..crops.cut import cut_crops
from ..crops.paste import paste
from ..engines.protocol import Engine, FaceJob, FaceResult
from ..faces.analyzers.protocol import FaceAnalyzer
from ..pictures import check_pictures
from ..records import CropResult, FacePair, FacePairs, Faces, Matching, PasteRecord
from ..ticks import Say, Tick, nothing, silent, within
from .caution import cautions, small_cautions
from .frames import decided_together, match_sequence, steady_masks
from .guard import Sight, judge, look
from .rank import rank
from .reference_photos import find_person
from .report import Decision, FaceReport, PictureReport, Restoration, box_of, photo_of
from .small_face import find_small, pair_small, whole_crop
from .stages import Prepared, cut, find, find_in_frames, job, left_alone, match, shape_and_tone, with_crop_size

_STRIP = 128  # rows that are compared at a time

FOUND = (0.02, 0.12)
"""Where the search for faces starts and ends, as shares of a run: about what they take of its time. Not calibrated."""

RESTORED = 0.94
"""Where all faces are restored, and are put in."""


def restore(original: Tensor, edited: Tensor, analyzer: FaceAnalyzer, engine: Engine, config: RestoreConfig,
            element_mask: Tensor | None = None, tick: Tick = nothing, say: Say = silent,
            box: Any = None) -> Restoration:
    """Restore every matched face of `edited` (B, H, W, C) from the photos in `original` (P, h, w, C).

    `element_mask`: (B or 1, H, W) in [0, 1], what of the edit must stay. `tick`: called for each unit of work: a
    picture searched, a face moved, cut, restored or pasted. `say`: called with what is being done. `box`: where a face
    is that may be too small to be found, for the engine "super resolution". Raises ValueError where a picture does not
    fit, or holds no face and `find.no_face` is "error", and what the engine raises where it fails at every face.
    """
    check_pictures(original, "original")
    check_pictures(edited, "edited")
    matching, persons = _paired(original, edited, analyzer, config, tick, say, box)
    photos, faces_of_edit, pairs = matching.originals, matching.edited, matching.pairs
    config = with_crop_size(config.resolved(), pairs)
    run = _Run(original, edited, pairs, analyzer, engine, config, element_mask, tick, say, persons)
    attempts = run.attempts()
    accepted = [i for i, attempt in enumerate(attempts) if attempt.report.accepted]
    say("putting the faces in", RESTORED)
    image, mask = run.pasted(attempts, accepted) if accepted else (edited, torch.zeros(edited.shape[:3]))
    faces = tuple(replace(attempt.report, number=faces_of_edit.number(pair.edited),
                          photo=photo_of(photos, pair.original)) for attempt, pair in zip(attempts, pairs.pairs))
    pictures = _pictures(faces_of_edit, faces)
    return Restoration(
        image, mask, faces, left_alone(pairs, config.match, faces_of_edit), pictures, len(pairs.unmatched_original),
        _changed_outside(edited, image, mask), sum(attempt.evaluations for attempt in attempts),
        attempts[0].mode if attempts else "none", matching,
        pairs.notes + tuple(dict.fromkeys(note for attempt in attempts for note in attempt.notes))
        + tuple(f"No face was found in photo {frame + 1} of original; it is not used."
                for frame in range(photos.frames) if not photos.in_frame(frame)),
    )


def _paired(original: Tensor, edited: Tensor, analyzer: FaceAnalyzer, config: RestoreConfig, tick: Tick, say: Say,
            box: Any) -> tuple[Matching, tuple[int, ...]]:
    """Who is who, and in a film the person of each pair."""
    say("finding faces in the photos", FOUND[0])
    if config.engine == "super resolution":
        photos = find_person(original, analyzer, config.find, tick)
        say("finding faces in the edit", sum(FOUND) / 2)
        faces = find_small(edited, analyzer, config.find, box, tick)
        return Matching(photos, faces, pair_small(original, edited, photos, faces, config, tick, analyzer)), ()
    photos = find(original, "original", analyzer, config.find, tick)
    say("finding faces in the edit", sum(FOUND) / 2)
    if config.frames.enabled:
        found = find_in_frames(edited, "edited", analyzer, config.find, tick)
        return match_sequence(edited, photos, found, config, tick)
    faces = find(edited, "edited", analyzer, config.find, tick)
    return Matching(photos, faces, match(photos, faces, config.match, tick)), ()


@dataclass(frozen=True, eq=False)
class _Attempt:
    """One attempt at a face. shape: how far its shape was changed, 0 without dense landmarks. crop (1, S, S, 3) and
    record: what paste() takes."""

    report: FaceReport
    shape: float
    crop: Tensor
    record: PasteRecord
    evaluations: int
    mode: str
    notes: tuple[str, ...] = ()


_Outcome = tuple[FaceResult, FaceReport | None] | Exception
"""What the engine made of a face, with the guard's word where there were several tries; or why there is nothing."""


@dataclass(frozen=True, eq=False)
class _Run:
    """One call of the runner, after matching. persons: the number of each pair's person, where the pictures are frames
    of one sequence."""

    original: Tensor
    edited: Tensor
    pairs: FacePairs
    analyzer: FaceAnalyzer
    engine: Engine
    config: RestoreConfig
    element_mask: Tensor | None
    tick: Tick
    say: Say
    persons: tuple[int, ...] = ()

    def attempts(self) -> list[_Attempt]:
        """Restore every pair. A face that the guard refuses in its new shape is tried again with less of it."""
        share = self.config.shape.face_shape
        attempts = self._attempt(list(range(len(self.pairs.pairs))), share)
        refused = [i for i, one in enumerate(attempts) if one.shape > 0 and not one.report.accepted]
        for part in self.config.guard.retry_shapes:
            left = [i for i in refused if not attempts[i].report.accepted]
            again = self._attempt(left, part * share, self.config.guard.retry_gain) if left else []
            for i, attempt in zip(left, again):
                attempts[i] = _retried(attempts[i], attempt)
        return self._together(attempts) if self.persons else attempts

    def _together(self, attempts: list[_Attempt]) -> list[_Attempt]:
        """The attempts with one decision for all frames of a person. What failed stays as it is."""
        decisions = decided_together([one.report.decision for one in attempts], self.persons)
        return [replace(one, report=replace(one.report, decision=decision, person=person))
                for one, decision, person in zip(attempts, decisions, self.persons)]

    def _attempt(self, chosen: list[int], share: float, least_gain: float | None = None) -> list[_Attempt]:
        """Restore and judge some pairs with this share of the new shape: mixed with the photo, or in the new shape
        alone if the guard refuses the mix."""
        if not chosen:
            return []
        pairs = self._some(chosen)
        prepared = self._prepared(pairs, [share] * len(chosen))
        crops = self._cut(prepared)
        if self.persons:
            crops = steady_masks(crops, [self.persons[i] for i in chosen], self.config.frames)
        unchanged = prepared.shaped.image is self.edited
        before = crops.edited if unchanged else cut_crops(self.edited, crops.record)
        runs = self._runs(prepared, crops, before, least_gain)
        sights = self._sights(runs, crops, before)
        attempts = []
        for i, (pair, run, sight) in enumerate(zip(pairs.pairs, runs, sights)):
            record = replace(crops.record, crops=crops.record.crops[i : i + 1], masks=crops.record.masks[i : i + 1])
            try:
                if isinstance(run, Exception):
                    raise run
                result, report = run
                if report is None:
                    report = self._judge(crops, i, before[i : i + 1], result.crop, least_gain, sight)
                if result.untouched:
                    report = replace(report, decision=Decision.KEPT_SHARP)
            except (ValueError, RuntimeError) as fault:
                if self.edited.shape[0] == 1:
                    raise
                attempts.append(_failed(pair, before[i : i + 1], record, fault))
                if least_gain is None and all(one.report.decision is Decision.FAILED for one in attempts) and (
                        len(attempts) == len(pairs.pairs)):
                    raise  # not one face could be restored: what stands in the way is no one picture's
                continue
            shaped = prepared.shaped.pairs.pairs[i].shaped
            if not report.accepted and shaped:
                unmixed = self._judge(crops, i, before[i : i + 1], crops.edited[i : i + 1], least_gain)
                report = replace(unmixed, decision=Decision.SHAPE_ONLY) if unmixed.accepted else report
            shape = share if shaped else 0.0
            covered = _covered(crops, i)
            report = replace(report, warnings=self._warnings(prepared, crops, covered, i, pair), shape=shape,
                             covered=covered, spread=result.spread)
            attempts.append(_Attempt(report, shape, result.crop, record, result.evaluations, result.mode,
                                     result.notes))
            self.tick()
        return attempts

    def _runs(self, prepared: Prepared, crops: CropResult, before: Tensor, least_gain: float | None) -> list[_Outcome]:
        """What the engine makes of every face; a fault where it fails at one of several pictures."""
        found: list[_Outcome] = []
        for i in range(len(crops.record.crops)):
            say = self._face(i, len(crops.record.crops), again=least_gain is not None)
            try:
                face = job(self.original, prepared, crops, i, self.config, say)
                found.append((self.engine.run(face), None) if self.config.tries == 1
                             else self._best(face, crops, i, before[i : i + 1], least_gain))
            except (ValueError, RuntimeError) as fault:
                if self.edited.shape[0] == 1:
                    raise
                found.append(fault)
        return found

    def _sights(self, runs: list[_Outcome], crops: CropResult, before: Tensor) -> list[Sight | None]:
        """What the guard sees of every face that it has not judged yet, all at once; None where it has to look again,
        at that face alone."""
        todo = [i for i, run in enumerate(runs) if not isinstance(run, Exception) and run[1] is None]
        found: list[Sight | None] = [None] * len(runs)
        c, faces = self.config, []
        for i in todo:
            run, one = runs[i], slice(i, i + 1)
            assert not isinstance(run, Exception)
            faces.append((crops.record.crops[i], crops.record.masks[i], before[one], crops.edited[one], run[0].crop))
        try:
            sights = look(faces, self.analyzer, c.find.threshold, c.paste)
        except (ValueError, RuntimeError):
            return found  # judging each alone tells which one it is
        for i, sight in zip(todo, sights):
            found[i] = sight
        return found

    def _cut(self, prepared: Prepared) -> CropResult:
        """The crops. Where a super-resolution draws the surroundings anew, all of a crop is pasted."""
        crops, c = cut(self.original, prepared, self.config, self.tick), self.config
        if c.engine != "super resolution" or c.super_resolution.surroundings == "keep":
            return crops
        whole = whole_crop(crops.record.masks.shape[-1]).expand_as(crops.record.masks)
        return replace(crops, record=replace(crops.record, masks=whole))

    def _best(self, face: FaceJob, crops: CropResult, i: int, before: Tensor,
              least_gain: float | None) -> tuple[FaceResult, FaceReport]:
        """The best of the tries at a face, and what the guard says of it; the evaluations of all of them count."""
        best, spent, highest = None, 0, -math.inf
        for attempt in range(self.config.tries):
            result = self.engine.run(replace(face, attempt=attempt))
            spent += result.evaluations
            report = self._judge(crops, i, before, result.crop, least_gain)
            figure = rank(report, crops.record.masks[i], face.edited, result.crop) if self.config.tries > 1 else 0.0
            if figure > highest:
                best, highest = (result, report), figure
            # without a network each try gives the same
            if not result.evaluations or spent + result.evaluations > self.config.most_evaluations:
                break
        assert best is not None
        return replace(best[0], evaluations=spent), best[1]

    def _judge(self, crops: CropResult, i: int, before: Tensor, restored: Tensor,
               least_gain: float | None, sight: Sight | None = None) -> FaceReport:
        c = self.config
        return judge(crops.record.crops[i], crops.record.masks[i], before, crops.edited[i : i + 1], restored,
                     self.analyzer, c.find.threshold, c.guard, c.paste, least_gain, sight)

    def _face(self, i: int, count: int, again: bool) -> Say:
        """What the i-th of `count` faces says. A second attempt does not move the bar back."""
        share = (RESTORED - FOUND[1]) / count
        start = RESTORED if again else FOUND[1] + share * i
        return within(self.say, start, start if again else start + share,
                      f"face {i + 1} of {count}{', again' if again else ''}: ")

    def _warnings(self, prepared: Prepared, crops: CropResult, covered: float, i: int,
                  pair: FacePair) -> tuple[str, ...]:
        unsure = self.config.shape.skin_tone > 0 and prepared.certainty[i] < UNSURE
        if self.config.engine == "super resolution":
            return small_cautions(pair, crops.record.crops[i])
        return cautions(pair, covered) + ((OTHER_LIGHT,) if unsure else ())

    def pasted(self, attempts: list[_Attempt], accepted: list[int]) -> tuple[Tensor, Tensor]:
        """The picture with the accepted faces, and where it may differ from the edit."""
        # a refused face keeps its own shape and tone too; a face accepted with less shape gets only that much
        shaped = self._prepared(self._some(accepted), [attempts[i].shape for i in accepted]).shaped
        mixed = [attempts[i] for i in accepted if attempts[i].report.decision is not Decision.SHAPE_ONLY]
        first = attempts[0]
        record = replace(first.record, crops=tuple(one.record.crops[0] for one in mixed),
                         masks=torch.cat([first.record.masks[:0], *(one.record.masks for one in mixed)]))
        crops = torch.cat([first.crop[:0], *(one.crop for one in mixed)])
        how = self.config.paste
        changed = torch.zeros(self.edited.shape[:3])
        image = paste(shaped.image, crops, record, how.feather, how.colour, self.tick, changed)
        return image, changed if shaped.image is self.edited else torch.maximum(changed, shaped.mask)

    def _prepared(self, pairs: FacePairs, shares: list[float]) -> Prepared:
        return shape_and_tone(self.original, self.edited, pairs, shares, self.config.shape.skin_tone,
                              self.element_mask, self.tick)

    def _some(self, chosen: list[int]) -> FacePairs:
        return replace(self.pairs, pairs=tuple(self.pairs.pairs[i] for i in chosen))


def _covered(crops: CropResult, i: int) -> float:
    """Share of a face that stays the edit's, 0 to 1."""
    face = crops.face_mask[i]
    return float((face * crops.element_mask[i]).sum() / face.sum().clamp_min(1e-6))


def _changed_outside(edited: Tensor, image: Tensor, mask: Tensor) -> int:
    """Pixels that differ although the mask (B, H, W) says that they do not. Strip by strip: pictures may be large."""
    if image is edited:
        return 0
    found = 0
    for top in range(0, image.shape[1], _STRIP):
        after, before = image[:, top:top + _STRIP], edited[:, top:top + _STRIP]
        if not torch.equal(after, before):
            outside = (mask[:, top:top + _STRIP] == 0).to(image.device)
            found += int(((after != before).any(-1) & outside).sum())
    return found


def _failed(pair: FacePair, before: Tensor, record: PasteRecord, fault: Exception) -> _Attempt:
    """The record of a face that could not be restored: one picture of a batch must not stop the others."""
    face = pair.as_found
    report = FaceReport(face.frame, box_of(face.box), pair.similarity or 0.0, None, None, Decision.FAILED,
                        warnings=(str(fault),))
    return _Attempt(report, 0.0, before, record, 0, "none")


def _retried(refused: _Attempt, again: _Attempt) -> _Attempt:
    """The second attempt at a face if it is accepted, else the first. The evaluations of both count."""
    evaluations = refused.evaluations + again.evaluations
    if not again.report.accepted:
        return replace(refused, evaluations=evaluations)
    return replace(again, evaluations=evaluations, report=replace(again.report, retried=True))


def _pictures(found: Faces, faces: tuple[FaceReport, ...]) -> tuple[PictureReport, ...]:
    """One record for each picture of the edit."""
    records = []
    for frame in range(found.frames):
        here = [face.accepted for face in faces if face.frame == frame]
        count = len(found.in_frame(frame))
        records.append(PictureReport(frame, count, sum(here), count - sum(here)))
    return tuple(records)
