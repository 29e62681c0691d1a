"""Hair: what frames the face, in front of it and behind it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .camera import Camera
from .canvas import HUGE, Canvas, coverage, smooth
from .light import Light, linear
from .scene import Scene
from .shape import Face
from .texture import cloud_table, lookup, strands

MIDDLE = -0.22
"""Height of the middle of the skull's cap."""


@dataclass(frozen=True)
class Style:
    """`side`, `top`: thickness beyond the skull; `length`: lower end (v); `taper`: how fast the sides close in below
    the cap; `temple`, `flare`: half width of the opening at the temples and its growth downwards; `front`: where the
    front edge lies between hairline (0) and brows (1); `sweep`: slant of the front edge; `curl`: lumps of the outline;
    `ears`: whether the ears show; `back`: hair behind neck and shoulders."""

    side: float
    top: float
    length: float
    taper: float
    temple: float
    flare: float
    front: float = 0.0
    sweep: float = 0.0
    curl: float = 0.0
    ears: bool = True
    back: bool = False


STYLES = {
    "buzz": Style(0.05, 0.08, 0.10, 0.10, 0.90, 0.22),
    "short": Style(0.11, 0.22, 0.14, 0.12, 0.88, 0.26, 0.18, 0.10),
    "side": Style(0.12, 0.27, 0.16, 0.12, 0.87, 0.26, 0.12, 0.55),
    "quiff": Style(0.07, 0.40, 0.10, 0.12, 0.86, 0.24, -0.10, 0.0),
    "curly": Style(0.20, 0.34, 0.20, 0.06, 0.86, 0.26, 0.22, 0.0, 0.06),
    "bob": Style(0.26, 0.26, 1.40, -0.10, 0.86, 0.06, 0.10, 0.35, 0.0, False, True),
    "fringe": Style(0.24, 0.26, 1.55, -0.06, 0.90, 0.04, 0.80, 0.0, 0.0, False, True),
    "long": Style(0.22, 0.24, 2.9, -0.10, 0.86, 0.06, 0.0, 0.45, 0.0, False, True),
    "wavy": Style(0.30, 0.30, 2.7, -0.16, 0.85, 0.07, 0.05, 0.40, 0.0, False, True),
    "afro": Style(0.52, 0.56, 0.75, 0.42, 0.90, 0.10, 0.05, 0.0, 0.05, False, True),
    "bun": Style(0.09, 0.18, 0.12, 0.12, 0.88, 0.24, 0.0, 0.12),
    "ponytail": Style(0.09, 0.18, 0.12, 0.12, 0.88, 0.24, 0.06, 0.30),
    "swept": Style(0.16, 0.30, 0.60, 0.06, 0.88, 0.16, 0.30, 0.75, 0.0, False, True),
}


