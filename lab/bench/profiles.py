"""What the right profile is worth: the lab's people3d transformer, whose text, guidance and references are live, run as
it was trained and otherwise, on tune triples. Start it inside a host: `python -m lab.bench.profiles --json FILE`.

Crops are made with the truth's landmarks, so that nothing but the profile differs. Two figures: the model's own loss on
the ideal crop, and the error of the restored face against the ideal one.
"""
from __future__ import annotations

import argparse
import importlib
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .. import models_io
from ..inprocess import Host

MODEL = Path(__file__).resolve().parent.parent / "models" / "people3d" / "people_dit.safetensors"
SIGMAS = (0.3, 0.5, 0.7, 0.9)
"""Noise levels at which the model's own error is taken."""


@dataclass(frozen=True)
class Way:
    """One way to run the model: zeros in place of its empty prompt, embedded guidance, references shown."""

    name: str
    zeros: bool = False
    guidance: float = 1.0
    references: bool = True


WAYS = (Way("as trained"), Way("zeros for the empty prompt", zeros=True), Way("guidance 3.5, the host's", guidance=3.5),
        Way("no references", references=False), Way("zeros, 3.5, no references", True, 3.5, False))


def crops_of(triples: Any, i: int, side: int) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Original, drifted and ideal crop (1, S, S, 3), face and element mask (S, S) of a triple, by true landmarks."""
    from editedid_core.crops.cut import crop_pairs, cut_crops
    from editedid_core.records import Face, FacePair, FacePairs

    from ..people3d.camera import five_points

    def found(drawn: Any) -> tuple[Face, Tensor]:
        picture, dense = drawn.pictures[i], drawn.landmarks68[i].numpy().astype(np.float32)
        low, high = dense.min(0), dense.max(0)
        points = np.asarray(five_points(drawn.landmarks68[i : i + 1])[0], np.float32)
        face = Face(np.array([*low, *high], np.float32), points, 1.0, None, dense, 0, tuple(picture.shape[-2:]))
        return face, picture.movedim(0, -1)[None].float()

    (original, photo), (edited, edit) = found(triples.original), found(triples.drifted)
    ideal = triples.ideal.pictures[i].movedim(0, -1)[None].float()
    pair = FacePair(original, edited, 1.0, (original,))
    cut = crop_pairs(photo, edit, FacePairs((pair,), (), ()), side)
    return cut.original, cut.edited, cut_crops(ideal, cut.record), cut.face_mask[0], cut.element_mask[0]


def evaluate(host: Host, triples: Sequence[Any], steps: int, strength: float) -> dict[str, dict[str, float]]:
    """Means over all triples of each way: the flow's loss on the ideal crop, the face's PSNR after a restoration."""
    from ..train.text import TextEncoder

    sampling = importlib.import_module("editedid_core.comfy.sampling")
    text = TextEncoder()
    context, pooled = text(torch.from_numpy(text.rows([]))[None])
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / MODEL.name
        models_io.expand(MODEL, file)
        sd = importlib.import_module("comfy.sd")
        model, _, vae = sd.load_checkpoint_guess_config(str(file), output_clip=False)[:3]
    profile = importlib.import_module("editedid_core.comfy.model_profile").profile_of(model)
    found: dict[str, dict[str, list[float]]] = {way.name: {"loss": [], "psnr": []} for way in WAYS}
    for triple in triples:
        for i in range(len(triple.kinds)):
            original, edited, ideal, face, element = crops_of(triple, i, profile.size)
            latents = [vae.encode(picture) for picture in (original, edited, ideal)]
            weight = (face * (1 - element))[None, ..., None]
            for way in WAYS:
                prompt = [[torch.zeros_like(context) if way.zeros else context,
                           {"pooled_output": torch.zeros_like(pooled) if way.zeros else pooled,
                            "guidance": way.guidance}]]
                loss = _loss(model, prompt, latents[2], [latents[0]] if way.references else [])
                settings = replace(sampling.SampleSettings(), mode="replay", steps=steps, strength=strength,
                                   freedom=1.0, references=way.references)
                done = sampling.sample_pair(model, prompt, None, *latents[:2], face, element, settings)
                error = ((vae.decode(done.latent)[..., :3] - ideal).square() * weight).sum() / (3 * weight.sum())
                found[way.name]["loss"].append(loss)
                found[way.name]["psnr"].append(float(-10 * torch.log10(error)))
    return {name: {key: float(np.mean(values)) for key, values in figures.items()} for name, figures in found.items()}


def _loss(model: Any, prompt: Any, clean: Tensor, references: list[Tensor]) -> float:
    """Mean squared error of the velocity at SIGMAS, with one noise for all ways."""
    samplers = importlib.import_module("comfy.samplers")
    errors: list[float] = []
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))

    class Look(samplers.Sampler):  # type: ignore[misc, name-defined]
        def sample(self, wrap: Any, sigmas: Any, extra: Any, callback: Any, given: Any, latent: Tensor, *rest: Any,
                   **more: Any) -> Tensor:
            for sigma in SIGMAS:
                x = (1 - sigma) * latent + sigma * noise
                told = wrap(x, x.new_full((1,), sigma), model_options=extra["model_options"], seed=0)
                errors.append(float(((told - latent) / sigma).square().mean()))
            return latent

    guider = samplers.CFGGuider(model)
    shown = [[text, {**options, **({"reference_latents": references} if references else {})}]
             for text, options in prompt]
    guider.set_conds(shown, shown)
    guider.set_cfg(1.0)
    guider.sample(noise, clean, Look(), torch.tensor([1.0, 0.0]), disable_pbar=True, seed=0)
    return float(np.mean(errors))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=12, help="triples of the tune split")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--strength", type=float, default=0.5)
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    from ..people3d.triples import make_triples, split_seeds
    from ..people3d.world import World

    world = World()
    with torch.inference_mode():
        triples = [make_triples(world, [seed]) for seed in split_seeds("tune", options.n)]
        figures = evaluate(Host.start(), triples, options.steps, options.strength)
    for name, row in figures.items():
        print(f"{name:32} loss {row['loss']:.4f}  face {row['psnr']:.2f} dB")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
