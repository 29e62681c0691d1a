"""What is behind the people, and what they wear."""

from __future__ import annotations

import math

import numpy as np

from .camera import Window, clip_window
from .canvas import HUGE, Canvas, blob, coverage, smooth
from .light import Light, linear
from .scene import Scene
from .texture import cloud_table, lookup


def paint_backdrop(canvas: Canvas, scene: Scene, scale: float) -> None:
    """Fill the canvas. `scale`: pixels that one backdrop unit has (a 128-pixel picture has 128)."""
    height, width = canvas.window.y1, canvas.window.x1
    x = ((np.arange(width, dtype=np.float32) + 0.5) * (1.0 / scale))[None]
    y = ((np.arange(height, dtype=np.float32) + 0.5) * (1.0 / scale))[:, None]
    first, second = linear(scene.backdrop_colour), linear(scene.backdrop_second)
    phase = (scene.grain % 1009) / 1009.0 + 0.01 * scene.detail
    kind = scene.backdrop
    far, near = width / scale, height / scale
    if kind == "plain":
        mix = 0.25 * smooth(np.hypot(x - 0.5 * far, y - 0.4 * near), 0.2, 0.9)
    elif kind == "gradient":
        mix = smooth(y + (phase - 0.5) * 0.8 * x, 0.0, 1.1)
    elif kind == "outdoors":
        line = 0.48 + 0.2 * phase
        mix = 0.85 * smooth(y + 0.03 * np.sin(x * 9.0 + phase * 20), line - 0.06, line + 0.06) + 0.15 * y
    elif kind == "window":
        left = phase * 0.7
        pane = smooth(np.abs(x - left - 0.18), 0.20, 0.17) * smooth(y, 0.85, 0.80) * (
            1.0 - 0.6 * smooth(np.abs(x - left - 0.18), 0.014, 0.006))
        mix = 1.0 - pane
    elif kind == "wall":
        across = x * math.cos(phase * 3.0) + y * math.sin(phase * 3.0)
        mix = 0.2 + 0.2 * (np.sin(across * (18.0 + 20.0 * phase)) * 2.5).clip(-1.0, 1.0)
    elif kind == "shelves":
        rows = np.floor(y * 5.0 + phase)
        books = np.sin(np.floor(x * 22.0 + rows * 3.7) * 12.9898 + rows * 4.1 + phase * 30.0)
        mix = 0.45 + 0.4 * books
        mix = np.where((y * 5.0 + phase) % 1.0 < 0.12, 1.0, mix)
    else:
        mix = smooth(x * 0.6 + y, 0.1, 1.4)
    mix = np.broadcast_to(mix, (height, width)).astype(np.float32)
    canvas.rgb[:] = first[:, None, None] + (second - first)[:, None, None] * mix
    if kind == "bokeh":
        _bokeh(canvas, scene, scale, far, near)
    lumps = lookup(cloud_table(), x + phase, y + 0.0 * x, 300.0)
    canvas.rgb *= (0.92 + 0.03 * lumps) * (1.06 - 0.25 * (y - 0.5 * near) ** 2)


def _bokeh(canvas: Canvas, scene: Scene, scale: float, far: float, near: float) -> None:
    rng = np.random.default_rng(scene.grain)
    light = np.sqrt(np.maximum(linear(scene.backdrop_colour), linear(scene.backdrop_second)))
    for _ in range(7):
        cx, cy, r = rng.uniform(0, far), rng.uniform(0, near), rng.uniform(0.05, 0.14)
        tint = (light * rng.uniform(0.6, 1.3, 3)).astype(np.float32)
        window = clip_window((cx - r) * scale, (cx + r) * scale, (cy - r) * scale, (cy + r) * scale, canvas.window)
        if window.empty:
            continue
        xs = (np.arange(window.x0, window.x1, dtype=np.float32) + 0.5)[None] * (1.0 / scale) - np.float32(cx)
        ys = (np.arange(window.y0, window.y1, dtype=np.float32) + 0.5)[:, None] * (1.0 / scale) - np.float32(cy)
        disc = 0.55 * ((r - np.sqrt(xs * xs + ys * ys)) * (1.0 / 0.02)).clip(0.0, 1.0)
        rows, columns = window.slices
        part = canvas.rgb[:, rows, columns]
        part += disc * (np.minimum(tint, 0.95)[:, None, None] - part)


def paint_clothes(canvas: Canvas, body: tuple[np.ndarray, np.ndarray], scene: Scene, light: Light,
                  pixel: float) -> None:
    """Shoulders and clothes. `body`: body coordinates (p, q) in head units; `pixel`: one pixel in head units."""
    first_row = int(np.argmax(body[1].max(1) > 1.95)) if float(body[1].max()) > 1.95 else canvas.window.y1
    window = Window(first_row, canvas.window.y1, 0, canvas.window.x1)
    if window.empty:
        return
    p, q = body[0][first_row:], body[1][first_row:]
    side = np.abs(p)
    top = 2.06 + 0.32 * smooth(side, 0.5, 2.0) + 0.10 * (side - 1.2).clip(0.0, HUGE) ** 2
    neck = {"crew": 0.30, "vee": 0.78, "shirt": 0.42, "hood": 0.12, "stripes": 0.34}[scene.clothes]
    if scene.clothes in ("vee", "shirt"):
        cut = neck * (1.0 - side * (1.0 / 0.62)).clip(0.0, HUGE)
    else:
        cut = neck * (1.0 - (side * (1.0 / 0.70)) ** 2).clip(0.0, HUGE)
    distance = (top + cut - q) * 0.80
    alpha = coverage(distance, pixel)
    depth = -distance
    folds = lookup(cloud_table(), p * 0.8 + (scene.grain % 13), q * 0.45, 90.0)
    nx = (p * 0.28).clip(-0.8, 0.8) + 0.10 * folds
    ny = -0.55 * smooth(depth, 0.5, 0.0)
    nz = np.sqrt((1.0 - nx * nx - ny * ny).clip(0.05, HUGE))
    first, second = linear(scene.clothes_colour), linear(scene.clothes_second)
    hem = smooth(depth, 0.13, 0.10)
    if scene.clothes == "stripes":
        mix = (np.sin(q * 16.0 + 0.5 * side) * 3.0 + 0.5).clip(0.0, 1.0)
    elif scene.clothes == "shirt":
        mix = smooth(depth, 0.30, 0.27) * smooth(side, 0.95, 0.90)
    elif scene.clothes == "hood":
        mix = 0.35 * smooth(np.abs(depth - 0.24), 0.03, 0.0)
    else:
        mix = 0.8 * hem * smooth(side, 0.9, 0.8)
    colour = first[:, None, None] + (second - first)[:, None, None] * mix
    crease = 1.0 - 0.20 * smooth(np.abs(depth - 0.14), 0.05, 0.0) * (side < 0.95)
    under = 1.0 - 0.30 * blob(p, q - 2.1, 1.0, 0.55)
    canvas.over(window, alpha, colour * light.shade((nx, ny, nz), crease * under, under))
