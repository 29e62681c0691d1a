"""Beard, moustache and stubble: whether the lower face carries hair, and where.

Chin, upper lip and jaw are compared with the cheeks and the forehead of the same face: hair is darker, rougher and
less red than skin.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..geometry.frontal import SIDE, frontal_grid
from ..geometry.mean_mesh import mean_mesh
from .drawing import filled
from .frontal_face import FrontalFace

# Places as ellipses: groups of landmarks whose middle each one lies at, and its half axes in eye distances
_Ellipses = tuple[tuple[tuple[int, ...], ...], float, float]
_PLACES: Mapping[str, _Ellipses] = {
    "chin": (((199, 175),), 0.28, 0.13),
    "below lip": (((18, 200),), 0.16, 0.08),
    "upper lip": (((164, 167), (164, 393)), 0.16, 0.06),
    "jaw": (((172, 136, 214), (397, 365, 434)), 0.14, 0.20),
    "cheek": (((50, 205), (280, 425)), 0.17, 0.17),
    "forehead": (((151, 9),), 0.25, 0.12),
}
# Evidence at which hair is as likely as not, from the chin's darkness (1), the upper lip's (1.3) and the chin's
# roughness (0.1); set on the 51 plain photographs of half of 24 people (8 of 9 found, 1 of 42 false), 2026-11
_LIP_WEIGHT, _ROUGH_WEIGHT, _EVIDENCE, _STEEPNESS = 1.3, 0.1, 0.87, 3.5
# darkness above which a place of a face with hair belongs to it
_PART_DARK = 0.2

_MOUSTACHE = (216, 206, 98, 97, 2, 326, 327, 426, 436, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185, 61)
_CHIN = (
    58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288, 435, 432, 291, 375, 321, 405, 314, 17,
    84, 181, 91, 146, 61, 212, 215,
)
# Where a laugh folds a cheek: from the wing of the nose past the corner of the mouth
_CHEEKS = ((129, 36, 50, 187, 214, 212, 61, 92, 165, 98), (358, 266, 280, 411, 434, 432, 291, 322, 391, 327))
_SOFT = 0.03  # of the areas' borders, in eye distances

HAIRY = ("chin", "below lip", "upper lip", "jaw")


@dataclass(frozen=True)
class HairMeasures:
    """One place against the bare skin of the same face.

    dark: log of how much darker. rough: log of how much rougher. pale: log of how much less red against blue.
    """

    dark: float
    rough: float
    pale: float


@dataclass(frozen=True)
class BeardFinding:
    """present: whether the lower face carries hair. score: 0 to 1, 0.5 and more where present.

    chin, moustache: which of the two areas carry it. measures: what told it.
    """

    present: bool
    score: float
    chin: bool
    moustache: bool
    measures: Mapping[str, HairMeasures]


def find_beard(face: FrontalFace) -> BeardFinding:
    """Whether a face has a beard, a moustache or plain stubble. Grey stubble and very light hair are missed."""
    measures = hair_measures(face)
    chin, lip = measures["chin"], measures["upper lip"]
    evidence = chin.dark + _LIP_WEIGHT * lip.dark + _ROUGH_WEIGHT * chin.rough
    present = evidence >= _EVIDENCE
    score = float(1 / (1 + np.exp(-_STEEPNESS * (evidence - _EVIDENCE))))
    return BeardFinding(present, score, present and chin.dark > _PART_DARK, present and lip.dark > _PART_DARK, measures)


def beard_mask(finding: BeardFinding) -> NDArray[np.float32]:
    """The areas that carry hair, whole and soft at their borders, (SIDE, SIDE) in [0, 1] on the frontal grid."""
    return _areas([outline for carries, outline in ((finding.chin, _CHIN), (finding.moustache, _MOUSTACHE)) if carries])


@lru_cache(maxsize=1)
def beard_area() -> NDArray[np.float32]:
    """Where hair can grow on chin, jaw and upper lip, (SIDE, SIDE) in [0, 1] on the frontal grid."""
    return _areas([_CHIN, _MOUSTACHE])


@lru_cache(maxsize=1)
def cheek_area() -> NDArray[np.float32]:
    """Where a laugh folds the cheeks, (SIDE, SIDE) in [0, 1] on the frontal grid."""
    return _areas(list(_CHEEKS))


def _areas(outlines: list[tuple[int, ...]]) -> NDArray[np.float32]:
    grid, mask = frontal_grid(), np.zeros((SIDE, SIDE), dtype=np.float32)
    for outline in outlines:
        mask = np.maximum(mask, filled(grid.at(mean_mesh().points[list(outline), :2]), _SOFT * grid.pixels))
    return mask


def hair_measures(face: FrontalFace) -> dict[str, HairMeasures]:
    """Measures of each place in HAIRY."""
    masks = _places()
    red = np.log(face.colours[..., 0] + 0.05) - np.log(face.colours[..., 2] + 0.05)
    skin = float(np.median(face.light[masks["cheek"]]))
    skin_red = float(np.median(red[masks["cheek"]]))
    roughness = {name: float(np.std(face.texture[mask])) for name, mask in masks.items()}
    smooth = 0.5 * (roughness["cheek"] + roughness["forehead"]) + 0.01
    return {
        name: HairMeasures(
            dark=skin - float(np.median(face.light[masks[name]])),
            rough=float(np.log(roughness[name] / smooth + 0.05)),
            pale=skin_red - float(np.median(red[masks[name]])),
        )
        for name in HAIRY
    }


@lru_cache(maxsize=1)
def _places() -> Mapping[str, NDArray[np.bool_]]:
    """The places on the frontal grid, (SIDE, SIDE) each."""
    grid, (y, x) = frontal_grid(), np.mgrid[:SIDE, :SIDE]
    masks = {}
    for name, (groups, across, down) in _PLACES.items():
        mask = np.zeros((SIDE, SIDE), dtype=bool)
        for group in groups:
            cx, cy = grid.at(mean_mesh().points[list(group), :2].mean(0))
            mask |= ((x - cx) / (across * grid.pixels)) ** 2 + ((y - cy) / (down * grid.pixels)) ** 2 < 1
        masks[name] = mask & grid.inside
    return masks
