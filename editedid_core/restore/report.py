"""Records of the result for each face and each picture. Only this module turns decisions into words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from torch import Tensor

from ..records import Face, Faces, Matching

Box = tuple[float, float, float, float]

WORTH_SAYING = 0.1
"""Share of a face that stays the edit's from which the line says so. Not calibrated."""


class Decision(Enum):
    """The decision about a face."""

    RESTORED = "restored"
    SHAPE_ONLY = "shape only"
    KEPT_NO_NEARER = "kept, no nearer to the person"
    KEPT_MOVED = "kept, features moved too far"
    KEPT_GHOSTS = "kept, two faces in one"
    KEPT_LOST = "kept, no face found afterwards"
    KEPT_SHARP = "kept, sharp already"
    UNSEEN = "restored, no face found afterwards"
    RESTORED_AS_MOST = "restored, as in most frames"
    KEPT_AS_MOST = "kept, as in most frames"
    FAILED = "failed"

    @property
    def accepted(self) -> bool:
        """Whether the face in the picture was changed."""
        return self in (Decision.RESTORED, Decision.SHAPE_ONLY, Decision.UNSEEN, Decision.RESTORED_AS_MOST)


_SENTENCES = {
    Decision.RESTORED: "restored",
    Decision.SHAPE_ONLY: "only its shape was changed: with the photo mixed in it was further from the person or came "
                         "apart",
    Decision.KEPT_NO_NEARER: "the restored face was no nearer to the person; the edit's face is kept",
    Decision.KEPT_MOVED: "eyes, nose or mouth would have moved too far; the edit's face is kept",
    Decision.KEPT_GHOSTS: "photo and edit would both have been seen at once; the edit's face is kept",
    Decision.KEPT_LOST: "no face was found after the restoration; the edit's face is kept",
    Decision.KEPT_SHARP: "the face holds all the detail that its crop can show; it is kept",
    Decision.UNSEEN: "no face was found after the restoration",
    Decision.RESTORED_AS_MOST: "restored, as in most frames of this person",
    Decision.KEPT_AS_MOST: "the edit's face is kept, as in most frames of this person",
    Decision.FAILED: "the restoration failed; the edit's face is kept",
}


@dataclass(frozen=True)
class FaceReport:
    """One face that was worked on. frame: its picture. box: x1, y1, x2, y2 in pixels of the edit. Similarities are
    cosines to the mean of the person's photos; `landmark_error` is the mean distance of the five points before and
    after, as a share of the eye distance; None if no face was found afterwards. shape: how far its shape was changed,
    0 to 1. warnings: why it was hard to restore, or why it failed. number: of the face in its picture, from 1. photo:
    whose face it got, in words, where there is a choice. covered: share of it that stays the edit's, 0 to 1. person:
    number of the person in a sequence, from 1; 0 elsewhere. spread: how far the results of several photos of the person
    differ in the face, one standard deviation in [0, 1]; None where nothing was held against each other."""

    frame: int
    box: Box
    id_similarity_before: float
    id_similarity_after: float | None
    landmark_error: float | None
    decision: Decision
    shape: float = 0.0
    retried: bool = False
    warnings: tuple[str, ...] = ()
    number: int = 1
    photo: str = ""
    covered: float = 0.0
    person: int = 0
    spread: float | None = None

    @property
    def accepted(self) -> bool:
        """Whether the face in the picture was changed."""
        return self.decision.accepted

    @property
    def note(self) -> str:
        """The decision as a sentence."""
        if not (self.retried and self.accepted):
            return _SENTENCES[self.decision]
        how = f"was changed by {self.shape:.2g}" if self.shape > 0 else "was not changed"
        return f"{_SENTENCES[self.decision]}; its shape {how}, since more of it was refused"

    def line(self) -> str:
        """The result in a line: likeness before and after, from which photo, and what stays."""
        before, after = self.id_similarity_before, self.id_similarity_after
        if not self.accepted:
            return f"{before:.2f}, {self.note}"
        change = f"{before:.2f}" if after is None else f"{before:.2f} \u2192 {after:.2f}"
        source = f" from {self.photo}" if self.photo and self.decision is Decision.RESTORED else ""
        kept = f"; {self.covered:.0%} of it stays the edit's" if self.covered >= WORTH_SAYING else ""
        return f"{change}, {self.note}{source}{kept}"

    def as_data(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "frame": self.frame, "number": self.number, "person": self.person, "photo": self.photo, "box": self.box,
            "id_similarity_before": self.id_similarity_before, "id_similarity_after": self.id_similarity_after,
            "landmark_error": self.landmark_error,
            "decision": self.decision.value, "accepted": self.accepted, "note": self.note, "shape": self.shape,
            "covered": round(self.covered, 3), "warnings": self.warnings,
            **({} if self.spread is None else {"spread": round(self.spread, 4)}),
        }


