"""The guard: no restoration is accepted that is further from the person than the edit, or that has come apart.

METHOD §6.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..faces.analyzers.protocol import FaceAnalyzer
from ..faces.detect import central_face
from ..faces.similarity import person_similarity
from ..geometry.affine import scale_of
from ..records import CropResult, FacePair

MOST_MOVED = 0.2
"""Landmark error, in eye distances, past which a restoration has come apart or brought another expression."""


@dataclass(frozen=True)
class FaceReport:
    """One restored face. Similarities are cosines to the mean of the person's photos; `landmark_error` is the mean
    distance of the five points before and after, as a share of the eye distance; `None` where no face was found again.
    `warnings`: what made this face a hard one, whatever became of it.
    """

    frame: int
    box: tuple[float, float, float, float]
    id_similarity_before: float
    id_similarity_after: float | None
    landmark_error: float | None
    accepted: bool
    note: str
    warnings: tuple[str, ...] = ()


def judge(crops: CropResult, i: int, as_edited: Tensor, pair: FacePair, restored: Tensor, analyzer: FaceAnalyzer,
          threshold: float, strict: bool, least_gain: float = 0.0) -> FaceReport:
    """Compare the i-th face before (`as_edited`, (1, S, S, 3)) and after, both seen in the same crop by the same
    analyzer. `pair`: as it was found, before it was shaped; `restored` (1, S, S, 3). Without `strict` whatever came out
    is accepted. `least_gain`: likeness that has to be won."""
    crop = crops.record.crops[i]
    mask = crops.record.masks[i][None, ..., None].to(restored)
    composed = torch.lerp(crops.edited[i : i + 1].to(restored), restored, mask.expand_as(restored))
    # the whole paste is judged, so that a bad seam counts as well
    before = central_face(as_edited, analyzer, threshold)
    after = central_face(composed, analyzer, threshold)
    similarity_before = person_similarity(pair.originals, before or pair.edited)
    left, top, right, bottom = (round(float(v), 1) for v in pair.edited.box)
    box = (left, top, right, bottom)
    if after is None:
        note = "no face was found after the restoration" + ("; the edit's face is kept" if strict else "")
        return FaceReport(crop.frame, box, similarity_before, None, None, not strict, note)
    similarity_after = person_similarity(pair.originals, after)
    error = None
    if before is not None:
        # the face's new shape moves its points on purpose
        shift = (crop.pair.edited.points - pair.edited.points) / scale_of(crop.to_image)
        eye_distance = float(np.linalg.norm(before.points[1] - before.points[0]))
        away = np.linalg.norm(after.points - before.points - shift, axis=1).mean()
        error = float(away) / max(eye_distance, 1e-6)
    note = "restored"
    if strict and similarity_after < similarity_before + least_gain:
        note = "the restored face was no nearer to the person; the edit's face is kept"
    elif strict and error is not None and error > MOST_MOVED:
        note = "eyes, nose or mouth would have moved too far; the edit's face is kept"
    accepted = note == "restored"
    return FaceReport(crop.frame, box, similarity_before, similarity_after, error, accepted, note)
