"""Where a head is in the picture: the head turn and the similarity to pixels, both ways.

Head coordinates (u, v) are in mean eye distances: origin between the eyes, u to image-right, v down. A turn moves
each point by its depth on a fixed paraboloid, whose inverse is the root of a quadratic: exact both ways, so that
landmarks and pixels follow the same deformation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

HUGE = 1e9
"""An open end for `clip`, which is several times as fast as `np.maximum` and `np.minimum` with a number."""
DEPTH, HALF_WIDTH, HALF_HEIGHT, MIDDLE = 0.72, 1.25, 1.95, 0.2
REACH_U, REACH_V = 1.45, 2.1
"""Beyond this distance from the middle the depth is held, so that the map stays one to one everywhere."""


@dataclass(frozen=True)
class Window:
    """A rectangle of pixels: rows y0 to y1, columns x0 to x1 (ends excluded)."""

    y0: int
    y1: int
    x0: int
    x1: int

    @property
    def slices(self) -> tuple[slice, slice]:
        return slice(self.y0, self.y1), slice(self.x0, self.x1)

    @property
    def empty(self) -> bool:
        return self.y1 <= self.y0 or self.x1 <= self.x0


@dataclass(frozen=True)
class Camera:
    """Maps head coordinates to pixels. `unit`: pixels per head unit; `roll` (clockwise on screen), `yaw` (face
    towards image-right), `pitch` (face upwards) in radians; (tx, ty): pixel of the untilted head origin."""

    unit: float
    roll: float
    yaw: float
    pitch: float
    tx: float
    ty: float

    def turn(self, u: float, v: float) -> tuple[float, float]:
        """Head point to the turned, unrolled head plane (head units)."""
        z = DEPTH * (1.0 - (u / HALF_WIDTH) ** 2 - ((v - MIDDLE) / HALF_HEIGHT) ** 2)
        p = u * math.cos(self.yaw) + math.sin(self.yaw) * z
        q = (v - MIDDLE) * math.cos(self.pitch) - math.sin(self.pitch) * z + MIDDLE
        return p, q

    def plane_to_pixel(self, p: float, q: float) -> tuple[float, float]:
        """Head plane to pixels."""
        c, s = self._trigonometry[4:]
        return c * p - s * q + self.tx, s * p + c * q + self.ty

    def to_pixel(self, u: float, v: float) -> tuple[float, float]:
        """Head point to pixels."""
        return self.plane_to_pixel(*self.turn(u, v))

    def points(self, head_points: np.ndarray) -> np.ndarray:
        """Head points (K, 2) to pixels, float32 (K, 2)."""
        cy, sy, cp, sp, c, s = self._trigonometry
        u, v = head_points[:, 0], head_points[:, 1]
        z = DEPTH * (1.0 - (u / HALF_WIDTH) ** 2 - ((v - MIDDLE) / HALF_HEIGHT) ** 2)
        p = u * cy + sy * z
        q = (v - MIDDLE) * cp - sp * z + MIDDLE
        return np.stack([c * p - s * q + self.tx, s * p + c * q + self.ty], 1).astype(np.float32)

    @cached_property
    def _trigonometry(self) -> tuple[float, float, float, float, float, float]:
        """Cosine and sine of yaw, of pitch, and of roll times the unit."""
        return (math.cos(self.yaw), math.sin(self.yaw), math.cos(self.pitch), math.sin(self.pitch),
                math.cos(self.roll) * self.unit, math.sin(self.roll) * self.unit)

    def plane(self, window: Window) -> tuple[np.ndarray, np.ndarray]:
        """Head-plane coordinates (p, q) of a window's pixels, float32 (h, w) each."""
        c, s = math.cos(self.roll) / self.unit, math.sin(self.roll) / self.unit
        x = np.arange(window.x0, window.x1, dtype=np.float32) - np.float32(self.tx)
        y = (np.arange(window.y0, window.y1, dtype=np.float32) - np.float32(self.ty))[:, None]
        return x * c + y * s, y * c - x * s

    def head(self, p: np.ndarray, q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Undo the head turn: head-plane coordinates to head coordinates (u, v)."""
        sy, cy, sp, cp = math.sin(self.yaw), math.cos(self.yaw), math.sin(self.pitch), math.cos(self.pitch)
        alpha, beta = DEPTH / (cy * HALF_WIDTH) ** 2, DEPTH / (cp * HALF_HEIGHT) ** 2
        p0 = p.clip(-REACH_U, REACH_U)
        q0 = (q - MIDDLE).clip(-REACH_V, REACH_V)
        a = alpha * sy * sy + beta * sp * sp
        b = 1.0 - (2.0 * alpha * sy) * p0 + (2.0 * beta * sp) * q0
        c = alpha * p0 * p0 + beta * q0 * q0 - DEPTH
        z = -2.0 * c / (b + np.sqrt((b * b - 4.0 * a * c).clip(0.01, HUGE)))
        return (p - sy * z) * (1.0 / cy), (q - MIDDLE + sp * z) * (1.0 / cp) + MIDDLE

    def window(self, u0: float, u1: float, v0: float, v1: float, inside: Window) -> Window:
        """The pixels that a rectangle of head coordinates touches, within `inside`."""
        cy, sy, cp, sp, c, s = self._trigonometry
        across, along = DEPTH / HALF_WIDTH**2, DEPTH / HALF_HEIGHT**2
        xs, ys = [], []
        for u, v in ((u0, v0), (u1, v0), (u0, v1), (u1, v1)):
            down = v - MIDDLE
            z = DEPTH - across * u * u - along * down * down
            p = u * cy + sy * z
            q = down * cp - sp * z + MIDDLE
            xs.append(c * p - s * q + self.tx)
            ys.append(s * p + c * q + self.ty)
        bulge = 0.25 * (across * (u1 - u0) ** 2 + along * (v1 - v0) ** 2) * self.unit * (abs(sy) + abs(sp))
        return clip_window(min(xs) - bulge, max(xs) + bulge, min(ys) - bulge, max(ys) + bulge, inside)

    def plane_window(self, p0: float, p1: float, q0: float, q1: float, inside: Window) -> Window:
        """The pixels that a rectangle of the head plane touches, within `inside`."""
        spots = [self.plane_to_pixel(p, q) for p, q in ((p0, q0), (p1, q0), (p0, q1), (p1, q1))]
        xs, ys = [x for x, _ in spots], [y for _, y in spots]
        return clip_window(min(xs), max(xs), min(ys), max(ys), inside)


def clip_window(x0: float, x1: float, y0: float, y1: float, inside: Window) -> Window:
    """The whole-pixel window around a box, one pixel wider, cut to `inside`."""
    return Window(max(inside.y0, math.floor(y0) - 1), min(inside.y1, math.ceil(y1) + 2),
                  max(inside.x0, math.floor(x0) - 1), min(inside.x1, math.ceil(x1) + 2))


def crop_camera(yaw: float, pitch: float, five: np.ndarray, roll: float, scale: float,
                shift: tuple[float, float], size: int) -> Camera:
    """The camera of a portrait crop. `five`: landmarks (5, 2) in head coordinates.

    Upright eye line plus `roll`, side 2·max(2·|eye to eye|, 1.8·|eye to mouth|) divided by `scale`, centre at the
    eyes plus 0.35 of the way to the mouth, moved by `shift` (shares of the side).
    """
    level = Camera(1.0, 0.0, yaw, pitch, 0.0, 0.0)
    points = np.array([level.turn(float(u), float(v)) for u, v in five])
    eyes, mouth = points[:2].mean(0), points[3:].mean(0)
    across, down = points[1] - points[0], mouth - eyes
    side = 2.0 * max(2.0 * float(np.hypot(*across)), 1.8 * float(np.hypot(*down)))
    angle = roll - math.atan2(float(across[1]), float(across[0]))
    unit = size / side * scale
    centre = eyes + 0.35 * down
    c, s = math.cos(angle) * unit, math.sin(angle) * unit
    half = (size - 1) / 2.0
    tx = half + shift[0] * size - (c * float(centre[0]) - s * float(centre[1]))
    ty = half + shift[1] * size - (s * float(centre[0]) + c * float(centre[1]))
    return Camera(unit, angle, yaw, pitch, tx, ty)
