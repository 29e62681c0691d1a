"""How the knobs of the nodes around a diffusion model are tried: gates, sampler, prompt words, probe, the one node."""
from __future__ import annotations

import importlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import torch

from ..toys import TEXT
from .knob_world import LEFT_OUT, Look, Seen, Subject, Trial, World

FEW = {"steps": 4}
FREE = {"freedom": 1.0, "strength": 0.9}
LONG = {"steps": 16}
"""The solver's history starts anew where a gate opens or closes: a short run has few steps that use it."""
PAPER = {"mode": "paper", **FEW}
BLOCKS = {"unet": ("none", "down", "mid", "up"), "dit": ("none", "double.0", "double.1-3")}
UPDATES = (0, 3, 10)
"""Null-text updates; hundreds take minutes and show no more."""
STEPS = (1, 4, 20, 50)
"""Likewise for steps: 200 take minutes."""


def _run_trials(world: World, listening: Any) -> dict[str, Trial]:
    """The inputs that sampler, Layer Probe and Restore Identity share. Guidance and prompts need a model that listens
    to its text, null-text embeddings a guided run of the paper's."""
    said = {"model": listening, "positive": world.text(1)}
    guided = {**said, "cfg": 3.0}
    return {
        "steps": Trial(STEPS),
        "final_steps": Trial((0, 1, 5, 200)),
        "cfg": Trial((0.0, 3.0, 7.5), said),
        "noise_pattern": Trial((1, 0xFFFFFFFF)),
        "positive": Trial((LEFT_OUT, world.text(2)), said),
        "negative": Trial((world.text(2),), guided),
        "null_text": Trial(UPDATES, {**guided, **PAPER, "negative": world.text(2)}),
    }


def attention_disentangle(world: World) -> Subject:
    def look(outputs: Sequence[Any]) -> Seen:
        return [world.sampled(world.call("Entanglement", model=outputs[0])[0])]

    return Subject({"model": world.model}, look, {"model": Trial((world.other_model,))})


def id_entanglement(world: World) -> Subject:
    photo, edit = world.turned

    def look_with(**inputs: Any) -> Look:
        return lambda outputs: [world.sampled(outputs[0], **inputs)]

    def look_at_turned(outputs: Sequence[Any]) -> Seen:
        return world.call("RestoreIdentity", model=outputs[0], vae=world.methods.vae, analyzer=world.analyzer,
                          original=photo, edited=edit, crop_size=world.methods.crop_size, guard=False)[:1]

    blocks = BLOCKS[world.family]
    return Subject({"model": world.model}, look_with(), {
        "model": Trial((world.other_model,)),
        "structure_blocks": Trial(blocks),
        "detail_blocks": Trial(blocks),
        # windows that end before they start are refused
        "structure_start": Trial((0.5, 0.25, 0.1)),
        "detail_end": Trial((0.2, 0.5, 0.75)),
        # the pictures disagree where heads are turned apart; what is left unmixed hides most of what a gate does
        "agreement_gate": Trial(look=look_with(**world.sampler_inputs(photo, edit), **FREE)),
        "overlap": Trial(look=look_with(**PAPER, element_mask=world.crop_cover)),
        "pose": Trial((0.01, 0.1, 0.5, 2.0), look=look_at_turned),
    })


def adaptive_mixing_sampler(world: World) -> Subject:
    original, edited = world.latents
    face = world.crops[2]
    unet = world.unet  # the lab's own models were trained with zeros for an empty prompt: a toy of SD 1.5 asks for it
    first, second = unet.latents
    heard = {"model": unet.gates(unet.other_model), "original_latent": first, "edited_latent": second,
             "face_mask": unet.crops[2]}
    return Subject(
        {"model": world.gated, "original_latent": original, "edited_latent": edited, "face_mask": face, **world.run},
        # the curve draws the numbers that were set, whether they act or not
        lambda outputs: [world.decode(outputs[0]["samples"])],
        {
            **_run_trials(world, world.listening_gated),
            "model": Trial((world.other_model,)),
            "original_latent": Trial((edited,)),
            "edited_latent": Trial((original,)),
            "face_mask": Trial((0.5 * face,)),
            "element_mask": Trial((world.crop_cover,)),
            "clip": Trial((small_clip(0, TEXT),), heard, look=lambda outputs: [unet.decode(outputs[0]["samples"])]),
            **{name: Trial(given=LONG) for name in ("solver_start", "solver_end")},
        },
    )


def small_clip(seed: int, width: int = 768) -> Any:
    """The host's SD 1.5 tokenizer over a text encoder of one layer with random weights."""
    sd, sd1 = importlib.import_module("comfy.sd"), importlib.import_module("comfy.sd1_clip")

    class Target:
        params: dict[str, Any] = {}
        clip, tokenizer = sd1.SD1ClipModel, sd1.SD1Tokenizer

    shape = dict(hidden_size=width, intermediate_size=64, num_attention_heads=4, num_hidden_layers=1)
    made = sd.CLIP(Target, model_options={"clip_l_model_config": shape, "dtype": torch.float32})
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weights in made.cond_stage_model.parameters():
            weights.copy_(torch.randn(weights.shape, generator=generator) / math.sqrt(width) if weights.ndim > 1
                          else torch.ones(weights.shape))
    return made


