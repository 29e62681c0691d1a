"""EditedID as an engine: encode both crops, sample, decode, give back what the autoencoder lost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from ...appearance.detail import return_detail
from ...pictures import SAMPLE_REMEDY, VAE_REMEDY, require_finite
from ..protocol import FaceJob, FaceResult
from .noise_grid import strength_for_drift
from .settings import SampleSettings

TRIES = ((1.0, 1.0, 0), (0.6, 0.0, 0), (1.0, 2.0, 1), (1.4, 1.0, 0))
"""Of each try at a face, the factors of its strength and freedom, and how far its known noise is from the one that was
set: as set, as near to the two pictures as a run can be, freer and from another noise, more of the run. The dearest
comes last, because what a try cost is taken for the price of the next."""

Encode = Callable[[Tensor], Tensor]
"""(1, S, S, 3) picture -> latent."""
Decode = Callable[[Tensor], Tensor]
"""Latent -> (1, S, S, 3) picture."""


@dataclass(frozen=True, eq=False)
class Sampled:
    """What one sampling run gives back: the latent, its network evaluations, the mode that ran, and notes for the
    user."""

    latent: Tensor
    evaluations: int
    mode: str
    notes: tuple[str, ...] = ()


class Sample(Protocol):
    """Original and edited latent (1, C, ..., h, w), face and element mask (S, S), settings, and latents of further
    photos (M, C, ..., h, w) or None -> Sampled."""

    def __call__(self, original: Tensor, edited: Tensor, face_mask: Tensor, element_mask: Tensor,
                 settings: SampleSettings, others: Tensor | None) -> Sampled: ...


@dataclass(frozen=True, eq=False)
class EditedIDEngine:
    """`encode`, `sample`, `decode`: the model. `settings`: of every run; `strength_by_drift` in [0, 1]: how far
    strength follows what is wrong with a face; `detail` in [0, 1]: how much of what the autoencoder loses is given
    back."""

    encode: Encode
    sample: Sample
    decode: Decode
    settings: SampleSettings
    strength_by_drift: float = 0.0
    detail: float = 1.0

    def run(self, job: FaceJob) -> FaceResult:
        job.say("encoding", 0.0)
        latents = self._encoded(job.original), self._encoded(job.edited)
        others = torch.cat([self._encoded(photo[None]) for photo in job.others]) if len(job.others) else None
        strength = strength_for_drift(self.settings.share, job.drift, self.strength_by_drift)
        factor, freer, pattern = TRIES[job.attempt % len(TRIES)]
        settings = replace(self.settings, pose=job.pose, strength=min(1.0, factor * strength),
                           freedom=min(1.0, freer * self.settings.leash),
                           noise_seed=self.settings.noise_seed + pattern)
        job.say("loading the model", 0.1)
        run = self.sample(*latents, job.face_mask, job.element_mask, settings, others)
        require_finite(run.latent, "model: the restored latent", SAMPLE_REMEDY)
        job.say("decoding", 0.9)
        crop, of_original, of_edited = (self._decoded(z).to(job.edited) for z in (run.latent, *latents))
        crop = return_detail(crop, job.original, job.edited, of_original, of_edited, job.weight, self.detail)
        return FaceResult(crop, run.evaluations, run.mode, run.notes)

    # what is not a number is refused where it arises, for the guard would only see another face

    def _encoded(self, picture: Tensor) -> Tensor:
        return require_finite(self.encode(picture), "vae: the encoded crop", VAE_REMEDY)

    def _decoded(self, latent: Tensor) -> Tensor:
        return require_finite(self.decode(latent)[..., :3], "vae: the decoded crop", VAE_REMEDY)
