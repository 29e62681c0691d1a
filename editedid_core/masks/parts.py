"""The parts of a face that hold its features: eyes with their brows, nose, mouth."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from ..geometry.affine import pixel_grid
from ..geometry.axes import face_axes
from ..geometry.landmarks import openness

_SAME_STATE = 0.08  # change of how far eyes or mouth are open, in parts of their width


def feature_spots(points: ArrayLike, size: int) -> tuple[torch.Tensor, ...]:
    """Where a face has its own features: both eyes with their brows, nose, mouth; soft, (size, size) float32 each.

    Two pictures of a face that has drifted differ there because the identity differs, not because something covers it.
    points: (5, 2) in crop pixels.
    """
    p = np.asarray(points, dtype=np.float64)
    _, _, below, unit = face_axes(p)
    mouth_width = 0.5 * max(float(np.hypot(*(p[4] - p[3]))), 0.6 * unit) + 0.14 * unit
    return (
        _spot(p[0] - 0.12 * unit * below, 0.42, 0.34, p, size),
        _spot(p[1] - 0.12 * unit * below, 0.42, 0.34, p, size),
        _spot((p[:2].mean(0) + 2 * p[2]) / 3, 0.34, 0.45, p, size),
        _spot(p[3:5].mean(0), mouth_width / unit, 0.28, p, size),
    )


def _spot(centre: NDArray[np.float64], half_width: float, half_height: float, points: NDArray[np.float64],
          size: int) -> torch.Tensor:
    """A soft upright ellipse in a face's own axes, (size, size) float32; half axes in eye distances."""
    _, right, below, unit = face_axes(points)
    d = pixel_grid(size, size) - centre
    radius = np.hypot(d @ right / (half_width * unit), d @ below / (half_height * unit))
    return torch.from_numpy(np.clip((1.25 - radius) / 0.5, 0, 1).astype(np.float32))


def features_mask(points: ArrayLike, size: int) -> torch.Tensor:
    """All of `feature_spots` in one mask, (size, size) float32."""
    return torch.stack(feature_spots(points, size)).amax(0)


def features_in_one_state(spots: tuple[torch.Tensor, ...], photo: NDArray[np.float64] | None,
                          edit: NDArray[np.float64] | None) -> torch.Tensor:
    """Those of the `feature_spots` that hold themselves alike in both pictures, (size, size) float32: lids and mouth as
    far open, corners of the mouth as high. photo, edit: 68 landmarks each; without them all are taken to be, since who
    the person is shows there.
    """
    if photo is None or edit is None:
        return torch.stack(spots).amax(0)
    change = np.abs(openness(photo) - openness(edit)) < _SAME_STATE
    alike = (change[0], change[1], True, change[2] and change[3])
    return torch.stack([spot * float(same) for spot, same in zip(spots, alike)]).amax(0)
