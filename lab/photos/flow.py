"""Dense registration of two pictures of one face: where each place of one is found in the other.

Coarse to fine, Lucas and Kanade's (1981) least squares in a Gaussian window at every pixel, repeated from the place
found so far (Bouguet 2000).
"""
from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

WINDOW = 3.5
"""Standard deviation of the window in pixels of each level."""
LEVELS = (8, 4, 2)
"""The sides are divided by these, coarse first; the flow of faces is smooth, so that the last is fine enough."""
ROUNDS = 4
STIFFNESS = 0.02
"""Share of a picture's mean energy that plain skin is taken to have: it follows what is around it."""


def flow(target: Array, source: Array, smooth: float = 4.0, most: float = 9.0) -> Array:
    """(H, W, 2) displacement x, y in pixels: target at p shows what source shows at p + flow.

    target, source: (H, W), of mean 0 and even contrast. smooth: standard deviation of a last smoothing. most: longest
    displacement; longer ones are cut to it.
    """
    height, width = target.shape
    found = np.zeros((height, width, 2), np.float32)
    for factor in LEVELS:
        small = [_shrunk(picture, factor) for picture in (target, source)]
        at = np.stack([_resized(found[..., axis], small[0].shape) for axis in (0, 1)], -1) / factor
        for _ in range(ROUNDS):
            at = blur(at + _step(small[0], moved(small[1], at)), 1.0)
        found = np.stack([_resized(at[..., axis], (height, width)) for axis in (0, 1)], -1) * factor
    found = blur(found, smooth)
    length = np.linalg.norm(found, axis=-1, keepdims=True)
    return (found * np.minimum(1, most / np.maximum(length, 1e-6))).astype(np.float32)


def moved(picture: Array, by: Array) -> Array:
    """The picture (H, W) read at every pixel's place plus `by` (H, W, 2)."""
    y, x = np.mgrid[:picture.shape[0], :picture.shape[1]].astype(np.float32)
    return np.asarray(cv2.remap(picture, x + by[..., 0], y + by[..., 1], cv2.INTER_LINEAR,
                                borderMode=cv2.BORDER_REPLICATE))


def blur(picture: Array, sigma: float) -> Array:
    """A Gaussian mean of (H, W) or (H, W, C)."""
    return np.asarray(cv2.GaussianBlur(picture.astype(np.float32), (0, 0), sigma, borderType=cv2.BORDER_REPLICATE))


def _step(target: Array, source: Array) -> Array:
    """The displacement that one least-squares fit adds; at most a pixel."""
    gy, gx = np.gradient((target + source) / 2)
    off = target - source
    xx, xy, yy, xt, yt = (blur(v, WINDOW) for v in (gx * gx, gx * gy, gy * gy, gx * off, gy * off))
    calm = STIFFNESS * float((xx + yy).mean()) + 1e-9
    xx, yy = xx + calm, yy + calm
    scale = 1 / (xx * yy - xy * xy)
    step = np.stack([(yy * xt - xy * yt) * scale, (xx * yt - xy * xt) * scale], -1)
    length = np.linalg.norm(step, axis=-1, keepdims=True)
    return step * np.minimum(1, 1 / np.maximum(length, 1e-6))


def _shrunk(picture: Array, factor: int) -> Array:
    height, width = (side // factor * factor for side in picture.shape)
    return picture[:height, :width].reshape(height // factor, factor, width // factor, factor).mean((1, 3))


def _resized(picture: Array, shape: tuple[int, ...]) -> Array:
    return np.asarray(cv2.resize(picture.astype(np.float32), shape[::-1], interpolation=cv2.INTER_LINEAR))
