"""What a ladder of models can do on people that it never saw: losses, a sheet of pictures, the autoencoder's PSNR."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from . import world_export
from .pair_bank import SHOTS, PairBank, shipped_autoencoder
from .world_bank import mixed, unit
from .world_models import FluxJob

LEVELS = (0.2, 0.4, 0.6, 0.8, 0.95)
"""Noise levels that the loss on people never seen is measured at."""
SHOWN = 8
"""People on the sheet."""


@torch.no_grad()
def measured(job: FluxJob, unseen: PairBank) -> dict[str, Any]:
    """Mean squared error of the velocity on people never seen, without text: by references, then by noise level."""
    truth, twin, other = unseen.shown(range(unseen.filled // SHOTS))
    context, pooled = (part.expand(len(truth), *part.shape[1:]) for part in unseen.text(unseen.empty[None]))
    noise = torch.randn(truth.shape, generator=torch.Generator().manual_seed(9)).to(truth.device)
    found: dict[str, Any] = {}
    with job.learner.averaged() as model, torch.compiler.set_stance("force_eager"):
        for name, references in (("none", []), ("person", [other]), ("person and edit", [other, twin]),
                                 ("edit twice", [twin, twin])):
            losses = []
            for level in LEVELS:
                x, t = (1 - level) * truth + level * noise, torch.full((len(truth),), 1000 * level, device=truth.device)
                with mixed(x):
                    made = model(x, t, context, pooled, torch.ones_like(t), references).float()
                losses.append(round(float((made - (noise - truth)).square().mean()), 4))
            found[f"loss, {name}"] = losses
    return found


@torch.no_grad()
def sheet(job: FluxJob, unseen: PairBank, start: Path, file: Path) -> None:
    """Rows: the person's photo, the edit, the truth; painted from noise with both, with the photo alone, with none."""
    _, decoder = shipped_autoencoder(start, unseen.device)
    truth, twin, other = unseen.shown(range(min(SHOWN, unseen.filled // SHOTS)))
    context, pooled = (part.expand(len(truth), *part.shape[1:]) for part in unseen.text(unseen.empty[None]))
    noise = torch.randn(truth.shape, generator=torch.Generator().manual_seed(3)).to(truth.device)
    with job.learner.averaged() as model, torch.compiler.set_stance("force_eager"):
        made = [world_export.flux_samples(model, noise, context, pooled, 1.0, references)
                for references in ([other, twin], [other], [])]
        latents = [other, twin, truth, *made]
        with mixed(truth):
            rows = torch.stack([decoder(row).float().clamp(0, 1) for row in latents])
    grid = rows.permute(0, 3, 1, 4, 2).flatten(2, 3).flatten(0, 1)
    Image.fromarray((grid.cpu().numpy() * 255 + 0.5).astype(np.uint8)).save(file, quality=92)


@torch.no_grad()
def decibels(encoder: nn.Module, decoder: nn.Module, unseen: PairBank) -> float:
    """Mean PSNR of the round trip in dB."""
    values: list[Tensor] = []
    with torch.compiler.set_stance("force_eager"):
        for part in unseen.pictures.split(16):
            x = unit(part)
            with mixed(x):
                made = decoder(encoder(x)).float().clamp(0, 1)
            values.append(-10 * (made - x).square().mean((1, 2, 3)).log10())
    return float(torch.cat(values).mean())
