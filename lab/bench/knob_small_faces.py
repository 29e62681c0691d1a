"""How the knobs of the nodes for small faces are tried."""
from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..portraits import triple_split
from ..portraits.small_faces import SmallFace, make_small_face
from .knob_world import LEFT_OUT, Subject, Trial, World, picture

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
    size = world.methods.crop_size
    return Subject(
        {**sockets, "crop_size": size, "model": world.model, "vae": world.methods.vae},
        lambda outputs: outputs[:2],
        {
            **trials,
            "crop_size": Trial((size // 2, size)),
            # a photo of somebody else as the picture: nothing is nearer to them
            "guard": Trial(given={"image": picture(small_face(SEEDS[1]).truth.image)}),
            "model": Trial((LEFT_OUT,)),
            "vae": Trial((LEFT_OUT,)),
            "positive": Trial((LEFT_OUT, world.text(2)), {"model": world.listening, "positive": world.text(1)}),
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


SMALL_FACE_NODES: Mapping[str, Callable[[World], Subject]] = MappingProxyType({
    "EditedIDSuperResolveFace": super_resolve_face, "EditedIDPlaceFace": place_face,
    "EditedIDMeasureDamage": measure_damage,
})
