"""How alike two faces are to the analyzer that found them."""

from __future__ import annotations

import numpy as np

from .record import Face


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
