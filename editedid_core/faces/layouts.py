"""Boxes of four bare numbers: two corners, or a corner and a size? All boxes together and the faces found tell."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..records import Faces
from .analyzers.search import box_overlap
from .boxes import Box, Corners, is_box, unreadable

ASPECTS = (0.4, 1.7)
"""Width to height of a box round a face: others are slivers that no detector gives. Not calibrated."""

BEYOND = 0.05
"""How far a box may lie beyond the picture, as a share of its side."""

CLEARLY = 0.2
"""By how much more the boxes of one reading overlap the faces found, of 1, to settle it."""

CORNERS, SIZES = "two corners (x1, y1, x2, y2)", "a corner and a size (x, y, width, height)"


def read_together(per_frame: Sequence[Sequence[Box]], image_size: tuple[int, int],
                  seen: Callable[[], Faces] | None = None) -> tuple[list[list[Box]], str]:
    """Boxes by picture, of which those of bare numbers are all read alike, and a sentence where nothing tells how.

    Read as two corners, unless one box would be none or would leave the picture of `image_size` (height, width), and
    all fit as a corner and a size; then by the shape of a face, then by the faces that `seen` has found. Raises
    BoxError where a box is none either way.
    """
    bare = [box for boxes in per_frame for box in boxes if box.sized is not None or not is_box(box.corners)]
    frames = [i for i, boxes in enumerate(per_frame) for box in boxes if box.sized is not None]
    corners, sized = [box.corners for box in bare], [box.sized for box in bare if box.sized is not None]
    fitting = len(sized) == len(bare) and all(_within(box, image_size) for box in sized)
    for box in corners:
        if not is_box(box) and not fitting:
            raise unreadable(box)
    note, as_sizes = "", False
    if bare and fitting:
        if not all(is_box(box) and _within(box, image_size) for box in corners):
            as_sizes = True
        else:
            by_corners, by_sizes = (all(map(_like_a_face, boxes)) for boxes in (corners, sized))
            told = by_sizes - by_corners or (_overlaps(frames, corners, sized, seen()) if seen is not None else 0)
            as_sizes = told > 0
            note = "" if told else (f"bounding_box: lists of four numbers are read as {CORNERS}, and may be {SIZES} as "
                                    "well. If they are, connect boxes with names: {x, y, width, height}.")
    return [[box._replace(corners=box.sized) if as_sizes and box.sized is not None else box for box in boxes]
            for boxes in per_frame], note


def _within(box: Corners, image_size: tuple[int, int]) -> bool:
    size = np.array([image_size[1], image_size[0]])
    return bool((box[:2] >= -BEYOND * size).all() and (box[2:] <= (1 + BEYOND) * size).all())


def _like_a_face(box: Corners) -> bool:
    width, height = (box[2:] - box[:2]).tolist()
    return height > 0 and ASPECTS[0] <= width / height <= ASPECTS[1]


def _overlaps(frames: Sequence[int], corners: Sequence[Corners], sized: Sequence[Corners], seen: Faces) -> int:
    """1 where the faces found lie in the boxes as sizes, -1 where they lie in them as corners, 0 where neither is
    clearly so."""
    def mean(boxes: Sequence[Corners]) -> float:
        return float(np.mean([max((box_overlap(box, face.box) for face in seen.in_frame(frame)), default=0.0)
                              for frame, box in zip(frames, boxes)]))

    more = mean(sized) - mean(corners)
    return 0 if abs(more) < CLEARLY else 1 if more > 0 else -1
