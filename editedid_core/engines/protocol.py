"""What every engine takes and gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from ..geometry.thin_plate import Bend
from ..records import FaceCrop
from ..ticks import Say, silent


@dataclass(frozen=True, eq=False)
class FaceJob:
    """One face to restore, everything in pixels of its crop.

    original, edited: (1, S, S, 3) in [0, 1], aligned, the original in the edit's light. others: (M, S, S, 3), further
    photos of the person, likewise; M may be 0. face_mask, element_mask: (S, S) in [0, 1], the face and what covers it.
    pose: how far pose and expression of the two faces differ, in eye distances. drift: 1 - cosine of the two faces.
    place: where the crop lies in the edit, for what is given in the edit's own coordinates; None if nothing is.
    bent: how the face was brought to the person's shape before; None where it was not.
    attempt: which try at this face it is, from 0; an engine that uses a network does something else in each.
    true_pixels: how many pixels of the scene the edit's crop holds a side, S for a sharp one; trust: how much of it can
    be believed, 0 to 1. Both are for super-resolution.
    say: called with how far the face is.
    """

    original: Tensor
    edited: Tensor
    others: Tensor
    face_mask: Tensor
    element_mask: Tensor
    pose: float
    drift: float
    place: FaceCrop | None = None
    bent: Bend | None = None
    attempt: int = 0
    true_pixels: float = 0.0
    trust: float = 1.0
    say: Say = silent

    @property
    def weight(self) -> Tensor:
        """(S, S) in [0, 1]: where the person belongs, the face without what covers it."""
        return self.face_mask * (1 - self.element_mask)


@dataclass(frozen=True, eq=False)
class FaceResult:
    """What an engine made of a job. crop: (1, S, S, 3) in [0, 1]. evaluations: samples that went through a network.
    mode: what ran, in a word or two, for the report. notes: sentences about the run. untouched: nothing was missing,
    and the crop is the edit's own. spread: how far the results of several photos differ in the face, one standard
    deviation in [0, 1]; None where one photo alone was used."""

    crop: Tensor
    evaluations: int
    mode: str
    notes: tuple[str, ...] = ()
    untouched: bool = False
    spread: float | None = None


class Engine(Protocol):
    """Restores one face. The same job gives the same result."""

    def run(self, job: FaceJob) -> FaceResult: ...
