"""A sheet of crops and their masks. It is for viewing only."""

from __future__ import annotations

import torch

from ..records import CropResult


def crop_sheet(result: CropResult) -> torch.Tensor:
    """Per face, side by side: original, edited, edited with the face lit, edited with the elements in red.

    Returns (N, S, 4 S, 3) float32.
    """
    face, element = result.face_mask[..., None], result.element_mask[..., None]
    red = torch.tensor([1.0, 0.15, 0.1])
    lit = result.edited * (0.3 + 0.7 * face)
    marked = result.edited * (1 - 0.7 * element) + 0.7 * element * red
    return torch.cat([result.original, result.edited, lit, marked], dim=2)
