"""How well a judge tells people apart, on photos of known people: before it judges anything else."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .judges import unit


@dataclass(frozen=True)
class Separation:
    """Cosines of all pairs of photos. auc: that a pair of one person is nearer than one of two; found: share of one
    person's pairs above the strangers' 99th percentile."""

    photos: int
    same: float
    different: float
    auc: float
    found: float


def separation(embeddings: NDArray[np.float32], people: list[str], centred: bool) -> Separation:
    """embeddings: (N, D) of length 1, row for row a photo of `people`. ValueError without two people and a pair."""
    rows = unit(embeddings - embeddings.mean(0)) if centred else embeddings
    first, second = np.triu_indices(len(rows), 1)
    likeness = (rows @ rows.T)[first, second]
    names = np.array(people)
    alike = names[first] == names[second]
    same, different = np.sort(likeness[alike]), np.sort(likeness[~alike])
    if len(same) == 0 or len(different) == 0:
        raise ValueError("Two people, and two photos of one of them, are needed to check a judge.")
    below = (np.searchsorted(different, same, "left") + np.searchsorted(different, same, "right")) / 2
    limit = float(np.quantile(different, 0.99))
    return Separation(len(rows), float(same.mean()), float(different.mean()), float(below.mean() / len(different)),
                      float((same > limit).mean()))
