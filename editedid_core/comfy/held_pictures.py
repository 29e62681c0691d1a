"""Pictures and masks of the whole edit that other packs' patches on a MODEL hold, wherever they hold them.

A patch is a function, a method or an object. It holds what its attributes, its closure, its defaults and the
containers in them hold, but not what networks, models and VAEs hold. Sizes alone tell a picture of the edit: its own
size, or that of a latent of it. Names alone tell a mask, and a hint of a control, which may have any size.
"""

from __future__ import annotations

import copy
import functools
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

DEPTH = 6
"""How many containers deep a patch is searched."""

SMALLEST = 8
"""Side in pixels from which something is a picture, and not a kernel or a row of numbers."""

_HINTS = ("hint", "control", "canny", "depth", "pose")
"""In the names of pictures that are laid over the edit, whatever size they have."""

_ROUND = 64
"""Pixels to whose multiples packs round the sides of a picture."""

_SCALES = tuple(2.0**n for n in range(-4, 3))
"""Sizes of a square edit's pictures and latents, relative to it: squares of other sizes are matrices."""

_MODELS = {"model_options", "patcher"}
"""Attributes of the host's models, VAEs and text encoders."""
_PLAIN = (str, bytes, int, float, complex, bool, type(None), type, types.ModuleType, torch.device, torch.dtype)


@dataclass(frozen=True)
class EditSize:
    """Which tensors lie over an edit of `height` and `width` pixels."""

    height: int
    width: int

    def is_mask(self, tensor: Tensor, name: str) -> bool:
        """Whether it is a mask (H, W), (B, H, W) or (B, 1, H, W) of the edit, by its name and its size. A mask of
        attention may lie over tokens; it has the edit's very size."""
        if "mask" not in name.lower() or not 2 <= tensor.ndim <= 4 or (tensor.ndim == 4 and tensor.shape[1] != 1):
            return False
        size = tuple(tensor.shape[-2:])
        return size == (self.height, self.width) or ("att" not in name.lower() and self._fits(*size))

    def is_picture(self, tensor: Tensor, name: str = "") -> bool:
        """Whether it is a picture (B, H, W, C), or a picture or latent (B, C, ..., H, W), of the edit, or by its name a
        hint of any size."""
        if tensor.ndim == 3:
            return tuple(tensor.shape[-2:]) == (self.height, self.width)
        if tensor.ndim not in (4, 5):
            return False
        last = tensor.shape[-1] <= 4  # channels
        height, width = tensor.shape[-3:-1] if last else tensor.shape[-2:]
        if any(word in name.lower() for word in _HINTS) and min(height, width) >= SMALLEST:
            return True
        return self._fits(height, width) or ((last or tensor.shape[1] <= 4) and self._rounded(height, width))

    def _rounded(self, height: int, width: int) -> bool:
        """Whether it is the edit's size, rounded as networks want it."""
        off = max(abs(height - self.height), abs(width - self.width))
        return off < _ROUND <= min(height, width) and height % SMALLEST == 0 and width % SMALLEST == 0

    def _fits(self, height: int, width: int) -> bool:
        if min(height, width) < SMALLEST:
            return False
        if self.height == self.width:
            return height == width and height / self.height in _SCALES
        ratio = height / self.height
        return abs(ratio * self.width - width) <= 1 and abs(width / self.width * self.height - height) <= 1


def held(patch: Any, name: str = "", known: Iterable[int] = ()) -> list[tuple[str, Tensor]]:
    """All tensors that a patch holds, each with the name by which it is held, but for those of `known` objects, named
    by their `id`."""
    found: list[tuple[str, Tensor]] = []
    _search(patch, name, DEPTH, set(known), found)
    return found


def _search(value: Any, name: str, depth: int, seen: set[int], found: list[tuple[str, Tensor]]) -> None:
    if depth < 0 or id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, Tensor):
        found.append((name, value))
        return
    for own, part in _parts(value):
        _search(part, own or name, depth - 1, seen, found)


def _is_shut(value: Any) -> bool:
    """Whether nothing in it is a picture of a patch's: numbers, networks, models, VAEs and text encoders."""
    return isinstance(value, (*_PLAIN, torch.nn.Module)) or not _MODELS.isdisjoint(_fields(value))


