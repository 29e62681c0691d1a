"""Pictures and masks that a MODEL carries, told in the edit's coordinates, cut to a face's crop or left out."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from ..geometry.thin_plate import Bend
from ..records import FaceCrop
from .crop_conditioning import CropMap, Note, log
from .held_pictures import EditSize, held, name_of, replaced

_CLASSES = {"DiffSynthCnetPatch", "ZImageControlPatch", "AnimaLLLitePatch", "WanUni3CCnetPatch"}
"""The host's patches that lay a picture over the one that is made, by the names of their classes."""
_PICTURES, _MASK = ("image", "inpaint_image", "render_video"), "mask"
_ENCODED = {"encoded_image_size": (0, 0), "prepared_render": None}
"""What makes the host encode the picture anew."""
_CARRIERS = ("model_options", "wrappers", "object_patches")
"""Where a MODEL carries what packs put on it."""
_GONE = object()


def crop_patches(model: Any, place: FaceCrop | None, bent: Bend | None = None, note: Note = log) -> Any:
    """A clone of a MODEL whose patches see their pictures and masks of the edit as they are for one crop; the MODEL
    itself where it carries none, or where `place` is None. `place`, `bent`, `note`: as of `crop_conditioning`.

    The host's ControlNets get their pictures cut, and other packs' patches their masks of the edit. A patch of another
    pack that holds a picture or a latent of the edit is left out, and said: what was made of it cannot be cut.
    """
    if place is None:
        return model
    carried = {name: found for name in _CARRIERS if isinstance(found := getattr(model, name, None), dict)}
    crop, size = CropMap(place, (1, 1), bent), EditSize(*place.pair.edited.image_size)
    made: dict[int, Any] = {id(one): _cut(one, crop) for one in _leaves(carried) if type(one).__name__ in _CLASSES}
    memo: dict[int, Any] = {}

    def fitted(patch: Any, name: str) -> Any:
        for own, tensor in held(patch, name, made):
            if size.is_mask(tensor, own):
                made[id(tensor)] = _mask(tensor, crop)
            elif size.is_picture(tensor, own):
                return gone(patch)
        try:
            return replaced(patch, made, memo)
        except (TypeError, ValueError, AttributeError, copy.Error):  # an object that cannot be copied
            return gone(patch)

    def gone(patch: Any) -> Any:
        note(f"{name_of(patch)} on the MODEL keeps a picture that cannot be cut to a face, and is left out.")
        return _GONE

    cut = {name: _each(found, name, fitted) for name, found in carried.items()}
    if all(cut[name] is carried[name] for name in carried):
        return model
    clone = model.clone()
    for name, found in cut.items():
        setattr(clone, name, found)
    return clone


def _leaves(value: Any) -> Iterator[Any]:
    """What nested dictionaries and lists hold."""
    if isinstance(value, (dict, list)):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _leaves(part)
    else:
        yield value


def _each(value: Any, name: str, fitted: Callable[[Any, str], Any]) -> Any:
    """The same nested dictionaries and lists with each of their leaves fitted, or without it; the value itself where
    nothing has changed."""
    if isinstance(value, dict):
        parts = {key: _each(part, key if isinstance(key, str) else name, fitted) for key, part in value.items()}
        if all(part is value[key] for key, part in parts.items()):
            return value
        return {key: part for key, part in parts.items() if part is not _GONE}
    if isinstance(value, list):
        items = [_each(part, name, fitted) for part in value]
        if all(one is other for one, other in zip(items, value)):
            return value
        return [one for one in items if one is not _GONE]
    return fitted(value, name)


def _cut(patch: Any, crop: CropMap) -> Any:
    values = vars(patch)
    made: dict[str, Any] = {name: crop.picture(values[name].movedim(-1, 1)).movedim(1, -1)
                            for name in _PICTURES if isinstance(values.get(name), Tensor)}
    mask = values.get(_MASK)
    if isinstance(mask, Tensor):
        one = crop.mask(mask.reshape(-1, *mask.shape[-2:]))
        made[_MASK] = one.reshape(*[1] * (mask.ndim - 2), *one.shape[-2:])
    made.update((name, empty) for name, empty in _ENCODED.items() if name in values)
    clone = copy.copy(patch)
    vars(clone).update(made)
    return clone


def _mask(mask: Tensor, crop: CropMap) -> Tensor:
    """A mask (..., H, W) of the edit for the crop, each of its layers."""
    layers = mask.reshape(-1, *mask.shape[-2:])
    cut = torch.cat([crop.mask(layer[None]) for layer in layers])
    cut = cut.reshape(*mask.shape[:-2], *cut.shape[-2:]).to(mask.device)
    return cut > 0.5 if mask.dtype == torch.bool else cut.to(mask.dtype)
