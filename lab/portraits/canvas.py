"""The picture while it is painted: linear light in planes, and the masks that every stroke keeps exact."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .camera import HUGE, Window

__all__ = ["HUGE", "MASK_NAMES", "Canvas", "Masks", "blob", "clamp", "coverage", "gradient", "slope_coverage", "smooth"]

MASK_NAMES = ("face", "eyes", "brows", "nose", "mouth", "skin", "hair", "hat", "glasses", "earrings", "hand", "scarf")


@dataclass(frozen=True, eq=False)
class Masks:
    """What each visible pixel shows, float32 (H, W) in [0, 1] each.

    `face`: the face's skin and features, without hair and elements; `skin`: the face without eyes, brows, mouth;
    `nose` is part of `skin`. Others: what their names say, where visible.
    """

    face: np.ndarray
    eyes: np.ndarray
    brows: np.ndarray
    nose: np.ndarray
    mouth: np.ndarray
    skin: np.ndarray
    hair: np.ndarray
    hat: np.ndarray
    glasses: np.ndarray
    earrings: np.ndarray
    hand: np.ndarray
    scarf: np.ndarray


class Canvas:
    """Paints layers from back to front. `rgb`: (3, H, W) linear light; `masks`: (12, H, W); `person`: (H, W)."""

    def __init__(self, height: int, width: int) -> None:
        self.rgb = np.zeros((3, height, width), np.float32)
        self.masks = np.zeros((len(MASK_NAMES), height, width), np.float32)
        self.person = np.zeros((height, width), np.float32)
        self.over_face = np.zeros((height, width), np.float32)
        self.used: list[int] = []
        self.window = Window(0, height, 0, width)

    def over(self, window: Window, alpha: np.ndarray, colour: np.ndarray, mask: str | None = None,
             in_front: bool = False) -> None:
        """Lay `colour` ((3,) or (3, h, w)) over a window with coverage `alpha` (h, w).

        `mask` names the mask that gains the coverage; all masks below lose it. `in_front`: lies before the face
        (counted in `over_face`, where it covers face pixels).
        """
        rows, columns = window.slices
        if colour.ndim == 1:
            colour = colour[:, None, None]
        part = self.rgb[:, rows, columns]
        part += alpha * (colour - part)
        left = 1.0 - alpha
        if in_front:
            covered = self.over_face[rows, columns]
            covered += alpha * self.masks[0, rows, columns]
        for index in self.used:
            self.masks[index, rows, columns] *= left
        body = self.person[rows, columns]
        body += alpha * (1.0 - body)
        if mask is not None:
            index = MASK_NAMES.index(mask)
            self.masks[index, rows, columns] += alpha
            if index not in self.used:
                self.used.append(index)

    def shade(self, window: Window, factor: np.ndarray) -> None:
        """Darken a window by `factor` (h, w), as a soft shadow does."""
        rows, columns = window.slices
        self.rgb[:, rows, columns] *= factor


def clamp(values: np.ndarray) -> np.ndarray:
    """`values` held within [0, 1], in place."""
    return values.clip(0.0, 1.0, out=values)


def coverage(distance: np.ndarray, pixel: float) -> np.ndarray:
    """Anti-aliased coverage of a shape from its signed distance (negative inside); `pixel`: one pixel's length."""
    return clamp(0.5 - distance * (1.0 / pixel))


def slope_coverage(level: np.ndarray) -> np.ndarray:
    """Anti-aliased coverage of `level` < 0 for any smooth function: its distance in pixels is level / gradient."""
    gx, gy = gradient(level)
    return clamp(0.5 - level / np.sqrt(gx * gx + gy * gy + 1e-8))


def gradient(field: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Central differences per pixel along columns and rows, one-sided at the border."""
    gx, gy = np.empty_like(field), np.empty_like(field)
    gx[:, 1:-1] = (field[:, 2:] - field[:, :-2]) * 0.5
    gx[:, 0], gx[:, -1] = field[:, 1] - field[:, 0], field[:, -1] - field[:, -2]
    gy[1:-1] = (field[2:] - field[:-2]) * 0.5
    gy[0], gy[-1] = field[1] - field[0], field[-1] - field[-2]
    return gx, gy


def smooth(value: np.ndarray, low: float, high: float) -> np.ndarray:
    """Smooth step from 0 at `low` to 1 at `high` (either order)."""
    t = clamp((value - low) * (1.0 / (high - low)))
    square = t * t
    t *= -2.0
    t += 3.0
    t *= square
    return t


def blob(x: np.ndarray, y: np.ndarray, rx: float, ry: float) -> np.ndarray:
    """A bell of height 1 with finite reach: (1 - x²/rx² - y²/ry²)² cut at 0 (no exponential, no tail)."""
    t = x * x
    t *= -1.0 / (rx * rx)
    t = t - y * y * (1.0 / (ry * ry))
    t += 1.0
    clamp(t)
    t *= t
    return t
