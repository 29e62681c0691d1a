"""Pictures as the host passes them: checks of inputs, and the forms that the pack works on."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from .records import Face

_PLACEHOLDER = (64, 64)
"""The size of the mask of zeros that the host's loaders give for a picture without alpha: it stands for no mask."""

_STRIP = 16
"""Rows that are turned into bytes at a time."""

VAE_REMEDY = "start ComfyUI with --fp32-vae, or connect the VAE that belongs to the model"
SAMPLE_REMEDY = "run the model in fp32 or bf16, or lower the strength"


def is_no_mask(mask: torch.Tensor) -> bool:
    """Whether a mask (..., H, W) is what the host's loaders give where there is none."""
    return tuple(mask.shape[-2:]) == _PLACEHOLDER and not bool(mask.any())


def require_finite(values: torch.Tensor, what: str, remedy: str) -> torch.Tensor:
    """`values` themselves. Raises ValueError, one sentence, where one of them is not a finite number."""
    if not bool(torch.isfinite(values).all()):
        raise ValueError(f"{what} holds values that are not numbers (NaN or infinite): {remedy}.")
    return values


def checked_element_mask(mask: torch.Tensor, edited_image: torch.Tensor) -> torch.Tensor:
    """A mask drawn on the edit, (1 or B, H, W) float32 in [0, 1] on the CPU. ValueError where it does not fit."""
    if is_no_mask(mask):
        return torch.zeros(1, *edited_image.shape[1:3])
    m = mask.reshape(-1, *mask.shape[-2:]) if mask.ndim == 2 or mask.ndim == 4 and mask.shape[1] == 1 else mask
    expected = tuple(edited_image.shape[1:3])
    if m.ndim != 3 or tuple(m.shape[1:]) != expected or m.shape[0] not in (1, edited_image.shape[0]):
        raise ValueError(
            f"element_mask is {tuple(mask.shape)}, the edited picture needs 1 or {edited_image.shape[0]} masks of "
            f"{expected} pixels (height, width): draw the mask on the edited picture, or resize it."
        )
    return m.detach().to("cpu", torch.float32).nan_to_num(0.0).clamp(0, 1)


def check_pictures(image: torch.Tensor, name: str) -> None:
    """Raise ValueError, naming the input, unless `image` is (B, H, W, C) with at least one picture of one pixel."""
    if image.ndim != 4 or image.shape[-1] not in (1, 3, 4):
        raise ValueError(
            f"{name} must be pictures (batch, height, width, 1, 3 or 4 channels), got {tuple(image.shape)}."
        )
    if image.shape[0] == 0:
        raise ValueError(f"{name} is an empty batch: connect at least one picture.")
    if min(image.shape[1:3]) == 0:
        raise ValueError(f"{name} has no pixels: connect a picture of at least 1 by 1 pixel.")


def check_found_in(face: Face, image: torch.Tensor, name: str) -> None:
    """Raise ValueError, naming the input, unless `image` (B, H, W, C) has the size of those the face was found in."""
    if face.frame >= image.shape[0] or face.image_size != (image.shape[1], image.shape[2]):
        raise ValueError(
            f"{name} has {image.shape[0]} pictures of {tuple(image.shape[1:3])} pixels (height, width), but a "
            f"face of pairs was found in picture {face.frame + 1} of {face.image_size}: connect the same "
            "picture as to Detect Faces."
        )


def to_rgb(picture: torch.Tensor) -> torch.Tensor:
    """(..., H, W, 1, 3 or 4) to (..., H, W, 3): grey is repeated, alpha is dropped."""
    return picture.expand(*picture.shape[:-1], 3) if picture.shape[-1] == 1 else picture[..., :3]


def to_bytes(picture: torch.Tensor) -> NDArray[np.uint8]:
    """One picture (H, W, C) with values 0 to 1 as (H, W, 3) uint8; values that are not numbers become black."""
    rgb = to_rgb(picture).detach()
    result = np.empty((rgb.shape[0], rgb.shape[1], 3), dtype=np.uint8)
    for top in range(0, len(result), _STRIP):  # a strip stays in the processor's cache, a large picture does not
        strip = rgb[top:top + _STRIP].to("cpu", torch.float32).nan_to_num(0.0)
        result[top:top + _STRIP] = strip.clamp_(0, 1).mul_(255).round_().to(torch.uint8).numpy()
    return result
