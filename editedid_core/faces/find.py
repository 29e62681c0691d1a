"""Faces of a batch from the connected inputs: an analyzer, the host's landmarks or boxes, or several of them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from functools import cache, partial
from typing import Any

import torch

from ..pictures import check_pictures
from ..records import Faces
from ..ticks import Tick, nothing
from .analyzers.protocol import FaceAnalyzer
from .detect import Order, detect, sort_faces
from .external import faces_from_boxes, faces_from_landmarks, recognise


def find_faces(image: torch.Tensor, analyzer: FaceAnalyzer | None = None, landmarks: Mapping[str, Any] | None = None,
               boxes: Any = None, threshold: float = 0.5, min_size: float = 0.0, order: Order = "left-right",
               reference: Faces | None = None, on_frame: Tick = nothing, name: str = "image") -> Faces:
    """Find faces, preferring landmarks to boxes to the analyzer's own search; the analyzer recognises them all.

    Parameters as of detect(), faces_from_landmarks() and faces_from_boxes(). Without an analyzer the faces have no
    embedding, and matching goes by place. name: of the input that brings the pictures. Raises ValueError if no input
    can find a face.
    """
    check_pictures(image, name)
    if analyzer is None and landmarks is None and boxes is None:
        raise ValueError(
            "Nothing can find faces here: connect analyzer (Load Face Analyzer), face_landmarks or bounding_box."
        )
    if landmarks is None and boxes is None:
        assert analyzer is not None
        return detect(image, analyzer, threshold, min_size, order, reference, on_frame, name)
    frames, size = image.shape[0], (image.shape[1], image.shape[2])
    seen = None if analyzer is None else cache(partial(detect, image, analyzer, threshold, on_frame=on_frame))
    if landmarks is not None:
        given = faces_from_landmarks(landmarks, frames, size, threshold)
    else:
        given = faces_from_boxes(boxes, frames, size, threshold, seen)
    given = replace(given, faces=tuple(face for face in given.faces if face.size >= min_size))
    if seen is None:
        on_frame()
    else:
        given = recognise(given, seen(), landmarks is not None)
    for note in given.notes:
        logging.warning("EditedID: %s", note)
    return sort_faces(given, order, reference)
