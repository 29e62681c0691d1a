"""What null-text optimisation does for the paper's run on the lab's UNet: ``python run.py bench null_text``.

The lab's UNet ignores its text: its cross-attention is all zeros, and no embedding could move anything. Here those idle
layers get small random weights and the empty prompt random vectors, the same for all rows, which is what an optimiser
of embeddings needs; everything else is the model as it is. The figure is the error with which the original and the edit
come back from the shared noise beside the target.
"""
from __future__ import annotations

import argparse
import importlib
import math
import time
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from editedid_core.config import RestoreConfig
from editedid_core.geometry.affine import crop_frame

from .. import portraits
from ..checkpoints import CROPS, FILES
from ..inprocess import Host

CROP = CROPS["unet"]
TOKENS, WIDTH = 77, 768
OPENED = {"attn2.to_q": 1.0, "attn2.to_k": 1.0, "attn2.to_v": 1.0, "attn2.to_out.0": 0.5, "context_embedder": 1.0}
"""Standard deviation of the random weights, times the root of their inputs."""


@dataclass(frozen=True)
class Row:
    """One setting, mean of all pictures: error of the sources in latent units and decibels, and what it cost."""

    name: str
    error: float
    decibels: float
    seconds: float
    evaluations: float


def open_text_layers(model: Any, seed: int = 0, sharpness: float = 1.0) -> None:
    """Give the cross-attention of a lab UNet, or the text projection of a lab DiT, random weights; on an empty text of
    zeros it still answers as before. `sharpness`: factor of a UNet's queries, for maps that tell words apart."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.model.diffusion_model.named_parameters():
            for part, deviation in OPENED.items():
                if name.endswith(f"{part}.weight"):
                    values = torch.randn(weight.shape, generator=generator)
                    factor = sharpness if part == "attn2.to_q" else 1.0
                    weight.copy_(values * factor * deviation / math.sqrt(weight.shape[1]))


def some_text(seed: int = 1) -> list[Any]:
    """A conditioning of random vectors of unit variance."""
    return [[torch.randn(1, TOKENS, WIDTH, generator=torch.Generator().manual_seed(seed)), {}]]


def latents(vae: Any, seed: int) -> tuple[Tensor, Tensor]:
    """The original's and the drifted picture's face crop, encoded."""
    triple = portraits.make_triple(seed)
    crops = (cv2.warpAffine(p.image, crop_frame(p.landmarks, CROP), (CROP, CROP), borderMode=cv2.BORDER_REPLICATE)
             for p in (triple.original, triple.drifted))
    original, edited = (vae.encode(torch.from_numpy(np.ascontiguousarray(crop))[None]) for crop in crops)
    return original, edited


def middle_of_crop() -> Tensor:
    """An ellipse where the face is in every crop."""
    y, x = torch.meshgrid(torch.arange(CROP), torch.arange(CROP), indexing="ij")
    return (((x - 0.5 * CROP) / (0.3 * CROP)) ** 2 + ((y - 0.55 * CROP) / (0.38 * CROP)) ** 2 < 1).float()


def measure(updates: list[int], faces: int, mode: str) -> list[Row]:
    """Rows: embeddings left as they are, then fitted with each number of updates, then the recorded stand-in."""
    host = Host.start()
    sampling = importlib.import_module("editedid_core.comfy.sampling")
    model, _, vae = host.node("CheckpointLoaderSimple")().load_checkpoint(FILES["unet"])
    open_text_layers(model)
    text, face = some_text(), middle_of_crop()
    with torch.inference_mode():
        pairs = [latents(vae, seed) for seed in portraits.triple_split("tune", faces)]
    standard = replace(RestoreConfig().changed({"sampling.mode": mode}).sampling.resolved(), mode="paper")
    cases = [("without", 1, 0.0)] + [(f"{n} updates", n, standard.null_text_rate) for n in updates]
    rows = []
    for name, count, rate in [*cases, ("recorded states (ours)", 0, 0.0)]:
        settings = replace(standard, null_text=count, null_text_rate=rate)
        found = []
        for original, edited in pairs:
            started = time.process_time()
            with torch.inference_mode():
                done = sampling.sample_pair(model, text, text, original, edited, face, torch.zeros_like(face), settings)
            size = float(model.model.process_latent_in(torch.cat([original, edited])).std())
            found.append((done.source_error, 20 * math.log10(size / max(done.source_error, 1e-9)),
                          time.process_time() - started, done.evaluations))
        rows.append(Row(name, *(float(v) for v in np.mean(found, 0))))
        print(f"{name:24} error {rows[-1].error:.4f}  {rows[-1].decibels:6.1f} dB  {rows[-1].seconds:7.1f} s  "
              f"{rows[-1].evaluations:6.0f} evaluations", flush=True)
    return rows


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="bench null_text", description=__doc__)
    parser.add_argument("--updates", default="3,10,30", help="numbers of updates, with commas between")
    parser.add_argument("--faces", type=int, default=4, help="triples of the tune split")
    parser.add_argument("--preset", default="paper 6 steps", choices=("paper 6 steps", "paper 50 steps"))
    options = parser.parse_args(arguments)
    measure([int(n) for n in options.updates.split(",")], options.faces, options.preset)
