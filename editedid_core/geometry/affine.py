"""Where a face lies: the crop's frame, and similarities between faces.

A map is a (2, 3) float64 matrix [A | t] that takes a point p to A p + t. Maps are named "from_to" or say so.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Matrix = NDArray[np.float64]


def crop_frame(points: ArrayLike, size: int) -> Matrix:
    """The upright square crop around a face: the only place that defines the framing.

    With e the middle of the eyes and m the middle of the corners of the mouth, the crop is centred at
    e + 0.35 (m - e), its side is 2 max(2.0 |eye to eye|, 1.8 |e to m|), and the line of the eyes is level in it.

    points: (5, 2) in picture pixels. size: side of the crop in pixels.
    Returns the similarity from crop pixels to picture pixels. Raises ValueError when the points coincide.
    """
    p = np.asarray(points, dtype=np.float64)
    eyes, mouth = p[:2].mean(0), p[3:5].mean(0)
    across, down = p[1] - p[0], mouth - eyes
    side = 2 * max(2.0 * np.hypot(*across), 1.8 * np.hypot(*down))
    if not np.isfinite(side) or side < 1e-3:
        raise ValueError("The five points of a face coincide or are not numbers: detect the face again.")
    if np.hypot(*across) > 0.2 * np.hypot(*down):
        direction = across / np.hypot(*across)
    else:  # a profile: the eyes nearly coincide, and the line from eyes to mouth tells the roll better
        direction = np.array([down[1], -down[0]]) / np.hypot(*down)
    scale = side / size
    linear = scale * np.array([[direction[0], -direction[1]], [direction[1], direction[0]]])
    centre = eyes + 0.35 * down
    return np.column_stack([linear, centre - linear @ np.full(2, (size - 1) / 2)])


def apply(matrix: ArrayLike, points: ArrayLike) -> NDArray[np.float64]:
    """Take (..., 2) points through a map."""
    m = np.asarray(matrix, dtype=np.float64)
    return np.asarray(points, dtype=np.float64) @ m[:, :2].T + m[:, 2]


def compose(outer: ArrayLike, inner: ArrayLike) -> Matrix:
    """The map p -> outer(inner(p))."""
    o, i = np.asarray(outer, dtype=np.float64), np.asarray(inner, dtype=np.float64)
    return np.column_stack([o[:, :2] @ i[:, :2], o[:, :2] @ i[:, 2] + o[:, 2]])


def inverse_affine(matrix: ArrayLike) -> Matrix:
    """The inverse map. Raises ValueError for a map that flattens the plane."""
    m = np.asarray(matrix, dtype=np.float64)
    if abs(np.linalg.det(m[:, :2])) < 1e-12:
        raise ValueError("A face of no size cannot be mapped back: detect the faces again with a larger minimum size.")
    linear = np.linalg.inv(m[:, :2])
    return np.column_stack([linear, -linear @ m[:, 2]])


def scale_of(matrix: ArrayLike) -> float:
    """Length of a unit step after a similarity."""
    return float(np.sqrt(abs(np.linalg.det(np.asarray(matrix, dtype=np.float64)[:, :2]))))


def fit_similarity(source: ArrayLike, target: ArrayLike, weights: ArrayLike | None = None) -> Matrix:
    """The similarity (no mirror image) that takes source points closest to target points, in least squares.

    source, target: (K, 2), K >= 2. weights: (K,), how much each point counts; None for all alike.
    Closed form of Umeyama (1991) in the plane, where a similarity is one complex number.
    """
    s, t = np.asarray(source, dtype=np.float64), np.asarray(target, dtype=np.float64)
    w = np.ones(len(s)) if weights is None else np.asarray(weights, dtype=np.float64)
    if s.shape != t.shape or len(s) < 2:
        raise ValueError(f"Two lists of the same two or more points are needed, got {s.shape} and {t.shape}.")
    w = w / w.sum()
    s_mean, t_mean = w @ s, w @ t
    z_s, z_t = (s - s_mean) @ [1, 1j], (t - t_mean) @ [1, 1j]
    spread = float(w @ np.abs(z_s) ** 2)
    if spread < 1e-12:
        raise ValueError("The landmarks of a face coincide: detect the face again.")
    a = (w @ (z_s.conj() * z_t)) / spread
    linear = np.array([[a.real, -a.imag], [a.imag, a.real]])
    return np.column_stack([linear, t_mean - linear @ s_mean])


def face_to_face(source: ArrayLike, target: ArrayLike) -> Matrix:
    """Similarity from one face's five points to another's, the corners of the mouth counting half.

    The mouth moves with the expression while eyes and nose stay: METHOD §6.
    """
    return fit_similarity(source, target, weights=[1.0, 1.0, 1.0, 0.5, 0.5])


def grid_under(matrix: ArrayLike, height: int, width: int, x0: int = 0, y0: int = 0) -> NDArray[np.float64]:
    """Where a map takes every pixel of a window whose top-left pixel is (x0, y0), (height, width, 2)."""
    return _under(matrix, height, width, x0, y0, np.empty((height, width, 2)))


def places_under(matrix: ArrayLike, height: int, width: int, x0: int = 0, y0: int = 0) -> NDArray[np.float32]:
    """The same in single precision, a thousandth of a pixel in any picture: enough to read one, in half the time."""
    return _under(matrix, height, width, x0, y0, np.empty((height, width, 2), np.float32))


def _under(matrix: ArrayLike, height: int, width: int, x0: int, y0: int, grid: NDArray[Any]) -> NDArray[Any]:
    m = np.asarray(matrix, dtype=np.float64)
    x, y = np.arange(x0, x0 + width, dtype=np.float64), np.arange(y0, y0 + height, dtype=np.float64)
    for axis in (0, 1):
        along, down = m[axis, 0] * x, m[axis, 1] * y + m[axis, 2]
        np.add(along.astype(grid.dtype), down.astype(grid.dtype)[:, None], out=grid[..., axis])
    return grid


def pixel_grid(height: int, width: int, x0: int = 0, y0: int = 0) -> NDArray[np.float64]:
    """(height, width, 2) x and y of every pixel of a window whose top-left pixel is (x0, y0)."""
    y, x = np.mgrid[y0:y0 + height, x0:x0 + width].astype(np.float64)
    return np.stack([x, y], axis=-1)
