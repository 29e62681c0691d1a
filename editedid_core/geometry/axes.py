"""A face's own axes and unit of length, from its five points."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .affine import crop_frame


def face_axes(p: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], float]:
    """Middle of the eyes, unit vectors to the right and down in the face, and the face's unit of length.

    The unit is the eye distance of a frontal face, about 0.9 of eyes to mouth; the larger of the two, so that a turned
    head, whose eyes come together, keeps its size.
    """
    eyes = p[:2].mean(0)
    down = p[3:5].mean(0) - eyes
    linear = crop_frame(p, 2)[:, :2]
    right = linear[:, 0] / np.hypot(*linear[:, 0])
    below = np.array([-right[1], right[0]])
    return eyes, right, below, float(max(np.hypot(*(p[1] - p[0])), 0.9 * np.hypot(*down)))


def face_centre(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """The middle of a face's outline (2,), from its five points (5, 2)."""
    eyes, right, below, unit = face_axes(p)
    # the nose moves to the side to which the head is turned, and the visible cheek with it the other way
    turn = float((p[2] - eyes) @ right) / unit
    return eyes + unit * (0.58 * below - 0.35 * turn * right)
