"""Restore Identity: all stages in one node."""

import json
from dataclasses import replace
from typing import Any

import torch
from comfy_api.latest import io

from ..editedid_core.choices import one_of
from ..editedid_core.comfy.progress import RunProgress, stop_if_asked
from ..editedid_core.config import NO_FACE, QUALITIES, RestoreConfig
from ..editedid_core.faces.match import CHOICES
from ..editedid_core.masks.part_weights import read_parts
from ..editedid_core.restore.overlay import origin_overlay
from .crops import face_shape_input, skin_tone_input
from .faces import pairs_input
from .given import GRAPH, checked, files_of_input
from .parts import parts_input
from .run import run_restoration
from .sampling import (
    CATEGORY,
    clip_input,
    late_inputs,
    make_settings,
    mode_input,
    prompt_input,
    run_fault,
    settings_inputs,
)
from .show import for_host, match_map, report_picture, result_view, swap_hint
from .sizes import AUTO, chosen_size, size_fault, size_input
from .types import Analyzer

DEFAULTS = RestoreConfig()
SEARCH_WORDS = ["editedid", "face", "restore face", "face restore", "face swap", "faceswap", "faceid", "face id",
                "fix face", "keep face", "likeness", "same person", "consistent character", "character consistency",
                "portrait", "person", "people", "identity", "pulid", "instantid", "ipadapter", "reactor",
                "face detailer", "\u6362\u8138", "\u4eba\u8138", "\u8eab\u4efd", "\u4fee\u8138"]
"""What people type who look for this node. The node itself speaks of identity restoration."""


