"""Square windows of a picture, turned as a face is, at the few pixels that a network takes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from ...geometry.affine import Matrix, apply

_STRIP = 256
"""Rows of a picture that are made smaller at a time."""


@dataclass(frozen=True)
class Window:
    """A square of a picture. x, y: its middle in pixels. side: pixels. angle: radians, clockwise on the screen."""

    x: float
    y: float
    side: float
    angle: float

    def to_picture(self, size: int) -> Matrix:
        """The similarity (2, 3) from the pixels of a size by size crop to the picture's; centres of pixels in both."""
        scale = self.side / size
        cos, sin = scale * np.cos(self.angle), scale * np.sin(self.angle)
        linear = np.array([[cos, -sin], [sin, cos]])
        return np.column_stack([linear, [self.x, self.y] - linear @ np.full(2, (size - 1) / 2)])


class Pyramid:
    """A picture, (H, W, 3) uint8, at its size and halved again and again, each made when it is first asked for.

    The copies together hold a third of the picture's bytes; no copy in floats is made of more than a window.
    """

    def __init__(self, picture: NDArray[np.uint8]) -> None:
        self.height, self.width = picture.shape[:2]
        self._levels = [picture]

    def level(self, step: float) -> tuple[NDArray[np.uint8], int]:
        """The copy from which crops with `step` picture pixels per crop pixel are read, and how often it is smaller."""
        depth = 0
        while step > 1.6 * 2**depth and min(self._picture(depth).shape[:2]) > 1:
            depth += 1
        return self._picture(depth), 2**depth

    def _picture(self, depth: int) -> NDArray[np.uint8]:
        while len(self._levels) <= depth:
            self._levels.append(reduced(self._levels[-1], 2))
        return self._levels[depth]

    def crop(self, window: Window, size: int) -> torch.Tensor:
        """The window as (3, size, size) float32 in [0, 1]; beyond the picture its border is repeated."""
        picture, factor = self.level(window.side / size)
        matrix = window.to_picture(size)
        corners = apply(matrix, [[0, 0], [size - 1, 0], [0, size - 1], [size - 1, size - 1]])
        corners = (corners + 0.5) / factor - 0.5
        limit = np.array([picture.shape[1] - 1, picture.shape[0] - 1])
        low = np.clip(np.floor(corners.min(0)) - 1, 0, limit).astype(int)
        high = np.clip(np.ceil(corners.max(0)) + 1, 0, limit).astype(int)
        part = torch.from_numpy(picture[low[1]:high[1] + 1, low[0]:high[0] + 1].copy())
        values = part.permute(2, 0, 1)[None].float() / 255
        # crop pixel -> pixel edges of the part, as grid_sample counts them with align_corners=False
        extent = np.array([values.shape[3], values.shape[2]])
        theta = _normalised(matrix, size, factor, low, extent)
        grid = F.affine_grid(torch.from_numpy(theta)[None], [1, 3, size, size], align_corners=False)
        return F.grid_sample(values, grid, "bilinear", "border", align_corners=False)[0]


def reduced(picture: NDArray[np.uint8], factor: int) -> NDArray[np.uint8]:
    """A picture (H, W, 3) `factor` times smaller, each pixel the mean of those it covers; strip by strip, since Pillow
    copies twice what it is given."""
    rows = factor * max(1, _STRIP // factor)
    parts = [np.asarray(Image.fromarray(picture[top:top + rows]).reduce(factor))
             for top in range(0, len(picture), rows)]
    return np.concatenate(parts)


def _normalised(matrix: Matrix, size: int, factor: int, low: NDArray[np.int_], extent: NDArray[np.int_]
                ) -> NDArray[np.float32]:
    """The map between coordinates of -1 to 1 over a crop and over a part of a picture made `factor` times smaller."""
    linear = matrix[:, :2] / factor
    middle = matrix[:, :2] @ np.full(2, (size - 1) / 2) + matrix[:, 2]
    middle = (middle + 0.5) / factor - low
    scaled = np.column_stack([linear * (size / 2), middle]) * 2 / extent[:, None]
    scaled[:, 2] -= 1
    return scaled.astype(np.float32)


def level_window(points: ArrayLike, left: ArrayLike, right: ArrayLike, room: float) -> Window:
    """The window around points (K, 2) that is level with the line from left to right, `room` times their box's side."""
    line = np.asarray(right, dtype=np.float64) - np.asarray(left, dtype=np.float64)
    angle = float(np.arctan2(line[1], line[0]))
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    level = np.asarray(points, dtype=np.float64) @ turn.T
    low, high = level.min(0), level.max(0)
    x, y = turn.T @ ((low + high) / 2)
    return Window(float(x), float(y), room * float((high - low).max()), angle)
