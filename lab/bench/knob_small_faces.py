"""How the knobs of the nodes for small faces are tried."""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .. import toys
from ..portraits import triple_split
from ..portraits.small_faces import SmallFace, make_small_face
from ..toys import TEXT
from .knob_models import small_clip
from .knob_world import LEFT_OUT, Seen, Subject, Trial, World, picture

SEEDS = triple_split("tune", 2)
BOX = {"x": 40, "y": 36, "width": 52, "height": 56}
"""Not where the face's frame is looked for without a box."""


@cache
def small_face(seed: int, factor: int = 16) -> SmallFace:
    return make_small_face(seed, factor, photos=3, gallery=0)


def _photos(face: SmallFace) -> Tensor:
    return torch.from_numpy(np.stack([shot.image for shot in face.photos]))


def _shared(world: World) -> tuple[dict[str, Any], dict[str, Trial]]:
    face, other = (small_face(seed) for seed in SEEDS)
    sockets = {"image": picture(face.small), "references": _photos(face), "analyzer": world.analyzer, "scale": "16"}
    trials = {
        "image": Trial((picture(other.small),)),
        "references": Trial((_photos(other),)),
        "bounding_box": Trial((BOX,)),
        "analyzer": Trial((world.other_analyzer,), may_fail=True),
    }
    return sockets, trials


def super_resolve_face(world: World) -> Subject:
    sockets, trials = _shared(world)
    size, unet = world.methods.crop_size, world.unet
    heard = {"model": unet.listening, "vae": unet.methods.vae, "crop_size": unet.methods.crop_size, "guard": False}
    return Subject(
        {**sockets, "crop_size": size, "model": world.model, "vae": world.methods.vae},
        lambda outputs: outputs[:2],
        {
            **trials,
            "crop_size": Trial((size // 2, size)),
            # the person's own sharp picture: nothing is nearer to them
            "guard": Trial(given={"image": picture(small_face(SEEDS[0]).truth.image)}),
            "model": Trial((LEFT_OUT,)),
            "vae": Trial((LEFT_OUT,)),
            "positive": Trial((LEFT_OUT, world.text(2)), {"model": world.listening, "positive": world.text(1)}),
            "person": Trial((world.methods.pack("editedid_core.records").Identity("anna", {}, world.text(1)),),
                            {"model": world.listening}),
            "clip": Trial((small_clip(0, TEXT),), {**heard, "model": unet.other_model}),
            "prompt": Trial(("a photo of a face",), {**heard, "clip": small_clip(0)}),
        },
    )


def place_face(world: World) -> Subject:
    sockets, trials = _shared(world)
    return Subject(sockets, lambda outputs: [outputs[1], str(outputs[2])], trials)


def measure_damage(world: World) -> Subject:
    sockets, trials = _shared(world)
    kept = ("image", "bounding_box", "analyzer")
    sharp = {"image": picture(small_face(SEEDS[0]).photos[0].image)}
    return Subject({name: value for name, value in sockets.items() if name in kept}, lambda outputs: [outputs[4]],
                   {**{name: trials[name] for name in kept},
                    "analyzer": Trial((world.other_analyzer,), sharp, may_fail=True)})


def fit_identity(world: World) -> Subject:
    """On a toy of SD 1.5 with a CLIP of its own, whatever the family: the lab's models ignore their text."""
    unet = world.unet
    files = world.methods.pack("editedid_core.comfy.embedding_file").EmbeddingFile

    def look(outputs: Sequence[Any]) -> Seen:
        person, called, text = outputs
        files.of(person.name).path.unlink()  # or the next call would take what is fitted already
        return [person.vectors["clip_l"], called, text]

    first, second = (small_face(seed) for seed in SEEDS)
    return Subject(
        {"references": _photos(first), "model": toys.make(toys.TOYS["sd15"]), "clip": toys.text_encoder(),
         "vae": unet.methods.vae, "analyzer": world.analyzer, "crop_size": 64, "tokens": 2, "updates": 2,
         "name": "editedid_knobs/anna", "consent": "a drawn person"},
        look,
        {
            "references": Trial((_photos(second),)),
            "model": Trial((toys.make(toys.TOYS["sd15"], 1),)),
            "clip": Trial((toys.text_encoder(seed=1),)),
            "vae": Trial((unet.other_vae,)),
            "name": Trial(("editedid_knobs/bea",)),
            "consent": Trial(("", "her mother"), may_fail=True),
            "tokens": Trial((1, 3)),
            "updates": Trial((1, 3)),
            "crop_size": Trial((96, 128)),
            "prompt": Trial(("{name}, smiling",)),
            "start": Trial(("woman",)),
            "licence": Trial(("CC0",)),
            "analyzer": Trial((world.other_analyzer,), may_fail=True),
        },
    )


SMALL_FACE_NODES: Mapping[str, Callable[[World], Subject]] = MappingProxyType({
    "EditedIDSuperResolveFace": super_resolve_face, "EditedIDPlaceFace": place_face,
    "EditedIDMeasureDamage": measure_damage, "EditedIDFitIdentity": fit_identity,
})
