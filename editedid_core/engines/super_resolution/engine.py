"""Super-resolution of one face: the photo's detail on the small face's trusted bands, then a model in two regions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from ...pictures import SAMPLE_REMEDY, VAE_REMEDY, require_finite
from ..protocol import FaceJob, FaceResult
from .bands import exchange, mean_by_fit, misfit, spread_of, trusted_cells
from .settings import SuperResolution

AGREEING = 4
"""Photos that explain the face best, of which the results are held against each other."""

SHARP = 0.9
"""Share of a crop's pixels that are true, from which nothing is missing."""


@dataclass(frozen=True, eq=False)
class RegionTask:
    """What a run in two regions takes. start, photo: latents (1, C, ..., h, w) of the composed crop and of the photo;
    pictures: (2, S, S, 3), the same two; small: (1, S, S, 3), the small picture's crop; face: (S, S); cells: true
    pixels that the small picture holds a side."""

    start: Tensor
    photo: Tensor
    pictures: Tensor
    small: Tensor
    face: Tensor
    cells: float
    settings: SuperResolution


class SampleRegions(Protocol):
    """Runs the model. Returns the latent, its network evaluations, and sentences about the run."""

    def __call__(self, task: RegionTask) -> tuple[Tensor, int, tuple[str, ...]]: ...


@dataclass(frozen=True, eq=False)
class Network:
    """A model: `encode` (1, S, S, 3) -> latent, `decode` back, `sample` for the run between."""

    encode: Callable[[Tensor], Tensor]
    decode: Callable[[Tensor], Tensor]
    sample: SampleRegions


@dataclass(frozen=True, eq=False)
class SuperResolutionEngine:
    """`settings`: of every run. `network`: None composes the bands alone."""

    settings: SuperResolution
    network: Network | None = None

    def run(self, job: FaceJob) -> FaceResult:
        if job.true_pixels >= SHARP * job.edited.shape[1]:
            return FaceResult(job.edited, 0, "sharp already", untouched=True)
        photo, composed, spread = compose(job, self.settings)
        if self.network is None:
            return FaceResult(composed, 0, "photo and bands", spread=spread)
        job.say("encoding", 0.0)
        start, other = (self._encoded(picture) for picture in (composed, photo))
        job.say("loading the model", 0.1)
        task = RegionTask(start, other, torch.cat([composed, photo]), job.edited, job.weight, job.true_pixels,
                          self.settings)
        latent, evaluations, notes = self.network.sample(task)
        require_finite(latent, "sampling: the restored latent", SAMPLE_REMEDY)
        job.say("decoding", 0.9)
        drawn, before = (self._decoded(z).to(composed) for z in (latent, start))
        face = job.weight[None, ..., None].to(composed)
        # in the face only the change counts, so that nothing is lost in the autoencoder
        outside = drawn if self.settings.surroundings == "redraw" else job.edited
        crop = torch.lerp(outside, composed + drawn - before, face.expand_as(drawn))
        return FaceResult(crop.clamp(0, 1), evaluations, "two regions", notes, spread=spread)

    def _encoded(self, picture: Tensor) -> Tensor:
        assert self.network is not None
        return require_finite(self.network.encode(picture), "vae: the encoded crop", VAE_REMEDY)

    def _decoded(self, latent: Tensor) -> Tensor:
        assert self.network is not None
        return require_finite(self.network.decode(latent)[..., :3], "vae: the decoded crop", VAE_REMEDY)


def compose(job: FaceJob, settings: SuperResolution) -> tuple[Tensor, Tensor, float | None]:
    """The photo that is used, the crop with its detail on the small face's trusted bands, both (1, S, S, 3), and how
    far the crops of several photos differ in the face (`spread_of`)."""
    small = job.edited.movedim(-1, 1)
    photos = torch.cat([job.original, job.others]).movedim(-1, 1)
    misfits = [misfit(one[None], small, job.weight, job.true_pixels) for one in photos]
    if settings.photos == "mean":
        photo = mean_by_fit(photos, misfits)
    else:
        best = misfits.index(min(misfits))
        photo = photos[best : best + 1]
    trust = job.trust if settings.trust is None else settings.trust
    cells = trusted_cells(job.true_pixels, trust)
    made = exchange(photo, small, cells)
    composed = torch.lerp(small, made, job.weight.expand_as(made))
    nearest = [photos[i : i + 1] for i in sorted(range(len(photos)), key=misfits.__getitem__)[:AGREEING]]
    spread = spread_of([exchange(one, small, cells) for one in nearest], job.weight) if len(nearest) > 1 else None
    return photo.movedim(1, -1), composed.movedim(1, -1), spread
