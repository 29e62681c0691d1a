"""Shape Faces, Skin Tone, Crop Face Pairs, Paste Faces."""

from __future__ import annotations

import logging
from typing import Any

import torch
from comfy_api.latest import io

from ..editedid_core.appearance.skin_tone import OTHER_LIGHT, UNSURE, retone_faces
from ..editedid_core.comfy.model_files import with_files
from ..editedid_core.comfy.model_profile import native_size
from ..editedid_core.comfy.progress import stop_if_asked
from ..editedid_core.comfy.vae import crop_multiple, fitting_size
from ..editedid_core.config import RestoreConfig
from ..editedid_core.crops.cut import crop_pairs, natural_size, with_placeholder
from ..editedid_core.crops.paste import paste as paste_crops
from ..editedid_core.crops.paste import paste_mask
from ..editedid_core.crops.preview import crop_sheet
from ..editedid_core.geometry.reshape import reshape_faces
from ..editedid_core.masks.part_weights import read_parts
from ..editedid_core.records import FacePairs, PasteRecord
from . import types
from .faces import CATEGORY
from .given import GRAPH, checked, files_of_input
from .parts import parts_input
from .show import for_host, preview
from .sizes import AUTO, chosen_size, size_fault, size_input

DEFAULTS = RestoreConfig()


def face_shape_input(default: float, optional: bool, advanced: bool = False) -> io.Float.Input:
    return io.Float.Input("face_shape", default=default, min=0.0, max=1.0, step=0.05,
                          optional=optional, advanced=advanced,
                          tooltip="How far eyes, nose, mouth, jaw and cheeks move to where the "
                          "person has them. The edit's pose and expression stay. 0 keeps the edit's shape. Only "
                          "faces are moved that the shape model knows: drawn people, and no photographs.")


class ShapeFaces(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="EditedIDShapeFaces",
            display_name="Shape Faces",
            category=CATEGORY,
            description="Moves the features and the outline of each edited face to where the person has them, in the "
            "edit's own pose and with its expression. Faces without dense landmarks, and faces of photographs, stay "
            "unchanged.",
            search_aliases=["liquify", "reshape", "jaw line", "thin plate"],
            inputs=[
                io.Image.Input("edited_image", tooltip="The picture given to Detect Faces for the edited faces."),
                types.Pairs.Input("pairs", tooltip="The pairs of Match Faces."),
                face_shape_input(1.0, optional=False),
            ],
            outputs=[
                io.Image.Output(display_name="edited_image", tooltip="The edit with its faces in the new shape, for "
                                "Crop Face Pairs and Paste Faces."),
                types.Pairs.Output(display_name="pairs", tooltip="The pairs with moved landmarks, for Crop Face "
                                   "Pairs."),
                io.Mask.Output(display_name="mask", tooltip="Where the picture changed; 0 is as before."),
            ],
        )

    @classmethod
    @checked
    def execute(cls, edited_image: torch.Tensor, pairs: FacePairs, face_shape: float) -> io.NodeOutput:
        done = reshape_faces(edited_image, pairs, face_shape, stop_if_asked)
        image = for_host(done.image)
        return io.NodeOutput(image, done.pairs, done.mask.contiguous(), ui=preview(image, cls))


def skin_tone_input(default: float, optional: bool) -> io.Float.Input:
    return io.Float.Input("skin_tone", default=default, min=0.0, max=1.0, step=0.05, optional=optional,
                          tooltip="How far the skin of face, ears and neck takes the photo's tone, for edits that made "
                          "it lighter or darker. The tone stays where the light on the face changed.")


class SkinTone(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="EditedIDSkinTone",
            display_name="Skin Tone",
            category=CATEGORY,
            description="Gives the skin of each edited face, its ears and its neck the tone of the photo, in the "
            "edit's light. A face whose light changed keeps the edit's tone.",
            search_aliases=["skin colour", "skin color", "complexion", "tan"],
            inputs=[
                io.Image.Input("original_image", tooltip="The picture given to Detect Faces for the original faces."),
                io.Image.Input("edited_image", tooltip="The output of Shape Faces, or the picture given to Detect "
                               "Faces for the edited faces."),
                types.Pairs.Input("pairs", tooltip="The pairs of Shape Faces or Match Faces."),
                skin_tone_input(1.0, optional=False),
                io.Mask.Input("element_mask", optional=True, tooltip="Mask on the edited picture: things that keep "
                              "their colour."),
            ],
            outputs=[
                io.Image.Output(display_name="edited_image", tooltip="The edit with the photo's skin tones, for Crop "
                                "Face Pairs and Paste Faces."),
                io.Mask.Output(display_name="mask", tooltip="Where the picture changed; 0 is as before."),
            ],
        )

    @classmethod
    @checked
    def execute(cls, original_image: torch.Tensor, edited_image: torch.Tensor, pairs: FacePairs,
                skin_tone: float, element_mask: torch.Tensor | None = None) -> io.NodeOutput:
        done = retone_faces(original_image, edited_image, pairs, skin_tone, element_mask, stop_if_asked)
        for number, certainty in enumerate(done.certainty, start=1):
            if skin_tone > 0 and certainty < UNSURE:
                logging.warning("Skin Tone, face %d: %s", number, OTHER_LIGHT)
        image = for_host(done.image)
        return io.NodeOutput(image, done.mask.contiguous(), ui=preview(image, cls))


