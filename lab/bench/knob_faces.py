"""How the knobs of the face nodes are tried: finding, matching, shaping, cropping, judging, pasting."""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from .knob_world import LEFT_OUT, Look, Seen, Subject, Trial, World

MESH = 468
"""Points of MediaPipe's face mesh; these of them place the eyes, the nose and the mouth."""
_PLACES = ([33, 133], [362, 263], [1], [61], [291])
PASS = {"no_face": "pass through"}


def load_face_analyzer(world: World) -> Subject:
    def look(outputs: Sequence[Any]) -> Seen:
        faces = world.call("DetectFaces", image=world.edited, analyzer=outputs[0], **PASS)
        return [faces[1], faces[2], outputs[1]]

    lab = {"pack": "lab"}
    return Subject({}, look, {
        "backend": Trial(given=lab),
        "detection_size": Trial((128, 320, 1024, 2048), lab),
        "detector": Trial(given={"backend": "dlib"}),
    })


def detect_faces(world: World) -> Subject:
    mirrored = world.group.flip(2)
    face = world.triple.drifted
    points = np.repeat(face.landmarks.mean(0)[None], MESH, 0).astype(np.float32)
    for places, point in zip(_PLACES, face.landmarks):
        points[places] = point
    box = world.faces(world.edited).faces[0].box
    mesh = {"frames": [[{"landmarks_xy": points + 4, "bbox_xyxy": box + 4, "score": 1.0}]],
            "image_size": tuple(world.edited.shape[1:3])}
    boxes = {"x": box[0] + 6, "y": box[1], "width": box[2] - box[0], "height": box[3] - box[1]}
    people = {"image": world.group}
    return Subject(
        {"image": world.edited, "analyzer": world.analyzer},
        lambda outputs: [outputs[1], outputs[2]],
        {
            "image": Trial((world.original,)),
            "threshold": Trial(given=PASS),
            "min_size": Trial(given=PASS),
            "order": Trial(given={**people, "reference_image": mirrored}),
            "no_face": Trial(given={"image": world.blank}, may_fail=True),
            "analyzer": Trial((LEFT_OUT,), {"bounding_box": boxes}),
            "face_landmarks": Trial((mesh,)),
            "bounding_box": Trial((boxes,)),
            "reference_image": Trial((mirrored,), {**people, "order": "reference", "reference_image": world.group}),
        },
    )


def match_faces(world: World) -> Subject:
    photos, edit = world.photos
    group, mirrored = world.faces(world.group), world.faces(world.group.flip(2))
    several = {"original": world.faces(photos), "edited": world.faces(edit)}

    def look_at(original: Tensor, edited: Tensor) -> Look:
        """Who was paired, and the crops of the pairs."""
        def look(outputs: Sequence[Any]) -> Seen:
            return [outputs[2], *world.crop(original, edited, outputs[0])[:2]]

        return look

    return Subject(
        {"original": world.faces(world.original), "edited": world.faces(world.edited)},
        look_at(world.original, world.edited),
        {
            "original": Trial((world.faces(world.stranger),)),
            "edited": Trial((world.faces(world.original),)),
            # each person in the other's place: likeness and place disagree
            "position_weight": Trial(given={"original": group, "edited": mirrored, "min_similarity": -1.0},
                                     look=look_at(world.group, world.group.flip(2))),
            "same_person": Trial(given=several, look=look_at(photos, edit)),
            "photos": Trial(given=several, look=look_at(photos, edit)),
            "pairs": Trial(("1=skip",)),
        },
    )


def face_similarity(world: World) -> Subject:
    return Subject(
        {"image": world.edited, "reference": world.original, "analyzer": world.analyzer},
        lambda outputs: [outputs[2], outputs[3]],
        {
            "image": Trial((world.original,)),
            "reference": Trial((world.stranger,)),
            "analyzer": Trial((world.other_analyzer,)),
            "before": Trial((world.dark,)),
        },
    )


def shape_faces(world: World) -> Subject:
    return Subject(
        {"edited_image": world.edited, "pairs": world.own_pairs},
        lambda outputs: [outputs[0], outputs[2]],
        {"edited_image": Trial((world.dark,)), "pairs": Trial((world.strange_pairs,))},
    )


