"""Faces of a batch of pictures, found once and put in one order that everything later keeps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from .analyzers.protocol import FaceAnalyzer
from .match import match_faces
from .record import Face, Faces

Order = Literal["left-right", "right-left", "top-bottom", "large-small", "centre", "confidence", "reference"]
ORDERS: tuple[Order, ...] = (
    "left-right", "right-left", "top-bottom", "large-small", "centre", "confidence", "reference",
)


def check_pictures(image: torch.Tensor, name: str) -> None:
    """Raise ValueError, naming the input, unless `image` is (B, H, W, C) with at least one picture of one pixel."""
    if image.ndim != 4 or image.shape[-1] not in (1, 3, 4):
        raise ValueError(
            f"{name} must be pictures (batch, height, width, 1, 3 or 4 channels), got {tuple(image.shape)}."
        )
    if image.shape[0] == 0:
        raise ValueError(f"{name} is an empty batch: connect at least one picture.")
    if min(image.shape[1:3]) == 0:
        raise ValueError(f"{name} has no pixels: connect a picture of at least 1 by 1 pixel.")


def check_found_in(face: Face, image: torch.Tensor, name: str) -> None:
    """Raise ValueError, naming the input, unless `image` (B, H, W, C) has the size of those the face was found in."""
    if face.frame >= image.shape[0] or face.image_size != (image.shape[1], image.shape[2]):
        raise ValueError(
            f"{name} has {image.shape[0]} pictures of {tuple(image.shape[1:3])} pixels (height, width), but a "
            f"face of pairs was found in picture {face.frame + 1} of {face.image_size}: connect the same "
            "picture as to Detect Faces."
        )


def to_rgb(picture: torch.Tensor) -> torch.Tensor:
    """(..., H, W, 1, 3 or 4) to (..., H, W, 3): grey is repeated, alpha is dropped."""
    return picture.expand(*picture.shape[:-1], 3) if picture.shape[-1] == 1 else picture[..., :3]


def to_bytes(picture: torch.Tensor) -> NDArray[np.uint8]:
    """One picture (H, W, C) with values 0 to 1 as (H, W, 3) uint8; values that are not numbers become black."""
    rgb = to_rgb(picture).detach().to("cpu", torch.float32)
    return np.ascontiguousarray(rgb.nan_to_num(0.0).clamp(0, 1).mul(255).round().to(torch.uint8).numpy())


def detect(image: torch.Tensor, analyzer: FaceAnalyzer, threshold: float = 0.5, min_size: float = 0.0,
           order: Order = "left-right", reference: Faces | None = None,
           on_frame: Callable[[], None] | None = None) -> Faces:
    """Find the faces of every picture of a batch.

    image: (B, H, W, C) in [0, 1], C 1, 3 or 4. threshold: least score, 0 to 1. min_size: least side of a face's box
    in pixels. order: within each picture. reference: the faces whose order "reference" follows. on_frame: called after
    each picture, for progress.
    Returns all faces, frame by frame; none is no error. Raises ValueError for an empty batch or a missing reference.
    """
    check_pictures(image, "image")
    height, width = image.shape[1:3]
    found: list[Face] = []
    for frame in range(image.shape[0]):
        faces = [
            replace(face, frame=frame)
            for face in analyzer.find(to_bytes(image[frame]), threshold)
            if face.score >= threshold and face.size >= min_size
        ]
        found.extend(faces)
        if on_frame is not None:
            on_frame()
    return sort_faces(Faces(tuple(found), image.shape[0], (height, width)), order, reference)


def central_face(picture: torch.Tensor, analyzer: FaceAnalyzer, threshold: float = 0.5) -> Face | None:
    """The face nearest to the middle of a crop (1, H, W, C), or None."""
    faces = detect(picture, analyzer, threshold, order="centre").faces
    return faces[0] if faces else None


def sort_faces(faces: Faces, order: Order, reference: Faces | None = None) -> Faces:
    """The same faces, each frame in the given order; ties keep a fixed order by place.

    Raises ValueError for an unknown order, or for "reference" without reference faces.
    """
    if order not in ORDERS:
        raise ValueError(f"The order of faces '{order}' is not known: choose one of {', '.join(ORDERS)}.")
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
    pairs = match_faces(reference, alone, min_similarity=-1.0).pairs
    place = {id(face): index for index, face in enumerate(reference.faces)}
    rank: dict[int, float] = {}
    for pair in pairs:
        index = next(i for i, face in enumerate(alone.faces) if face is pair.edited)
        rank[index] = min(place[id(face)] for face in pair.originals)
    order = sorted(range(len(in_frame)), key=lambda i: (rank.get(i, float("inf")), float(in_frame[i].centre[0])))
    return [in_frame[i] for i in order]


def faces_mask(faces: Faces) -> torch.Tensor:
    """(frames, H, W) float32: soft masks of all faces of each picture together."""
    from .masks import face_mask_in_picture

    masks = torch.zeros(faces.frames, *faces.image_size)
    for face in faces.faces:
        masks[face.frame] = torch.maximum(masks[face.frame], face_mask_in_picture(face))
    return masks