class CropFacePairs(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="EditedIDCropFacePairs",
            display_name="Crop Face Pairs",
            category=CATEGORY,
            description="Cuts each edited face upright at the model's working size, and warps the original of the same "
            "person onto it, in the edit's light. Also makes masks of the face and of the things that cover it.",
            search_aliases=["face crop", "align face", "warp face", "face mask", "glasses mask"],
            hidden=GRAPH,
            inputs=[
                io.Image.Input("original_image", tooltip="The picture given to Detect Faces for the original faces."),
                io.Image.Input("edited_image", tooltip="The picture given to Detect Faces for the edited faces, or the "
                               "output of Shape Faces or Skin Tone."),
                types.Pairs.Input("pairs", tooltip="The pairs of Match Faces or Shape Faces."),
                size_input("size"),
                io.Float.Input("relight", default=DEFAULTS.crop.relight, min=0.0, max=1.0, step=0.05,
                               tooltip="How far the original takes the light and tone of the edit. 0 leaves it "
                               "unchanged."),
                io.Float.Input("auto_elements", default=DEFAULTS.crop.auto_elements, min=0.0, max=2.0, step=0.05,
                               tooltip="How readily the node finds glasses, a hat, hair or a hand over the face, and "
                               "places where the pictures differ too much to be mixed. They stay the edit's. 0: off."),
                io.Boolean.Input("piecewise", default=DEFAULTS.crop.piecewise, advanced=True,
                                 tooltip="Bends the original to the edit's landmarks where both faces have dense ones. "
                                 "It then follows the edit's expression, and its face shape too. Faces from Shape "
                                 "Faces are always bent."),
                io.Boolean.Input("keep_elements", default=DEFAULTS.crop.keep_elements, advanced=True,
                                 tooltip="Leaves elements out of the paste, so that they stay the edit's own pixels."),
                io.Mask.Input("element_mask", optional=True,
                              tooltip="Mask on the edited picture of things that must stay as they are over the face."),
                io.Vae.Input("vae", optional=True, tooltip="The VAE that will encode the crops: their side becomes a "
                             "multiple of its factor, so that it cuts nothing off."),
                parts_input(),
                io.Model.Input("model", optional=True, tooltip="The model that will work on the crops: size auto then "
                               "is the size that it was made for."),
            ],
            outputs=[
                io.Image.Output(display_name="original", tooltip="Original faces warped onto the edited ones."),
                io.Image.Output(display_name="edited", tooltip="Edited faces, upright."),
                io.Mask.Output(display_name="face_mask", tooltip="Soft mask of each face."),
                io.Mask.Output(display_name="element_mask", tooltip="Soft mask of things that cover each face in the "
                               "edit, or differ too much to be mixed."),
                types.Paste.Output(display_name="paste", tooltip="Where the crops belong, for Judge Faces and Paste "
                                   "Faces."),
            ],
        )

    @classmethod
    def validate_inputs(cls, size: Any = AUTO) -> bool | str:
        return size_fault(size, "size")

    @classmethod
    @checked
    def execute(cls, original_image: torch.Tensor, edited_image: torch.Tensor, pairs: FacePairs, size: str | int,
                relight: float, auto_elements: float, piecewise: bool, keep_elements: bool,
                element_mask: torch.Tensor | None = None, vae: Any = None, parts: str = str(DEFAULTS.parts),
                model: Any = None) -> io.NodeOutput:
        weights = read_parts(parts)
        native = None if model is None else native_size(with_files(model, files_of_input(cls)))
        side = chosen_size(size, "size") or native or natural_size(pairs)
        multiple = crop_multiple(vae, model)
        fitting = fitting_size(side, multiple)
        if fitting != side:
            logging.warning("Crop Face Pairs: size %d became %d, a multiple of %d: a VAE would cut the rest off, and "
                            "the faces would move.", side, fitting, multiple)
        crops = crop_pairs(original_image, edited_image, pairs, fitting, element_mask, relight, auto_elements,
                           piecewise, keep_elements, tick=stop_if_asked, parts=weights)
        shown = with_placeholder(crops, edited_image, fitting)
        return io.NodeOutput(shown.original, shown.edited, shown.face_mask, shown.element_mask, shown.record,
                             ui=preview(crop_sheet(shown), cls))


class PasteFaces(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="EditedIDPasteFaces",
            display_name="Paste Faces",
            category=CATEGORY,
            description="Puts restored faces back into the edited picture, turned and scaled to fit. Every pixel "
            "outside the masks stays exactly the same.",
            search_aliases=["paste back", "uncrop", "stitch", "composite face"],
            inputs=[
                io.Image.Input("edited_image", tooltip="The picture given to Crop Face Pairs."),
                io.Image.Input("crops", tooltip="The restored crops of Judge Faces, or in the order of Crop Face "
                               "Pairs."),
                types.Paste.Input("paste", tooltip="The paste record of Judge Faces or Crop Face Pairs."),
                io.Float.Input("feather", default=DEFAULTS.paste.feather, min=0.0, max=0.25, step=0.01,
                               tooltip="Width of the soft edge as a share of the crop's side. The edge lies inside the "
                               "face."),
                io.Float.Input("colour", default=DEFAULTS.paste.colour, min=0.0, max=1.0, step=0.05,
                               tooltip="How far the restored face takes the light and tone of the edited picture."),
            ],
            outputs=[
                io.Image.Output(display_name="image", tooltip="The edited picture with the restored faces."),
                io.Mask.Output(display_name="mask", tooltip="Where the picture may have changed; 0 is as before."),
            ],
        )

    @classmethod
    @checked
    def execute(cls, edited_image: torch.Tensor, crops: torch.Tensor, paste: PasteRecord, feather: float,
                colour: float) -> io.NodeOutput:
        image = for_host(paste_crops(edited_image, crops, paste, feather, colour, stop_if_asked))
        return io.NodeOutput(image, paste_mask(paste, feather), ui=preview(image, cls))


NODES = [ShapeFaces, SkinTone, CropFacePairs, PasteFaces]
