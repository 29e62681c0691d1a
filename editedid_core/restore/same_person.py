"""Is a small face the person of the photos? By what its few pixels hold: shapes that a photo explains, and skin."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..engines.super_resolution.bands import low_band
from ..geometry.affine import apply, crop_frame, inverse_affine, pixel_grid, scale_of
from ..geometry.resample import resample
from ..masks.outline import face_mask
from ..pictures import to_rgb
from ..records import Face

_SIDE = 64
_SHAPES, _TONE = 7.0, 4.8
_MOST_SHAPES, _FEWEST_SHAPES = 0.7, -0.3
_LIMIT, _LIMIT_OF_OCTAVE = -0.2, 1.15
"""Weights of the share of contrast that the best photo explains and of the tones' distance, and the limit at 16 true
pixels across a crop and for each octave below. Set on 24 drawn people at 8, 16 and 32 times, with one or two photos and
as many of the next person (2026-11): of the right people's faces 8 % fall below the limit. Shapes count for nothing at
4 pixels."""


def tone_distance(picture: Tensor, face: Face, photo: Tensor, shot: Face, cells: float) -> float:
    """How far the skin's colours of a small face of a picture (H, W, C) and of a photo's face are apart: the sum over
    the channels in natural logarithms of linear light, without its brightness. Both are seen with `cells` pixels."""
    small, large = (_tone(image, one, cells) for image, one in ((picture, face), (photo, shot)))
    return float(np.abs(small - large).sum())


def _tone(picture: Tensor, face: Face, cells: float) -> NDArray[np.float64]:
    """(3,) logarithms of the mean colour of a face, less their mean."""
    frame = crop_frame(face.points, _SIDE)
    crop = resample(to_rgb(picture.detach()).cpu(), apply(frame, pixel_grid(_SIDE, _SIDE)), scale_of(frame),
                    padding="border")
    seen = low_band(crop.movedim(-1, 0)[None], cells)[0].clamp(0, 1)
    weight = face_mask(apply(inverse_affine(frame), face.points), None, _SIDE)
    mean = (seen.pow(2.2) * weight).sum((1, 2)) / weight.sum()
    tone = np.log(mean.double().numpy() + 1e-3)
    return np.asarray(tone - tone.mean())


def margin_of(explained: float, tone: float, cells: float) -> float:
    """How much speaks for a small face being the photos' person; below 0 it looks like somebody else's. explained:
    share of its contrast that the best photo explains; tone: distance of its skin's tone to theirs; cells: its true
    pixels across the crop."""
    octaves = min(max(float(np.log2(max(cells, 1.0))), 2.0), 4.0) - 2.0
    shapes = _SHAPES * octaves / 2 * min(max(explained, _FEWEST_SHAPES), _MOST_SHAPES)
    return shapes - _TONE * tone - _LIMIT + _LIMIT_OF_OCTAVE * (2.0 - octaves)
