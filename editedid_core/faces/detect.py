from __future__ import annotations
from typing import Literal
import torch
from .analyzers.protocol import FaceAnalyzer
from .record import Faces

Order = Literal["left-right", "right-left", "top-bottom", "large-small", "centre", "confidence", "reference"]


def detect(image: torch.Tensor, analyzer: FaceAnalyzer, threshold: float = 0.5, min_size: float = 0,
           order: Order = "left-right", reference: Faces | None = None) -> Faces:
    raise NotImplementedError
