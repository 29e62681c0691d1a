"""Join a trained diffusion model and its autoencoder into one checkpoint of the host, whole and packed.

    python -m lab.train.export --model RUN/model.pt --autoencoder AE/autoencoder.pt --checkpoint FILE [--packed FILE]

The checkpoint is what CheckpointLoaderSimple reads: `model.diffusion_model.*` and, as its VAE, a TAESD under
`first_stage_model.*`, scaled so that the diffusion model meets the autoencoder's own latents. `--packed` writes the
8-bit file that is shipped; `--random` exports the architecture untrained, for tests.
"""
from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from .. import models_io
from .autoencoder import Decoder, Encoder
from .dit import DiT, stock_dit
from .train_autoencoder import load
from .unet import UNet, stock_unet

SD15_SCALE = 0.18215  # the host multiplies latents by this before an SD 1.5 model sees them
SD3_SCALE, SD3_SHIFT = 1.5305, 0.0609  # the host subtracts the shift, then multiplies
EIGHT_BIT = "model.diffusion_model."  # the autoencoder stays in float16


def vae_part(encoder: Encoder, decoder: Decoder) -> dict[str, torch.Tensor]:
    """A TAESD in the keys of a host's VAE file; its scale undoes what the host's latent format does."""
    state = {f"taesd_encoder.{k}": v.detach() for k, v in encoder.state_dict().items()}
    state |= {f"taesd_decoder.{k}": v.detach() for k, v in decoder.state_dict().items()}
    sd3 = encoder.channels == 16
    state["vae_scale"] = torch.tensor(SD3_SCALE if sd3 else SD15_SCALE)
    state["vae_shift"] = torch.tensor(SD3_SHIFT if sd3 else 0.0)
    return state


def checkpoint(diffusion: dict[str, torch.Tensor], encoder: Encoder, decoder: Decoder) -> dict[str, np.ndarray]:
    """All tensors of the checkpoint, float32, from a diffusion model's own state dict and an autoencoder."""
    stock = stock_dit(diffusion) if "context_token" in diffusion else stock_unet(diffusion)
    state = {f"model.diffusion_model.{k}": v for k, v in stock.items()}
    state |= {f"first_stage_model.{k}": v for k, v in vae_part(encoder, decoder).items()}
    return {name: value.contiguous().numpy() for name, value in state.items()}


def save_checkpoint(tensors: dict[str, np.ndarray], path: Path) -> None:
    """Write the whole checkpoint in float16."""
    models_io.write(path, {name: value.astype(np.float16) for name, value in tensors.items()})


def untrained(family: str) -> tuple[dict[str, torch.Tensor], Encoder, Decoder]:
    """A diffusion model and an autoencoder as they are before training."""
    torch.manual_seed(0)
    model = DiT(depth=4) if family == "dit" else UNet()
    channels = 16 if family == "dit" else 4
    return model.state_dict(), Encoder(channels), Decoder(channels)


def main(arguments: list[str] | None = None) -> None:
    """Command line; see the module's text."""
    parser = argparse.ArgumentParser(description="Export a checkpoint of the lab")
    parser.add_argument("--model", type=Path, help="model.pt of lab.train.train_diffusion")
    parser.add_argument("--autoencoder", type=Path, help="autoencoder.pt of lab.train.train_autoencoder")
    parser.add_argument("--random", choices=("dit", "unet"), help="export this architecture untrained")
    parser.add_argument("--checkpoint", type=Path, help="the float16 checkpoint to write")
    parser.add_argument("--packed", type=Path, help="the shipped form to write")
    options = parser.parse_args(arguments)
    note = "untrained"
    if options.random:
        diffusion, encoder, decoder = untrained(options.random)
    elif options.model and options.autoencoder:
        saved = torch.load(options.model, map_location="cpu", weights_only=True)
        pair = load(options.autoencoder)
        diffusion, encoder, decoder = saved["model"], pair.encoder, pair.decoder
        note = f"{saved['steps']} steps of {saved['batch']}, {saved['seconds']:.0f} s"
    else:
        parser.error("name --model and --autoencoder, or --random")
    tensors = checkpoint(diffusion, encoder, decoder)
    if options.checkpoint:
        save_checkpoint(tensors, options.checkpoint)
    if options.packed:
        models_io.pack(tensors, options.packed, EIGHT_BIT, {"training": note})
    print(f"exported ({note})")


if __name__ == "__main__":
    main()