def prompt_words(world: World) -> Subject:
    """On the UNet in either family: transformers have no cross-attention for words to act in."""
    unet = world.unet

    def look(outputs: Sequence[Any]) -> Seen:
        return [unet.sampled(unet.listening_gated, positive=outputs[0], **PAPER, cfg=3.0, null_text=0)]

    return Subject({"clip": small_clip(0), "text": "a photo of a face with glasses"}, look, {
        "clip": Trial((small_clip(1),)),
        "text": Trial(("a drawing of a face with glasses",)),
        "face_words": Trial(("", "photo")),
        "element_words": Trial(("glasses",)),
    })


def layer_probe(world: World) -> Subject:
    original, edited = world.latents
    face = world.crops[2]

    def look(outputs: Sequence[Any]) -> Seen:
        """What was chosen, and the figures of the saved file."""
        return [outputs[0], outputs[1], _figures(world, outputs[2])]

    return Subject(
        {"model": world.model, "vae": world.methods.vae, "original_latent": original, "edited_latent": edited,
         "face_mask": face, "analyzer": world.analyzer, "together": 64,
         "steps": 6},  # more levels than the three in which the mixing weight is forced
        look,
        {
            **_run_trials(world, world.listening),
            "steps": Trial((1, 10)),
            "model": Trial((world.other_model,)),
            "vae": Trial((world.other_vae,)),
            "original_latent": Trial(({"samples": world.encode(world.strange_crops[0])},)),
            "edited_latent": Trial(({"samples": world.encode(world.strange_crops[0])},)),
            "face_mask": Trial((0.5 * face,)),
            "together": Trial((1, 2)),
            "filename_prefix": Trial(("editedid/other",), look=lambda outputs: [outputs[2].rsplit("_", 2)[0]]),
            "element_mask": Trial((world.crop_cover,)),
            "analyzer": Trial((world.other_analyzer,), may_fail=True),
        },
    )


def _figures(world: World, file: str) -> str:
    """The saved choice without what names the run."""
    saved = json.loads(world.methods.saved_file(file).read_text(encoding="utf-8"))
    return json.dumps({name: value for name, value in saved.items() if name not in ("model", "created")})


def restore_identity(world: World) -> Subject:
    photos, edit = world.photos
    near_photo, near_edit = world.nearly_right
    tone_photo, tone_edit = world.toned
    size = world.methods.crop_size
    shared = _run_trials(world, world.listening)
    fitted = shared["null_text"]
    unguarded = {"guard": False}  # which keeps the edit either way
    shared["null_text"] = replace(fitted, given={**fitted.given, **unguarded})
    unet = world.unet
    heard = {"model": unet.listening, "vae": unet.methods.vae, "crop_size": unet.methods.crop_size, **unguarded}
    return Subject(
        {"original": world.original, "edited": world.edited, "crop_size": size, "model": world.model,
         "vae": world.methods.vae, "analyzer": world.analyzer},
        lambda outputs: outputs[:2],
        {
            **shared,
            "original": Trial((world.stranger,)),
            "edited": Trial((world.dark,)),
            # far from its own size a model takes minutes
            "crop_size": Trial((64, size // 2, 2 * size)),
            # the photo itself as the edit: nothing is nearer to the person
            "guard": Trial(given={"edited": world.original, "strength": 1.0, "freedom": 1.0}),
            "no_face": Trial(given={"edited": world.blank}, may_fail=True),
            "model": Trial((LEFT_OUT,)),
            "vae": Trial((LEFT_OUT,)),
            "analyzer": Trial((LEFT_OUT,), {"no_face": "pass through"}),
            "element_mask": Trial((world.half_covered,)),
            "clip": Trial((small_clip(0, TEXT),), {**heard, "model": unet.other_model}),
            "prompt": Trial(("a photo of a face",), {**heard, "clip": small_clip(0)}),
            "photos": Trial(given={"original": photos, "edited": edit}),
            "pairs": Trial(("1=skip",)),
            "parts": Trial(("keep the new smile", "skin=0")),
            # two frames, in one of which the face lies elsewhere
            "frames": Trial(given={"edited": torch.cat([world.edited, world.edited.roll(2, 2)])}),
            "skin_tone": Trial(given={"original": tone_photo, "edited": tone_edit}),
            "strength_by_drift": Trial(given={"original": near_photo, "edited": near_edit}),
        },
    )


MODEL_NODES: Mapping[str, Callable[[World], Subject]] = MappingProxyType({
    "EditedIDAttentionDisentangle": attention_disentangle, "EditedIDEntanglement": id_entanglement,
    "EditedIDAdaptiveMixingSampler": adaptive_mixing_sampler, "EditedIDPromptWords": prompt_words,
    "EditedIDLayerProbe": layer_probe, "EditedIDRestoreIdentity": restore_identity,
})
