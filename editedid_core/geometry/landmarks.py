"""Dense landmarks of other layouts as the 68 points of iBUG 300-W (Sagonas et al. 2016).

In order: jaw line 17, brows 5 + 5, ridge and base of the nose 4 + 5, eyes 6 + 6, lips 12 + 8; left and right as in the
picture.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

COUNT = 68
LIPS = slice(48, 60)
"""The outer lips among the 68."""

MIRRORED = np.r_[
    16:-1:-1, 26:16:-1, 27:31, 35:30:-1, 45:41:-1, 47, 46, 39:35:-1, 41, 40, 54:47:-1, 59:54:-1, 64:59:-1, 67, 66, 65
]
"""Which of the 68 points each becomes in the mirror."""

# insightface's 2d106det
_OF_106 = (
    1, 10, 12, 14, 16, 3, 5, 7, 0, 23, 21, 19, 32, 30, 28, 26, 17,
    43, 48, 49, 51, 50, 102, 103, 104, 105, 101,
    72, 73, 74, 86, 78, 79, 80, 85, 84,
    35, 41, 42, 39, 37, 36, 89, 95, 96, 93, 91, 90,
    52, 64, 63, 71, 67, 68, 61, 58, 59, 53, 56, 55, 65, 66, 62, 70, 69, 57, 60, 54,
)

# MediaPipe's face mesh, with or without irises
_OF_MESH = (
    162, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 389,
    70, 63, 105, 66, 107, 336, 296, 334, 293, 300,
    168, 197, 5, 4, 75, 97, 2, 326, 305,
    33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,
    61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181, 78, 82, 13, 312, 308, 317, 14, 87,
)
_LAYOUTS = {COUNT: tuple(range(COUNT)), 106: _OF_106, 468: _OF_MESH, 478: _OF_MESH}


def as_68(dense: ArrayLike | None) -> NDArray[np.float64] | None:
    """(68, 2) of dense landmarks (K, 2); None where there are none or their layout is not known."""
    if dense is None:
        return None
    points = np.asarray(dense, dtype=np.float64)
    order = _LAYOUTS.get(len(points))
    return None if order is None else points[list(order)]


def five_of_68(dense: NDArray[np.float64]) -> NDArray[np.float64]:
    """Middles of the eyes, tip of the nose, corners of the mouth, (5, 2), of 68 points (68, 2)."""
    return np.stack([dense[36:42].mean(0), dense[42:48].mean(0), dense[30], dense[48], dense[54]])


def openness(dense: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far the left and the right eye are open, how far the mouth is, and how high its corners are over its middle,
    each in parts of its width, (4,), of 68 points (68, 2)."""

    def apart(a: int, b: int) -> float:
        return float(np.linalg.norm(dense[a] - dense[b]))

    left = (apart(37, 41) + apart(38, 40)) / (2 * max(apart(36, 39), 1e-6))
    right = (apart(43, 47) + apart(44, 46)) / (2 * max(apart(42, 45), 1e-6))
    across = dense[54] - dense[48]
    width = max(float(np.linalg.norm(across)), 1e-6)
    gap = (apart(61, 67) + apart(62, 66) + apart(63, 65)) / (3 * width)
    lift = (dense[[48, 54]].mean(0) - dense[[51, 57]].mean(0)) @ np.array([-across[1], across[0]]) / width**2
    return np.array([left, right, gap, lift])
