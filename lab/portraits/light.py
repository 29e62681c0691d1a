"""The scene's light: a key from one side plus soft ambient, in linear light."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .canvas import HUGE, gradient
from .scene import Scene

SOFTNESS = np.array([0.34, 0.22, 0.15], np.float32)
"""Wrap of the key round a shape per channel: red light travels farther through skin."""


@dataclass(frozen=True, eq=False)
class Light:
    """Direction towards the light (x right, y down, z to the viewer) and colours, linear (3,) each."""

    x: float
    y: float
    z: float
    key: np.ndarray
    ambient: np.ndarray

    def flat(self) -> np.ndarray:
        """The light on a surface that faces the viewer, (3,)."""
        return self.ambient + self.key * self.z

    def shade(self, normal: tuple[np.ndarray, np.ndarray, np.ndarray], occlusion: np.ndarray | float = 1.0,
              key_share: np.ndarray | float = 1.0, wrap: np.ndarray = SOFTNESS) -> np.ndarray:
        """Light on a surface with unit normals, (3, h, w). `key_share`: 0 in cast shadow, 1 in the light."""
        nx, ny, nz = normal
        facing = nx * self.x + ny * self.y + nz * self.z
        sky = (0.80 - 0.20 * ny) * occlusion
        out = np.empty((3, *facing.shape), np.float32)
        for channel in range(3):
            soft = float(wrap[channel])
            lit = ((facing + soft) * (1.0 / (1.0 + soft))).clip(0.0, HUGE)
            lit *= key_share
            lit *= float(self.key[channel])
            out[channel] = lit + sky * float(self.ambient[channel])
        return out

    def gloss(self, normal: tuple[np.ndarray, np.ndarray, np.ndarray]) -> np.ndarray:
        """Mirror-like share (half vector to the 16th power), (h, w)."""
        hx, hy, hz = self.x, self.y, self.z + 1.0
        length = (hx * hx + hy * hy + hz * hz) ** 0.5
        nx, ny, nz = normal
        t = (nx * (hx / length) + ny * (hy / length) + nz * (hz / length)).clip(0.0, HUGE)
        for _ in range(4):
            t = t * t
        return t


def scene_light(scene: Scene) -> Light:
    """The light of a scene."""
    x, y = scene.light_x, -scene.light_y
    z = 0.62
    length = (x * x + y * y + z * z) ** 0.5
    warm = np.array([1.0 + 0.13 * scene.warmth, 1.0, 1.0 - 0.17 * scene.warmth], np.float32)
    cool = np.array([1.0 - 0.05 * scene.warmth, 1.0, 1.0 + 0.07 * scene.warmth], np.float32)
    key = 1.32 * scene.light * scene.bright
    ambient = (0.96 - 0.92 * scene.light) * scene.bright
    return Light(x / length, y / length, z / length, (warm * key).astype(np.float32),
                 (cool * ambient).astype(np.float32))


def normals(height: np.ndarray, unit: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Unit normals of a height field in head units; `unit`: pixels per head unit."""
    gx, gy = gradient(height)
    gx *= -unit
    gy *= -unit
    scale = 1.0 / np.sqrt(gx * gx + gy * gy + 1.0)
    return gx * scale, gy * scale, scale


def linear(colour: tuple[float, float, float] | np.ndarray) -> np.ndarray:
    """Display colour to linear light (gamma 2), float32."""
    value = np.asarray(colour, np.float32)
    return value * value
