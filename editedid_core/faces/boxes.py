"""Boxes as other nodes hand them on: every layout in use, read in one place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..choices import shown

Corners = NDArray[np.float32]
"""x1, y1, x2, y2 in pixels, (4,) float32."""


class Box(NamedTuple):
    """A box as its layout says. score: 0 to 1. sized: where four bare numbers may also be a corner and a size, that
    box; None where names tell the layout."""

    corners: Corners
    score: float
    sized: Corners | None = None


_CORNERS = (("x1", "y1", "x2", "y2"), ("xmin", "ymin", "xmax", "ymax"), ("left", "top", "right", "bottom"))
_SIZED = (("x", "y", "width", "height"), ("x", "y", "w", "h"), ("left", "top", "width", "height"))
_NESTED = ("bbox_xyxy", "xyxy", "bbox", "box", "bounding_box")
_LISTS, _LISTS_OF_SCORES = ("boxes", "bboxes", "xyxy"), ("scores", "confidences")
_SCORES = ("score", "det_score", "confidence", "prob")
_KNOWN = ("{x, y, width, height}, {x1, y1, x2, y2} or lists x1, y1, x2, y2 with or without a score")


class BoxError(ValueError):
    """Boxes that cannot be read, told in a sentence."""


def boxes_per_frame(boxes: Any, frames: int) -> list[list[Box]]:
    """Boxes by picture.

    boxes: one box, a list of boxes for one picture, or a list of such lists, one per picture. A box is a dictionary
    with a corner and a size or with two corners, a dictionary or an object that holds it by a name such as "bbox", or
    four numbers with or without a score and a class; lists may be arrays or tensors, and a detector's dictionary of
    "boxes" and "scores" is a list, and so is a pair of a picture's size and such objects. Four bare numbers are x1, y1,
    x2, y2, and where they may be x, y, width, height, too, the box has both readings (`layouts.py` decides). Nothing,
    an empty list, or a box of zeros is no box in any of the `frames` pictures. Raises BoxError, naming the layouts,
    for anything else, and for boxes that are not in pixels.
    """
    try:
        return _per_frame(boxes, frames)
    except BoxError:
        raise
    except (TypeError, ValueError, OverflowError) as error:  # what stands for a number or a list is none
        raise _unknown(boxes) from error


def _per_frame(boxes: Any, frames: int) -> list[list[Box]]:
    plain = _found(_plain(boxes))
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
    one = _found(_plain(one))
    if one is None:
        return ()
    if _is_box(one):
        return (one,)
    if isinstance(one, Sequence) and not isinstance(one, str):
        return one
    raise _unknown(one)


def _plain(value: Any) -> Any:
    """Arrays, tensors and a detector's lists as lists, an object with a box as a dictionary."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, Mapping):
        return _listed(value)
    if hasattr(value, "bbox"):
        return {"bbox": value.bbox, **{name: getattr(value, name) for name in _SCORES if hasattr(value, name)}}
    return value


def _found(value: Any) -> Any:
    """The list of a detector's pair of a picture's size (height, width) and what was found there; another value
    itself."""
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) != 2:
        return value
    size, found = value
    if isinstance(size, Sequence) and len(size) == 2 and all(isinstance(side, int) for side in size) and (
            isinstance(found, Sequence) and all(hasattr(one, "bbox") for one in found)):
        return found
    return value


def _listed(value: Mapping[str, Any]) -> Any:
    """The boxes of a dictionary of lists, with their scores; another dictionary itself."""
    boxes = next((found for name in _LISTS if (found := _plain(value.get(name))) is not None), None)
    if not isinstance(boxes, Sequence) or isinstance(boxes, str) or _is_box(boxes):
        return value
    scores: Any = next((found for name in _LISTS_OF_SCORES if (found := _plain(value.get(name))) is not None), ())
    if len(scores) != len(boxes) or not all(_is_box(box) for box in boxes):
        return boxes
    return [[*box[:4], score] for box, score in zip(boxes, scores)]


def _is_box(value: Any) -> bool:
    if isinstance(value, Mapping):
        return True
    return (isinstance(value, Sequence) and not isinstance(value, str) and len(value) in (4, 5, 6)
            and all(isinstance(_plain(v), (int, float)) for v in value))


def _box(value: Any) -> Box:
    box = _read(value)
    if not np.isfinite([*box.corners, box.score]).all() or not (is_box(box.corners) or box.sized is not None):
        raise _unknown(value)
    if box.corners.any() and box.corners.max() <= 1:
        raise BoxError(f"bounding_box holds {shown(value)}: give boxes in pixels, not in parts of the picture.")
    return box


def is_box(corners: Corners) -> bool:
    """Whether the second corner lies below and to the right of the first, or on it."""
    return bool((corners[2:] >= corners[:2]).all())


def _read(value: Any) -> Box:
    """A box as its layout says, whatever its numbers."""
    if not _is_box(value):
        raise _unknown(value)
    if not isinstance(value, Mapping):
        corners = np.array(value[:4], dtype=np.float32)
        sized = np.concatenate([corners[:2], corners[:2] + corners[2:]]) if min(value[2:4]) > 0 else None
        return Box(corners, float(value[4]) if len(value) > 4 else 1.0, sized)
    score = next((_number(value[name]) for name in _SCORES if value.get(name) is not None), 1.0)
    for names in _CORNERS:
        if all(name in value for name in names):
            return Box(np.array([value[name] for name in names], dtype=np.float32), score)
    for names in _SIZED:
        if all(name in value for name in names):
            x, y, width, height = (float(value[name]) for name in names)
            return Box(np.array([x, y, x + width, y + height], dtype=np.float32), score)
    for name in _NESTED:
        inner = _plain(value.get(name))
        if inner is not None and _is_box(inner):
            box = _read(inner)
            return Box(box.corners, box.score if box.score != 1.0 else score, None if "xyxy" in name else box.sized)
    raise _unknown(value)


def _number(value: Any) -> float:
    """A score, which may be an array of one. Raises TypeError or ValueError for anything else."""
    plain = _plain(value)
    return float(plain[0] if isinstance(plain, Sequence) and not isinstance(plain, str) and len(plain) == 1 else plain)


def unreadable(corners: Corners) -> BoxError:
    """The error for a box that is none in any layout."""
    return _unknown(corners.tolist())


def _unknown(value: Any) -> BoxError:
    names = f"a dictionary with {', '.join(map(str, value))}" if isinstance(value, Mapping) else shown(value)
    return BoxError(f"bounding_box holds {names}: connect boxes as {_KNOWN}.")