class RestoreIdentity(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="EditedIDRestoreIdentity",
            display_name="Face ID: Restore Identity",
            category=CATEGORY,
            description="Gives every person in an edited picture their own face back, from an original photo, and "
            "keeps the edit: finds, matches, restores and pastes all faces. If a restored face would be further from "
            "the person, the edit's face stays.",
            search_aliases=SEARCH_WORDS,
            is_output_node=True,
            hidden=GRAPH,
            inputs=[
                io.Image.Input("edited", tooltip="The edited picture. A batch is restored picture by picture. If you "
                               "bypass the node, it comes out unchanged."),
                io.Image.Input("original", tooltip="Photo with the true face. A batch may hold several photos or "
                               "several people."),
                size_input("crop_size", advanced=True),
                mode_input(advanced=True),
                *settings_inputs(one_node=True),
                io.Float.Input("min_similarity", default=DEFAULTS.match.min_similarity, min=-1.0, max=1.0, step=0.05,
                               advanced=True, tooltip="Faces with less likeness than this count as different people "
                               "and stay unchanged, even if each picture holds one face. -1 pairs everybody."),
                io.Float.Input("relight", default=DEFAULTS.crop.relight, min=0.0, max=1.0, step=0.05, advanced=True,
                               tooltip="How far the original takes the edit's light and tone."),
                io.Float.Input("feather", default=DEFAULTS.paste.feather, min=0.0, max=0.5, step=0.01, advanced=True,
                               tooltip="Width of the soft edge of the paste, as a share of the crop."),
                io.Boolean.Input("guard", default=DEFAULTS.guard.enabled, advanced=True,
                                 tooltip="Keeps the edit's face where the restored one would be further from the "
                                 "person, or came apart."),
                io.Combo.Input("no_face", display_name="without a face", options=list(NO_FACE),
                               default=DEFAULTS.find.no_face,
                               tooltip="If one of the pictures holds no face: stop with an error, or pass that picture "
                               "through unchanged."),
                io.Model.Input("model", optional=True, tooltip="A diffusion model. The node adds attention gates "
                               "unless the model already carries ID Entanglement. Without model and vae the node puts "
                               "in the photo's face without diffusion, in the edit's light, in seconds."),
                io.Vae.Input("vae", optional=True, tooltip="The VAE that belongs to the model. Leave it out "
                             "together with the model."),
                Analyzer.Input("analyzer", optional=True, tooltip="Load Face Analyzer. Without one the node uses the "
                               "best installed backend."),
                io.Conditioning.Input("positive", optional=True, tooltip="A prompt; few models need one."),
                io.Conditioning.Input("negative", optional=True, tooltip="A negative prompt, used when cfg is not 1."),
                io.Mask.Input("element_mask", optional=True, tooltip="Parts of the edited picture that must stay, such "
                              "as glasses. The node also finds such parts itself."),
                *late_inputs(),
                io.Combo.Input("photos", display_name="several photos", options=list(CHOICES),
                               default=DEFAULTS.match.photos, optional=True,
                               tooltip="If original holds several photos of a person: use the one most like the edit "
                               "(likest), the one in the nearest pose, or up to four together (each further one takes "
                               "time)."),
                face_shape_input(DEFAULTS.shape.face_shape, optional=True, advanced=True),
                skin_tone_input(DEFAULTS.shape.skin_tone, optional=True),
                clip_input(),
                io.Float.Input("strength_by_drift", default=DEFAULTS.strength_by_drift, min=0.0, max=1.0, step=0.05,
                               optional=True, advanced=True, tooltip="How far strength follows the drift of a face. At "
                               "1 a face that is nearly right gets little strength, a stranger's face all of it."),
                pairs_input(),
                parts_input(advanced=False),
                io.Boolean.Input("frames", default=DEFAULTS.frames.enabled, optional=True, advanced=True,
                                 tooltip="On: the pictures of edited are frames of one video. Each person keeps a "
                                 "number and one decision, and nothing flickers."),
                io.Combo.Input("quality", options=list(QUALITIES), default=DEFAULTS.quality, optional=True,
                               advanced=True, tooltip="fast: one step, about three evaluations of the model for a "
                               "face. standard: what the other inputs say. best: up to four different runs, at most "
                               "60 evaluations; the one with the most likeness and the least change of place and rim "
                               "is taken."),
                prompt_input(DEFAULTS.prompt),
            ],
            outputs=[
                io.Image.Output(display_name="image", tooltip="The edited picture with restored faces."),
                io.Mask.Output(display_name="mask", tooltip="Where the picture may differ from the edit. Every pixel "
                               "outside is the edit's own."),
                io.Float.Output(display_name="similarity_before", tooltip="Mean likeness to the person in the "
                                "edit."),
                io.Float.Output(display_name="similarity_after", tooltip="Mean likeness to the person in the "
                                "result."),
                io.String.Output(display_name="report", tooltip="All figures and decisions as JSON, a record for each "
                                 "face and picture."),
                io.Image.Output(display_name="overlay", tooltip="The edit with its faces tinted: green is taken from "
                                "the photo, orange stays the edit's, violet is blended."),
                io.Image.Output(display_name="report_picture", tooltip="Edit and result side by side, the faces "
                                "numbered, with a line about each: to save with the result."),
            ],
        )

    @classmethod
    def validate_inputs(cls, crop_size: Any = AUTO, strength: Any = AUTO, freedom: Any = AUTO,
                        input_types: Any = None) -> bool | str:
        fault = size_fault(crop_size, "crop_size")
        return fault if fault is not True else run_fault(cls, input_types, strength, freedom)

    @classmethod
    @checked
    def execute(cls, original: torch.Tensor, edited: torch.Tensor, mode: str, model: Any = None, vae: Any = None,
                analyzer: Any = None, positive: Any = None, negative: Any = None,
                element_mask: torch.Tensor | None = None, clip: Any = None, prompt: str = DEFAULTS.prompt,
                quality: str = DEFAULTS.quality,
                crop_size: str | int = AUTO,
                min_similarity: float = DEFAULTS.match.min_similarity, relight: float = DEFAULTS.crop.relight,
                feather: float = DEFAULTS.paste.feather, guard: bool = DEFAULTS.guard.enabled,
                no_face: str = DEFAULTS.find.no_face, photos: str = DEFAULTS.match.photos,
                face_shape: float = DEFAULTS.shape.face_shape, skin_tone: float = DEFAULTS.shape.skin_tone,
                strength_by_drift: float = DEFAULTS.strength_by_drift, pairs: str = DEFAULTS.match.pairs,
                parts: str = str(DEFAULTS.parts), frames: bool = DEFAULTS.frames.enabled,
                **values: Any) -> io.NodeOutput:
        missing, several = one_of(no_face, NO_FACE, "no_face"), one_of(photos, CHOICES, "photos")
        config = replace(DEFAULTS, sampling=make_settings(mode, **values), parts=read_parts(parts)).changed({
            "crop.size": chosen_size(crop_size, "crop_size"), "match.min_similarity": min_similarity,
            "crop.relight": relight, "paste.feather": feather, "guard.enabled": guard, "find.no_face": missing,
            "match.photos": several, "shape.face_shape": face_shape, "shape.skin_tone": skin_tone,
            "strength_by_drift": strength_by_drift, "prompt": prompt, "match.pairs": pairs, "frames.enabled": frames,
            "quality": one_of(quality, QUALITIES, "quality"),
        })
        done, seconds = run_restoration(config, original, edited, model, vae, analyzer, positive, negative,
                                        element_mask, clip, RunProgress(), files=files_of_input(cls))
        if (hint := swap_hint(cls.hidden)) is not None:
            done = replace(done, notes=(*done.notes, hint))
        image = for_host(done.image)
        report = json.dumps({**done.report(), "seconds": round(seconds, 3)}, indent=1)
        shown = {**result_view(edited, image, done.lines(), done.cautions(), cls),
                 **match_map(done.matching, config.match, original, edited)}
        worked = [pair.edited for pair in done.matching.pairs.pairs]
        overlay = origin_overlay(edited, done.mask, worked, stop_if_asked)
        return io.NodeOutput(image, done.mask, done.before, done.after, report, overlay, report_picture(edited, done),
                             ui=shown)


NODES = [RestoreIdentity]
