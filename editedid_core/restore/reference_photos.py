"""The photos of one person: whom most of them show, and the face crops that tokens are fitted on."""

from __future__ import annotations

import torch
from torch import Tensor

from ..config import FindConfig
from ..faces.analyzers.protocol import FaceAnalyzer
from ..faces.detect import detect
from ..faces.match import group_people
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


def main_person(photos: Faces, same_person: float) -> tuple[tuple[Face, ...], tuple[Face, ...], tuple[str, ...]]:
    """The faces of the person whom most photos show, the other faces, and a note for each of these."""
    people = sorted(group_people(photos.faces, same_person), key=len, reverse=True)
    person, others = people[0], tuple(face for other in people[1:] for face in other)
    notes = tuple(f"{photos.label(face).capitalize()} of the photos shows another person than most of them; it is not "
                  "used." for face in others)
    return person, others, notes


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
