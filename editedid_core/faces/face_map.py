"""Who is who as plain data, for the face map of the front end (web/face_map.js)."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..records import Face, FacePair, Faces, Matching
from .chosen import seen_likeness
from .match import group_people
from .pairs_text import FaceNumber
from .similarity import cosine

MOST_FACES = 60
"""Faces of each side that the map shows."""

Thumbnail = Callable[[Face], NDArray[np.uint8] | None]


def face_map(found: Matching, pairs: str, same_person: float, edit_thumbnail: Thumbnail,
             photo_thumbnail: Thumbnail) -> dict[str, Any]:
    """The faces of both sides with names as `pairs` takes them, their likeness, and who was paired with whom.

    pairs: the text that was used. same_person: likeness from which two photos show one person. Faces are given by
    their place in `edited` and `photos`. Values for JSON only.
    """
    edit, photos = found.edited.faces[:MOST_FACES], found.originals.faces[:MOST_FACES]
    people = {id(photo): number for number, person in enumerate(group_people(photos, same_person), start=1)
              for photo in person}
    return {
        "pairs": pairs,
        "counts": [len(found.edited.faces), len(found.originals.faces)],
        "edited": [{"name": _name(found.edited, face), "label": found.edited.label(face), "skip": face in
                    found.pairs.skipped, "likest": _rounded(seen_likeness((), found.originals.faces, face)),
                    "picture": _encoded(edit_thumbnail(face)),
                    "likeness": [_rounded(cosine(photo, face)) for photo in photos]} for face in edit],
        "photos": [{"name": _name(found.originals, face), "label": _photo_label(found.originals, face),
                    "person": people[id(face)], "picture": _encoded(photo_thumbnail(face))} for face in photos],
        "matched": [{"edited": edit.index(pair.edited), "photos": [photos.index(one) for one in pair.originals
                                                                   if one in photos],
                     "likeness": _rounded(pair.similarity), "chosen": pair.chosen, "doubt": _doubt(pair, found)}
                    for pair in found.pairs.pairs if pair.edited in edit],
        "refused": [{"edited": edit.index(pair.edited), "likeness": _rounded(pair.similarity)}
                    for pair in found.pairs.refused if pair.edited in edit],
        "notes": list(found.pairs.notes),
    }


def _name(faces: Faces, face: Face) -> str:
    """The shortest name of a face that `pairs` takes: with its picture unless every picture holds one face."""
    if faces.frames == 1 or all(len(faces.in_frame(frame)) == 1 for frame in range(faces.frames)):
        return str(FaceNumber(faces.faces.index(face) + 1))
    return str(FaceNumber(faces.in_frame(face.frame).index(face) + 1, face.frame + 1))


def _photo_label(photos: Faces, face: Face) -> str:
    if len(photos.in_frame(face.frame)) == 1:
        return f"photo {face.frame + 1}"
    return photos.label(face).replace("picture", "photo")


def _doubt(pair: FacePair, found: Matching) -> str:
    """Who else it could be, in words; empty where there is no doubt."""
    if pair.rival is None:
        return ""
    faces, side = ((found.edited, "the edit") if pair.rival.face in found.edited.faces else
                   (found.originals, "the photos"))
    return f"{faces.label(pair.rival.face)} of {side} is as like ({pair.rival.likeness:.2f})"


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(float(value), 2)


def _encoded(picture: NDArray[np.uint8] | None) -> str:
    """A picture as a JPEG in a data address; empty without one."""
    if picture is None:
        return ""
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode("ascii")
