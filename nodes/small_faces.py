"""Super-Resolve Face, Place Face, Measure Damage: a person's face back from a handful of pixels."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from comfy_api.latest import io, ui

from ..editedid_core.choices import one_of
from ..editedid_core.comfy.progress import RunProgress, stop_if_asked
from ..editedid_core.config import SMALL_FACE
from ..editedid_core.engines.super_resolution.settings import SURROUNDINGS
from ..editedid_core.faces.analyzers.protocol import FaceAnalyzer
from ..editedid_core.faces.preview import numbered_boxes
from ..editedid_core.records import Identity
from ..editedid_core.restore.reference_photos import find_person
from ..editedid_core.restore.small_face import (
    damage_of,
    find_small,
    pair_small,
    true_pixels,
    trust_in,
)
from . import types
from .amounts import amount_fault, amount_input, chosen_amount
from .faces import CATEGORY
from .given import GRAPH, checked, files_of_input
from .run import best_analyzer, run_restoration
from .sampling import clip_input, prompt_input
from .show import for_host, preview, result_view
from .sizes import AUTO, chosen_size, size_fault, size_input

DEFAULTS = SMALL_FACE
SCALES = ("auto", "8", "16", "32")


def image_input() -> Any:
    return io.Image.Input("image", tooltip="The picture with the small or blurred face. Enlarge a picture of few "
                          "pixels first (Upscale Image By), so that the face has room for its detail.")


def scale_input() -> Any:
    return io.Combo.Input("scale", options=list(SCALES), default=SCALES[0], tooltip="How many pixels of the picture "
                          "one true pixel covers, across. auto measures it from the face's blur.")


def box_input() -> Any:
    return types.BoundingBox.Input("bounding_box", optional=True, extra_dict={"forceInput": True}, tooltip="Box round "
                                   "the face, from forehead to chin. Without one the node looks for the face; if "
                                   "none is found, it takes the middle of the picture for a head-and-shoulders crop.")


def analyzer_input() -> Any:
    return types.Analyzer.Input("analyzer", optional=True, tooltip="Load Face Analyzer. Without one the node uses the "
                                "best installed backend.")


def references_input() -> Any:
    return io.Image.Input("references", tooltip="One to twenty sharp photos of the person, as a batch. Photos of "
                          "somebody else are left out and named in the report.")


def scale_of_choice(scale: str) -> float:
    """Pixels, 0 for auto. Raises ValueError for anything but a choice."""
    chosen = one_of(scale, SCALES, "scale")
    return 0.0 if chosen == SCALES[0] else float(chosen)


def known_trust(trust: Any) -> Any:
    """The choice of trust; older workflows say auto by a number below 0."""
    return AUTO if isinstance(trust, (int, float)) and -1 <= trust < 0 else trust


class SuperResolveFace(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        own = DEFAULTS.super_resolution
        return io.Schema(
            node_id="EditedIDSuperResolveFace",
            display_name="Super-Resolve Face",
            category=CATEGORY,
            description="Gives a person's face back in a picture that holds only a handful of its pixels, from photos "
            "of the person: a small face in a group, an old scan, a face that an upscaler made a stranger's.",
            is_output_node=True,
            search_aliases=["idfsr", "face super resolution", "upscale face", "face restoration",
                            "codeformer", "gfpgan", "low resolution", "small face", "old photo"],
            hidden=GRAPH,
            inputs=[
                image_input(),
                references_input(),
                size_input("crop_size"),
                scale_input(),
                amount_input("trust", "How much of the small face is kept. 1: all its pixels. 0: only its coarsest "
                             "light, everything else from the photos.", auto="by its measured damage"),
                io.Float.Input("identity", default=own.identity, min=0.0, max=1.0, step=0.05, tooltip="How firmly the "
                               "face holds to the photos while the model runs. Lower looks smoother and less like the "
                               "person."),
                io.Combo.Input("surroundings", options=list(SURROUNDINGS), default=own.surroundings, tooltip="Hair, "
                               "neck and background in the crop. redraw: the model draws them as sharp as the face, in "
                               "the picture's colours. keep: they stay as they are."),
                io.Int.Input("noise_pattern", default=own.noise_seed, min=0, max=2**32 - 1, advanced=True,
                             tooltip="Number of the noise that the run starts with."),
                io.Boolean.Input("guard", default=DEFAULTS.guard.enabled, advanced=True, tooltip="Keeps the picture's "
                                 "face where the new one is no nearer to the person, or came apart."),
                io.Model.Input("model", optional=True, tooltip="A diffusion model. Without model and vae the node lays "
                               "the photos' detail over the small face, in seconds."),
                io.Vae.Input("vae", optional=True, tooltip="The VAE that belongs to the model."),
                box_input(),
                analyzer_input(),
                io.Conditioning.Input("positive", optional=True, tooltip="Optional prompt of the face; few models need "
                                      "one."),
                types.Identity.Input("person", optional=True, tooltip="A person from Fit Identity, fitted on this very "
                                     "model. Their tokens tell the model whom to draw, beside the prompt."),
                clip_input(),
                prompt_input(DEFAULTS.prompt),
            ],
            outputs=[
                io.Image.Output(display_name="image", tooltip="The picture with the person's face."),
                io.Mask.Output(display_name="mask", tooltip="Where the picture may differ from the input."),
                io.String.Output(display_name="report", tooltip="All figures and warnings as JSON."),
            ],
        )

    @classmethod
    def validate_inputs(cls, crop_size: Any = AUTO, trust: Any = AUTO, input_types: Any = None) -> bool | str:
        fault = size_fault(crop_size, "crop_size")
        return fault if fault is not True else amount_fault(cls, input_types, {"trust": 0.0}, (known_trust(trust),))

    @classmethod
    @checked
    def execute(cls, image: torch.Tensor, references: torch.Tensor, crop_size: str | int, scale: str,
                trust: str | float, identity: float, surroundings: str, noise_pattern: int, guard: bool,
                model: Any = None, vae: Any = None, bounding_box: Any = None, analyzer: FaceAnalyzer | None = None,
                positive: Any = None, person: Identity | None = None, clip: Any = None,
                prompt: str = DEFAULTS.prompt) -> io.NodeOutput:
        config = DEFAULTS.changed({
            "crop.size": chosen_size(crop_size, "crop_size"), "guard.enabled": guard,
            "super_resolution.scale": scale_of_choice(scale),
            "super_resolution.trust": chosen_amount(known_trust(trust), "trust"),
            "super_resolution.identity": identity,
            "super_resolution.surroundings": one_of(surroundings, SURROUNDINGS, "surroundings"),
            "super_resolution.noise_seed": noise_pattern, "prompt": prompt,
        })
        done, seconds = run_restoration(config, references, image, model, vae, analyzer, positive, clip=clip,
                                        say=RunProgress(), box=bounding_box, files=files_of_input(cls), person=person)
        result = for_host(done.image)
        report = {**done.report(), "warnings": done.warnings(), "seconds": round(seconds, 3)}
        shown = result_view(image, result, done.lines(), done.cautions(), cls)
        return io.NodeOutput(result, done.mask, json.dumps(report, indent=1), ui=shown)


class PlaceFace(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="EditedIDPlaceFace",
            display_name="Place Face",
            category=CATEGORY,
            description="Finds the eyes, nose and mouth of a face that is too small to be found: lays photos of the "
            "person over it and says how sure the place is.",
            search_aliases=["face landmarks", "register face", "small face", "low resolution",
                            "align face"],
            inputs=[image_input(), references_input(), scale_input(), box_input(), analyzer_input()],
            outputs=[
                types.Faces.Output(display_name="faces", tooltip="The face of each picture, for Match Faces."),
                io.Image.Output(display_name="preview", tooltip="The pictures with the face's box and points."),
                io.Float.Output(display_name="uncertainty", tooltip="One standard deviation of the place, in eye "
                                "distances; the largest of all pictures."),
                io.Float.Output(display_name="explained", tooltip="Share of the small face's contrast that the best "
                                "photo explains; the least of all pictures. A stranger's photo explains less."),
            ],
        )

    @classmethod
    @checked
    def execute(cls, image: torch.Tensor, references: torch.Tensor, scale: str, bounding_box: Any = None,
                analyzer: FaceAnalyzer | None = None) -> io.NodeOutput:
        config = DEFAULTS.changed({"super_resolution.scale": scale_of_choice(scale)})
        chosen = analyzer or best_analyzer()
        photos = find_person(references, chosen, config.find, stop_if_asked)
        faces = find_small(image, chosen, config.find, bounding_box, stop_if_asked)
        pairs = pair_small(references, image, photos, faces, config, stop_if_asked, chosen).pairs
        placed = replace(faces, faces=tuple(pair.edited for pair in pairs))
        shown = numbered_boxes(image, placed, stop_if_asked)
        known = [pair.placement for pair in pairs if pair.placement is not None]
        spread = max((one.spread for one in known), default=0.0)
        explained = min((one.explained for one in known), default=0.0)
        return io.NodeOutput(placed, shown, spread, explained, ui=preview(shown, cls))


class MeasureDamage(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="EditedIDMeasureDamage",
            display_name="Measure Damage",
            category=CATEGORY,
            description="Estimates how much of a face is left in a picture: its true pixels, its noise and its "
            "compression. Super-Resolve Face derives scale and trust from this.",
            search_aliases=["blur", "noise estimate", "jpeg", "quality", "degradation", "resolution"],
            inputs=[image_input(), box_input(), analyzer_input()],
            outputs=[
                io.Float.Output(display_name="scale", tooltip="Pixels of the picture that one true pixel covers."),
                io.Float.Output(display_name="noise", tooltip="Standard deviation of the noise, 0 to 1."),
                io.Float.Output(display_name="compression", tooltip="Strength of the JPEG compression, 0 to 1."),
                io.Float.Output(display_name="trust", tooltip="The trust that Super-Resolve Face would take."),
                io.String.Output(display_name="report", tooltip="A line for each face."),
            ],
        )

    @classmethod
    @checked
    def execute(cls, image: torch.Tensor, bounding_box: Any = None,
                analyzer: FaceAnalyzer | None = None) -> io.NodeOutput:
        faces = find_small(image, analyzer or best_analyzer(), DEFAULTS.find, bounding_box, stop_if_asked)
        rows, lines = [], []
        for face in faces.faces:
            stop_if_asked()
            damage, across = damage_of(image, face)
            pixels = true_pixels(image, face, DEFAULTS.super_resolution)
            rows.append((across / pixels, damage.noise, damage.jpeg, trust_in(damage, pixels)))
            lines.append(f"{faces.label(face).capitalize()}: about {pixels:.0f} true pixels across the crop, scale "
                         f"{rows[-1][0]:.1f}, noise {damage.noise:.3f}, compression {damage.jpeg:.2f}, trust "
                         f"{rows[-1][3]:.2f}")
        means = [float(value) for value in np.mean(rows, axis=0)]
        text = "\n".join(lines)
        return io.NodeOutput(*means, text, ui=ui.PreviewText(text))


NODES = [SuperResolveFace, PlaceFace, MeasureDamage]