class Hair:
    """The hair of one person on one canvas. Distances in head units, negative inside."""

    def __init__(self, canvas: Canvas, camera: Camera, face: Face, scene: Scene, head: tuple[np.ndarray, np.ndarray],
                 hat_line: np.ndarray | None, light: Light) -> None:
        self.style = STYLES[scene.hair]
        self.canvas, self.camera, self.face, self.scene = canvas, camera, face, scene
        self.pixel = 1.0 / camera.unit
        side = self.style.side * (1.0 + 0.25 * scene.hair_volume)
        self.width = face.width + (side if hat_line is None else min(side, 0.15))
        low = 2.7 if scene.hair == "ponytail" else self.style.length + 0.5
        reach = self.width + 0.45 - min(0.0, 1.3 * self.style.taper) * self.style.length
        self.window = camera.window(-reach, reach, -2.6, low, canvas.window)
        rows, columns = self.window.slices
        self.u, self.v = head[0][rows, columns], head[1][rows, columns]
        self.lumps = self._lumps() if self.style.curl else None
        self.outer = self._outer()
        if hat_line is not None:
            self.outer = np.maximum(self.outer, -hat_line[rows, columns])
        self.front = np.maximum(self.outer, -self._opening())
        self.colour = self._strands(light)

    def _lumps(self) -> np.ndarray:
        """Lumps of the outline by direction only, so that none comes loose."""
        u, v = self.u, self.v - MIDDLE
        scale = 1.0 / np.sqrt(u * u + v * v + 0.01)
        noise = lookup(cloud_table(), u * scale + self.scene.grain % 97 * 0.031, v * scale, 130.0)
        return noise.clip(-1.4, 1.4)

    def _outer(self) -> np.ndarray:
        style, u, v = self.style, self.u, self.v
        height = (-1.55 - MIDDLE) * -1 + style.top * (1.0 + 0.3 * self.scene.hair_volume)
        up = (v - MIDDLE).clip(-HUGE, 0.0) * (1.0 / height)
        down = (v - MIDDLE).clip(0.0, HUGE)
        wave = 0.0
        if self.scene.hair == "wavy":
            wave = 0.05 * np.sin(down * 7.0 + (u > 0) * 1.3 + self.scene.grain % 7) * smooth(down, 0.2, 0.9)
        width = self.width - style.taper * down * (1.3 if style.back else 2.2) * (down * 2.0).clip(-HUGE, 1.0) + wave
        cap = (np.sqrt((u / width) ** 2 + up * up) - 1.0) * self.width
        end = v - style.length - (0.10 if style.back else 0.0) * np.cos(u * 1.6)
        outer = _smooth_max(cap, end, 0.22 if style.back else 0.06)
        if self.lumps is not None:
            outer = outer + style.curl * self.lumps * smooth(outer, -0.35, -0.05)
        return outer

    def _opening(self) -> np.ndarray:
        """Distance of the face's opening, negative where the face shows."""
        style, u, v, face = self.style, self.u, self.v, self.face
        part = self.scene.hair_part
        side = 1.0 if part > 0 else -1.0
        front = face.hairline + (0.62 * style.front if style.front > 0 else 0.5 * style.front)
        slant = style.sweep * 0.42 * smooth(u * side, 0.75, -0.95) - style.sweep * 0.16
        fringe = 0.022 if style.front > 0.1 else 0.010
        ragged = strands(u * 0.16 + 0.02 * v, (self.scene.grain % 101) * 0.01) * fringe
        top = front + slant + 0.20 * u * u + ragged
        half = style.temple * face.width + style.flare * (v + 0.35).clip(-0.3, HUGE) + 0.012 * ragged / fringe
        if self.lumps is not None:
            top = top + style.curl * 0.8 * self.lumps
        return _smooth_max(np.abs(u) - half, top - v, 0.40 if style.front < 0.5 else 0.18)

    def light_through(self) -> np.ndarray:
        """Share of the key light that reaches the face beside the hair, (H, W)."""
        share = np.ones(self.canvas.person.shape, np.float32)
        share[self.window.slices] -= 0.55 * smooth(self.front, 0.26, -0.02)
        return share

    def paint_back(self) -> None:
        """The hair behind neck and shoulders, a bun, a tail."""
        colour, window = self.colour, self.window
        if self.style.back:
            self.canvas.over(window, coverage(self.outer, self.pixel), colour * 0.42, "hair")
        if self.scene.hair == "bun" and not self.scene.hat:
            ball = np.sqrt(self.u**2 + (self.v + 1.92) ** 2) - 0.42
            self.canvas.over(window, coverage(ball, self.pixel), colour * smooth(ball, 0.08, -0.3)[None] * 0.9, "hair")
        if self.scene.hair == "ponytail":
            side = 1.0 if self.scene.hair_part > 0 else -1.0
            x = self.u * side - 0.80 - 0.16 * np.sin((self.v + 0.2) * 1.5)
            width = 0.30 - 0.07 * (self.v - 0.6).clip(-1.0, 3.0)
            tail = np.maximum(np.maximum(np.abs(x) - width, -0.9 - self.v), self.v - 2.5)
            self.canvas.over(window, coverage(tail, self.pixel), colour * 0.62, "hair")

    def paint_front(self) -> None:
        """The hair before the face."""
        if self.scene.hair == "buzz":
            alpha = 0.86 * smooth(self.front, 0.05, -0.09)
        else:
            alpha = coverage(self.front, self.pixel + 0.012)
        self.canvas.over(self.window, alpha, self.colour, "hair", in_front=True)

    def _strands(self, light: Light) -> np.ndarray:
        """The lit hair, linear (3, H, W)."""
        u, v, scene = self.u, self.v, self.scene
        down = (v - MIDDLE).clip(0.0, HUGE)
        if self.lumps is not None and self.style.curl < 0.07:
            shift = scene.grain % 97 * 0.031
            fine = lookup(cloud_table(), u * 1.7, v * 1.7 + 0.5, 150.0)
            value = 0.6 * lookup(cloud_table(), u + shift, v, 120.0) + 0.5 * fine
        else:
            start = 0.35 * scene.hair_part
            fall = (v + 1.6).clip(0.0, HUGE)
            across = (u - start) / (0.70 + 1.5 * fall / (fall + 0.9))
            value = strands(across * 0.20 + 0.012 * np.sin(down * 4.0), (scene.grain % 89) * 0.011)
            value = value + 0.5 * strands(across * 0.47, 0.4)
        rim = (-self.outer * (1.0 / 0.50)).clip(0.0, 1.0)
        nz = 0.25 + 0.75 * np.sqrt((rim * (2.0 - rim)).clip(0.0, HUGE))
        flat = np.sqrt((1.0 - nz * nz).clip(0.0, HUGE))
        nx = (u * (1.0 / self.width)).clip(-1.0, 1.0) * 0.75
        ny = ((v - 0.1) * 0.6).clip(-1.0, 0.25) * (0.35 + flat)
        edge = 0.58 + 0.42 * smooth(self.front, 0.0, -0.20)
        lit = light.shade((nx, ny, nz), edge, edge, wrap=np.array([0.2, 0.2, 0.2], np.float32))
        band = smooth(np.abs(v + 0.78 + 0.10 * light.x * u - 0.16 * u * u + 0.02 * value), 0.34, 0.0)
        base = linear(scene.hair_colour)
        texture = (1.0 + 0.17 * value).clip(0.4, 1.6)
        colour = base[:, None, None] * lit * texture
        colour += (band * (0.6 + 0.55 * value).clip(0.0, 2.0) * nz)[None] * (
            (0.05 + 0.22 * base) * light.key * 0.55)[:, None, None]
        return colour


def _smooth_max(a: np.ndarray, b: np.ndarray, k: float) -> np.ndarray:
    """Maximum with a corner rounded over `k`."""
    h = (k - np.abs(a - b)).clip(0.0, HUGE)
    return np.maximum(a, b) + h * h * (0.25 / k)
