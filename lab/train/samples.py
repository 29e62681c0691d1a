"""A contact sheet made by an unmodified host: held-out portraits, their round trip, and samples from pure noise.

    python -m lab.train.samples --host COMFYUI --base FOLDER --checkpoint unet_lab.safetensors --cache CACHE --out PNG
    python -m lab.train.samples --host COMFYUI --base FOLDER --checkpoint people_dit.safetensors --prompt "" --out PNG

The second is for the rendered world's models: their text is live, and their held-out people are in no cache. FOLDER
is a ComfyUI base directory whose models/checkpoints holds the checkpoint. The first prints the round trip's PSNR.
"""
from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from ..inprocess import Host
from .autoencoder import enlarge
from .dataset import open_cache
from .text import FILE

ROW = 8


def no_text(channels: int) -> list:
    """The host's CONDITIONING that says nothing: zeros of the text encoder's shape, for latents of 4 or 16 channels."""
    if channels == 16:
        return [[torch.zeros(1, 1, 4096), {"pooled_output": torch.zeros(1, 2048)}]]
    return [[torch.zeros(1, 77, 768), {}]]


def said(host: Host, prompt: str) -> list:
    """The host's CONDITIONING of a prompt, by the rendered world's text encoder."""
    clip = host.node("CLIPLoader")().load_clip(FILE, "stable_diffusion")[0]
    return host.node("CLIPTextEncode")().encode(clip, prompt)[0]


def prompted(host: Host, checkpoint: str, prompt: str, rows: int, steps: int, seed: int, cfg: float) -> Image.Image:
    """Samples at 256 px of a model whose text is live; cfg above 1 is guided by the true empty prompt."""
    model, _, vae = host.node("CheckpointLoaderSimple")().load_checkpoint(checkpoint)[:3]
    with torch.inference_mode():
        made = _sampled(host, model, vae, (said(host, prompt), said(host, "")), rows * ROW, 32, steps, seed, cfg)
    return _joined(made)


def _sampled(host: Host, model: Any, vae: Any, texts: tuple[list, list], count: int, side: int, steps: int, seed: int,
             cfg: float = 1.0) -> torch.Tensor:
    """Pictures (count,8*side,8*side,3) from noise."""
    empty = {"samples": torch.zeros(count, vae.latent_channels, side, side)}
    scheduler = "simple" if vae.latent_channels == 16 else "normal"
    latent = host.node("KSampler")().sample(model, seed, steps, cfg, "euler", scheduler, *texts, empty)[0]
    return vae.decode(latent["samples"]).clamp(0, 1)


def _joined(pictures: torch.Tensor) -> Image.Image:
    """Rows of eight."""
    everything = pictures.unflatten(0, (-1, ROW)).permute(0, 2, 1, 3, 4)
    return Image.fromarray((everything.flatten(2, 3).flatten(0, 1).numpy() * 255 + 0.5).astype(np.uint8))


def sheet(host: Host, checkpoint: str, pictures: np.ndarray, rows: int, steps: int,
          seed: int) -> tuple[Image.Image, float]:
    """The picture and the round trip's mean PSNR in dB; pictures: uint8 (8,H,W,3)."""
    model, _, vae = host.node("CheckpointLoaderSimple")().load_checkpoint(checkpoint)[:3]
    portraits = enlarge(torch.from_numpy(np.array(pictures)).permute(0, 3, 1, 2).float() / 255, vae.latent_channels)
    truth = portraits.permute(0, 2, 3, 1)
    with torch.inference_mode():
        back = vae.decode(vae.encode(truth)).clamp(0, 1)
        text = no_text(vae.latent_channels)
        made = _sampled(host, model, vae, (text, text), rows * ROW, truth.shape[1] // 8, steps, seed)
    error = (back - truth).square().mean((1, 2, 3))
    return _joined(torch.cat((truth, back, made))), float((-10 * error.log10()).mean())


def main(arguments: list[str] | None = None) -> None:
    """Command line; see the module's text."""
    parser = argparse.ArgumentParser(description="Sample a checkpoint in a real host")
    parser.add_argument("--host", type=Path, required=True)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--checkpoint", required=True, help="its name in models/checkpoints")
    parser.add_argument("--cache", type=Path, help="the drawn world's; or else give --prompt")
    parser.add_argument("--prompt", help='what a model with live text is told, "" for nothing')
    parser.add_argument("--cfg", type=float, default=1.0, help="with --prompt")
    parser.add_argument("--rows", type=int, default=3, help="rows of eight samples")
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    if options.prompt is None and options.cache is None:
        parser.error("name --cache or --prompt")
    host = Host.start(options.host, options.base)
    if options.prompt is not None:
        prompted(host, options.checkpoint, options.prompt, options.rows, options.steps, options.seed,
                 options.cfg).save(options.out)
        print(f"{options.checkpoint} on ComfyUI {host.version}: samples in {options.out}")
        return
    held_out = open_cache(options.cache).held_out[:ROW]
    image, value = sheet(host, options.checkpoint, held_out, options.rows, options.steps, options.seed)
    image.save(options.out)
    print(f"{options.checkpoint} on ComfyUI {host.version}: round trip {value:.2f} dB, samples in {options.out}")


if __name__ == "__main__":
    main()