@dataclass(frozen=True)
class LeftAlone:
    """A face of the edit without a person. likeness: to the person with whom it was not paired because of
    `min_similarity`; None if no person was left for it. chosen: whether the user wants it left alone. number:
    of the face in its picture, from 1."""

    frame: int
    box: Box
    likeness: float | None
    min_similarity: float
    chosen: bool = False
    number: int = 1

    @property
    def note(self) -> str:
        """Why, as a sentence."""
        if self.chosen:
            return "left alone, as chosen"
        if self.likeness is None:
            return "left alone: no person in the original photos is left for it"
        return (f"left alone: likely another person, its likeness {self.likeness:.2f} is under min_similarity "
                f"{self.min_similarity:.2f}; lower min_similarity if it is the same person")

    def as_data(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {"frame": self.frame, "number": self.number, "box": self.box, "likeness": self.likeness,
                "note": self.note}


@dataclass(frozen=True)
class PictureReport:
    """One picture of the edit: faces found in it, restored, and kept or left alone."""

    frame: int
    found: int
    restored: int
    kept: int

    @property
    def note(self) -> str:
        """The result for the picture, as a sentence."""
        if not self.found:
            return "no face was found; the picture is unchanged"
        return f"{self.restored} of {self.found} faces restored"

    def as_data(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {"frame": self.frame, "found": self.found, "restored": self.restored, "kept": self.kept,
                "note": self.note}


@dataclass(frozen=True, eq=False)
class Restoration:
    """image: the edited pictures (B, H, W, C) with restored faces. mask: (B, H, W), where they may differ from them.
    left_alone: faces of the edit without a person. pictures: one record for each picture of the edit. notes:
    sentences about the run as a whole. matching: who is who. model: what the model was taken for, "" without one.
    amounts: how much the run did of what the model or the user decides, and why; empty without a run."""

    image: Tensor
    mask: Tensor
    faces: tuple[FaceReport, ...]
    left_alone: tuple[LeftAlone, ...]
    pictures: tuple[PictureReport, ...]
    unmatched_original: int
    outside_pixels_changed: int
    network_evaluations: int
    mode: str
    matching: Matching
    notes: tuple[str, ...] = ()
    model: str = ""
    amounts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def before(self) -> float:
        """Mean likeness of the faces before; 0 without a face."""
        return _mean([face.id_similarity_before for face in self.faces])

    @property
    def after(self) -> float:
        """Mean likeness of the faces as they are in the picture now; 0 without a face."""
        return _mean([face.id_similarity_after if face.accepted and face.id_similarity_after is not None
                      else face.id_similarity_before for face in self.faces])

    def lines(self) -> list[str]:
        """The result in words, a line for each face and for each picture without one."""
        told = {(face.frame, face.number): face.line() for face in self.faces}
        told.update({(one.frame, one.number): one.note for one in self.left_alone})
        lines = [f"{self._name(frame, number)}: {line}" for (frame, number), line in sorted(told.items())]
        return lines + [f"Picture {one.frame + 1}: {one.note}" for one in self.pictures if not one.found]

    def cautions(self) -> list[str]:
        """What made the run or a face hard, a sentence each."""
        return [*self.notes, *(f"{self._name(face.frame, face.number)}: {warning}" for face in self.faces
                               for warning in face.warnings)]

    def warnings(self) -> list[str]:
        """A sentence for each thing that the user should know, faces and pictures numbered from 1."""
        found = self.cautions()
        found += [f"{self._name(face.frame, face.number)}: {face.note}." for face in self.faces if not face.accepted]
        found += [f"{self._name(one.frame, one.number)}: {one.note}." for one in self.left_alone if not one.chosen]
        found += [f"Picture {one.frame + 1}: {one.note}." for one in self.pictures if not one.found]
        return found

    def _name(self, frame: int, number: int) -> str:
        return f"Face {number} of picture {frame + 1}" if len(self.pictures) > 1 else f"Face {number}"

    def report(self) -> dict[str, Any]:
        """The figures as plain data, for JSON."""
        return {
            "model": self.model,
            "mode": self.mode,
            "amounts": dict(self.amounts),
            "faces": [face.as_data() for face in self.faces],
            "left_alone": [one.as_data() for one in self.left_alone],
            "pictures": [one.as_data() for one in self.pictures],
            "unmatched_original": self.unmatched_original,
            "unmatched_edited": len(self.left_alone),
            "outside_pixels_changed": self.outside_pixels_changed,
            "network_evaluations": self.network_evaluations,
            "notes": self.notes,
        }


def photo_of(photos: Faces, face: Face) -> str:
    """Which face of the photos it is, in words; empty where there is only one."""
    if photos.frames > 1:
        return f"photo {face.frame + 1}"
    return "" if len(photos.faces) == 1 else photos.label(face)


def box_of(values: Any) -> Box:
    """A box (4,) as plain numbers, in tenths of a pixel."""
    left, top, right, bottom = (round(float(v), 1) for v in values)
    return left, top, right, bottom


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0
