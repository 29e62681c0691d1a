"""Likeness of two faces, by the analyzer that found them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..geometry.affine import apply, face_to_face
from ..records import Face, FloatArray


def face_similarity(a: Face, b: Face) -> float:
    """Cosine of the two embeddings, -1 to 1; 1 for one and the same face.

    Raises ValueError where a face has no embedding or the two come from different analyzers.
    """
    if a.embedding is None or b.embedding is None:
        raise ValueError(
            "A face has no identity embedding: connect a face analyzer (Load Face Analyzer) where faces are detected."
        )
    if a.embedding.shape != b.embedding.shape:
        raise ValueError(
            f"The two faces were recognised by different analyzers ({a.embedding.shape[0]} and {b.embedding.shape[0]} "
            "numbers): use one Load Face Analyzer for both pictures."
        )
    return float(np.clip(np.dot(a.embedding, b.embedding), -1.0, 1.0))


def cosine(a: Face, b: Face) -> float | None:
    """`face_similarity`, or None where an embedding is missing."""
    return None if a.embedding is None or b.embedding is None else face_similarity(a, b)


def mean_embedding(photos: Sequence[Face]) -> FloatArray | None:
    """The person's mean over one or more photos, (D,) float32 of length 1; None where an embedding is missing.

    Light, pose and expression differ between photos and average out; the person does not.
    """
    known = [photo.embedding for photo in photos if photo.embedding is not None]
    if not known or len(known) < len(photos):
        return None
    mean = np.mean(known, axis=0)
    length = float(np.linalg.norm(mean))
    return known[0] if length < 1e-6 else np.asarray(mean / length, dtype=np.float32)


def person_similarity(photos: Sequence[Face], face: Face) -> float:
    """Cosine of a face to the mean of a person's photos, -1 to 1; with one photo `face_similarity`.

    Raises ValueError as `face_similarity` does.
    """
    for photo in photos:
        face_similarity(photo, face)  # its errors say what is missing
    mean = mean_embedding(photos)
    assert mean is not None and face.embedding is not None
    return float(np.clip(np.dot(mean, face.embedding), -1.0, 1.0))


def second_similarity(photos: Sequence[Face], face: Face) -> float | None:
    """`person_similarity` by the second recogniser; None where there is none."""
    if face.second is None or any(photo.second is None for photo in photos):
        return None
    return person_similarity([replace(photo, embedding=photo.second) for photo in photos],
                             replace(face, embedding=face.second))


def pose_distance(photo: Face, face: Face) -> float:
    """Difference in pose and expression: the distance between the five points of two faces after the warp.

    Root mean square distance in eye distances of the second, 0 for the same pose and expression. Roll, size and place
    do not count, because the warp of METHOD §6 undoes them exactly; yaw, pitch and expression remain.
    """
    left = apply(face_to_face(photo.points, face.points), photo.points) - face.points
    eyes = float(np.linalg.norm(face.points[1] - face.points[0]))
    return float(np.sqrt(np.square(left).sum(1).mean()) / max(eyes, 1e-6))
