"""A contact sheet made by an unmodified host: held-out portraits, their round trip, and samples from pure noise.

    python -m lab.train.samples --host COMFYUI --base FOLDER --checkpoint unet_lab.safetensors --cache CACHE --out PNG

FOLDER is a ComfyUI base directory whose models/checkpoints holds the checkpoint. Prints the round trip's PSNR.
"""
from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from ..inprocess import Host
from .autoencoder import enlarge
from .dataset import open_cache

ROW = 8


def no_text(channels: int) -> list:
    """The host's CONDITIONING that says nothing: zeros of the text encoder's shape, for latents of 4 or 16 channels."""
    if channels == 16:
        return [[torch.zeros(1, 1, 4096), {"pooled_output": torch.zeros(1, 2048)}]]
    return [[torch.zeros(1, 77, 768), {}]]


def sheet(host: Host, checkpoint: str, pictures: np.ndarray, rows: int, steps: int,
          seed: int) -> tuple[Image.Image, float]:
    """The picture and the round trip's mean PSNR in dB; pictures: uint8 (8,H,W,3)."""
    model, _, vae = host.node("CheckpointLoaderSimple")().load_checkpoint(checkpoint)[:3]
    portraits = enlarge(torch.from_numpy(np.array(pictures)).permute(0, 3, 1, 2).float() / 255, vae.latent_channels)
    truth = portraits.permute(0, 2, 3, 1)
    with torch.inference_mode():
        back = vae.decode(vae.encode(truth)).clamp(0, 1)
        count, side = rows * ROW, truth.shape[1] // 8
        empty = {"samples": torch.zeros(count, vae.latent_channels, side, side)}
        scheduler = "simple" if vae.latent_channels == 16 else "normal"
        text = no_text(vae.latent_channels)
        latent = host.node("KSampler")().sample(model, seed, steps, 1.0, "euler", scheduler, text, text, empty)[0]
        made = vae.decode(latent["samples"]).clamp(0, 1)
    error = (back - truth).square().mean((1, 2, 3))
    everything = torch.cat((truth, back, made)).unflatten(0, (-1, ROW)).permute(0, 2, 1, 3, 4)
    image = Image.fromarray((everything.flatten(2, 3).flatten(0, 1).numpy() * 255 + 0.5).astype(np.uint8))
    return image, float((-10 * error.log10()).mean())


def main(arguments: list[str] | None = None) -> None:
    """Command line; see the module's text."""
    parser = argparse.ArgumentParser(description="Sample a checkpoint in a real host")
    parser.add_argument("--host", type=Path, required=True)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--checkpoint", required=True, help="its name in models/checkpoints")
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=3, help="rows of eight samples")
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    host = Host.start(options.host, options.base)
    held_out = open_cache(options.cache).held_out[:ROW]
    image, value = sheet(host, options.checkpoint, held_out, options.rows, options.steps, options.seed)
    image.save(options.out)
    print(f"{options.checkpoint} on ComfyUI {host.version}: round trip {value:.2f} dB, samples in {options.out}")


if __name__ == "__main__":
    main()
