"""A wider search for faces that an upright detector misses: with room around the picture, and turned."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from ...geometry.affine import Matrix, apply, compose, fit_similarity, inverse_affine, scale_of


def box_overlap(a: ArrayLike, b: ArrayLike) -> float:
    """Intersection over union of two boxes x1, y1, x2, y2."""
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    shared = float(np.prod(np.clip(sides, 0, None)))
    whole = float(np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2])) - shared
    return shared / whole if whole > 0 else 0.0


def strongest(boxes: list[NDArray[np.float64]], scores: list[float], overlap: float = 0.3) -> list[int]:
    """Indices of the boxes that no stronger box overlaps by more than `overlap`, strongest first."""
    kept: list[int] = []
    for index in sorted(range(len(boxes)), key=lambda i: -scores[i]):
        if all(box_overlap(boxes[index], boxes[other]) <= overlap for other in kept):
            kept.append(index)
    return kept


def turned(picture: NDArray[np.uint8], degrees: float, room: float, longest: int) -> tuple[NDArray[np.uint8], Matrix]:
    """The picture turned counter-clockwise by `degrees` in a canvas that holds all of it.

    picture: (H, W, 3) uint8. room: width of the canvas as a multiple of the least one, 1 or more. longest: most pixels
    of the canvas' longer side. Returns the canvas (H', W', 3) and the similarity from its pixels to the picture's.
    """
    height, width = picture.shape[:2]
    angle = math.radians(degrees)
    cos, sin = abs(math.cos(angle)), abs(math.sin(angle))
    needed = np.array([width * cos + height * sin, width * sin + height * cos]) * room
    scale = min(1.0, longest / needed.max())
    canvas_w, canvas_h = (max(1, round(v * scale)) for v in needed)
    image = Image.fromarray(picture)
    if scale < 1.0:
        image = image.resize((max(1, round(width * scale)), max(1, round(height * scale))), Image.Resampling.BOX)
    c, s = math.cos(angle), math.sin(angle)
    turn = np.array([[c, -s], [s, c]])
    middle_small = (np.array(image.size) - 1) / 2
    to_small = np.column_stack([turn, middle_small - turn @ ((np.array([canvas_w, canvas_h]) - 1) / 2)])
    # Pillow measures from the corner of the pixel, the pack from its centre
    offset = to_small[:, 2] + 0.5 - turn @ [0.5, 0.5]
    coefficients = (turn[0, 0], turn[0, 1], offset[0], turn[1, 0], turn[1, 1], offset[1])
    canvas = image.transform((canvas_w, canvas_h), Image.Transform.AFFINE, coefficients, Image.Resampling.BILINEAR)
    ratio = width / image.size[0]
    to_picture = compose([[ratio, 0, ratio / 2 - 0.5], [0, ratio, ratio / 2 - 0.5]], to_small)
    return np.asarray(canvas), to_picture


Found = tuple[NDArray[np.float64], NDArray[np.float64], float]
"""box (4,), five points (5, 2), score."""


def look_harder(picture: NDArray[np.uint8], find_upright: Callable[[NDArray[np.uint8]], list[Found]],
                longest: int = 1280) -> list[Found]:
    """Faces in a picture where an upright search found none: with room around it, then turned by 45 and 90 degrees.

    find_upright searches one picture. Returns boxes, points and scores in the pixels of `picture`, strongest first.
    """
    found: list[Found] = []
    for degrees in (0.0, 45.0, -45.0, 90.0, -90.0):
        canvas, to_picture = turned(picture, degrees, room=1.6 if degrees == 0 else 1.2, longest=longest)
        for box, points, score in find_upright(canvas):
            middle = apply(to_picture, (box[:2] + box[2:]) / 2)
            half = scale_of(to_picture) * (box[2:] - box[:2]) / 2
            found.append((np.concatenate([middle - half, middle + half]), apply(to_picture, points), score))
        if found and degrees == 0:
            break
    keep = strongest([f[0] for f in found], [f[2] for f in found])
    return [found[i] for i in keep]


def upright_points(points: ArrayLike) -> bool:
    """Whether five points can be those of a face: eyes above mouth as seen from the nose, not folded."""
    p = np.asarray(points, dtype=np.float64)
    template = [[-0.5, 0], [0.5, 0], [0, 0.6], [-0.4, 1.1], [0.4, 1.1]]
    frame = fit_similarity(template, p)
    return bool(scale_of(frame) > 0.5 and np.abs(apply(inverse_affine(frame), p) - template).max() < 1.0)
