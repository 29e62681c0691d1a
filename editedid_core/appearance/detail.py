"""Fine detail that an autoencoder loses, given back after decoding (ours, METHOD §6)."""

from __future__ import annotations

import torch
from torch import Tensor

from ..geometry.resample import blur

TOLERANCE = 0.06
"""Difference in sRGB at which a result no longer counts as showing its source."""


def return_detail(restored: Tensor, original: Tensor, edited: Tensor, decoded_original: Tensor,
                  decoded_edited: Tensor, weight: Tensor, strength: float = 1.0) -> Tensor:
    """Add to a decoded crop the detail that the autoencoder lost from the source that it shows.

    All pictures (1, S, S, 3) in [0, 1]: the decoded result, both crops, and both crops encoded and decoded again.
    `weight` (S, S) in [0, 1]: 1 where the result shows the original, 0 where it shows the edit. Where the diffusion
    made something of its own, neither source's detail fits and none is added. `strength` 0 to 1.
    """
    w = weight[None, ..., None].to(restored)
    lost = torch.lerp(edited - decoded_edited, original - decoded_original, w.expand_as(restored))
    expected = torch.lerp(decoded_edited, decoded_original, w.expand_as(restored))
    off = (restored - expected).abs().mean(-1)[:, None]
    off = blur(off, max(1.0, 0.015 * restored.shape[1]))[:, 0, ..., None]
    trust = torch.exp(-((off / TOLERANCE) ** 2))
    return (restored + strength * trust * lost).clamp(0, 1)
