"""Who is who: the same person in the original photos and in the edited pictures. METHOD §6."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from ..records import Face, FacePair, FacePairs, Faces, Rival
from ..ticks import Tick, nothing
from .chosen import fitting_choices
from .pairs_text import read_pairs
from .similarity import cosine, mean_embedding, person_similarity, pose_distance

SAME_PERSON = 0.6
"""Cosine above which two faces of the original photos are taken for one person."""
DOUBT = 0.1
"""Likeness by which a pair must be ahead of its rivals, or it is marked as doubtful (drawn people)."""
Choice = Literal["likest", "nearest pose", "all together"]

CHOICES: tuple[Choice, ...] = ("likest", "nearest pose", "all together")
"""Which of several photos of a person is used; with "all together" the likest comes first."""


def match_faces(originals: Faces, edited: Faces, min_similarity: float, position_weight: float,
                same_person: float = SAME_PERSON, choice: Choice = "likest", tick: Tick = nothing,
                pairs: str = "", doubt: float = DOUBT) -> FacePairs:
    """Pair each person of the original photos with at most one face of each edited picture.

    The score of a pair is (1 - position_weight) * similarity + position_weight * place, where place is 1 for a face
    of the same size at the same place and falls to 0 within about one face. Photos that cannot show the same
    composition (another aspect ratio, several photos for one picture) count by similarity alone, and faces without an
    embedding by place alone. All pairs together get the highest sum of scores (Hungarian method). Pairs whose likeness
    (without an embedding, whose place) is under `min_similarity` are given up: their faces are reported as unmatched,
    and the pairs as refused.
    Several original photos may show one person: faces of different photos whose cosine is at least `same_person` are
    one person. By `choice` the photo most like the edited face comes first, or the one in the nearest pose and
    expression; the pair's similarity is that to the mean of all photos.

    What the user chose in `pairs` (pairs_text.py) comes first, whatever the likeness: those faces and people are out
    of the matching. A pair whose likeness is less than `doubt` above that of a rival is marked with the rival.

    min_similarity: -1 to 1. position_weight: 0 to 1. tick: called for each picture. Returns pairs in the order of the
    edited faces. Raises ValueError where the two pictures were analysed by different analyzers, or `pairs` cannot be
    read.
    """
    from scipy.optimize import linear_sum_assignment

    people = group_people(originals.faces, same_person)
    chosen = fitting_choices(read_pairs(pairs), originals, edited)
    matched: dict[int, FacePair] = {}
    refused: list[FacePair] = []
    for frame in range(edited.frames):
        tick()
        here = [i for i, face in enumerate(edited.faces) if face.frame == frame]
        columns = [i for i in here if i not in chosen.photos]
        for i in set(here) - set(columns):
            if chosen.photos[i]:
                matched[i] = replace(_pair(chosen.photos[i], edited.faces[i], choice), chosen=True)
        taken = {id(photo) for i in here for photo in chosen.photos.get(i, ())}
        left = [person for person in people if not taken & set(map(id, person))]
        if not left or not columns:
            continue
        scores = np.array([
            [_score(person, edited.faces[i], originals, edited, position_weight) for i in columns] for person in left
        ])
        for row, column in zip(*linear_sum_assignment(scores, maximize=True)):
            pair = _pair(left[row], edited.faces[columns[column]], choice)
            if (scores[row, column] if pair.similarity is None else pair.similarity) < min_similarity:
                refused.append(pair)
                continue
            rival = _rival(pair, left, [edited.faces[i] for i in columns], doubt)
            matched[columns[column]] = replace(pair, rival=rival)
    used = {id(photo) for pair in matched.values() for photo in pair.originals}
    return FacePairs(
        pairs=tuple(matched[i] for i in sorted(matched)),
        unmatched_original=tuple(face for person in people if not used & set(map(id, person)) for face in person),
        unmatched_edited=tuple(face for i, face in enumerate(edited.faces) if i not in matched),
        refused=tuple(refused),
        skipped=tuple(edited.faces[i] for i in sorted(chosen.photos) if not chosen.photos[i]),
        notes=(*originals.notes, *edited.notes, *chosen.notes),
    )


def _pair(person: Sequence[Face], face: Face, choice: Choice) -> FacePair:
    """A person's photos with a face of the edit, best photo first."""
    photos = tuple(sorted(person, key=lambda photo: _distance(photo, face, choice)))
    return FacePair(photos[0], face, _likeness(photos, face), photos)


