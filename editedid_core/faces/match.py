from __future__ import annotations
from .record import FacePairs, Faces


def match_faces(originals: Faces, edited: Faces, min_similarity: float = 0.0,
                position_weight: float = 0.25) -> FacePairs:
    raise NotImplementedError
