"""Is a small face the person of the photos? Both are seen with the small face's few pixels, and a recogniser looks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..engines.super_resolution.bands import low_band
from ..faces.analyzers.composed import FaceRecogniser
from ..geometry.affine import apply, crop_frame, face_to_face, inverse_affine, pixel_grid, scale_of
from ..geometry.resample import resample
from ..pictures import to_bytes, to_rgb
from ..records import Face

FEWEST = 12.0
"""True pixels across a crop below which nothing tells. At 8 of them neither likeness, nor the contrast that a photo
explains, nor the skin's tone told 22 photographed people apart (areas under the curve of 0.56 each)."""

_SIDE = 128
_LIKENESS, _SHAPES, _LIMIT = 3.95, 1.34, 0.88
_MOST_SHAPES, _FEWEST_SHAPES = 0.7, -0.3
"""Weights of likeness and of the share of contrast that the best photo explains, and the limit. Set on 24 drawn people
and on photographs of 22, at 8 times with one photo of the person or of the next one (2026-11). Flagged were 62 % of
the wrong people and 17 % of the right ones (drawn, the lab's recogniser), 27 % and none (photographs, dlib)."""


def low_likeness(recogniser: FaceRecogniser, picture: Tensor, face: Face, photo: Tensor, shot: Face,
                 cells: float) -> float:
    """Likeness (cosine) of a small face of a picture (H, W, C) to a photo's, both with `cells` true pixels across the
    crop. A recogniser that reads dense landmarks gets the photo's, laid on the small face."""
    crops, places = zip(*(_reduced(image, one, cells) for image, one in ((picture, face), (photo, shot))))
    dense = None if shot.dense is None else apply(inverse_affine(crop_frame(shot.points, _SIDE)), shot.dense)
    found = []
    for crop, points in zip(crops, places):
        laid = None if dense is None else apply(face_to_face(places[1], points), dense).astype(np.float32)
        box = np.array([0, 0, _SIDE, _SIDE], np.float32)
        here = Face(box, points.astype(np.float32), 1.0, None, laid, 0, (_SIDE, _SIDE))
        found.append(recogniser.embed(crop, here))
    return float(np.dot(*found))


def _reduced(picture: Tensor, face: Face, cells: float) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """A face's crop (S, S, 3) with so many pixels, enlarged again, and its five points in it."""
    frame = crop_frame(face.points, _SIDE)
    crop = resample(to_rgb(picture.detach()).cpu(), apply(frame, pixel_grid(_SIDE, _SIDE)), scale_of(frame),
                    padding="border")
    seen = low_band(crop.movedim(-1, 0)[None], cells)[0].movedim(0, -1)
    return np.ascontiguousarray(to_bytes(seen)), apply(inverse_affine(frame), face.points)


def margin_of(likeness: float, explained: float) -> float:
    """How much speaks for a small face being the photos' person; below 0 it looks like somebody else's. likeness: by
    `low_likeness`; explained: share of its contrast that the best photo explains."""
    return _LIKENESS * likeness + _SHAPES * min(max(explained, _FEWEST_SHAPES), _MOST_SHAPES) - _LIMIT
