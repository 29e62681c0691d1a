"""ControlNets that a MODEL carries as patches: their pictures, told in the edit's coordinates, cut to a face's crop."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from ..geometry.thin_plate import Bend
from ..records import FaceCrop
from .crop_conditioning import CropMap

_CLASSES = {"DiffSynthCnetPatch", "ZImageControlPatch", "AnimaLLLitePatch"}
"""The host's patches that lay a picture over the one that is made, by the names of their classes."""
_PICTURES, _MASK, _ENCODED_SIZE = ("image", "inpaint_image"), "mask", "encoded_image_size"


def crop_patches(model: Any, place: FaceCrop | None, bent: Bend | None = None) -> Any:
    """A clone of a MODEL whose ControlNets read their pictures as they are for one crop; the MODEL itself where it
    carries none, or where `place` is None. `place`, `bent`: as of `crop_conditioning`."""
    listed = model.model_options.get("transformer_options", {}).get("patches", {})
    given = {id(one): one for patches in listed.values() for one in patches if type(one).__name__ in _CLASSES}
    if place is None or not given:
        return model
    crop = CropMap(place, (1, 1), bent)
    cut = {key: _cut(one, crop) for key, one in given.items()}
    clone = model.clone()
    own = clone.model_options["transformer_options"]["patches"]
    for kind, patches in listed.items():
        own[kind] = [cut[id(one)] if id(one) in cut else _following(one, cut) for one in patches]
    return clone


def _cut(patch: Any, crop: CropMap) -> Any:
    values = vars(patch)
    made: dict[str, Any] = {name: crop.picture(values[name].movedim(-1, 1)).movedim(1, -1)
                            for name in _PICTURES if isinstance(values.get(name), Tensor)}
    mask = values.get(_MASK)
    if isinstance(mask, Tensor):
        one = crop.mask(mask.reshape(-1, *mask.shape[-2:]))
        made[_MASK] = one.reshape(*[1] * (mask.ndim - 2), *one.shape[-2:])
    if _ENCODED_SIZE in values:
        made[_ENCODED_SIZE] = (0, 0)  # so that the host encodes the picture anew
    return _with(patch, made)


def _following(patch: Any, cut: Mapping[int, Any]) -> Any:
    """A patch that reads what another one has made, with the other one replaced."""
    others = {name: cut[id(value)] for name, value in getattr(patch, "__dict__", {}).items() if id(value) in cut}
    return _with(patch, others) if others else patch


def _with(patch: Any, values: Mapping[str, Any]) -> Any:
    clone = copy.copy(patch)
    vars(clone).update(values)
    return clone
