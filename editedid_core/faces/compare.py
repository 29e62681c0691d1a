"""Is it still the same person? Likeness of one picture's faces to a reference, before and after."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ..records import Face, Faces
from ..ticks import Tick, nothing
from .analyzers.protocol import FaceAnalyzer
from .detect import detect
from .match import match_faces

BY_PLACE = 0.25
"""How much place counts beside likeness if both pictures may show one scene (drawn groups)."""


@dataclass(frozen=True)
class PersonScore:
    """Cosine to the reference of one person, -1 to 1; None if that person was not found or no picture was given."""

    before: float | None
    after: float | None


@dataclass(frozen=True, eq=False)
class Comparison:
    """scores: one per person of the reference found in the picture. faces: those of the picture, for a preview."""

    scores: tuple[PersonScore, ...]
    reference: Faces
    faces: Faces

    @property
    def before(self) -> float:
        """Mean over people; 0 if there is no earlier picture."""
        return _mean([score.before for score in self.scores])

    @property
    def after(self) -> float:
        """Mean over people; 0 if nobody was found."""
        return _mean([score.after for score in self.scores])

    def text(self) -> str:
        """The scores in words, a line per person."""
        lines = []
        for number, score in enumerate(self.scores, start=1):
            after = "not found" if score.after is None else f"{score.after:.3f}"
            if score.before is None:
                lines.append(f"Person {number}: {after}")
            elif score.after is None:
                lines.append(f"Person {number}: {score.before:.3f} before, {after} now")
            else:
                lines.append(f"Person {number}: {score.before:.3f} -> {after} ({score.after - score.before:+.3f})")
        return "\n".join(lines)


def compare(image: torch.Tensor, reference: torch.Tensor, analyzer: FaceAnalyzer,
            before: torch.Tensor | None = None, tick: Tick = nothing) -> Comparison:
    """Likeness of the faces of `image`, and of `before` where given, to those of `reference`.

    image, reference, before: (B, H, W, C); of a batch the mean over its pictures counts. Faces are found by `analyzer`
    and paired as match_faces() does. `tick`: called after each
    picture. Raises ValueError, naming the input, where a picture holds no face.
    """
    known = _found(reference, analyzer, "reference", tick)
    after_faces = _found(image, analyzer, "image", tick)
    after = _per_person(known, after_faces)
    earlier = {} if before is None else _per_person(known, _found(before, analyzer, "before", tick))
    people = sorted(set(after) | set(earlier))
    scores = tuple(PersonScore(earlier.get(person), after.get(person)) for person in people)
    return Comparison(scores, known, after_faces)


def _found(image: torch.Tensor, analyzer: FaceAnalyzer, name: str, tick: Tick) -> Faces:
    faces = detect(image, analyzer, on_frame=tick, name=name)
    if not faces.faces:
        raise ValueError(f"No face was found in {name}: connect a picture in which a face can be seen.")
    return faces


def _per_person(reference: Faces, faces: Faces) -> dict[int, float]:
    """Mean similarity of each person of the reference, named by the place of the person's first face."""
    place = {id(face): index for index, face in enumerate(reference.faces)}

    def person(photos: tuple[Face, ...]) -> int:
        return min(place[id(photo)] for photo in photos)

    sums: dict[int, list[float]] = {}
    for pair in match_faces(reference, faces, min_similarity=-1.0, position_weight=BY_PLACE).pairs:
        if pair.similarity is not None:
            sums.setdefault(person(pair.originals), []).append(pair.similarity)
    return {who: sum(values) / len(values) for who, values in sums.items()}


def _mean(values: list[float | None]) -> float:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else 0.0
