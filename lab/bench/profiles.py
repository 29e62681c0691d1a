"""What the right profile is worth: the lab's people3d transformer, whose text, guidance and references are live, run as
it was trained and otherwise, on tune triples: ``python run.py bench profiles --json FILE``.

Crops are made with the truth's landmarks, so that nothing but the profile differs. Figures: the model's own loss on
the ideal crop at each noise level, and the error of the restored face against the ideal one.
"""
from __future__ import annotations

import argparse
import importlib
import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from .. import models_io
from ..inprocess import Host

MODEL = Path(__file__).resolve().parent.parent / "models" / "people3d" / "people_dit.safetensors"
SIGMAS = (0.3, 0.5, 0.7, 0.9)
"""Noise levels at which the model's own error is taken."""

Shown = Literal["", "laid", "as it is", "truth"]
"""The reference: none, the photo laid over the edit as the pack gives it, the photo as it is, the wanted picture."""


@dataclass(frozen=True)
class Way:
    """One way to run the model. zeros: in place of its empty prompt; guidance: embedded; shown: the reference; whole:
    restorations are made too, not only the loss."""

    name: str
    zeros: bool = False
    guidance: float = 1.0
    shown: Shown = "laid"
    whole: bool = True


WAYS = (Way("as trained"), Way("zeros for the empty prompt", zeros=True), Way("guidance 3.5, the host's", guidance=3.5),
        Way("no references", shown=""), Way("zeros, 3.5, no references", True, 3.5, ""),
        Way("the photo not laid over the edit", shown="as it is", whole=False),
        Way("the wanted picture as reference", shown="truth", whole=False))


@dataclass(frozen=True, eq=False)
class Crops:
    """One triple's crops (1, S, S, 3): the photo laid over the edit and as it is, the edit, the wanted picture; face
    and element mask (S, S)."""

    laid: Tensor
    photo: Tensor
    edited: Tensor
    ideal: Tensor
    face: Tensor
    element: Tensor


def crops_of(triples: Any, i: int, side: int) -> Crops:
    """The i-th triple's crops, by true landmarks."""
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
    cut = crop_pairs(photo, edit, FacePairs((FacePair(original, edited, 1.0, (original,)),), (), ()), side)
    alone = crop_pairs(photo, photo, FacePairs((FacePair(original, original, 1.0, (original,)),), (), ()), side)
    return Crops(cut.original, alone.edited, cut.edited, cut_crops(ideal, cut.record), cut.face_mask[0],
                 cut.element_mask[0])


@dataclass(frozen=True, eq=False)
class Bench:
    """The model in the host, and what makes its true empty prompt."""

    model: Any
    vae: Any
    prompt: tuple[Tensor, Tensor]
    side: int
    steps: int
    strength: float

    @classmethod
    def open(cls, steps: int, strength: float) -> Bench:
        from ..train.text import TextEncoder

        Host.start()
        text = TextEncoder()
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / MODEL.name
            models_io.expand(MODEL, file)
            sd = importlib.import_module("comfy.sd")
            model, _, vae = sd.load_checkpoint_guess_config(str(file), output_clip=False)[:3]
        side = importlib.import_module("editedid_core.comfy.model_profile").profile_of(model).size
        return cls(model, vae, text(torch.from_numpy(text.rows([]))[None]), side, steps, strength)

    def figures(self, crops: Crops) -> dict[str, dict[str, float]]:
        """By way: the loss at each noise level and their mean, and the face's PSNR after a restoration."""
        laid, photo, edited, ideal = (self.vae.encode(picture) for picture in (
            crops.laid, crops.photo, crops.edited, crops.ideal))
        references = {"laid": [laid], "as it is": [photo], "truth": [ideal], "": []}
        weight = (crops.face * (1 - crops.element))[None, ..., None]
        sampling = importlib.import_module("editedid_core.comfy.sampling")
        found: dict[str, dict[str, float]] = {}
        for way in WAYS:
            tokens, pooled = (torch.zeros_like(part) if way.zeros else part for part in self.prompt)
            prompt = [[tokens, {"pooled_output": pooled, "guidance": way.guidance}]]
            losses = self.losses(prompt, ideal, references[way.shown])
            found[way.name] = {f"loss {sigma}": one for sigma, one in zip(SIGMAS, losses)}
            found[way.name]["loss"] = float(np.mean(losses))
            if way.whole:
                settings = replace(sampling.SampleSettings(), mode="replay", steps=self.steps, strength=self.strength,
                                   freedom=1.0, references=bool(way.shown))
                done = sampling.sample_pair(self.model, prompt, None, laid, edited, crops.face, crops.element, settings)
                off = ((self.vae.decode(done.latent)[..., :3] - crops.ideal).square() * weight).sum()
                found[way.name]["psnr"] = float(-10 * torch.log10(off / (3 * weight.sum())))
        return found

    def losses(self, prompt: Any, clean: Tensor, references: list[Tensor]) -> list[float]:
        """Mean squared error of the velocity at each of SIGMAS, with one noise for all ways."""
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

        guider = samplers.CFGGuider(self.model)
        shown = [[text, {**options, **({"reference_latents": references} if references else {})}]
                 for text, options in prompt]
        guider.set_conds(shown, shown)
        guider.set_cfg(1.0)
        guider.sample(noise, clean, Look(), torch.tensor([1.0, 0.0]), disable_pbar=True, seed=0)
        return errors


def means(rows: list[Mapping[str, Mapping[str, float]]]) -> dict[str, dict[str, float]]:
    """The figures of all triples as one."""
    return {way: {key: float(np.mean([row[way][key] for row in rows])) for key in rows[0][way]} for way in rows[0]}


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="bench profiles", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=12, help="triples of the tune split")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--strength", type=float, default=0.5)
    parser.add_argument("--json", type=Path, help="write the figures of each triple here, after each")
    options = parser.parse_args(arguments)
    from ..people3d.triples import make_triples, split_seeds
    from ..people3d.world import World

    world, rows = World(), []
    with torch.inference_mode():
        bench = Bench.open(options.steps, options.strength)
        for seed in split_seeds("tune", options.n):
            triples = make_triples(world, [seed])
            rows += [bench.figures(crops_of(triples, i, bench.side)) for i in range(len(triples.kinds))]
            if options.json:
                options.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    levels = " ".join(f"{sigma:>6}" for sigma in SIGMAS)
    print(f"{len(rows)} triples{'':22} loss  at {levels}    face")
    for name, row in means(rows).items():
        each = " ".join(f"{row[f'loss {sigma}']:6.3f}" for sigma in SIGMAS)
        print(f"{name:33} {row['loss']:.3f}     {each}" + (f"  {row['psnr']:.2f} dB" if "psnr" in row else ""))
