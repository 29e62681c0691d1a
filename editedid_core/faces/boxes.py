"""Boxes as other nodes hand them on: every layout in use, read in one place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Box = tuple[NDArray[np.float32], float]
"""x1, y1, x2, y2 in pixels, (4,) float32; score, 0 to 1."""

_CORNERS = (("x1", "y1", "x2", "y2"), ("xmin", "ymin", "xmax", "ymax"), ("left", "top", "right", "bottom"))
_SIZED = (("x", "y", "width", "height"), ("x", "y", "w", "h"), ("left", "top", "width", "height"))
_NESTED = ("bbox_xyxy", "bbox", "box", "bounding_box")
_SCORES = ("score", "confidence", "prob")
_KNOWN = ("{x, y, width, height}, {x1, y1, x2, y2} or lists x1, y1, x2, y2 with or without a score")


def boxes_per_frame(boxes: Any, frames: int) -> list[list[Box]]:
    """Boxes by picture.

    boxes: one box, a list of boxes for one picture, or a list of such lists, one per picture. A box is a dictionary
    with a corner and a size or with two corners, one that holds it by a name such as "bbox", or four numbers x1, y1,
    x2, y2 with or without a score; lists may be arrays or tensors. Nothing, or an empty list, is no box in any of the
    `frames` pictures. Raises ValueError, naming the layouts, for anything else.
    """
    plain = _plain(boxes)
    if plain is None or (isinstance(plain, Sequence) and not len(plain)):
        return [[] for _ in range(frames)]
    if _is_box(plain):
        return [[_box(plain)]]
    if not isinstance(plain, Sequence) or isinstance(plain, str):
        raise _unknown(boxes)
    if all(_is_box(_plain(item)) for item in plain):
        return [[_box(_plain(item)) for item in plain]]
    return [[_box(_plain(item)) for item in _items(one)] for one in plain]


def _items(one: Any) -> Sequence[Any]:
    """The boxes of one picture: none, one, or a list of them."""
    one = _plain(one)
    if one is None:
        return ()
    if _is_box(one):
        return (one,)
    if isinstance(one, Sequence) and not isinstance(one, str):
        return one
    raise _unknown(one)


def _plain(value: Any) -> Any:
    """Arrays and tensors as lists."""
    return value.tolist() if hasattr(value, "tolist") else value


def _is_box(value: Any) -> bool:
    if isinstance(value, Mapping):
        return True
    return (isinstance(value, Sequence) and not isinstance(value, str) and len(value) in (4, 5)
            and all(isinstance(_plain(v), (int, float)) for v in value))


def _box(value: Any) -> Box:
    if not _is_box(value):
        raise _unknown(value)
    if not isinstance(value, Mapping):
        return np.array(value[:4], dtype=np.float32), float(value[4]) if len(value) == 5 else 1.0
    score = next((float(value[name]) for name in _SCORES if value.get(name) is not None), 1.0)
    for names in _CORNERS:
        if all(name in value for name in names):
            return np.array([value[name] for name in names], dtype=np.float32), score
    for names in _SIZED:
        if all(name in value for name in names):
            x, y, width, height = (float(value[name]) for name in names)
            return np.array([x, y, x + width, y + height], dtype=np.float32), score
    for name in _NESTED:
        inner = _plain(value.get(name))
        if inner is not None and _is_box(inner):
            corners, own = _box(inner)
            return corners, own if own != 1.0 else score
    raise _unknown(value)


def _unknown(value: Any) -> ValueError:
    names = f"a dictionary with {', '.join(map(str, value))}" if isinstance(value, Mapping) else repr(value)[:80]
    return ValueError(f"bounding_box holds {names}: connect boxes as {_KNOWN}.")
