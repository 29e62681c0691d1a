from __future__ import annotations
from .record import Face


def face_similarity(a: Face, b: Face) -> float:
    """cosine of embeddings; ValueError where an embedding is missing."""
    raise NotImplementedError
