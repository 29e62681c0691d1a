"""Soft regions of a face crop on any token grid (METHOD §5)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Regions:
    """Face and element masks of one crop, (H, W) float in [0, 1], at picture resolution.

    `hard`: threshold the area-averaged masks at 0.5, as the paper does; otherwise they stay soft.
    """

    face: Tensor
    element: Tensor
    hard: bool = False

    def on_grid(self, height: int, width: int, like: Tensor) -> tuple[Tensor, Tensor]:
        """(W1, W2) as (height * width,) on `like`'s device and dtype.

        W1 = face * (1 - element), W2 = element, both area-averaged; W3 = 1 - W1 - W2 is the target's own
        share, so the three always sum to one.
        """
        masks = F.adaptive_avg_pool2d(
            torch.stack([self.face * (1 - self.element), self.element]).to(like.device), (height, width)
        ).flatten(1)
        if self.hard:
            masks = (masks > 0.5).to(masks.dtype)
        return masks[0].to(like.dtype), masks[1].to(like.dtype)

