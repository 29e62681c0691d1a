"""The layer probe on real faces: restores them with some blocks left out, and measures the results.

The module knows neither host nor model: functions that sample and decode are handed in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..engines.edited_id.attention.probe import Measured
from ..faces.analyzers.protocol import FaceAnalyzer
from ..faces.detect import central_face
from ..faces.similarity import face_similarity
from ..geometry.resample import blur
from ..records import Face
from ..ticks import Tick, nothing

LOST = Measured(identity=0.0, structure=1.0, light=1.0, elements=1.0)
"""A restoration in which no face is found any more."""

LIGHT_REACH = 0.2
"""Standard deviation of the low-pass in eye distances. Not calibrated."""


@dataclass(frozen=True, eq=False)
class ProbeFace:
    """One pair of crops for the probe: latents (1, C, ..., h, w), the decoded edit (1, S, S, 3), the faces found in
    both, and masks (H, W) of the face and of the things that cover it."""

    original: Tensor
    edited: Tensor
    edited_picture: Tensor
    original_face: Face
    edited_face: Face
    face_mask: Tensor
    element_mask: Tensor


def probe_faces(originals: Tensor, edits: Tensor, face_masks: Tensor, element_masks: Tensor,
                decode: Callable[[Tensor], Tensor], analyzer: FaceAnalyzer, tick: Tick = nothing) -> list[ProbeFace]:
    """The pairs in which the analyzer finds both faces; latents (N, C, ..., h, w), masks (N, H, W). `tick`: called for
    each pair.

    Raises ValueError if there is none.
    """
    found = []
    for i in range(edits.shape[0]):
        tick()
        pictures = [decode(latents[i : i + 1])[..., :3].float().cpu() for latents in (originals, edits)]
        faces = [central_face(picture, analyzer) for picture in pictures]
        if faces[0] is not None and faces[1] is not None:
            found.append(ProbeFace(originals[i : i + 1], edits[i : i + 1], pictures[1], faces[0], faces[1],
                                   face_masks[i], element_masks[i]))
    if not found:
        raise ValueError(
            f"edited_latent: {analyzer.name} finds no pair of faces in the decoded crops; connect the encoded outputs "
            "of Crop Face Pairs, and the VAE that encoded them."
        )
    return found


def measure(faces: list[ProbeFace], restore: Callable[[ProbeFace], Tensor], analyzer: FaceAnalyzer) -> Measured:
    """Mean figures of the faces after `restore`, which gives the decoded crop (1, S, S, 3)."""
    rows = [_measure_one(face, restore(face)[..., :3].float().cpu(), analyzer) for face in faces]
    return Measured(*(float(np.mean([getattr(row, name) for row in rows])) for name in Measured.__dataclass_fields__))


def _measure_one(face: ProbeFace, restored: Tensor, analyzer: FaceAnalyzer) -> Measured:
    after = central_face(restored, analyzer)
    if after is None:
        return LOST
    eyes = max(float(np.linalg.norm(face.edited_face.points[1] - face.edited_face.points[0])), 1e-6)
    moved = float(np.linalg.norm(after.points - face.edited_face.points, axis=1).mean()) / eyes
    size = (restored.shape[1], restored.shape[2])
    inside, covered = (torch.nn.functional.adaptive_avg_pool2d(mask[None, None].float().cpu(), size)[0, 0]
                       for mask in (face.face_mask, face.element_mask))
    difference = (restored - face.edited_picture).movedim(-1, 1)
    skin = inside * (1 - covered)
    low = blur(difference, LIGHT_REACH * eyes)[0]
    tone = torch.tensor([_mean(channel, skin) for channel in low])  # tone belongs to the person, not to the light
    return Measured(
        identity=face_similarity(face.original_face, after),
        structure=moved,
        light=_mean((low - tone[:, None, None]).square().mean(0).sqrt(), skin),
        elements=_mean(difference[0].abs().mean(0), covered),
    )


def _mean(values: Tensor, weight: Tensor) -> float:
    """Weighted mean; 0 if there is no weight."""
    total = float(weight.sum())
    return float((values * weight).sum()) / total if total > 1 else 0.0
