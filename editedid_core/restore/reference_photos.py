"""The photos of one person: whom most of them show, and the face crops that tokens are fitted on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..config import FindConfig
from ..faces.analyzers.protocol import FaceAnalyzer
from ..faces.detect import detect
from ..faces.match import group_people
from ..faces.similarity import face_similarity, mean_embedding, person_similarity
from ..geometry.affine import apply, crop_frame, inverse_affine, pixel_grid, scale_of
from ..geometry.resample import resample
from ..masks.outline import face_mask
from ..pictures import to_rgb
from ..records import Face, Faces
from ..ticks import Tick, nothing


def find_person(references: Tensor, analyzer: FaceAnalyzer, config: FindConfig, tick: Tick = nothing) -> Faces:
    """The faces of the photos (P, h, w, C). Raises ValueError where none of them shows one."""
    photos = detect(references, analyzer, config.threshold, config.min_face, config.order, on_frame=tick)
    if not photos.faces:
        raise ValueError("references: no face was found in any photo; use larger or clearer photos.")
    return photos


AGE_GAP = 0.12
"""How much less a photo is like the others than these are like each other, from which it may show the person at another
age. Of 24 drawn people, photos of the same age stay within 0.05, and a younger self is 0.2 away (2026-11)."""


@dataclass(frozen=True, eq=False)
class Agreement:
    """Whom photos show. candidates: the faces of the person whom most of them show; of several people, in order of
    first appearance, where as many show each. others: all other faces. notes: a sentence for each photo that is not
    used, by what it differs."""

    candidates: tuple[tuple[Face, ...], ...]
    others: tuple[Face, ...]
    notes: tuple[str, ...]

    @property
    def tied(self) -> bool:
        """Whether the photos alone do not tell whom to take."""
        return len(self.candidates) > 1


def agreement(photos: Faces, same_person: float) -> Agreement:
    """Whom most of the photos show, and which of them show somebody else, or the person at another age."""
    people = group_people(photos.faces, same_person)
    most = max(len(one) for one in people)
    candidates = tuple(one for one in people if len(one) == most)
    others = tuple(face for one in people if len(one) < most for face in one)
    if len(candidates) > 1:
        return Agreement(candidates, others, tuple(f"{photos.label(face).capitalize()} of the photos shows another "
                                                   "person than the others; it is not used." for face in others))
    notes = []
    for face in others:
        known = face.embedding is not None and mean_embedding(candidates[0]) is not None
        likeness = f" (likeness {person_similarity(candidates[0], face):.2f})" if known else ""
        notes.append(f"{photos.label(face).capitalize()} of the photos shows another person than most of them, or the "
                     f"person at another age{likeness}; it is not used.")
    return Agreement(candidates, others, (*notes, *_odd(photos, candidates[0])))


def _odd(photos: Faces, person: tuple[Face, ...]) -> list[str]:
    """A sentence for a photo of a person that is less like the others than these are like each other. Of two photos
    nobody knows which one is odd."""
    if len(person) < 3 or mean_embedding(person) is None:
        return []
    alike = np.array([[face_similarity(a, b) for b in person] for a in person])
    np.fill_diagonal(alike, np.nan)
    odd = int(np.nanmean(alike, axis=1).argmin())
    own, rest = float(np.nanmean(alike[odd])), float(np.nanmean(np.delete(np.delete(alike, odd, 0), odd, 1)))
    if rest - own < AGE_GAP:
        return []
    return [f"{photos.label(person[odd]).capitalize()} of the photos is less like the others (likeness {own:.2f}) than "
            f"these are like each other ({rest:.2f}): leave it out if it shows the person at another age."]


def face_crops(references: Tensor, person: tuple[Face, ...], size: int) -> tuple[Tensor, Tensor]:
    """Upright crops (P, S, S, 3) of a person's faces in their photos (B, h, w, C), and the masks (P, S, S) of the faces
    in them."""
    crops, masks = [], []
    for face in person:
        frame = crop_frame(face.points, size)
        grid = apply(frame, pixel_grid(size, size))
        crops.append(resample(to_rgb(references[face.frame].detach()).cpu(), grid, scale_of(frame), padding="border"))
        back = inverse_affine(frame)
        dense = None if face.dense is None else apply(back, face.dense)
        masks.append(face_mask(apply(back, face.points), dense, size))
    return torch.stack(crops), torch.stack(masks)
