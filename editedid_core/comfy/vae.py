"""The host's VAE as plain functions."""

from __future__ import annotations

from typing import Any

from torch import Tensor


def encode(vae: Any, picture: Tensor) -> Tensor:
    """(1, S, S, 3) in [0, 1] -> latent, (1, C, h, w) or (1, C, 1, h, w) for models with a time axis."""
    return vae.encode(picture[..., :3])


def decode(vae: Any, latent: Tensor) -> Tensor:
    """Latent -> (1, S, S, 3) in [0, 1]."""
    picture = vae.decode(latent)
    return picture.reshape(-1, *picture.shape[-3:]).clamp(0, 1)