def skin_tone(world: World) -> Subject:
    photo, edit = world.toned
    cover = torch.zeros(edit.shape[:3])
    cover[:, :, edit.shape[2] // 2:] = 1
    return Subject(
        {"original_image": photo, "edited_image": edit, "pairs": world.pairs(photo, edit)},
        lambda outputs: outputs[:2],
        {
            "original_image": Trial((0.7 * photo,)),
            "edited_image": Trial((0.7 * edit,)),
            "pairs": Trial((world.pairs(photo[:, :, :8], edit),)),
            "element_mask": Trial((cover,)),
        },
    )


def crop_face_pairs(world: World) -> Subject:
    def look(outputs: Sequence[Any]) -> Seen:
        """The crops, and the photo's crop pasted as they say."""
        pasted = world.call("PasteFaces", edited_image=world.edited, crops=outputs[0], paste=outputs[4])
        return [*outputs[:4], pasted[0]]

    size = world.methods.crop_size
    return Subject(
        {"original_image": world.original, "edited_image": world.edited, "pairs": world.own_pairs, "size": size},
        look,
        {
            "original_image": Trial((world.stranger,)),
            "edited_image": Trial((world.dark,)),
            "pairs": Trial((world.strange_pairs,)),
            "size": Trial((64, 256, 512, 1024) if size != 256 else (64, 128, 512, 1024)),
            "vae": Trial((world.methods.vae,), given={"size": 72}),
            "keep_elements": Trial(given={"element_mask": world.half_covered}),
            "element_mask": Trial((world.half_covered,)),
            "parts": Trial(("mouth=0", "skin=0")),
            "model": Trial((world.model,), given={"size": "auto"}),
        },
    )


def sample_pictures(world: World) -> Subject:
    return Subject({}, lambda outputs: outputs, {})


def face_parts(world: World) -> Subject:
    return Subject({}, lambda outputs: [outputs[0]], {})


def paste_faces(world: World) -> Subject:
    record = world.crop(world.original, world.edited, world.own_pairs, element_mask=world.half_covered)[4]
    return Subject(
        {"edited_image": world.edited, "crops": world.crops[0], "paste": world.crops[4]},
        lambda outputs: outputs[:2],
        {
            "edited_image": Trial((world.dark,)),
            "crops": Trial((world.strange_crops[0],)),
            "paste": Trial((record,)),
        },
    )


def return_detail(world: World) -> Subject:
    original, edited, face, element = world.crops[:4]
    original_latent, edited_latent = world.latents
    return Subject(
        {"restored": world.decode(edited_latent["samples"]), "original": original, "edited": edited,
         "original_latent": original_latent, "edited_latent": edited_latent, "vae": world.methods.vae,
         "face_mask": face, "element_mask": element},
        lambda outputs: outputs[:1],
        {
            "restored": Trial((world.decode(original_latent["samples"]),)),
            "original": Trial((world.strange_crops[0],)),
            "edited": Trial((original,)),
            "original_latent": Trial((edited_latent,)),
            "edited_latent": Trial((original_latent,)),
            "vae": Trial((world.other_vae,)),
            "face_mask": Trial((torch.zeros_like(face),)),
            "element_mask": Trial((world.crop_cover,)),
        },
    )


def judge_faces(world: World) -> Subject:
    def look(outputs: Sequence[Any]) -> Seen:
        """The figures, and the accepted crops pasted."""
        crops, record, report = outputs
        return [report, world.call("PasteFaces", edited_image=world.edited, crops=crops, paste=record)[0]]

    record = world.crop(world.original, world.edited, world.own_pairs, element_mask=world.half_covered)[4]
    strange = world.strange_crops[0]
    return Subject(
        {"edited_image": world.edited, "edited": world.crops[1], "crops": world.crops[0], "paste": world.crops[4],
         "analyzer": world.analyzer},
        look,
        {
            "edited_image": Trial((world.dark,)),
            "edited": Trial((strange,)),
            "crops": Trial((strange,)),
            "paste": Trial((record,)),
            "guard": Trial(given={"crops": strange}),
            # nearly the edit: it gains little
            "least_gain": Trial(given={"crops": torch.lerp(world.crops[1], world.crops[0], 0.3)}),
            # the machine's best one did not find these faces, and the node says so
            "analyzer": Trial((LEFT_OUT,), may_fail=True),
        },
    )


def load_edit(world: World) -> Subject:
    """Two folders in the host's input folder, one of them with two pictures."""
    import folder_paths

    for name, pictures in (("knobs_2", (world.original, world.edited)), ("knobs_1", (world.dark,))):
        folder = Path(folder_paths.get_input_directory(), name)
        folder.mkdir(parents=True, exist_ok=True)
        for number, shown in enumerate(pictures):
            Image.fromarray((shown[0].numpy() * 255).astype(np.uint8)).save(folder / f"{number}.png")
    return Subject({"folder": "knobs_2"}, lambda outputs: list(outputs),
                   {"folder": Trial(("knobs_1", "knobs_2")), "number": Trial((1, 2))})


FACE_NODES: Mapping[str, Callable[[World], Subject]] = MappingProxyType({
    "EditedIDLoadFaceAnalyzer": load_face_analyzer, "EditedIDDetectFaces": detect_faces,
    "EditedIDMatchFaces": match_faces, "EditedIDFaceSimilarity": face_similarity, "EditedIDShapeFaces": shape_faces,
    "EditedIDSkinTone": skin_tone, "EditedIDCropFacePairs": crop_face_pairs, "EditedIDFaceParts": face_parts,
    "EditedIDSamplePictures": sample_pictures, "EditedIDLoadEditFromFolder": load_edit,
    "EditedIDPasteFaces": paste_faces,
    "EditedIDReturnDetail": return_detail, "EditedIDJudgeFaces": judge_faces,
})
