"""The engine without diffusion: the photo's crop through the masks. The honest rival of every other engine."""

from __future__ import annotations

import torch

from .protocol import FaceJob, FaceResult


class CompositeEngine:
    """Lays the original over the edit, soft, where the person belongs. Needs no model and takes no time."""

    def run(self, job: FaceJob) -> FaceResult:
        weight = job.weight[None, ..., None].to(job.edited)
        return FaceResult(torch.lerp(job.edited, job.original, weight.expand_as(job.edited)), 0, "composite")
