"""From linear light to the finished picture: display curve, slight blur, sensor noise, JPEG."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from .canvas import HUGE, clamp
from .scene import Scene


def finish(rgb: np.ndarray, scene: Scene, size: int) -> np.ndarray:
    """(3, H, W) linear to (H, W, 3) float32 in [0, 1]. Blur scales with `size`; noise and JPEG do not."""
    rgb.clip(0.0, HUGE, out=rgb)
    knee = rgb.clip(0.0, 0.7)
    over = rgb - knee
    over /= 1.0 + 1.4 * over
    over += knee
    display = np.sqrt(over, out=over)
    if scene.blur > 0.02:
        display = _blur(display, scene.blur * size / 128.0)
    if scene.noise > 0.0:
        rng = np.random.default_rng(scene.grain)
        grain = rng.standard_normal(display.shape[1:], dtype=np.float32)
        grain *= scene.noise
        display += grain
    image = np.ascontiguousarray(clamp(display).transpose(1, 2, 0))
    if scene.jpeg:
        image = _jpeg(image, scene.jpeg)
    return image


def _blur(planes: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur of (3, H, W) with edge values held."""
    radius = max(1, int(np.ceil(2.5 * sigma)))
    taps = np.exp(-0.5 * (np.arange(-radius, radius + 1) / max(sigma, 1e-3)) ** 2)
    taps = (taps / taps.sum()).astype(np.float32)
    for axis in (1, 2):
        pad = [(0, 0), (0, 0), (0, 0)]
        pad[axis] = (radius, radius)
        wide = np.pad(planes, pad, mode="edge")
        length = planes.shape[axis]
        planes = sum(tap * (wide[:, k:k + length] if axis == 1 else wide[:, :, k:k + length])
                     for k, tap in enumerate(taps.tolist()))
    return planes.astype(np.float32)


def _jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    """The picture after one JPEG round trip."""
    store = io.BytesIO()
    Image.fromarray((image * 255.0 + 0.5).astype(np.uint8)).save(store, "JPEG", quality=quality)
    return np.asarray(Image.open(store), np.float32) * np.float32(1.0 / 255.0)
