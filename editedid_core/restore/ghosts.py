"""Ghosts: places of a face that show photo and edit at once, as a half-and-half blend does.

In a crop the photo already lies on the edit. Fine structure in log light of what was made is fitted, around each pixel,
by one of the two and by both: where both together, each with a real share, explain clearly more than the better one
alone, there is a ghost. No truth is needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..geometry.resample import blur
from ..masks.elements import smaller
from ..masks.outline import face_mask
from ..masks.parts import face_parts

# For crops of 256 pixels, as lab/photos/ghost.py, which also registers the pictures to each other
_LUMA, _DARKEST = np.array([0.3, 0.59, 0.11], np.float32), 0.06
_FINE, _COARSE, _NEIGHBOURS = 0.8, 9.0, 5.0
_PLAIN = 1.5e-4  # energy of plain skin, squared log light
_GAIN = 0.12  # share of the energy that the mixture explains beyond the better source
_LEAST, _FULL = 0.15, 0.30  # share of the weaker source at which a mixture begins to count, and counts fully

# Largest share of a clean face, and of one of its features. Of 20 pairs of photographs in another pose no accepted face
# has more than 0.088 and 0.33, of 9 real edits none more than 0.04; of blends of the same 20 pairs, with 60 % of the
# photo, 15 have more (composites, 2026-11).
_LIMIT, _FEATURE_LIMIT = 0.11, 0.5
Array = NDArray[np.float32]


@dataclass(frozen=True)
class Ghosts:
    """share: of the textured face that is a ghost. worst: the largest share of a feature. Both 0 to 1."""

    share: float
    worst: float

    @property
    def clean(self) -> bool:
        """Whether nobody would see two faces in one."""
        return self.share <= _LIMIT and self.worst <= _FEATURE_LIMIT


def ghosts_in(restored: Tensor, photo: Tensor, edit: Tensor, points: NDArray[np.float64],
              dense: NDArray[np.float64] | None = None) -> Ghosts:
    """Ghosts of a crop. restored, edit: (S, S, 3) in [0, 1], aligned. photo: the same, or made smaller. points: (5, 2)
    and dense: (K, 2), of the edit's face, in pixels of S."""
    made, one, other = (_structure(smaller(picture)) for picture in (restored, photo, edit))
    energy, side = _around(made * made), made.shape[0]
    scale = side / restored.shape[0]
    places = (points + 0.5) * scale - 0.5
    outline = None if dense is None else (dense + 0.5) * scale - 0.5
    textured = face_mask(places, outline, side).numpy() * (energy > 4 * _PLAIN)
    first, second = (Source(band, _around(band * band), _around(made * band)) for band in (one, other))
    alone = np.minimum(left_by_one(energy, first), left_by_one(energy, second))
    together, balance = left_by_two(energy, first, second, _around(one * other))
    counts = np.clip((np.minimum(balance, 1 - balance) - _LEAST) / (_FULL - _LEAST), 0, 1)
    ghostly = ((alone - together) * counts > _GAIN * (energy + _PLAIN)) & (textured > 0)
    parts = face_parts(places, side)
    features = (parts.left_eye.maximum(parts.right_eye), parts.nose, parts.mouth)

    def share(where: Array) -> float:
        return float((where * ghostly).sum() / (where.sum() + 1))

    return Ghosts(share(textured), max(share(textured * feature.numpy()) for feature in features))


class Source(NamedTuple):
    """A source's structure, its energy around every pixel, and what it has in common with what was made there."""

    band: Array
    own: Array
    seen: Array


def _structure(picture: Tensor) -> Array:
    """(S, S, 3) to its fine structure in log light, (S, S)."""
    light = np.log(np.maximum(picture.float().cpu().numpy() @ _LUMA, 0) + np.float32(_DARKEST))
    seen = torch.from_numpy(light)[None, None]
    return (blur(seen, _FINE) - blur(seen, _COARSE))[0, 0].numpy()


def _around(values: Array) -> Array:
    return blur(torch.from_numpy(values)[None, None], _NEIGHBOURS)[0, 0].numpy()


def left_by_one(energy: Array, source: Source) -> Array:
    """Energy that the best multiple of one source leaves."""
    much = np.clip(source.seen / (source.own + 1e-6), 0, 3)
    return np.asarray(np.maximum(energy - 2 * much * source.seen + much**2 * source.own, 0))


def left_by_two(energy: Array, photo: Source, edit: Source, common: Array) -> tuple[Array, Array]:
    """Energy that the best mixture of two sources leaves, all of it where one would be subtracted; and the photo's
    share of the mixture, 0 to 1. common: what the two have in common around every pixel."""
    ridge = 0.02 * (photo.own + edit.own) + 1e-6
    scale = (photo.own + ridge) * (edit.own + ridge) - common**2
    a = (photo.seen * (edit.own + ridge) - edit.seen * common) / scale
    b = (edit.seen * (photo.own + ridge) - photo.seen * common) / scale
    left = energy - 2 * a * photo.seen - 2 * b * edit.seen + a**2 * photo.own + b**2 * edit.own + 2 * a * b * common
    of_photo, of_edit = a * np.sqrt(photo.own), b * np.sqrt(edit.own)
    mixed = (a > 0) & (b > 0)
    return np.where(mixed, np.maximum(left, 0), energy), np.where(mixed, of_photo / (of_photo + of_edit + 1e-9), 0)