def _rival(pair: FacePair, people: Sequence[tuple[Face, ...]], faces: Sequence[Face], doubt: float) -> Rival | None:
    """The face that could as well stand in the pair: of another person, or another face of the edit."""
    if pair.similarity is None:
        return None
    others = [(likeness, person[0]) for person in people if pair.original not in person
              and (likeness := _likeness(person, pair.edited)) is not None]
    others += [(likeness, face) for face in faces if face is not pair.edited
               and (likeness := _likeness(pair.originals, face)) is not None]
    likeness, face = max(others, key=lambda other: other[0], default=(-2.0, pair.edited))
    return Rival(face, likeness) if likeness > pair.similarity - doubt else None


def group_people(faces: Sequence[Face], same_person: float = SAME_PERSON) -> list[tuple[Face, ...]]:
    """Faces of different photos that show one person, together; in order of first appearance.

    Two faces of one photo are never one person, and a face without an embedding is a person of its own. A face joins
    the person to whom its mean likeness is highest, if that is at least `same_person`.
    """
    people: list[list[Face]] = []
    for face in faces:
        best, likeness = None, same_person
        for person in people:
            cosines = [cosine(face, other) for other in person]
            known = [c for c in cosines if c is not None]
            if len(known) < len(person) or any(other.frame == face.frame for other in person):
                continue
            if float(np.mean(known)) >= likeness:
                best, likeness = person, float(np.mean(known))
        if best is None:
            people.append([face])
        else:
            best.append(face)
    return [tuple(person) for person in people]


def place_likeness(a: Face, b: Face) -> float:
    """1 for faces of the same size at the same place of their pictures, to 0 about one face apart.

    Places and sizes are taken relative to each picture; the distance is measured in faces.
    """
    scale_a, scale_b = (np.array([f.image_size[1], f.image_size[0]], dtype=np.float64) for f in (a, b))
    size_a, size_b = max(a.size, 1e-6) / scale_a.max(), max(b.size, 1e-6) / scale_b.max()
    apart = (a.centre / scale_a - b.centre / scale_b) * scale_b / scale_b.max()
    distance = float(np.hypot(*apart)) / math.sqrt(size_a * size_b)
    return math.exp(-((distance / 0.6) ** 2) - (math.log(size_a / size_b) / 0.5) ** 2)


def _score(person: Sequence[Face], face: Face, originals: Faces, edited: Faces, position_weight: float) -> float:
    """Best score of any photo of the person against one edited face."""
    return max(_score_of_photo(photo, face, originals, edited, position_weight) for photo in person)


def _score_of_photo(photo: Face, face: Face, originals: Faces, edited: Faces, position_weight: float) -> float:
    likeness = cosine(photo, face)
    comparable = _same_composition(originals, edited) and originals.frames in (1, edited.frames)
    if originals.frames == edited.frames > 1:  # two videos: places are comparable only at one moment
        comparable = comparable and photo.frame == face.frame
    place = place_likeness(photo, face) if comparable else 0.0
    if likeness is None:
        only_choice = len(originals.faces) == 1 and len(edited.in_frame(face.frame)) == 1
        return 1.0 if only_choice else place
    weight = position_weight if comparable else 0.0
    return (1 - weight) * likeness + weight * place


def _same_composition(originals: Faces, edited: Faces) -> bool:
    """Whether the two pictures have the same aspect ratio, within 5 %."""
    (h0, w0), (h1, w1) = originals.image_size, edited.image_size
    return abs(math.log(w0 * h1 / (h0 * w1))) < 0.05


def _distance(photo: Face, face: Face, choice: Choice) -> tuple[float, float]:
    """Smaller is better; of photos in the same pose the likest."""
    likeness = cosine(photo, face)
    unlike = -place_likeness(photo, face) if likeness is None else -likeness
    return (round(pose_distance(photo, face), 3) if choice == "nearest pose" else 0.0), unlike


def _likeness(photos: Sequence[Face], face: Face) -> float | None:
    """Cosine to the mean of a person's photos, or None where an embedding is missing."""
    return None if mean_embedding([*photos, face]) is None else person_similarity(photos, face)
