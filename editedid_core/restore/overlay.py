"""A picture of where each face comes from: the photo, the edit, or both."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..masks.outline import face_mask_in_picture
from ..pictures import to_rgb
from ..records import Face
from ..ticks import Tick, nothing

# Colours, not calibrated
FROM_PHOTO = (0.10, 0.75, 0.35)
BLENDED = (0.55, 0.35, 0.95)
FROM_EDIT = (1.00, 0.55, 0.10)
_EDGE = 0.1
"""Share of the other picture from which a pixel counts as blended."""
_TINT = 0.45


def origin_overlay(image: Tensor, mask: Tensor, faces: Sequence[Face], tick: Tick = nothing) -> Tensor:
    """The pictures with their faces tinted: green from the photo, orange the edit's, violet blended.

    image: (B, H, W, C) in [0, 1]. mask: (B, H, W) in [0, 1], share of the photo. faces: those that were worked on.
    tick: called for each picture. Returns (B, H, W, 3).
    """
    shown = to_rgb(image.detach()).to("cpu", torch.float32).clone()
    for frame in range(shown.shape[0]):
        tick()
        here = [face_mask_in_picture(face) for face in faces if face.frame == frame]
        if not here:
            continue
        share = mask[frame].to(shown)
        worked = torch.maximum(torch.stack(here).amax(0), (share > 0).to(shown))
        colours = torch.where((share >= 1 - _EDGE)[..., None], torch.tensor(FROM_PHOTO), torch.where(
            (share <= _EDGE)[..., None], torch.tensor(FROM_EDIT), torch.tensor(BLENDED)))
        shown[frame] = torch.lerp(shown[frame], colours, (_TINT * worked)[..., None])
    return shown
