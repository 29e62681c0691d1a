"""The user's choices of who is who, held against the faces that were found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..records import Face, Faces
from .pairs_text import PairChoice, PairChoices
from .similarity import cosine

_SAME_LIKENESS = 0.1
"""Change of likeness up to which a pair is taken for the one that the user saw. Not calibrated."""
_REMEDY = "choose again in the face map, or correct pairs"


@dataclass(frozen=True, eq=False)
class Chosen:
    """The choices that fit. photos: for a face of the edit (its index) the photos of its person, none where it is to
    be left alone. notes: a sentence for each choice that does not fit the pictures."""

    photos: dict[int, tuple[Face, ...]]
    notes: tuple[str, ...]


def fitting_choices(choices: PairChoices, originals: Faces, edited: Faces) -> Chosen:
    """The choices that fit the faces found. Where the numbers of faces have changed none of them does."""
    found = len(edited.faces), len(originals.faces)
    if choices.choices and choices.counts not in (None, found):
        assert choices.counts is not None
        then, now = (f"{counts[0]} in the edit and {counts[1]} in the photos" for counts in (choices.counts, found))
        return Chosen({}, (f"pairs was chosen for other pictures (faces then: {then}; now: {now}) and is not used; "
                           f"{_REMEDY}.",))
    photos: dict[int, tuple[Face, ...]] = {}
    notes = []
    for choice in choices.choices:
        fault = _fault(choice, originals, edited)
        if fault is not None:
            notes.append(f"pairs: {choice} is not used, because {fault}; {_REMEDY}.")
            continue
        face = choice.edited.in_faces(edited)
        index = next(i for i, other in enumerate(edited.faces) if other is face)
        photos[index] = tuple(_named(choice, originals))
    return Chosen(photos, tuple(notes))


def _named(choice: PairChoice, originals: Faces) -> list[Face]:
    return [face for number in choice.photos if (face := number.in_faces(originals)) is not None]


def _fault(choice: PairChoice, originals: Faces, edited: Faces) -> str | None:
    """Why a choice does not fit the faces, or None."""
    face, photos = choice.edited.in_faces(edited), _named(choice, originals)
    if face is None:
        return f"the edit holds no face {choice.edited}"
    if len(photos) < len(choice.photos):
        missing = next(number for number in choice.photos if number.in_faces(originals) is None)
        return f"the photos hold no face {missing}"
    if len({photo.frame for photo in photos}) < len(photos):
        return "two of its faces are in one photo and cannot be one person"
    now = seen_likeness(photos, originals.faces, face)
    if choice.likeness is not None and now is not None and abs(now - choice.likeness) > _SAME_LIKENESS:
        return f"the likeness was {choice.likeness:.2f} when it was chosen and is {now:.2f} now: other pictures"
    return None


def seen_likeness(photos: Sequence[Face], originals: Sequence[Face], face: Face) -> float | None:
    """The likeness by which a choice is known again: to its first photo, or for a face to be left alone to the
    likest of all. None without embeddings."""
    known = [value for photo in (photos[:1] or originals) if (value := cosine(photo, face)) is not None]
    return max(known) if known else None
