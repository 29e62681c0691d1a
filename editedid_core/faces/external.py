"""Faces that other nodes of the host found: its MediaPipe landmarks (FACE_LANDMARKS) and boxes (BOUNDING_BOX)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..choices import shown
from ..geometry.mesh_points import EYES, LEFT_IRIS, POINTS, RIGHT_IRIS, SKIN
from ..records import Face, Faces, FloatArray
from .analyzers.search import box_overlap
from .boxes import boxes_per_frame
from .layouts import read_together

# MediaPipe face mesh: tip of the nose; corners of the mouth
_NOSE_AND_MOUTH = [1, 61, 291]

# Where the five points lie in the box of an upright frontal face, in parts of the box
_POINTS_IN_BOX = np.array([[0.31, 0.40], [0.69, 0.40], [0.50, 0.60], [0.35, 0.78], [0.65, 0.78]])


class LandmarksError(ValueError):
    """Landmarks that are none of the host's, told in a sentence."""


def faces_from_landmarks(landmarks: Mapping[str, Any], frames: int, image_size: tuple[int, int],
                         threshold: float = 0.0) -> Faces:
    """The host's FACE_LANDMARKS as faces without embeddings, with dense landmarks.

    landmarks: {"frames": [[{"landmarks_xy": (468 or 478, 2), "bbox_xyxy": (4,), "score": float}]], "image_size"}.
    Raises ValueError when it belongs to other pictures than the connected ones, or is none of the host's.
    """
    if not isinstance(landmarks, Mapping):
        raise _no_landmarks(landmarks)
    try:
        per_frame = landmarks.get("frames")
        if per_frame is not None and not len(per_frame):  # nothing was found anywhere
            return Faces((), frames, image_size)
        size = tuple(int(v) for v in landmarks.get("image_size", image_size))
        found = [_meshes(faces) for faces in per_frame or ()]
    except LandmarksError:
        raise
    except (TypeError, ValueError, OverflowError, IndexError, RuntimeError) as error:  # a list or a number is none
        raise _no_landmarks(landmarks) from error
    if per_frame is None or len(found) != frames or size != tuple(image_size):
        raise ValueError(
            f"face_landmarks belong to {len(found)} pictures of {size} pixels (height, width), image to "
            f"{frames} of {tuple(image_size)}: detect the landmarks on the picture that is connected here."
        )
    return Faces(tuple(
        Face(box, points, score, None, dense, frame, image_size)
        for frame, faces in enumerate(found) for box, points, score, dense in faces if score >= threshold
    ), frames, image_size)


def _meshes(faces: Any) -> list[tuple[FloatArray, FloatArray, float, FloatArray]]:
    """Box, five points, score and mesh of each face of one picture. A mesh without extent is no face."""
    found = []
    for item in () if faces is None else faces:
        if not isinstance(item, Mapping) or item.get("landmarks_xy") is None:
            raise _no_landmarks(item)
        dense = np.asarray(item["landmarks_xy"], dtype=np.float32)[..., :2]
        points, (box, score) = _five_of_mesh(dense), (item.get("bbox_xyxy"), item.get("score"))
        corners = np.asarray([*dense.min(0), *dense.max(0)] if box is None else box, dtype=np.float32)
        told = 1.0 if score is None else float(score)
        if corners.shape != (4,) or not np.isfinite([*dense.ravel(), *corners, told]).all():
            raise _no_landmarks(item)
        if np.ptp(dense, axis=0).min() >= 1:
            found.append((corners, points, told, dense))
    return found


def faces_from_boxes(boxes: Any, frames: int, image_size: tuple[int, int], threshold: float = 0.0,
                     seen: Callable[[], Faces] | None = None) -> Faces:
    """Boxes of other nodes as faces, with the five points where an upright frontal face has them.

    boxes: in any layout of `boxes_per_frame`. seen: finds faces in the same pictures, where bare numbers can be read in
    two ways. Raises ValueError when the number of lists is not the number of pictures, or for a layout that is not
    known.
    """
    per_frame = boxes_per_frame(boxes, frames)
    if len(per_frame) != frames:
        raise ValueError(
            f"bounding_box holds boxes for {len(per_frame)} pictures, image has {frames}: detect the boxes on the "
            "picture that is connected here."
        )
    read, note = read_together(per_frame, image_size, seen)
    found = []
    for frame, items in enumerate(read):
        for box, score, _ in items:
            size = box[2:] - box[:2]
            if score < threshold or size.min() < 1:
                continue
            points = (box[:2] + _POINTS_IN_BOX * size).astype(np.float32)
            found.append(Face(box, points, score, None, None, frame, image_size))
    return Faces(tuple(found), frames, image_size, (note,) if note else ())


def recognise(given: Faces, analysed: Faces, keep_points: bool) -> Faces:
    """Give faces found elsewhere the embedding of the analyzer's face at the same place.

    keep_points: keep the points that came with the given faces (landmarks); otherwise (boxes) take the analyzer's.
    A given face where the analyzer sees none stays without an embedding.
    """
    result = []
    for face in given.faces:
        rivals = analysed.in_frame(face.frame)
        overlaps = [box_overlap(face.box, rival.box) for rival in rivals]
        if not overlaps or max(overlaps) < 0.2:
            result.append(face)
            continue
        same = rivals[int(np.argmax(overlaps))]
        result.append(replace(face, embedding=same.embedding) if keep_points else replace(same, box=face.box))
    return replace(given, faces=tuple(result))


def _no_landmarks(value: object) -> LandmarksError:
    return LandmarksError(f"face_landmarks holds {shown(value)}: connect ComfyUI's own MediaPipe landmarks.")


def _five_of_mesh(dense: NDArray[np.float32]) -> NDArray[np.float32]:
    if dense.ndim != 2 or len(dense) < SKIN or dense.shape[1] != 2:
        raise LandmarksError(
            f"face_landmarks has {len(dense)} points a face: connect ComfyUI's own MediaPipe landmarks (468 or 478)."
        )
    eyes = (LEFT_IRIS, RIGHT_IRIS) if len(dense) >= POINTS else map(list, EYES)
    return np.stack([*(dense[eye].mean(0) for eye in eyes), *dense[_NOSE_AND_MOUTH]]).astype(np.float32)
