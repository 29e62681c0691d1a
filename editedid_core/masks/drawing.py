"""Soft areas on the frontal grid, drawn from outlines."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_filter

from ..geometry.frontal import SIDE

_FINER = 4  # drawn this much larger, then averaged


def filled(outline: ArrayLike, softness: float = 0.0) -> NDArray[np.float32]:
    """The area inside an outline (K, 2) of grid pixels, (SIDE, SIDE) in [0, 1]. softness: sigma in grid pixels."""
    return _drawn(outline, softness, None)


def stroked(path: ArrayLike, width: float, softness: float = 0.0) -> NDArray[np.float32]:
    """A line through points (K, 2) of grid pixels, `width` grid pixels wide, (SIDE, SIDE) in [0, 1]."""
    return _drawn(path, softness, width)


def _drawn(points: ArrayLike, softness: float, width: float | None) -> NDArray[np.float32]:
    sheet = Image.new("L", (SIDE * _FINER, SIDE * _FINER))
    corners = [(float(x), float(y)) for x, y in (np.asarray(points, dtype=np.float64) + 0.5) * _FINER]
    pen = ImageDraw.Draw(sheet)
    if width is None:
        pen.polygon(corners, fill=255)
    else:
        pen.line(corners, fill=255, width=max(1, round(width * _FINER)), joint="curve")
    area = np.asarray(sheet.reduce(_FINER), dtype=np.float32) / 255
    return np.asarray(gaussian_filter(area, softness) if softness > 0 else area)


def ramp(values: NDArray[np.floating], low: float, high: float) -> NDArray[np.float32]:
    """0 below low, 1 above high, a smooth step between."""
    t = np.clip((values - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), dtype=np.float32)
