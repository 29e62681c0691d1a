"""Ghosts: places of a face that show the photo and the edit at once, as a half-and-half blend does.

Both are registered to the output by dense flow, so that a picture bent into place is none, and brought to fine
structure in log light. Around each pixel the output is fitted by one of them and by both: where the two together, each
with a real share, explain clearly more than the better one alone, there is a ghost. No truth is needed. Set on
photographs against blind grades: of 52 true pictures 51 are under the limit.
"""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from editedid_core.restore.ghosts import Source, left_by_one, left_by_two

from .flow import blur, flow, moved

Array = NDArray[np.float32]

SIDE = 256
"""Pixels of the face's crop, for which all lengths here are meant."""
LIMIT = 0.06
"""Largest share of a clean face."""
FEATURE_LIMIT = 0.5
"""Largest share of one feature of a clean face."""
GAIN = 0.12
"""Share of the output's energy that the mixture has to explain beyond the better source alone."""

_NEIGHBOURS = 5.0
_FINE, _COARSE = 0.8, 9.0  # the band of structure in which ghosts are seen
_PLAIN = 1.5e-4  # energy of plain skin, squared log light
_LEAST, _FULL = 0.15, 0.30  # share of the weaker source at which a mixture begins to count, and counts fully


@dataclass(frozen=True, eq=False)
class Ghosts:
    """`share` of the textured face that is a ghost; `worst`: the largest of a feature; `places`: (S, S), 0 or 1."""

    share: float
    worst: float
    places: Array

    @property
    def clean(self) -> bool:
        return self.share <= LIMIT and self.worst <= FEATURE_LIMIT


def ghosts(photos: list[Array], edit: Array, output: Array, mask: Array, features: list[Array] | None = None) -> Ghosts:
    """Crops of one face frame, (S, S, 3) in [0, 1]: the photo in several alignments, the edit, what was made of them.

    mask: (S, S), the face. features: masks (S, S) of eyes, nose, mouth …; without them `worst` is 0.
    """
    goal = log_light(output)
    seen = _band(goal)
    energy = _around(seen * seen)
    sources = [[_source(seen, light), _source(seen, registered(light, goal))]
               for light in map(log_light, (edit, *photos))]
    edits, others = sources[0], [source for pair in sources[1:] for source in pair]
    alone = np.minimum.reduce([left_by_one(energy, source) for source in edits + others])
    together, balance = alone, np.zeros_like(alone)
    for photo in others:
        for edit_source in edits:
            left, share = left_by_two(energy, photo, edit_source, _around(photo.band * edit_source.band))
            better = left < together
            together, balance = np.where(better, left, together), np.where(better, share, balance)
    counts = np.clip((np.minimum(balance, 1 - balance) - _LEAST) / (_FULL - _LEAST), 0, 1)
    ghostly = (alone - together) * counts > GAIN * (energy + _PLAIN)
    textured = mask * (energy > 4 * _PLAIN)
    places = (ghostly & (textured > 0)).astype(np.float32)

    def share(where: Array) -> float:
        return float((where * places).sum() / (where.sum() + 1))

    worst = max((share(textured * feature) for feature in features or ()), default=0.0)
    return Ghosts(share(textured), worst, places)


def log_light(picture: Array) -> Array:
    """(S, S, 3) in [0, 1] to the logarithm of its luminance (S, S); darkness is given a floor."""
    return np.log(np.maximum(picture @ np.array([0.3, 0.59, 0.11], np.float32), 0) + np.float32(0.06))


def registered(source: Array, goal: Array) -> Array:
    """source (S, S) moved onto goal, both in log light."""
    return moved(source, flow(_even(goal), _even(source)))


def _even(light: Array) -> Array:
    """Structure of even contrast everywhere, so that strong edges do not decide alone where a face is."""
    band = blur(light, 0.6) - blur(light, 14)
    return band / (np.sqrt(blur(band * band, 20)) + 0.03)


def _band(light: Array) -> Array:
    return blur(light, _FINE) - blur(light, _COARSE)


def _around(values: Array) -> Array:
    return blur(values, _NEIGHBOURS)


def _source(seen: Array, light: Array) -> Source:
    band = _band(light)
    return Source(band, _around(band * band), _around(seen * band))
