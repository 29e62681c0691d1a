"""The figures on a diffusion model's card, measured on the checkpoint as it ships, in an unmodified host.

    python -m lab.train.measure --host COMFYUI --base FOLDER --checkpoint unet_lab.safetensors

FOLDER is a ComfyUI base directory whose models/checkpoints holds the expanded checkpoint. Prints the autoencoder's
round trip, the error of the model's prediction on held-out portraits, and how exactly plain DDIM inversion comes back.
"""
from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from editedid_core.engines.edited_id.inversion import invert, reconstruct
from editedid_core.engines.edited_id.noise_grid import make_noise_grid
from editedid_core.engines.edited_id.noise_space import NoiseSpace
from editedid_core.engines.edited_id.trajectory import Rows

from ..inprocess import Host
from .autoencoder import enlarge
from .dataset import HELD_OUT, HELD_OUT_SEED, SCENES, portrait
from .samples import no_text

BATCH = 16
INVERTED = 4
"""Portraits that are inverted and brought back, of as many people."""
STEPS = 50


@dataclass(frozen=True)
class Figures:
    """Decibels of the round trips, squared error of the prediction, deviation of the noise at the inversion's top."""

    autoencoder: float
    prediction: float
    inversion: float
    noise_deviation: float


def decibels(made: torch.Tensor, truth: torch.Tensor) -> float:
    """Mean PSNR over pictures (N,H,W,3) in [0,1]."""
    return float((-10 * (made.clamp(0, 1) - truth).square().mean((1, 2, 3)).log10()).mean())


class Denoiser:
    """The host's model without text: from a noisy latent (B,C,h,w) and its sigma to the clean one."""

    def __init__(self, model: Any, channels: int) -> None:
        self.model = model.model
        context, extra = no_text(channels)[0]
        self.context, self.pooled = context, extra.get("pooled_output")

    def __call__(self, x: torch.Tensor, sigma: float | torch.Tensor, rows: Rows = Rows.SOURCES,
                 step: int = 0) -> torch.Tensor:
        count = len(x)
        pooled = {} if self.pooled is None else {"y": self.pooled.expand(count, -1)}
        context = self.context.expand(count, -1, -1)
        return self.model.apply_model(x, torch.as_tensor(sigma).expand(count), c_crossattn=context, **pooled)


def prediction_error(denoise: Callable[..., torch.Tensor], latents: torch.Tensor, flow: bool,
                     sigmas: torch.Tensor) -> float:
    """Mean squared error of the noise (flow: of the velocity), the levels spread evenly as in training.

    sigmas: (1000,), the model's own; a flow model's levels are spread over (0, 1) instead.
    """
    torch.manual_seed(0)
    share = (torch.randperm(len(latents)) + 0.5) / len(latents)
    levels = share if flow else sigmas[(share * len(sigmas)).long()]
    errors = []
    for z, sigma in zip(latents.split(BATCH), levels.split(BATCH)):
        noise, wide = torch.randn_like(z), sigma[:, None, None, None]
        x = (1 - wide) * z + wide * noise if flow else z + wide * noise
        made = (x - denoise(x, sigma)) / wide  # the velocity of a flow model, the noise of any other
        errors.append((made - (noise - z if flow else noise)).square().mean((1, 2, 3)))
    return float(torch.cat(errors).mean())


def measure(host: Host, checkpoint: str, count: int = HELD_OUT) -> Figures:
    """Figures of a checkpoint by its name in the host, on `count` held-out portraits."""
    model, _, vae = host.node("CheckpointLoaderSimple")().load_checkpoint(checkpoint)[:3]
    pictures = np.stack([portrait(HELD_OUT_SEED, i) for i in range(count)])
    unit = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255
    truth = enlarge(unit, vae.latent_channels).permute(0, 2, 3, 1)
    sampling = model.get_model_object("model_sampling")
    flow = vae.latent_channels == 16
    with torch.inference_mode():
        stored = torch.cat([vae.encode(part) for part in truth.split(BATCH)])
        back = torch.cat([vae.decode(part) for part in stored.split(BATCH)])
        latents = model.model.process_latent_in(stored)
        denoise = Denoiser(model, vae.latent_channels)
        error = prediction_error(denoise, latents, flow, sampling.sigmas)
        clean, space = latents[: INVERTED * SCENES : SCENES], NoiseSpace(flow)
        grid = make_noise_grid(space, float(sampling.sigma_max), STEPS)
        noise = torch.randn(clean.shape[1:], generator=torch.Generator().manual_seed(0))[None]
        top = invert(denoise, space, clean, noise, grid, kind="naive").top
        again = vae.decode(model.model.process_latent_out(reconstruct(denoise, space, top, noise, grid)))
    returned = decibels(again, back[: INVERTED * SCENES : SCENES].clamp(0, 1))
    spread = float(((top - clean) / grid.rhos[-1]).std())
    return Figures(decibels(back, truth), error, returned, spread)


def main(arguments: list[str] | None = None) -> None:
    """Command line; see the module's text."""
    parser = argparse.ArgumentParser(description="Measure what the card of a checkpoint says")
    parser.add_argument("--host", type=Path, required=True)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--checkpoint", required=True, help="its name in models/checkpoints")
    parser.add_argument("--count", type=int, default=HELD_OUT, help="held-out portraits")
    options = parser.parse_args(arguments)
    figures = measure(Host.start(options.host, options.base), options.checkpoint, options.count)
    print(f"autoencoder, round trip on {options.count} held-out portraits: {figures.autoencoder:.2f} dB")
    print(f"prediction, mean squared error: {figures.prediction:.4f}")
    print(f"naive inversion and back, {STEPS} + {STEPS} evaluations, {INVERTED} portraits: {figures.inversion:.2f} dB, "
          f"noise deviation {figures.noise_deviation:.3f}")


if __name__ == "__main__":
    main()
