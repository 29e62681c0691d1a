"""The layer probe on the lab's models: ``python run.py bench probe --family unet``.

Runs the pack's own node Layer Probe on crops of a few triples of the tune split, as a user would on a few faces, and
writes its choice beside the model as ``lab/models/FAMILY_blocks.json``.
"""
from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from editedid_core.config import RestoreConfig
from editedid_core.restore.stages import cut, find, match, shape_and_tone

from .. import portraits
from ..checkpoints import Checkpoint
from .diffusion import HERE, DiffusionMethods
from .own import add_own_checkpoint, own_checkpoint
from .quality import MODELS

NODE = "EditedIDLayerProbe"


def crops(methods: DiffusionMethods, seeds: list[int]) -> Iterator[tuple[torch.Tensor, ...]]:
    """Original crop, edited crop (1, S, S, 3), face mask and element mask (1, S, S) of each triple with two faces."""
    config = RestoreConfig().changed({"crop.size": methods.crop_size, **HERE})
    for seed in seeds:
        triple = portraits.make_triple(seed)
        original, edited = (torch.from_numpy(np.ascontiguousarray(p.image))[None]
                            for p in (triple.original, triple.drifted))
        found = [find(picture, "probe", methods.analyzer, config.find) for picture in (original, edited)]
        pairs = match(found[0], found[1], config.match)
        if pairs.pairs:
            shares = [config.shape.face_shape] * len(pairs.pairs)
            prepared = shape_and_tone(original, edited, pairs, shares, config.shape.skin_tone, None)
            made = cut(original, prepared, config)
            yield made.original[:1], made.edited[:1], made.face_mask[:1], made.element_mask[:1]


def probe(family: str, models: Path, seeds: list[int], together: int, own: Checkpoint | None) -> tuple[str, str]:
    """The node's report, and the JSON that it saved."""
    methods = DiffusionMethods(family, models, checkpoint=own)
    original, edited, face, element = (torch.cat(column) for column in zip(*crops(methods, seeds)))
    node = methods.host.node(NODE)
    values = {entry.id: entry.default for entry in node.define_schema().inputs
              if getattr(entry, "default", None) is not None}
    with torch.inference_mode():
        latents = [{"samples": methods.vae.encode(pictures)} for pictures in (original, edited)]
        output = node.execute(
            model=methods.model, vae=methods.vae, original_latent=latents[0], edited_latent=latents[1], face_mask=face,
            element_mask=element, analyzer=methods.analyzer, **{**values, "together": together},
        )
    _, _, file, report = output.result
    return report, methods.saved_file(file).read_text(encoding="utf-8")


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="bench probe", description=__doc__)
    parser.add_argument("--family", choices=("unet", "dit"), default="unet")
    parser.add_argument("--n", type=int, default=8, help="number of faces")
    parser.add_argument("--together", type=int, default=1, help="neighbouring blocks that are left out at once")
    parser.add_argument("--models", type=Path, default=MODELS, help="the lab's models; the choice is written there")
    add_own_checkpoint(parser)
    options = parser.parse_args(arguments)
    # from the far end of the split, so that the ablation's first triples are other people
    seeds = portraits.triple_split("tune")[-options.n:]
    report, content = probe(options.family, options.models, seeds, options.together, own_checkpoint(options, parser))
    print(report)
    if options.checkpoint:
        return
    found = json.loads(content)
    found["model"] = f"{options.family}_lab"
    file = options.models / f"{options.family}_blocks.json"
    file.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(f"\nWritten to {file}")
