"""The host's VAE as plain functions: the one place that knows its factor and what it may answer."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor

from ..pictures import VAE_REMEDY, require_finite
from .model_families import find_family, patch_size
from .model_profile import network_of

ANY_VAE = 64
"""Side that every VAE of pictures divides, and the patches of the models behind it: for crops whose VAE is unknown."""


def encode(vae: Any, picture: Tensor) -> Tensor:
    """(1, S, S, 3) in [0, 1] -> latent, (1, C, h, w) or (1, C, 1, h, w) for models with a time axis.

    Raises ValueError where the latent is not finite.
    """
    return require_finite(vae.encode(picture[..., :3]), "vae: the encoded crop", VAE_REMEDY)


def decode(vae: Any, latent: Tensor) -> Tensor:
    """Latent -> (1, S, S, 3) in [0, 1]. Raises ValueError where the picture is not finite, or the latent another's."""
    try:
        decoded = vae.decode(latent)
    except RuntimeError as error:
        own = getattr(vae, "latent_channels", latent.shape[1])
        if own == latent.shape[1]:
            raise
        raise ValueError(f"vae: it reads latents of {own} channels, not of {latent.shape[1]}; connect the VAE that "
                         "made the latents.") from error
    picture = require_finite(decoded, "vae: the decoded crop", VAE_REMEDY)
    return picture.reshape(-1, *picture.shape[-3:]).clamp(0, 1)


def crop_multiple(vae: Any = None, model: Any = None) -> int:
    """What the side of a crop in pixels has to be a multiple of.

    The host's VAE cuts the rest off, so that the crop would move, and a transformer's patches want whole latent
    pixels. Without a VAE `ANY_VAE`.
    """
    if vae is None:
        return ANY_VAE
    multiple = _factor(vae)
    family = None if model is None else find_family(network_of(model))
    if family is not None and family.located != "patch" and not family.refusal:
        multiple *= max(1, patch_size(family, network_of(model)))
    return multiple


def fitting_size(size: int, multiple: int) -> int:
    """`size` rounded up to a multiple."""
    return math.ceil(size / multiple) * multiple


def _factor(vae: Any) -> int:
    """Pixels per latent pixel; the host keeps a number, or one for each axis, the last for width."""
    ratio = getattr(vae, "downscale_ratio", None)
    if isinstance(ratio, (tuple, list)):
        ratio = ratio[-1]
    return int(ratio) if isinstance(ratio, (int, float)) and ratio >= 1 else ANY_VAE
