"""The face's skin while it is modelled: relief, colour and shadow, to be lit once at the end."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .camera import Camera, Window


@dataclass(frozen=True, eq=False)
class Patch:
    """A small rectangle of the surface: index into its arrays and the head coordinates there."""

    index: tuple[slice, slice]
    u: np.ndarray
    v: np.ndarray

    @property
    def empty(self) -> bool:
        return self.u.size == 0


class Surface:
    """Arrays over the face's window: `albedo` (3, h, w) linear; `height` in head units; `occlusion` and `key`
    multiply ambient and key light; `gloss` the strength of reflections; `glint` light added on top; `features`
    coverage of eyes, brows, nose, mouth (4, h, w)."""

    def __init__(self, camera: Camera, window: Window, u: np.ndarray, v: np.ndarray, pixel: float) -> None:
        self.camera, self.window, self.u, self.v, self.pixel = camera, window, u, v, pixel
        shape = u.shape
        self.albedo = np.empty((3, *shape), np.float32)
        self.height = np.zeros(shape, np.float32)
        self.occlusion = np.ones(shape, np.float32)
        self.key = np.ones(shape, np.float32)
        self.gloss = np.full(shape, 0.05, np.float32)
        self.glint = np.zeros(shape, np.float32)
        self.features = np.zeros((4, *shape), np.float32)

    def patch(self, u0: float, u1: float, v0: float, v1: float) -> Patch:
        """The part of the surface that a rectangle of head coordinates touches."""
        w = self.camera.window(u0, u1, v0, v1, self.window)
        rows = slice(w.y0 - self.window.y0, max(w.y0, w.y1) - self.window.y0)
        columns = slice(w.x0 - self.window.x0, max(w.x0, w.x1) - self.window.x0)
        return Patch((rows, columns), self.u[rows, columns], self.v[rows, columns])

    def tint(self, patch: Patch, alpha: np.ndarray, colour: np.ndarray) -> None:
        """Lay a colour ((3,) or (3, h, w), linear) over a patch."""
        part = self.albedo[:, patch.index[0], patch.index[1]]
        if colour.ndim == 1:
            colour = colour[:, None, None]
        part += alpha * (colour - part)

    def stain(self, patch: Patch, strength: np.ndarray, keep: tuple[float, float, float]) -> None:
        """Multiply the colour by `keep` where `strength` (h, w) is 1."""
        for channel in range(3):
            part = self.albedo[channel][patch.index]
            part *= 1.0 - strength * (1.0 - keep[channel])

    def bump(self, patch: Patch, height: np.ndarray) -> None:
        """Raise the relief of a patch (head units)."""
        self.height[patch.index] += height

    def occlude(self, patch: Patch, amount: np.ndarray) -> None:
        """Take `amount` (0…1) of the ambient light away, and some of the key."""
        self.occlusion[patch.index] *= 1.0 - amount
        self.key[patch.index] *= 1.0 - 0.6 * amount

    def shadow(self, patch: Patch, amount: np.ndarray) -> None:
        """Take `amount` (0…1) of the key light away."""
        self.key[patch.index] *= 1.0 - amount
