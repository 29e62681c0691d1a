"""The user's own choice of who is who, as a short text: the only place that reads it.

    1=2, 3=skip             face 1 of the edit is face 2 of the photos; face 3 of the edit stays as it is
    1=2+3                   face 1 of the edit is the person of faces 2 and 3 of the photos
    2.1=3                   the same for face 1 of the edit's picture 2
    faces=3/5, 1=2 (0.31)   as the face map writes it: there were 3 faces in the edit and 5 in the photos, and the
                            likeness of the two was 0.31; where that has changed, the choice is not used

Numbers count from 1, picture by picture, in the order in which the faces were found.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..records import Face, Faces

SKIP = "skip"
EXAMPLE = "write pairs such as 1=2, 3=skip"
_NUMBER = r"(?:(\d{1,4})\.)?(\d{1,5})"
_ENTRY = re.compile(rf"^{_NUMBER}\s*=\s*([^()]*?)\s*(?:\(\s*(-?[01](?:\.\d+)?)\s*\))?$")


@dataclass(frozen=True)
class FaceNumber:
    """A face as the user names it, from 1: in its picture, or counted through all pictures where picture is None."""

    face: int
    picture: int | None = None

    def __str__(self) -> str:
        return f"{self.face}" if self.picture is None else f"{self.picture}.{self.face}"

    def in_faces(self, faces: Faces) -> Face | None:
        """The face with this number, or None where there is none."""
        several = faces.faces if self.picture is None else faces.in_frame(self.picture - 1)
        return several[self.face - 1] if 1 <= self.face <= len(several) else None


@dataclass(frozen=True)
class PairChoice:
    """One choice. photos: the faces of the photos that show the person, none to leave the edit's face alone.
    likeness: of the edit's face to the first of them (without one: to the likest face of the photos) when the user
    chose, or None."""

    edited: FaceNumber
    photos: tuple[FaceNumber, ...]
    likeness: float | None = None

    def __str__(self) -> str:
        return f"{self.edited}={'+'.join(map(str, self.photos)) or SKIP}"


@dataclass(frozen=True)
class PairChoices:
    """All choices. counts: numbers of faces in the edit and in the photos when the user chose, or None."""

    choices: tuple[PairChoice, ...] = ()
    counts: tuple[int, int] | None = None


def read_pairs(text: str) -> PairChoices:
    """The choices in a text; none in an empty one. Raises ValueError, one sentence, where the text cannot be read."""
    choices: list[PairChoice] = []
    counts = None
    for entry in filter(None, (part.strip() for part in re.split(r"[,;\n]", text))):
        counted = re.match(r"^faces\s*=\s*(\d+)\s*/\s*(\d+)$", entry)
        if counted:
            counts = int(counted[1]), int(counted[2])
            continue
        choice = _entry(entry)
        if any(other.edited == choice.edited for other in choices):
            raise ValueError(f"pairs names face {choice.edited} of the edit twice: keep one of the two entries.")
        choices.append(choice)
    return PairChoices(tuple(choices), counts)


def _entry(text: str) -> PairChoice:
    fits = _ENTRY.match(text)
    photos = None if fits is None else _photos(fits[3])
    if fits is None or photos is None:
        raise ValueError(f"pairs holds '{text}', which cannot be read: {EXAMPLE} (a face of the edit, =, a face of the "
                         "photos or skip).")
    return PairChoice(_number(fits[1], fits[2]), photos, None if fits[4] is None else float(fits[4]))


def _photos(text: str) -> tuple[FaceNumber, ...] | None:
    """Faces joined by +, none for skip; None where the text is neither."""
    if text.lower() == SKIP:
        return ()
    parts = [re.fullmatch(_NUMBER, part.strip()) for part in text.split("+")]
    numbers = [_number(part[1], part[2]) for part in parts if part is not None]
    return tuple(dict.fromkeys(numbers)) if len(numbers) == len(parts) else None


def _number(picture: str | None, face: str) -> FaceNumber:
    return FaceNumber(int(face), None if picture is None else int(picture))
