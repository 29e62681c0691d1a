"""Soft regions of a face crop on any token grid (METHOD §5)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Regions:
    """Face and element masks of one crop, (H, W) float in [0, 1], at picture resolution.

    `hard`: threshold the area-averaged masks at 0.5, as the paper does; otherwise they stay soft. `overlap` in
    [0, 1]: the face's weight a where hard masks overlap, the elements get b = 1 - a (EditedID, attentional gating).
    """

    face: Tensor
    element: Tensor
    hard: bool = False
    overlap: float = 0.0

    def on_grid(self, height: int, width: int, like: Tensor) -> tuple[Tensor, Tensor]:
        """(W1, W2) as (height * width,) on `like`'s device and dtype.

        W1 = face * (1 - element), W2 = element, both area-averaged; W3 = 1 - W1 - W2 is the target's own
        share, so the three always sum to one. Hard masks: W1 = face, W2 = element, a and b where both are 1.
        """
        if self.hard:
            return self._hard(height, width, like)
        masks = F.adaptive_avg_pool2d(
            torch.stack([self.face * (1 - self.element), self.element]).to(like.device), (height, width)
        ).flatten(1)
        return masks[0].to(like.dtype), masks[1].to(like.dtype)

    def _hard(self, height: int, width: int, like: Tensor) -> tuple[Tensor, Tensor]:
        pooled = F.adaptive_avg_pool2d(torch.stack([self.face, self.element]).to(like.device), (height, width))
        face, element = (pooled.flatten(1) > 0.5).to(like.dtype)
        both = face * element
        return face - (1 - self.overlap) * both, element - self.overlap * both

