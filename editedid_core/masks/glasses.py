"""Glasses, found by their rims and their bridge on the frontal grid, and where they lie.

A rim is a thin dark line that runs smoothly around the lower half of an eye; a bridge is a thin line, dark or bright,
across the nose between the eyes. Each is measured against the face's own contrast.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..geometry.mesh_points import EYES
from .frontal_face import FrontalFace
from .ridges import best_path, dark_lines, read

_WIDER = 1.12  # a lens is wider than high
_RADII = (0.24, 0.68)  # of rims about the middle of an eye, in eye distances
_LOWER = (15.0, 165.0)  # degrees, clockwise from the right: below the eye
_STEPS = (40, 46)  # radii, angles
_RIM_WIDTHS, _BRIDGE_WIDTHS = (2, 4), (3, 5)  # rows of the patches
_CONTRAST_FLOOR = 0.02
_BROW = 0.15  # cost of each step of the radius above that of the lower rim, in the face's contrast

# Strength of rim and bridge together (geometric mean) at which glasses are as likely as not. On 101 photographs of 24
# people it is 3.1 and more for all 9 with glasses, 0.9 and less for all others; set half-way, in logarithms, 2026-11.
_STRENGTH = 1.3
_STEEPNESS = 4.0


@dataclass(frozen=True)
class GlassesMeasures:
    """Strengths of lines in the face's own contrast. bridge: that all columns but a fifth reach. rim: mean of the
    weaker side. rim_sure: that all angles but a fifth reach, weaker side. rim_best: mean of the stronger side."""

    bridge: float
    rim: float
    rim_sure: float
    rim_best: float


@dataclass(frozen=True)
class GlassesFinding:
    """present: whether the face wears glasses. score: 0 to 1, 0.5 and more where present. measures: what told it."""

    present: bool
    score: float
    measures: GlassesMeasures


def find_glasses(face: FrontalFace) -> GlassesFinding:
    """Whether a face wears glasses: rims on both sides and a bridge."""
    measures = glasses_measures(face)
    strength = float(np.sqrt(max(measures.rim, 0.0) * max(measures.bridge, 0.0)))
    share = strength**_STEEPNESS
    return GlassesFinding(strength >= _STRENGTH, share / (share + _STRENGTH**_STEEPNESS), measures)


def glasses_measures(face: FrontalFace) -> GlassesMeasures:
    """What tells glasses on a frontal face."""
    unit = 0.5 * float(np.std(face.contrast[face.inside])) + _CONTRAST_FLOOR
    eyes = eye_places(face)
    bridge = float(np.quantile(best_path(_bridge_lines(face))[0], 0.2))
    rims = [best_path(dark_lines(rim_patch(face, eye, _LOWER, _STEPS[1]), _RIM_WIDTHS))[0] for eye in eyes]
    means = [float(rim.mean()) for rim in rims]
    return GlassesMeasures(
        bridge / unit, min(means) / unit, min(float(np.quantile(rim, 0.2)) for rim in rims) / unit, max(means) / unit,
    )


def eye_places(face: FrontalFace) -> list[NDArray[np.float64]]:
    """Middles of the two eyes on the grid, left first."""
    return [face.place(*eye) for eye in EYES]


def _bridge_places(face: FrontalFace) -> NDArray[np.float64]:
    """Grid places between the eyes, (45, 25, 2)."""
    left, right = eye_places(face)
    return _offsets(face, (left + right) / 2, np.linspace(-0.2, 0.2, 25), np.linspace(-0.32, 0.34, 45))


def _bridge_lines(face: FrontalFace) -> NDArray[np.float64]:
    return dark_lines(read(face.contrast, _bridge_places(face)), _BRIDGE_WIDTHS, either=True)


def bridge_path(face: FrontalFace) -> NDArray[np.float64]:
    """The line across the nose, (25, 2) grid pixels from left to right."""
    _, rows = best_path(_bridge_lines(face))
    return _bridge_places(face)[rows + max(_BRIDGE_WIDTHS), np.arange(len(rows))]


def _offsets(face: FrontalFace, middle: NDArray[np.float64], xs: NDArray[np.float64], ys: NDArray[np.float64]
             ) -> NDArray[np.float64]:
    return np.stack(np.meshgrid(xs, ys), -1) * face.grid.pixels + middle


def rim_places(face: FrontalFace, eye: NDArray[np.float64], degrees: tuple[float, float], angles: int
               ) -> NDArray[np.float64]:
    """Grid places on circles about an eye, (radii, angles, 2)."""
    turn = np.radians(np.linspace(*degrees, angles))
    radii = np.linspace(*_RADII, _STEPS[0])[:, None] * face.grid.pixels
    return np.stack([eye[0] + radii * np.cos(turn) * _WIDER, eye[1] + radii * np.sin(turn)], -1)


def rim_patch(face: FrontalFace, eye: NDArray[np.float64], degrees: tuple[float, float], angles: int
              ) -> NDArray[np.float64]:
    """The face's contrast on those circles, (radii, angles)."""
    return read(face.contrast, rim_places(face, eye, degrees, angles))


def rim_path(face: FrontalFace, eye: NDArray[np.float64], angles: int = 120) -> NDArray[np.float64]:
    """The closed line of a rim around an eye, (angles, 2) grid pixels, clockwise from the right."""
    degrees = (0.0, 360.0 * (1 - 1 / angles))
    places = rim_places(face, eye, degrees, angles)
    lines = dark_lines(read(face.contrast, places), _RIM_WIDTHS)
    lines -= _brow_cost(face, lines)
    # once and a half around, so that the cut out round begins and ends on one line
    half = angles // 2
    _, rows = best_path(np.concatenate([lines[:, -half:], lines, lines[:, :half]], axis=1))
    return places[rows[half:-half] + max(_RIM_WIDTHS), np.arange(angles)]


def _brow_cost(face: FrontalFace, lines: NDArray[np.float64]) -> NDArray[np.float64]:
    """What keeps a rim (radii, angles) from climbing into the brow: an eye looks through the upper half of its lens."""
    radii, angles = lines.shape
    below = slice(round(angles * 60 / 360), round(angles * 120 / 360))
    low = int(np.median(lines[:, below].argmax(0)))
    above = np.clip(-np.sin(np.radians(np.linspace(0, 360, angles, endpoint=False))), 0, None)
    beyond = np.clip(np.arange(radii) - low, 0, None)[:, None]
    return np.asarray(_BROW * float(np.std(face.contrast[face.inside])) * beyond * above)
