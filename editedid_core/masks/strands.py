"""Hair that hangs over a face in one of two pictures: a photo's is not painted onto the edit, an edit's is not painted
over.

On the frontal grid hair is rough where skin is smooth. A rough place counts as a strand where the other face is smooth
there, and where it hangs in from the outline of the face, above the tip of the nose; below it a beard may grow.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, gaussian_filter, label, maximum_filter

from ..geometry.frontal import frontal_grid
from ..geometry.mean_mesh import mean_mesh
from .drawing import filled
from .frontal_face import FrontalFace, from_outline

_BROWS_AND_EYES = (
    (70, 63, 105, 66, 107, 55, 65, 52, 53, 46), (33, 160, 158, 133, 153, 144),
    (300, 293, 334, 296, 336, 285, 295, 282, 283, 276), (263, 387, 385, 362, 380, 373),
)
# Set by eye on the 130 faces of 65 pairs, 2026-11: 21 are marked, 12 where hair or the brim of a hat hangs over the
# face, the others at the hair line or at the border of a turned face.
_ROUGH = 2.2  # times the roughness of the face's own skin
_ROUGHER = 2.0  # times the roughness of the edit there
_LEAST = 0.03  # area of a strand beside brows and eyes, in square eye distances
_LONG = 0.35  # its length in eye distances: moles are shorter
_OUTER, _DEEP = 0.12, 0.22  # eye distances from the outline: a strand comes from nearer and reaches further
_MARGIN = 0.18  # eye distances around brows and eyes within which roughness alone is no strand
_INTO = 0.1  # eye distances that a strand found beside them is followed into brows and eyes

_SHED, _SOFT = 0.13, 0.025  # eye distances around a strand within which single hairs and its shadow lie; its border
_RIM, _BESIDE_RIMS = 0.2, 0.06  # of the mask of glasses, and eye distances around it in which a rim's own edge is rough


def strands(face: FrontalFace, other: FrontalFace, glasses: NDArray[np.floating] | None = None) -> NDArray[np.float32]:
    """Where hair hangs over a face and not over the other, with what it shades: (SIDE, SIDE) float32 in [0, 1].

    glasses: (SIDE, SIDE), what glasses cover of the two: rims are as fine as hair.
    """
    unit = face.grid.pixels
    rough, of_other = face.roughness, other.roughness
    above = np.arange(len(rough))[:, None] < face.place(4)[1]
    hairy = face.inside & above & (rough > _ROUGH) & (rough > _ROUGHER * maximum_filter(of_other, 3))
    if glasses is not None and (glasses > _RIM).any():
        hairy &= distance_transform_edt(glasses <= _RIM) > _BESIDE_RIMS * unit
    beside, deep = hairy & ~_brows_and_eyes(), from_outline()
    pieces, count = label(hairy)
    found = np.zeros(rough.shape, bool)
    for piece in range(1, count + 1):
        seen = (pieces == piece) & beside
        long = seen.sum() > _LEAST * unit**2 and max(np.ptp(axis) for axis in np.nonzero(seen)) > _LONG * unit
        if long and deep[seen].min() < _OUTER and deep[seen].max() > _DEEP:
            found |= (pieces == piece) & (distance_transform_edt(~seen) <= _INTO * unit)
    if not found.any():
        return found.astype(np.float32)
    shed = (distance_transform_edt(~found) <= _SHED * unit).astype(np.float32)
    return np.maximum(gaussian_filter(shed, _SOFT * unit), found.astype(np.float32))


@lru_cache(maxsize=1)
def _brows_and_eyes() -> NDArray[np.bool_]:
    """Brows and eyes of the grid, with a margin."""
    grid = frontal_grid()
    areas = [filled(grid.at(mean_mesh().points[list(ring), :2])) > 0.5 for ring in _BROWS_AND_EYES]
    return np.asarray(distance_transform_edt(~np.any(areas, axis=0)) < _MARGIN * grid.pixels)
