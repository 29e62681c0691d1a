"""A face from pixels to pixels at a model's full size: encode, sample and decode as the pack's engine does them."""
from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from . import runs
from .sizes import Subject

_AUTOENCODER = dict(double_z=True, resolution=256, in_channels=3, out_ch=3, ch=128, ch_mult=[1, 2, 4, 4],
                    num_res_blocks=2, attn_resolutions=[], dropout=0.0)


def autoencoder(channels: int, device: torch.device) -> Any:
    """The host's VAE at full size with random weights made on a device, for latents of 4 or 16 channels."""
    with device:
        network = importlib.import_module("comfy.ldm.models.autoencoder").AutoencoderKL(
            ddconfig=dict(_AUTOENCODER, z_channels=channels), embed_dim=channels)
    with torch.no_grad():
        for name, weights in network.named_parameters():
            if weights.ndim >= 2:
                weights.normal_().mul_(0.5 / math.sqrt(weights[0].numel()))
            else:
                weights.fill_(0.0 if name.endswith("bias") else 1.0)
    return importlib.import_module("comfy.sd").VAE(sd=network.state_dict())


@dataclass(frozen=True, eq=False)
class Face:
    """Two crops (1, S, S, 3) and what takes them through."""

    subject: Subject
    model: Any
    vae: Any
    original: Tensor
    edited: Tensor

    @classmethod
    def of(cls, subject: Subject, vae: Any) -> Face:
        side = subject.face.shape[-1]
        pictures = torch.rand(2, side, side, 3, generator=torch.Generator().manual_seed(1))
        return cls(subject, runs.gated(subject.model), vae, pictures[:1], pictures[1:])

    def restore(self, part: Callable[[str], Any] = lambda name: nullcontext()) -> Tensor:
        """Two encodings, one sampling run, three decodings; `part(name)` is entered around each."""
        vae = runs.core("comfy.vae")
        with torch.inference_mode():
            with part("encode"):
                original, edited = vae.encode(self.vae, self.original), vae.encode(self.vae, self.edited)
            with part("sample"):
                subject = self.subject
                latent = runs.core("comfy.sampling").sample_pair(
                    self.model, subject.prompt, subject.prompt, original, edited, subject.face, subject.element,
                    runs.settings()).latent
            with part("decode"):
                pictures = [vae.decode(self.vae, z) for z in (latent, original, edited)]
        return pictures[0]
