"""The outline of a face in a crop, and an edit's head brought to the person's shape (**ours**, METHOD §6).

An editing model drifts in the width of the jaw as much as in eyes and mouth. The outlines of both faces are curves
r(angle) around the middle of the face; the edit is stretched or squeezed radially until its outline is the person's,
and fades back to itself a little further out, so hair, background and clothes stay whole.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from .align import pixel_grid
from .masks import AVERAGE_OUTLINE, face_axes, face_centre, hull_with_forehead
from .warp import read

_ANGLES = 96
_RADII = np.linspace(0.5, 1.5, 101)  # in face units; an outline is looked for between them
_STEP = _RADII[1] - _RADII[0]
_SKIN = 0.8  # within this radius all is face
_CONTRAST = 30.0  # colour difference (CIELAB, lightness halved) of a full edge
_AVERAGE = 1.05  # the mask's outline is one that four of five faces exceed; this is the mean
_SPREAD = 0.25  # of outlines around the mean one
_STIFFNESS = 100.0
_JAW_EDGE, _BROW_EDGE = 0.2, 0.08  # widths of the mask's edge
_REACH = 0.42  # how far beyond the outlines the edit is moved

_MOST = 0.25  # change of the outline, in face units
_SMOOTHNESS = 4.0  # standard deviation of the change's low-pass, in angles
_STILL = 0.75  # of the outline's radius: within it the edit is not moved

Radii = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Polar:
    """Coordinates around a face: `centre` (2,) in crop pixels, `unit` pixels of one face unit, and the directions
    (A, 2) of the angles (A,), which run from -pi to pi, 0 to the right and pi/2 down in the face."""

    centre: NDArray[np.float64]
    unit: float
    angles: Radii
    directions: NDArray[np.float64]

    @classmethod
    def around(cls, points: ArrayLike) -> Polar:
        """points: (5, 2) in crop pixels."""
        p = np.asarray(points, dtype=np.float64)
        _, right, below, unit = face_axes(p)
        angles = np.linspace(-np.pi, np.pi, _ANGLES, endpoint=False)
        directions = np.cos(angles)[:, None] * right + np.sin(angles)[:, None] * below
        return cls(face_centre(p), unit, angles, directions)

    def of_grid(self, size: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Radius in face units and angle of every pixel of a crop, (S, S) each."""
        away = pixel_grid(size, size) - self.centre
        right, below = self.directions[_ANGLES // 2], self.directions[3 * _ANGLES // 4]
        x, y = away @ right / self.unit, away @ below / self.unit
        return np.hypot(x, y), np.arctan2(y, x)

    def at(self, values: Radii, angle: NDArray[np.float64]) -> NDArray[np.float64]:
        """A curve over the angles, read at any angles."""
        return np.interp(angle, np.append(self.angles, np.pi), np.append(values, values[0]))

    def lower(self) -> Radii:
        """1 for directions below the eyes, 0 for those to brow and hair, soft between: (A,)."""
        return np.clip((np.sin(self.angles) + 0.15) / 0.3, 0, 1)


def find_outline(picture: torch.Tensor, polar: Polar) -> Radii:
    """Where the face ends in each direction, (A,) in face units: the cheapest closed curve along strong colour edges
    that have skin inside (dynamic programming over the angles). picture: (S, S, 3) in [0, 1]."""
    positions = polar.centre + polar.unit * _RADII[None, :, None] * polar.directions[:, None]
    colours = _smooth(_to_lab(read(picture, positions)), 0.8)
    before, after = _means(colours, -1), _means(colours, 1)
    skin = _around(np.median(colours[:, _RADII < _SKIN], 1), 4.0)[:, None]
    off_before, off_after = (np.linalg.norm(c - skin, axis=-1) for c in (before, after))
    edge = np.minimum(np.linalg.norm(after - before, axis=-1), _CONTRAST) / _CONTRAST
    edge = edge * (0.3 + 0.7 * np.exp(-((off_before / 14) ** 2)))
    leaving = (np.minimum(off_after, _CONTRAST) - np.minimum(off_before, _CONTRAST)) / _CONTRAST
    foreign = (np.linalg.norm(colours - skin, axis=-1) > 16) & (_RADII >= _SKIN)
    usual = _AVERAGE * np.interp(_from_up(polar.angles), *AVERAGE_OUTLINE)
    unusual = 0.3 * ((_RADII - usual[:, None]) / _SPREAD) ** 2
    return _cheapest_loop(unusual + 1.5 * _STEP * np.cumsum(foreign, 1) - edge - 0.25 * leaving)


def dense_outline(points: ArrayLike, dense: ArrayLike, polar: Polar) -> Radii:
    """The same from five points and dense landmarks (K, 2) in crop pixels: their convex hull with a forehead, (A,)."""
    from scipy.spatial import ConvexHull

    corners = hull_with_forehead(np.asarray(points, dtype=np.float64), np.asarray(dense, dtype=np.float64))
    hull = ConvexHull(corners - polar.centre)
    # a hull is the meeting of half planes n x + b <= 0; along a direction the nearest one is met at -b / (n d)
    along = polar.directions @ hull.equations[:, :2].T
    met = np.where(along > 1e-9, -hull.equations[:, 2] / np.maximum(along, 1e-9), np.inf)
    return np.clip(met.min(1) / polar.unit, _RADII[0], _RADII[-1])


def shaped(own: Radii, person: Radii, polar: Polar, strength: float = 1.0) -> Radii:
    """The outline to give the edit: the person's below the eyes, its own above, where hair and hats are. (A,).

    Only what both sides of the face agree on is taken, the smaller of the two, and smoothly: a lock of hair taken for a
    cheek then makes no bump.
    """
    change = np.clip(person - own, -_MOST, _MOST)
    mirrored = change[(_ANGLES // 2 - np.arange(_ANGLES)) % _ANGLES]
    agreed = np.where(change * mirrored > 0, np.sign(change) * np.minimum(np.abs(change), np.abs(mirrored)), 0.0)
    agreed = _around(agreed, _SMOOTHNESS)
    return _around(own, 1.5) + strength * polar.lower() * agreed


def reshaping(size: int, polar: Polar, own: Radii, wanted: Radii) -> tuple[NDArray[np.float64], torch.Tensor]:
    """For every pixel of the reshaped crop its place (S, S, 2) in the crop as it was, and where the two differ, (S, S)
    in [0, 1], soft and at most a little wider."""
    own = _around(own, 1.5)
    radius, angle = polar.of_grid(size)
    inner, outer = polar.at(own, angle), polar.at(wanted, angle)
    end = polar.at(np.maximum(own, wanted) + _REACH, angle)
    still = _STILL * np.minimum(inner, outer)  # eyes, nose, mouth and glasses stay where they are
    within = still + (radius - still) * (inner - still) / (outer - still)
    beyond = inner + (radius - outer) * (end - inner) / (end - outer)
    source = np.select([radius < still, radius < outer, radius < end], [radius, within, beyond], radius)
    ratio = source / np.maximum(radius, 1e-6)
    positions = polar.centre + (pixel_grid(size, size) - polar.centre) * ratio[..., None]
    moved = np.abs(source - radius) * polar.unit  # in pixels
    return positions, torch.from_numpy(np.clip(2 * moved - 0.25, 0, 1).astype(np.float32))


def inside(size: int, polar: Polar, outline: Radii) -> torch.Tensor:
    """(S, S) float32: 1 inside the outline, falling to 0 at it; more softly along the jaw than over the brows."""
    radius, angle = polar.of_grid(size)
    edge = polar.at(_BROW_EDGE + polar.lower() * (_JAW_EDGE - _BROW_EDGE), angle)
    return torch.from_numpy(np.clip((polar.at(outline, angle) - radius) / edge, 0, 1).astype(np.float32))


def _from_up(angles: Radii) -> Radii:
    """Degrees from straight up, the same on both sides."""
    return np.abs((np.degrees(angles) + 270) % 360 - 180)


def _to_lab(colours: NDArray[np.float32]) -> NDArray[np.float64]:
    """(A, R, 3) sRGB to CIELAB with lightness halved, since shading changes it most."""
    from kornia.color import rgb_to_lab

    lab = rgb_to_lab(torch.from_numpy(colours).permute(2, 0, 1)[None].clamp(0, 1))[0].permute(1, 2, 0)
    return lab.double().numpy() * [0.5, 1.0, 1.0]


def _around(values: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    """Values by angle (A, ...), low-passed over the angles."""
    from scipy.ndimage import gaussian_filter1d

    return gaussian_filter1d(values, sigma, axis=0, mode="wrap")


def _smooth(values: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    from scipy import ndimage

    return ndimage.gaussian_filter(values, (sigma, sigma, 0), mode=("wrap", "nearest", "nearest"))


def _means(colours: NDArray[np.float64], side: int) -> NDArray[np.float64]:
    """Mean colour just within (side -1) or just beyond (side 1) each radius, (A, R, 3)."""
    width = round(0.06 / _STEP)
    total = np.cumsum(np.pad(colours, ((0, 0), (1, 0), (0, 0))), 1)
    places = np.arange(len(_RADII))
    first, last = (places - width, places) if side < 0 else (places + 1, places + 1 + width)
    first, last = np.clip(first, 0, len(_RADII)), np.clip(last, 0, len(_RADII))
    return (total[:, last] - total[:, first]) / np.maximum(last - first, 1)[None, :, None]


def _cheapest_loop(cost: NDArray[np.float64]) -> Radii:
    """Radii (A,) of the cheapest curve; it is sought from two opposite angles and each half taken where it is in the
    middle of its path, so that the ends meet."""
    count = len(cost)
    paths = [np.roll(_cheapest_path(np.roll(cost, -start, 0)), start) for start in (0, count // 2)]
    quarter = count // 4
    middle = (np.arange(count) >= quarter) & (np.arange(count) < count - quarter)
    return _RADII[np.where(middle, *paths)]


def _cheapest_path(cost: NDArray[np.float64]) -> NDArray[np.int64]:
    bend = _STIFFNESS * (_RADII[:, None] - _RADII[None]) ** 2
    total, back = cost[0], np.zeros(cost.shape, dtype=np.int64)
    for i in range(1, len(cost)):
        ways = total[None] + bend
        back[i] = ways.argmin(1)
        total = ways.min(1) + cost[i]
    path = np.empty(len(cost), dtype=np.int64)
    path[-1] = total.argmin()
    for i in range(len(cost) - 1, 0, -1):
        path[i - 1] = back[i, path[i]]
    return path
