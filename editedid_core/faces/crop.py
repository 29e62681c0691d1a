from __future__ import annotations
import torch
from .record import CropResult, FacePairs


def crop_pairs(original_image: torch.Tensor, edited_image: torch.Tensor, pairs: FacePairs, size: int,
               element_mask: torch.Tensor | None = None, relight: float = 1.0, auto_elements: float = 1.0,
               piecewise: bool = False, keep_elements: bool = True) -> CropResult:
    raise NotImplementedError
