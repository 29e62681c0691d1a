"""Return Detail and Judge Faces: the steps of Restore Identity between the sampler and the paste."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import torch
from comfy_api.latest import io, ui

from ..editedid_core.appearance.detail import return_detail
from ..editedid_core.comfy import vae as host_vae
from ..editedid_core.comfy.progress import stop_if_asked
from ..editedid_core.config import RestoreConfig
from ..editedid_core.crops.cut import cut_crops
from ..editedid_core.crops.paste import check_cropped
from ..editedid_core.faces.analyzers.protocol import FaceAnalyzer
from ..editedid_core.pictures import check_pictures, to_rgb
from ..editedid_core.records import PasteRecord
from ..editedid_core.restore.guard import judge, look
from . import types
from .faces import CATEGORY
from .given import checked
from .run import best_analyzer
from .sampling import crop_masks

DEFAULTS = RestoreConfig()


def check_crops(crops: torch.Tensor, masks: torch.Tensor, name: str) -> torch.Tensor:
    """Crops (N, S, S, C) as (N, S, S, 3). Raises ValueError, naming the input, where they are not as many and as large
    as their masks (N, S, S)."""
    check_pictures(crops, name)
    if crops.shape[:3] != masks.shape:
        found, wanted = (f"{n} crops of {w}x{h} pixels" for n, h, w in (crops.shape[:3], masks.shape))
        raise ValueError(f"{name} holds {found} where {wanted} belong; connect all crops of the same Crop Face Pairs.")
    return to_rgb(crops)


def decoded_like(crops: torch.Tensor, vae: Any, latent: torch.Tensor, name: str) -> torch.Tensor:
    """A latent as a crop (1, S, S, 3). Raises ValueError, naming the input, where it has another size than `crops`."""
    decoded = host_vae.decode(vae, latent)[..., :3].to(crops)
    if decoded.shape != crops[:1].shape:
        (n, height, width), side = decoded.shape[:3], crops.shape[1]
        raise ValueError(f"{name} decodes to {n} crops of {width}x{height} pixels where one of {side}x{side} belongs; "
                         "encode the crops of the same Crop Face Pairs.")
    return decoded


class ReturnDetail(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="EditedIDReturnDetail",
            display_name="Return Detail",
            category=CATEGORY,
            description="Gives restored crops back the fine detail that the VAE lost.",
            search_aliases=["vae loss", "sharpness", "skin texture"],
            inputs=[
                io.Image.Input("restored", tooltip="VAE Decode of the restored crops."),
                io.Image.Input("original", tooltip="The original crops of Crop Face Pairs."),
                io.Image.Input("edited", tooltip="The edited crops of Crop Face Pairs."),
                io.Latent.Input("original_latent", tooltip="VAE Encode of the original crops."),
                io.Latent.Input("edited_latent", tooltip="VAE Encode of the edited crops."),
                io.Vae.Input("vae", tooltip="The VAE that made the latents."),
                io.Mask.Input("face_mask", tooltip="The face mask of Crop Face Pairs."),
                io.Mask.Input("element_mask", tooltip="The element mask of Crop Face Pairs."),
                io.Float.Input("detail", default=DEFAULTS.detail, min=0.0, max=1.0, step=0.05,
                               tooltip="How much of the lost detail comes back; 0 leaves the crops as they are."),
            ],
            outputs=[io.Image.Output(display_name="restored", tooltip="The crops with their detail, for Judge Faces or "
                                     "Paste Faces.")],
        )

    @classmethod
    @checked
    def execute(cls, restored: torch.Tensor, original: torch.Tensor, edited: torch.Tensor,
                original_latent: dict[str, Any], edited_latent: dict[str, Any], vae: Any, face_mask: torch.Tensor,
                element_mask: torch.Tensor, detail: float) -> io.NodeOutput:
        face, element = crop_masks(original_latent, edited_latent, face_mask, element_mask)
        restored, original, edited = (check_crops(crops, face, name) for crops, name in (
            (restored, "restored"), (original, "original"), (edited, "edited")))
        rows = []
        for i in range(restored.shape[0]):
            stop_if_asked()
            one = slice(i, i + 1)
            first, second = (decoded_like(edited, vae, latent["samples"][one], name) for latent, name in (
                (original_latent, "original_latent"), (edited_latent, "edited_latent")))
            rows.append(return_detail(restored[one].to(edited), original[one].to(edited), edited[one], first, second,
                                      face[i] * (1 - element[i]), detail))
        return io.NodeOutput(torch.cat(rows))


class JudgeFaces(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="EditedIDJudgeFaces",
            display_name="Judge Faces",
            category=CATEGORY,
            description="Compares each restored face with its person and with the edit. Leaves out faces that are "
            "further from the person than the edit, or whose features moved too far: there the edit's face stays.",
            search_aliases=["guard", "reject", "refuse faces"],
            inputs=[
                io.Image.Input("edited_image", tooltip="The edit before Shape Faces and Skin Tone."),
                io.Image.Input("edited", tooltip="The edited crops of Crop Face Pairs."),
                io.Image.Input("crops", tooltip="The restored crops, in the order of Crop Face Pairs."),
                types.Paste.Input("paste", tooltip="The paste record of Crop Face Pairs."),
                io.Boolean.Input("guard", default=DEFAULTS.guard.enabled, tooltip="On: keep the edit's face where the "
                                 "restored one is further from the person or came apart. Off: accept every face and "
                                 "only report."),
                io.Float.Input("least_gain", default=DEFAULTS.guard.least_gain, min=0.0, max=1.0, step=0.01,
                               tooltip="Likeness that a face must gain to be accepted."),
                io.Float.Input("feather", default=DEFAULTS.paste.feather, min=0.0, max=0.25, step=0.01,
                               tooltip="The same value as in Paste Faces: the node judges the face as it will be "
                               "pasted."),
                types.Analyzer.Input("analyzer", optional=True, tooltip="Load Face Analyzer. Without one the node uses "
                                     "the best installed backend."),
                io.Float.Input("colour", default=DEFAULTS.paste.colour, min=0.0, max=1.0, step=0.05, optional=True,
                               advanced=True, tooltip="The same value as in Paste Faces."),
            ],
            outputs=[
                io.Image.Output(display_name="crops", tooltip="The accepted crops, for Paste Faces."),
                types.Paste.Output(display_name="paste", tooltip="Where the accepted crops belong, for Paste "
                                   "Faces."),
                io.String.Output(display_name="report", tooltip="All figures as JSON, a record for each face."),
            ],
        )

    @classmethod
    @checked
    def execute(cls, edited_image: torch.Tensor, edited: torch.Tensor, crops: torch.Tensor, paste: PasteRecord,
                guard: bool, least_gain: float, feather: float, analyzer: FaceAnalyzer | None = None,
                colour: float = DEFAULTS.paste.colour) -> io.NodeOutput:
        if not paste.crops:  # a graph without a face still runs to its end
            return io.NodeOutput(crops, paste, "[]", ui=ui.PreviewText("No faces to judge"))
        check_cropped(edited_image, paste)
        edited, crops = (check_crops(given, paste.masks, name) for given, name in (
            (edited, "edited"), (crops, "crops")))
        strict = replace(DEFAULTS.guard, enabled=guard, least_gain=least_gain)
        seam = replace(DEFAULTS.paste, feather=feather, colour=colour)
        judged = analyzer or best_analyzer()
        before = cut_crops(edited_image, paste)
        stop_if_asked()
        faces = [(crop, paste.masks[i], before[i:i + 1], edited[i:i + 1], crops[i:i + 1])
                 for i, crop in enumerate(paste.crops)]
        sights = look(faces, judged, DEFAULTS.find.threshold, seam)
        reports = [judge(*face, judged, DEFAULTS.find.threshold, strict, seam, sight=sight)
                   for face, sight in zip(faces, sights)]
        kept = [i for i, report in enumerate(reports) if report.accepted]
        record = replace(paste, crops=tuple(paste.crops[i] for i in kept), masks=paste.masks[kept])
        lines = [f"Face {n}: {r.id_similarity_before:.2f} before, " + (
            "not found" if r.id_similarity_after is None else f"{r.id_similarity_after:.2f}") + f" after; {r.note}"
            for n, r in enumerate(reports, start=1)]
        text = json.dumps([report.as_data() for report in reports], indent=1)
        return io.NodeOutput(crops[kept], record, text, ui=ui.PreviewText("\n".join(lines)))


NODES = [ReturnDetail, JudgeFaces]
