"""The parts of a face that hold its features: eyes with their brows, nose, mouth."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from ..geometry.axes import face_axes
from ..geometry.landmarks import openness

_EDGE = 1.25  # half axes at which a part has faded to nothing; at three quarters it is whole
_SAME_STATE = 0.08  # change in how far eyes or mouth are open, in parts of their width (drawn people)


class FaceParts(NamedTuple):
    """Where a face has its features; soft masks, (S, S) float32 each. The eyes are named by their side of the picture
    and include their brows."""

    left_eye: torch.Tensor
    right_eye: torch.Tensor
    nose: torch.Tensor
    mouth: torch.Tensor

    def together(self) -> torch.Tensor:
        """All parts in one mask, (S, S)."""
        return torch.stack(tuple(self)).amax(0)


def face_parts(points: ArrayLike, size: int) -> FaceParts:
    """The parts of a face in its crop of `size` pixels.

    Two pictures of a face that has drifted differ there because the identity differs, not because something covers it.
    points: (5, 2) in crop pixels.
    """
    p = np.asarray(points, dtype=np.float64)
    _, _, below, unit = face_axes(p)
    mouth_width = 0.5 * max(float(np.hypot(*(p[4] - p[3]))), 0.6 * unit) + 0.14 * unit
    return FaceParts(
        soft_ellipse(p[0] - 0.12 * unit * below, 0.42, 0.34, p, size),
        soft_ellipse(p[1] - 0.12 * unit * below, 0.42, 0.34, p, size),
        soft_ellipse((p[:2].mean(0) + 2 * p[2]) / 3, 0.34, 0.45, p, size),
        soft_ellipse(p[3:5].mean(0), mouth_width / unit, 0.28, p, size),
    )


def soft_ellipse(centre: NDArray[np.float64], half_width: float, half_height: float, points: NDArray[np.float64],
                 size: int) -> torch.Tensor:
    """A soft upright ellipse in a face's own axes, (size, size) float32; half axes in eye distances."""
    _, right, below, unit = face_axes(points)
    result = torch.zeros(size, size)
    reach = _EDGE * unit * max(half_width, half_height)
    (x0, y0), (x1, y1) = (np.clip(centre + side * reach + (0, 1)[side > 0], 0, size).astype(int) for side in (-1, 1))
    x, y = np.arange(x0, x1) - centre[0], (np.arange(y0, y1) - centre[1])[:, None]
    across, down = (x * axis[0] + y * axis[1] for axis in (right, below))
    radius = np.hypot(across / (half_width * unit), down / (half_height * unit))
    inside = np.clip((_EDGE - radius) / 0.5, 0, 1).astype(np.float32)
    result[y0:y1, x0:x1] = torch.from_numpy(inside)
    return result


def features_mask(points: ArrayLike, size: int) -> torch.Tensor:
    """All parts of a face in one mask, (size, size) float32."""
    return face_parts(points, size).together()


def features_in_one_state(parts: FaceParts, photo: NDArray[np.float64] | None,
                          edit: NDArray[np.float64] | None) -> torch.Tensor:
    """The parts that both pictures show in the same state, (size, size) float32: lids and mouth equally open, corners
    of the mouth equally high. photo, edit: 68 landmarks each; without them every part counts, because the parts show
    who the person is.
    """
    if photo is None or edit is None:
        return parts.together()
    change = np.abs(openness(photo) - openness(edit)) < _SAME_STATE
    alike = (change[0], change[1], True, change[2] and change[3])
    return torch.stack([part * float(same) for part, same in zip(parts, alike)]).amax(0)