def _fields(value: Any) -> dict[str, Any]:
    """An object's own attributes, none of which is made by asking for it."""
    found = getattr(value, "__dict__", None)
    return found if isinstance(found, dict) else {}


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    """What a value holds, by name; "" where it goes by the name of the whole."""
    if _is_shut(value):
        return
    if isinstance(value, Mapping):
        yield from ((key if isinstance(key, str) else "", part) for key, part in value.items())
    elif isinstance(value, (list, tuple, set, frozenset)):
        yield from (("", part) for part in value)
    elif isinstance(value, functools.partial):
        yield from (("", part) for part in (value.func, *value.args))
        yield from value.keywords.items()
    elif isinstance(value, types.MethodType):
        yield "", value.__self__
        yield "", value.__func__
    elif isinstance(value, types.FunctionType):
        for name, cell in zip(value.__code__.co_freevars, value.__closure__ or ()):
            try:
                yield name, cell.cell_contents
            except ValueError:  # not filled yet
                continue
        yield from (("", part) for part in value.__defaults__ or ())
        yield from (value.__kwdefaults__ or {}).items()
    else:
        yield from _fields(value).items()


def replaced(patch: Any, made: Mapping[int, Any], memo: dict[int, Any] | None = None, depth: int = DEPTH) -> Any:
    """A copy of a patch with other values in place of those whose `id` is in `made`; the patch itself where it holds
    none of them. What it shares with other patches stays shared within one `memo`."""
    memo = {} if memo is None else memo
    if id(patch) in made:
        return made[id(patch)]
    if id(patch) in memo:
        return memo[id(patch)]
    if depth < 0 or _is_shut(patch) or isinstance(patch, Tensor):
        return patch
    memo[id(patch)] = patch  # while its own parts are looked at

    def again(part: Any) -> Any:
        return replaced(part, made, memo, depth - 1)

    memo[id(patch)] = new = _rebuilt(patch, again)
    return new


def _rebuilt(value: Any, again: Callable[[Any], Any]) -> Any:
    if isinstance(value, dict):
        parts = {key: again(part) for key, part in value.items()}
        return value if _same(parts.values(), value.values()) else _filled(copy.copy(value), parts)
    if isinstance(value, (list, tuple)):
        items = [again(part) for part in value]
        if _same(items, value):
            return value
        return value._make(items) if hasattr(value, "_make") else type(value)(items)
    if isinstance(value, functools.partial):
        call = again(value.func), again(value.args), again(value.keywords)
        return value if _same(call, (value.func, value.args, value.keywords)) else functools.partial(
            call[0], *call[1], **call[2])
    if isinstance(value, types.MethodType):
        owner = again(value.__self__)
        return value if owner is value.__self__ else types.MethodType(value.__func__, owner)
    if isinstance(value, types.FunctionType):
        return _function(value, again)
    fields = _fields(value)
    parts = {name: again(part) for name, part in fields.items()}
    if _same(parts.values(), fields.values()):
        return value
    clone = copy.copy(value)
    vars(clone).update(parts)
    return clone


def _function(value: types.FunctionType, again: Callable[[Any], Any]) -> types.FunctionType:
    """The function over other cells where a cell's value is another; the other cells stay shared."""
    cells = value.__closure__ or ()
    held = [cell for cell in cells if _full(cell)]
    new = {id(cell): made for cell in held if (made := again(cell.cell_contents)) is not cell.cell_contents}
    defaults = again(value.__defaults__)
    if not new and defaults is value.__defaults__:
        return value
    closure = tuple(types.CellType(new[id(cell)]) if id(cell) in new else cell for cell in cells)
    made = types.FunctionType(value.__code__, value.__globals__, value.__name__, defaults, closure)
    made.__kwdefaults__ = value.__kwdefaults__
    made.__dict__.update(value.__dict__)
    made.__qualname__ = value.__qualname__
    return made


def _full(cell: types.CellType) -> bool:
    try:
        return cell.cell_contents is not cell
    except ValueError:
        return False


def _same(new: Any, old: Any) -> bool:
    return all(a is b for a, b in zip(new, old))


def _filled(mapping: dict[Any, Any], parts: Mapping[Any, Any]) -> dict[Any, Any]:
    mapping.update(parts)
    return mapping


def name_of(patch: Any) -> str:
    """What people know a patch by: its class, or the class or function that made it."""
    if isinstance(patch, tuple):
        patch = next((part for part in patch if not isinstance(part, type)), patch)
    if isinstance(patch, functools.partial):
        return name_of(patch.func)
    if isinstance(patch, types.MethodType):
        return type(patch.__self__).__name__
    if isinstance(patch, types.FunctionType):
        return patch.__qualname__.split(".")[0]
    return type(patch).__name__
