"""Faces of a batch of pictures, found once and in an order that all later stages keep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
import torch

from ..choices import one_of
from ..geometry.affine import Matrix, apply, inverse_affine, scale_of
from ..pictures import check_pictures, to_bytes
from ..records import Face, Faces, FloatArray
from ..ticks import Tick, nothing
from .analyzers.composed import ComposedAnalyzer
from .analyzers.protocol import FaceAnalyzer, FindsTogether, find_each
from .match import match_faces

Order = Literal["left-right", "right-left", "top-bottom", "large-small", "centre", "confidence", "reference"]

ORDERS: tuple[Order, ...] = (
    "left-right", "right-left", "top-bottom", "large-small", "centre", "confidence", "reference",
)


_TOGETHER, _PIXELS_TOGETHER = 4, 2**23
"""Pictures, and pixels of theirs, that are searched at once where the analyzer can: small pictures then take a fraction
of the time, large ones no more memory, and an interrupt waits for no more than these."""


def detect(image: torch.Tensor, analyzer: FaceAnalyzer, threshold: float = 0.5, min_size: float = 0.0,
           order: Order = "left-right", reference: Faces | None = None,
           on_frame: Tick = nothing, name: str = "image") -> Faces:
    """Find the faces of every picture of a batch.

    image: (B, H, W, C) in [0, 1], C 1, 3 or 4. threshold: least score, 0 to 1. min_size: least side of a face's box
    in pixels. order: within each picture. reference: the faces whose order "reference" follows. on_frame: called after
    each picture. name: of the input that brings the pictures.
    Returns all faces, frame by frame; none is no error. Raises ValueError for an empty batch or a missing reference.
    """
    check_pictures(image, name)
    height, width = image.shape[1:3]
    found: list[Face] = []
    several = isinstance(analyzer, FindsTogether)
    together = max(1, min(_TOGETHER, _PIXELS_TOGETHER // (height * width))) if several else 1
    for first in range(0, image.shape[0], together):
        frames = range(first, min(first + together, image.shape[0]))
        for frame, faces in zip(frames, find_each(analyzer, [to_bytes(image[i]) for i in frames], threshold)):
            found += [replace(_sound(face, analyzer), frame=frame) for face in faces
                      if face.score >= threshold and face.size >= min_size]
            on_frame()
    return sort_faces(Faces(tuple(found), image.shape[0], (height, width)), order, reference)


def _sound(face: Face, analyzer: FaceAnalyzer) -> Face:
    """The face itself. Raises ValueError where it holds a value that is no number: no score would be one any more."""
    given = (face.box, face.points, face.embedding, face.dense)
    if all(values is None or bool(np.isfinite(values).all()) for values in given):
        return face
    raise ValueError(f"analyzer: {analyzer.name} gave a face with values that are not numbers (NaN or infinite): "
                     "choose another backend, or another pack.")


def central_face(picture: torch.Tensor, analyzer: FaceAnalyzer, threshold: float = 0.5) -> Face | None:
    """The face nearest to the middle of a crop (1, H, W, C), or None."""
    return central_faces([picture], analyzer, threshold)[0]


def central_faces(crops: Sequence[torch.Tensor], analyzer: FaceAnalyzer, threshold: float = 0.5) -> list[Face | None]:
    """The face nearest to the middle of each crop (1, H, W, C), or None."""
    if not crops:
        return []
    batches = [torch.cat(list(crops))] if len({crop.shape for crop in crops}) == 1 else crops
    faces = [detect(batch, analyzer, threshold, order="centre") for batch in batches]
    inside = [one.in_frame(frame) for one in faces for frame in range(one.frames)]
    return [found[0] if found else None for found in inside]


def found_again(crop: torch.Tensor, to_picture: Matrix, face: Face, analyzer: FaceAnalyzer,
                threshold: float = 0.5) -> Face | None:
    """A face of a picture as it is seen in a crop (1, H, W, C) of it, or None.

    to_picture: (2, 3), crop pixels to picture pixels. Where the analyzer knows the face's mesh it only recognises it
    anew; others search the crop.
    """
    return found_again_each([(crop, to_picture, face)], analyzer, threshold)[0]


def found_again_each(faces: Sequence[tuple[torch.Tensor, Matrix, Face]], analyzer: FaceAnalyzer,
                     threshold: float = 0.5) -> list[Face | None]:
    """What found_again() gives for each crop, map and face."""
    if not isinstance(analyzer, ComposedAnalyzer) or any(f.mesh is None or f.dense is None for _, _, f in faces):
        return central_faces([crop for crop, _, _ in faces], analyzer, threshold)
    here = [(to_bytes(crop[0]), _in_crop(face, inverse_affine(matrix), (crop.shape[1], crop.shape[2])))
            for crop, matrix, face in faces]
    return [_sound(face, analyzer) for face in analyzer.recognised(here)]


def _in_crop(face: Face, to_crop: Matrix, size: tuple[int, int]) -> Face:
    """A face with a mesh as it lies in a crop of `size` pixels (height, width)."""
    def moved(points: FloatArray) -> FloatArray:
        return apply(to_crop, points).astype(np.float32)

    assert face.mesh is not None and face.dense is not None
    mesh = np.column_stack([moved(face.mesh[:, :2]), face.mesh[:, 2] * scale_of(to_crop)]).astype(np.float32)
    return replace(face, box=moved(face.box.reshape(2, 2)).ravel(), points=moved(face.points), mesh=mesh,
                   dense=moved(face.dense), frame=0, image_size=size)


def sort_faces(faces: Faces, order: Order, reference: Faces | None = None) -> Faces:
    """The same faces, each frame in the given order; ties keep a fixed order by place.

    Raises ValueError for an unknown order, or for "reference" without reference faces.
    """
    order = one_of(order, ORDERS, "order")
    if order == "reference" and (reference is None or not reference.faces):
        raise ValueError("The order 'reference' needs a reference in which a face is found: connect reference_image.")
    result: list[Face] = []
    for frame in range(faces.frames):
        in_frame = sorted(faces.in_frame(frame), key=lambda face: tuple(face.box.tolist()))
        if order == "reference":
            assert reference is not None
            result.extend(_like_reference(in_frame, faces, reference))
        else:
            result.extend(sorted(in_frame, key=lambda face: _rank(face, order)))
    return replace(faces, faces=tuple(result))


def _rank(face: Face, order: Order) -> float:
    x, y = (float(v) for v in face.centre)
    if order == "left-right":
        return x
    if order == "right-left":
        return -x
    if order == "top-bottom":
        return y
    if order == "large-small":
        return -float(np.prod(face.box[2:] - face.box[:2]))
    if order == "centre":
        height, width = face.image_size
        return float(np.hypot(x - (width - 1) / 2, y - (height - 1) / 2))
    return -face.score


def _like_reference(in_frame: list[Face], faces: Faces, reference: Faces) -> list[Face]:
    """Faces that match a reference face in the reference's order, then the others from left to right."""
    alone = Faces(tuple(replace(face, frame=0) for face in in_frame), 1, faces.image_size)
    pairs = match_faces(reference, alone, min_similarity=-1.0, position_weight=0.25).pairs
    place = {id(face): index for index, face in enumerate(reference.faces)}
    rank: dict[int, float] = {}
    for pair in pairs:
        index = next(i for i, face in enumerate(alone.faces) if face is pair.edited)
        rank[index] = min(place[id(face)] for face in pair.originals)
    order = sorted(range(len(in_frame)), key=lambda i: (rank.get(i, float("inf")), float(in_frame[i].centre[0])))
    return [in_frame[i] for i in order]
