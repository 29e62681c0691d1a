"""Restore Identity: the whole way in one node."""

import json
import logging
import time
from dataclasses import replace
from typing import Any

import torch
from comfy_api.latest import io, ui

from ..editedid_core.attention.settings import Disentangle, Entangle
from ..editedid_core.diffusion.noise_grid import strength_for_drift
from ..editedid_core.faces.analyzers.load import load_analyzer
from ..editedid_core.faces.match import CHOICES, Choice
from ..editedid_core.host import vae as host_vae
from ..editedid_core.host.folders import default_pack, insightface_packs
from ..editedid_core.host.paper_presets import PAPER_PRESETS
from ..editedid_core.host.progress import show_result
from ..editedid_core.host.sampling import DISENTANGLE_KEY, ENTANGLE_KEY, Mode, sample_pair
from ..editedid_core.restore.pipeline import RestoreOptions, Sampled, restore
from .crops import face_shape_input, skin_tone_input
from .sampling import CATEGORY, late_inputs, make_settings, mode_input, settings_inputs
from .types import Analyzer


class RestoreIdentity(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        standard = RestoreOptions()
        return io.Schema(
            node_id="EditedIDRestoreIdentity",
            display_name="Restore Identity",
            category=CATEGORY,
            description="Gives every person in an edited picture their own face back, from an original photo, and "
            "keeps the edit: finds, matches, restores and pastes all faces. A face that would end up further from "
            "the person is returned unchanged.",
            search_aliases=["editedid", "identity", "restore face", "keep face", "face consistency", "face drift",
                            "likeness", "face detailer"],
            is_output_node=False,
            inputs=[
                io.Model.Input("model", tooltip="A diffusion model; attention gates are added unless the model already "
                               "carries ID Entanglement."),
                io.Vae.Input("vae", tooltip="The VAE that belongs to the model."),
                io.Image.Input("original", tooltip="Photo with the true face; a batch may hold several photos or "
                               "people."),
                io.Image.Input("edited", tooltip="What the editing model returned; a batch is worked through."),
                io.Int.Input("crop_size", default=standard.size, min=64, max=2048, step=16,
                             tooltip="Side of the face crop in pixels, the size of pictures that the model was made "
                             "for, mostly 512 or 1024; 128 or 256 for the lab's UNet and DiT."),
                mode_input(),
                *settings_inputs(),
                io.Float.Input("min_similarity", default=standard.min_similarity, min=-1.0, max=1.0, step=0.05,
                               advanced=True, tooltip="Faces less alike than this are not the same person and are "
                               "left alone; -1 pairs everybody."),
                io.Float.Input("relight", default=standard.relight, min=0.0, max=1.0, step=0.05, advanced=True,
                               tooltip="How far the original takes over the edit's light and tone."),
                io.Float.Input("feather", default=standard.feather, min=0.0, max=0.5, step=0.01, advanced=True,
                               tooltip="Softness of the pasted border, as a share of the crop."),
                io.Boolean.Input("guard", default=standard.guard, advanced=True,
                                 tooltip="Keep the edit's face where the restored one would be further from the "
                                 "person."),
                io.Combo.Input("no_face", options=["error", "pass through"], default=standard.no_face,
                               tooltip="What to do when a picture holds no face."),
                Analyzer.Input("analyzer", optional=True, tooltip="Load Face Analyzer; without one the best installed "
                               "backend is used."),
                io.Conditioning.Input("positive", optional=True, tooltip="A prompt; not needed."),
                io.Conditioning.Input("negative", optional=True, tooltip="A negative prompt, used when cfg is not 1."),
                io.Mask.Input("element_mask", optional=True, tooltip="Parts of the edited picture that must stay, such "
                              "as glasses; found automatically as well."),
                *late_inputs(),
                io.Combo.Input("photos", options=list(CHOICES), default=standard.choice, optional=True, advanced=True,
                               tooltip="Where original holds several photos of a person: use the likest one, the "
                               "one in the nearest pose, or up to four together (each further one costs time)."),
                face_shape_input(standard.face_shape, optional=True),
                skin_tone_input(standard.skin_tone, optional=True),
                io.Float.Input("strength_by_drift", default=0.0, min=0.0, max=1.0, step=0.05, optional=True,
                               advanced=True, tooltip="How far strength follows what is wrong with a face: at 1 a face "
                               "that is nearly right gets little of it and is done sooner, a stranger's gets all."),
            ],
            outputs=[
                io.Image.Output(display_name="image", tooltip="The edited picture with the faces restored."),
                io.Mask.Output(display_name="mask", tooltip="Where the picture may differ from the edit; outside it "
                               "every pixel is the edit's own."),
                io.Float.Output(display_name="similarity_before", tooltip="Mean likeness to the person before."),
                io.Float.Output(display_name="similarity_after", tooltip="Mean likeness to the person after."),
                io.String.Output(display_name="report", tooltip="All figures as JSON, a record for each face."),
            ],
        )

    @classmethod
    def execute(cls, model: Any, vae: Any, original: torch.Tensor, edited: torch.Tensor, crop_size: int, mode: Mode,
                min_similarity: float, relight: float, feather: float, guard: bool, no_face: str,
                analyzer: Any = None, positive: Any = None, negative: Any = None,
                element_mask: torch.Tensor | None = None, photos: Choice = RestoreOptions.choice,
                face_shape: float = RestoreOptions.face_shape, skin_tone: float = RestoreOptions.skin_tone,
                strength_by_drift: float = 0.0, **values: Any) -> io.NodeOutput:
        started = time.perf_counter()
        settings = make_settings(mode, **values)
        if analyzer is None:
            analyzer = load_analyzer("auto", insightface_packs(), default_pack())
        gated = model if mode in PAPER_PRESETS else with_default_gates(model)  # the presets bring their own

        def sample(first: torch.Tensor, second: torch.Tensor, face: torch.Tensor, element: torch.Tensor,
                   pose: float, drift: float, others: torch.Tensor | None) -> Sampled:
            strength = strength_for_drift(settings.strength, drift, strength_by_drift)
            result = sample_pair(gated, positive, negative, first, second, face, element,
                                 replace(settings, pose=pose, strength=strength), others=others)
            return Sampled(result.latent, result.evaluations, result.mode)

        options = replace(RestoreOptions(), size=crop_size, min_similarity=min_similarity, relight=relight,
                          feather=feather, guard=guard, choice=photos, face_shape=face_shape, skin_tone=skin_tone,
                          no_face="error" if no_face == "error" else "pass through")
        done = restore(original, edited, analyzer, lambda p: host_vae.encode(vae, p), sample,
                       lambda z: host_vae.decode(vae, z), options, element_mask)
        report = {**done.report(), "seconds": round(time.perf_counter() - started, 3)}
        for number, face in enumerate(done.faces, start=1):
            for warning in face.warnings:
                logging.warning("Restore Identity, face %d: %s", number, warning)
        before = [f.id_similarity_before for f in done.faces]
        after = [f.id_similarity_after if f.accepted and f.id_similarity_after is not None else f.id_similarity_before
                 for f in done.faces]
        show_result(done.image[..., :3])
        return io.NodeOutput(done.image, done.mask, _mean(before), _mean(after), json.dumps(report, indent=1),
                             ui=ui.PreviewImage(done.image, cls=cls))


def with_default_gates(model: Any) -> Any:
    """The model with the standard gates, unless its user chose their own."""
    options = model.model_options.get("transformer_options", {})
    if ENTANGLE_KEY in options:
        return model
    clone = model.clone()
    clone.model_options["transformer_options"][ENTANGLE_KEY] = Entangle()
    clone.model_options["transformer_options"].setdefault(DISENTANGLE_KEY, Disentangle())
    return clone


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0


NODES = [RestoreIdentity]
