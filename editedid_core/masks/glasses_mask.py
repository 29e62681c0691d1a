"""Where glasses lie: the frame, which stays the edit's, and the lenses, behind which the person's eyes belong."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from ..geometry.frontal import GridInPicture
from .drawing import filled, ramp, stroked
from .frontal_face import FrontalFace
from .glasses import bridge_path, eye_places, rim_path

# In eye distances: the line that always counts as frame, the bands about rims and about temples in which darkness
# counts, and the border's softness
_LINE, _BAND, _TEMPLE, _SOFT = 0.035, 0.16, 0.12, 0.012


@dataclass(frozen=True, eq=False)
class GlassesMasks:
    """(SIDE, SIDE) float32 in [0, 1] on the frontal grid. frame: rims, bridge and temples. lenses: what lies inside."""

    frame: NDArray[np.float32]
    lenses: NDArray[np.float32]

    def in_picture(self, where: GridInPicture) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Frame and lenses as they lie in the picture, (height, width) each."""
        return where.show(self.frame), where.show(self.lenses)


def glasses_masks(face: FrontalFace) -> GlassesMasks:
    """Masks of the glasses of a face that wears some; on a bare face they mean nothing."""
    unit = face.grid.pixels
    rims = [_smoothed(rim_path(face, eye)) for eye in eye_places(face)]
    bridge = bridge_path(face)
    lines = [np.concatenate([rim, rim[:1]]) for rim in rims] + [_joined(rims, bridge)]
    core = np.max([stroked(line, _LINE * unit) for line in lines], axis=0)
    bands = [stroked(line, _BAND * unit, 0.02 * unit) for line in lines]
    bands += [stroked(line, _TEMPLE * unit, 0.02 * unit) for line in _temples(face, rims)]
    band = np.max(bands, axis=0)
    inside = np.max([filled(rim) for rim in rims], axis=0)
    frame = np.maximum(core, band * _dark(face, core > 0.5))
    frame = np.clip(gaussian_filter(frame, _SOFT * unit), 0, 1)
    lenses = gaussian_filter(inside, _SOFT * unit) * (1 - frame)
    return GlassesMasks(frame.astype(np.float32), lenses.astype(np.float32))


def _smoothed(rim: NDArray[np.float64]) -> NDArray[np.float64]:
    """A closed line without the steps of its grid."""
    kernel = np.hanning(9)[1:-1] / np.hanning(9)[1:-1].sum()
    around = np.concatenate([rim[-3:], rim, rim[:3]])
    return np.stack([np.convolve(around[:, axis], kernel, "valid") for axis in range(2)], -1)


def _joined(rims: list[NDArray[np.float64]], bridge: NDArray[np.float64]) -> NDArray[np.float64]:
    """The bridge, led to the nearest place of each rim."""
    left, right = (rim[np.linalg.norm(rim - end, axis=1).argmin()] for rim, end in zip(rims, (bridge[0], bridge[-1])))
    return np.concatenate([left[None], bridge, right[None]])


def _temples(face: FrontalFace, rims: list[NDArray[np.float64]]) -> list[NDArray[np.float64]]:
    """From the outermost place of each rim level to the border of the face."""
    ends = []
    for rim, side in zip(rims, (-1, 1)):
        start = rim[(rim[:, 0] * side).argmax()]
        row = face.inside[int(np.clip(round(start[1]), 0, len(face.inside) - 1))]
        border = np.flatnonzero(row)[0 if side < 0 else -1] if row.any() else start[0]
        ends.append(np.array([start, [border, start[1]]]))
    return ends


def _dark(face: FrontalFace, core: NDArray[np.bool_]) -> NDArray[np.float32]:
    """How much each place is as dark as the frame's line and not as light as the skin around."""
    line = float(np.median(face.contrast[core])) if core.any() else 0.0
    skin = float(np.quantile(face.contrast[face.inside], 0.6))
    return 1 - ramp(face.contrast, line + 0.35 * (skin - line), line + 0.75 * (skin - line))
