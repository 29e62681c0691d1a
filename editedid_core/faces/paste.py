from __future__ import annotations
import torch
from .record import PasteRecord


def paste(edited_image: torch.Tensor, crops: torch.Tensor, record: PasteRecord, feather: float = 0.05,
          colour: float = 0.0) -> torch.Tensor:
    """feather: fraction of the crop's side, inward. colour: 0 to 1."""
    raise NotImplementedError
