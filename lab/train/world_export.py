"""What a run of `world_run` leaves behind: packed diffusion models, autoencoders, judges, and a sheet of samples."""
from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from .. import models_io
from .export import EIGHT_BIT
from .session import save_atomically
from .text import prompt_ids
from .unet import UNetPlan, stock_unet
from .world_bank import Bank, mixed, unit

ROW = 8
GUIDANCE = 3.5
PROMPTS = (["woman", "glasses", "smiling"], ["man", "beard"], ["woman", "hat"], ["man", "sunglasses"],
           ["old", "man", "grey hair"], ["young", "woman", "long hair", "turned left"],
           ["man", "dark skin", "laughing"], ["woman", "blond hair", "looking aside"])


def stock_state(result: dict[str, Any]) -> dict[str, Tensor]:
    """A diffusion model's tensors in the host's names, under `model.diffusion_model.`."""
    state = result["state"]
    if result["kind"] == "unet":
        plan: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in result["plan"].items()}
        state = stock_unet(state, UNetPlan(**plan))
    return {EIGHT_BIT + name: value for name, value in state.items()}


def write_results(results: dict[str, Any], out: Path) -> None:
    """Write every result; a file that is being replaced stays whole until its successor is."""
    judges = {}
    for name, result in results.items():
        if result["kind"] == "judge":
            judges[name] = result
        elif result["kind"] == "autoencoder":
            save_atomically(result, out / f"{name}.pt")
        else:
            note = {"training": f"{result['steps']} steps of {result['batch']}", "told": result["told"],
                    "plan": json.dumps(result["plan"])}
            tensors = {k: v.numpy() for k, v in stock_state(result).items()}
            models_io.pack(tensors, out / f"{name}.safetensors", EIGHT_BIT, note)
    if judges:
        save_atomically(judges, out / "judges.pt")


@torch.no_grad()
def flux_samples(model: Any, noise: Tensor, context: Tensor, pooled: Tensor, guidance: float,
                 references: list[Tensor], steps: int = 25, shift: float = 3.0) -> Tensor:
    """Latents by Euler steps along the flow."""
    even = torch.linspace(1, 0, steps + 1)
    sigmas = (shift * even / (1 + (shift - 1) * even)).tolist()
    x, count = noise, len(noise)
    for now, following in zip(sigmas, sigmas[1:]):
        t = torch.full((count,), 1000 * now, device=x.device)
        with mixed(x):
            velocity = model(x, t, context, pooled, torch.full_like(t, guidance), references)
        x = x + (following - now) * velocity.float()
    return x


@torch.no_grad()
def unet_samples(model: Any, kept: Tensor, noise: Tensor, context: Tensor, empty: Tensor, scale: float,
                 steps: int = 25) -> Tensor:
    """Latents by DDIM, guided by the empty prompt where scale is above 1."""
    x, count = noise, len(noise)
    times = torch.linspace(999, 0, steps).round().long().tolist()
    for i, time in enumerate(times):
        t = torch.full((count,), float(time), device=x.device)
        with mixed(x):
            eps = model(x, t, context).float()
            if scale > 1:
                plain = model(x, t, empty).float()
                eps = plain + scale * (eps - plain)
        a, b = kept[time], kept[times[i + 1]] if i + 1 < len(times) else kept.new_tensor(1.0)
        x = b.sqrt() * (x - (1 - a).sqrt() * eps) / a.sqrt() + (1 - b).sqrt() * eps
    return x


@torch.no_grad()
def sample_sheet(jobs: dict[str, Any], bank: Bank, path: Path) -> None:
    """Rows of eight: tune people, round trips, then for each diffusion model samples without text, with the eight
    prompts, and (FLUX) with the first row's pictures of the bank as references under their row of references."""
    torch.manual_seed(7)
    with torch.compiler.set_stance("force_eager"):  # these batches are of a size that nothing was compiled for
        rows = _rows(jobs, bank)
    if not rows:
        return
    sheet = torch.stack([row.contiguous() for row in rows]).permute(0, 3, 1, 4, 2).flatten(2, 3).flatten(0, 1)
    image = Image.fromarray((sheet.cpu().numpy() * 255 + 0.5).astype(np.uint8))
    part = path.with_suffix(".part")
    image.save(part, "JPEG", quality=92)
    os.replace(part, path)


def _rows(jobs: dict[str, Any], bank: Bank) -> list[Tensor]:
    device, cells = bank.device, bank.world.size // 8
    rows: list[Tensor] = []
    trained: dict[str, Any] = {name: job.job for name, job in jobs.items()
                               if name in ("ae16", "ae4", "flux", "unet") and job.job}
    texts = torch.from_numpy(np.stack([bank.text.rows(prompt_ids(words)) for words in PROMPTS])).to(device)
    context, pooled = bank.text(texts)
    empty, hollow = (part.expand(ROW, *part.shape[1:]) for part in bank.text(bank.empty[None]))

    def decoder(name: str) -> Callable[[Tensor], Tensor]:
        def decode(latents: Tensor) -> Tensor:
            pair = trained[name]
            with pair.learner.averaged(), mixed(latents):
                return pair.decoder(latents).float().clamp(0, 1)
        return decode

    for name in ("ae16", "ae4"):
        if name in trained and trained[name].learner is not None:
            faces = unit(trained[name].unseen[:ROW])
            with mixed(faces):
                rows += [*([faces] if not rows else []), decoder(name)(trained[name].encoder(faces))]
    if "flux" in trained and "ae16" in trained:
        job, decode = trained["flux"], decoder("ae16")
        noise = torch.randn(ROW, 16, cells, cells, device=device)
        persons = torch.arange(ROW, device=device) * 4
        references = bank.latents[16][persons, 0].float()
        with job.learner.averaged() as model:
            rows += [decode(flux_samples(model, noise, empty, hollow, 1.0, [])),
                     decode(flux_samples(model, noise, context, pooled, GUIDANCE, [])),
                     bank.pictures[persons].float() / 255,
                     decode(flux_samples(model, noise, empty, hollow, 1.0, [references])),
                     decode(flux_samples(model, noise, context, pooled, GUIDANCE, [references]))]
    if "unet" in trained and "ae4" in trained:
        job, decode = trained["unet"], decoder("ae4")
        noise = torch.randn(ROW, 4, cells, cells, device=device)
        with job.learner.averaged() as model:
            rows += [decode(unet_samples(model, job.noise.kept, noise, empty, empty, 1.0)),
                     decode(unet_samples(model, job.noise.kept, noise, context, empty, 3.0))]
    return rows
