"""Regions of a face crop on any token grid (METHOD §5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

MaskKind = Literal["soft", "hard", "bilinear hard"]
"""`soft`: averaged over each token's area; `hard`: the same, cut at 0.5 (the paper's text); `bilinear hard`:
interpolated, then cut (the official code)."""
MASK_KINDS: tuple[MaskKind, ...] = get_args(MaskKind)


def resize_masks(masks: Tensor, size: tuple[int, int], kind: MaskKind) -> Tensor:
    """Masks (N, H, W) at (height, width), not yet cut."""
    if kind == "bilinear hard":
        return F.interpolate(masks[None], size, mode="bilinear", align_corners=False)[0]
    return F.adaptive_avg_pool2d(masks, size)


@dataclass(frozen=True, eq=False)
class Regions:
    """Face and element masks of one crop, (H, W) float in [0, 1], at picture resolution.

    `masks`: how they come to a token grid; `overlap` in [0, 1]: the face's weight a where hard masks overlap, the
    elements get b = 1 - a (EditedID, attentional gating); `boost`: factors of the face's and the elements' weights, 0
    switches a region off (the official code's `boost_src1`, `boost_src2`).
    """

    face: Tensor
    element: Tensor
    masks: MaskKind = "soft"
    overlap: float = 0.0
    boost: tuple[float, float] = (1.0, 1.0)

    def on_grid(self, height: int, width: int, like: Tensor) -> tuple[Tensor, Tensor]:
        """(W1, W2) as (height * width,) on `like`'s device and dtype.

        W1 = face * (1 - element), W2 = element; W3 = 1 - W1 - W2 is the target's own share, so the three always sum to
        one. Hard masks: W1 = face, W2 = element, a and b where both are 1.
        """
        face, element = self._hard(height, width, like) if self.masks != "soft" else self._soft(height, width, like)
        return face * self.boost[0], element * self.boost[1]

    def _soft(self, height: int, width: int, like: Tensor) -> tuple[Tensor, Tensor]:
        pair = torch.stack([self.face * (1 - self.element), self.element]).to(like.device)
        face, element = resize_masks(pair, (height, width), self.masks).flatten(1).to(like.dtype)
        return face, element

    def _hard(self, height: int, width: int, like: Tensor) -> tuple[Tensor, Tensor]:
        pair = torch.stack([self.face, self.element]).to(like.device)
        face, element = (resize_masks(pair, (height, width), self.masks).flatten(1) > 0.5).to(like.dtype)
        both = face * element
        return face - (1 - self.overlap) * both, element - self.overlap * both
