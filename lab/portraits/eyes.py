"""Eyes and brows."""

from __future__ import annotations

import math

import numpy as np

from .canvas import HUGE, blob, coverage, smooth
from .identity import Identity
from .light import Light, linear
from .scene import Scene
from .shape import Brow, Eye, Face
from .surface import Surface
from .texture import strands

IRIS_COLOURS = np.array([[.17, .09, .05], [.31, .17, .08], [.44, .31, .14], [.40, .42, .22], [.33, .47, .40],
                         [.34, .50, .64], [.50, .60, .68]])


def iris_colour(person: Identity) -> np.ndarray:
    """Linear colour (3,) along brown, hazel, green, blue, grey."""
    t = float(np.clip((person.iris_hue + 1.7321) / 3.4642, 0.0, 1.0)) * (len(IRIS_COLOURS) - 1)
    low = min(int(t), len(IRIS_COLOURS) - 2)
    mixed = IRIS_COLOURS[low] + (t - low) * (IRIS_COLOURS[low + 1] - IRIS_COLOURS[low])
    return linear(np.clip(mixed * (1.0 + 0.26 * person.iris_light), 0.02, 0.95))


def model_eye(surface: Surface, eye: Eye, person: Identity, scene: Scene, light: Light) -> None:
    """Socket, lids, lashes, the eyeball with its iris."""
    half = eye.half
    patch = surface.patch(eye.u - 0.62, eye.u + 0.62, eye.v - 0.44, eye.v + 0.48)
    if patch.empty:
        return
    c, s = math.cos(eye.tilt), math.sin(eye.tilt)
    du, dv = (patch.u - eye.u) * eye.side, patch.v - eye.v
    x, y = du * c - dv * s, du * s + dv * c
    pixel = surface.pixel
    depth = 1.0 + 0.32 * person.eye_depth
    surface.bump(patch, (-0.085 * depth) * blob(x, y + 0.06, 0.52, 0.34) + 0.06 * blob(x, y, 0.34, 0.26))
    surface.occlude(patch, 0.26 * depth * blob(x + 0.22, y + 0.08, 0.36, 0.28) + 0.10 * blob(x, y + 0.16, 0.42, 0.18))
    bags = 0.13 + 0.12 * max(-1.0, person.eye_bags) + 0.03 * max(0.0, person.age_lines)
    pouch = blob(x + 0.03, y - 0.24, 0.34, 0.075)
    surface.stain(patch, bags * (1.6 * blob(x + 0.08, y - 0.20, 0.36, 0.16) + 1.8 * pouch), (0.62, 0.52, 0.56))
    surface.bump(patch, (0.012 + 0.012 * max(-1.0, person.eye_bags)) * blob(x + 0.02, y - 0.185, 0.30, 0.07))

    patch = surface.patch(eye.u - half - 0.12, eye.u + half + 0.12, eye.v - 0.34, eye.v + 0.28)
    du, dv = (patch.u - eye.u) * eye.side, patch.v - eye.v
    x, y = du * c - dv * s, du * s + dv * c
    t = x * (1.0 / half)
    arc = 1.0 - t * t
    skew = 1.0 - 0.22 * t
    top, bottom = -eye.upper * arc * skew, eye.lower * arc * (1.0 + 0.2 * t)
    steep = np.abs(t).clip(-HUGE, 1.3) * (2.0 / half)
    above = (y - top) / np.sqrt(1.0 + (steep * eye.upper) ** 2)
    below = (bottom - y) / np.sqrt(1.0 + (steep * eye.lower) ** 2)
    opening = coverage(-np.minimum(above, below), pixel)
    inside = np.abs(t) < 1.25

    fold = 0.056 + 0.025 * person.lid_fold
    crease = y - (-eye.upper * (1.0 - 0.62 * t * t) * skew - fold)
    reach = smooth(np.abs(t), 1.35, 0.75)
    surface.stain(patch, 0.55 * reach * blob(crease, 0.0 * t, 0.032, 1.0), (0.45, 0.36, 0.34))
    lid = reach * smooth(crease, -0.01, 0.02) * (y < top + 0.02)
    surface.stain(patch, 0.16 * lid, (0.72, 0.62, 0.60))
    lash_thick = 0.026 + 0.018 * (t + 0.3).clip(0.0, 1.3)
    lash = smooth(np.abs(above + 0.006), 1.0, 0.0) * coverage(np.abs(above + 0.010) - lash_thick * 0.62, pixel)
    lash = np.where(inside & (y < bottom + 0.01), lash * smooth(np.abs(t), 1.24, 1.02), 0.0)
    under = np.where(inside, coverage(np.abs(below + 0.008) - 0.007, pixel * 1.3) * smooth(np.abs(t), 1.1, 0.8), 0.0)
    surface.stain(patch, 0.42 * under, (0.42, 0.30, 0.28))

    ix = (0.40 * half * scene.gaze_x) * eye.side
    iy = -0.004 - 0.028 * scene.gaze_y + 0.25 * (eye.lower - eye.upper)
    rx, ry = x - ix, y - iy
    radius = np.sqrt(rx * rx + ry * ry)
    size = 0.118
    ball = 1.0 - 0.30 * smooth(np.abs(t), 0.4, 1.1)
    lid_shade = 1.0 - 0.45 * smooth(above, 0.075, 0.0)
    white = np.array([0.80, 0.765, 0.745], np.float32)[:, None, None] * (ball * lid_shade)
    pink = smooth(t, -0.72, -0.98)
    white[1] *= 1.0 - 0.42 * pink
    white[2] *= 1.0 - 0.42 * pink
    colour = iris_colour(person)[:, None, None]
    glow = 0.62 + 0.55 * smooth(ry, -0.06, 0.09) + 0.22 * strands(np.arctan2(ry, rx) * 0.12, 0.3) * 0.5
    ring = 1.0 - 0.66 * smooth(radius, 0.72 * size, 0.98 * size)
    iris = colour * (glow.clip(0.2, HUGE) * ring * (0.45 + 0.55 * lid_shade))
    iris *= 1.0 - 0.94 * coverage(radius - 0.047, pixel)
    disc = coverage(radius - size, pixel * 1.2)
    white += disc * (iris - white)
    surface.tint(patch, opening, white)
    surface.tint(patch, lash * 0.92, linear((0.10, 0.07, 0.06)))
    surface.features[0][patch.index] = np.maximum(surface.features[0][patch.index], np.maximum(opening, lash * inside))
    surface.gloss[patch.index] *= 1.0 - opening
    gx, gy = rx - 0.045 * (1 if light.x > 0 else -1) * eye.side, ry + 0.045
    spark = coverage(np.sqrt(gx * gx + gy * gy) - 0.026, pixel * 1.3)
    surface.glint[patch.index] += opening * (0.85 * spark * disc + 0.05 * disc * blob(rx + 0.04, ry - 0.05, 0.06, 0.05))


def model_brow(surface: Surface, brow: Brow, person: Identity, colour: np.ndarray) -> None:
    """One brow: short hairs along an arched, tapering line. `colour`: linear (3,)."""
    side, length = brow.side, brow.length
    u0, u1 = sorted((side * (brow.inner - 0.08), side * (brow.inner + length + 0.08)))
    rise = brow.arch + abs(brow.slope) + 0.13
    patch = surface.patch(u0, u1, brow.v - rise, brow.v + rise)
    if patch.empty:
        return
    t = (patch.u * side - brow.inner) * (1.0 / length)
    held = t.clip(0.0, 1.0)
    line = brow.v - brow.arch * np.sin(math.pi * held**1.3) - brow.slope * held
    y = patch.v - line
    thick = brow.thick * (0.80 + 0.55 * held - 1.25 * held * held * held) + 0.008
    over = np.maximum(-t, t - 1.0).clip(0.0, HUGE) * length
    distance = np.sqrt(y * y + over * over) - thick
    hairs = strands(t * 0.34 + y * (0.9 - 1.5 * held), 0.17 * side)
    soft = (0.55 - distance * (1.0 / (0.030 + surface.pixel))).clip(0.0, 1.0)
    alpha = (soft * (0.84 + 0.20 * hairs)).clip(0.0, 1.0) * (0.72 + 0.10 * person.brow_dark)
    surface.bump(patch, 0.035 * blob(t - 0.4, y - 0.01, 0.7, 0.16))
    surface.tint(patch, alpha.clip(-HUGE, 0.95), colour)
    surface.features[1][patch.index] = np.maximum(surface.features[1][patch.index],
                                                  coverage(distance - 0.01, surface.pixel))


def model_eyes(surface: Surface, face: Face, person: Identity, scene: Scene, light: Light) -> None:
    """Both eyes and brows."""
    t = (person.brow_dark + 2.0) * 0.25
    hair = np.array([0.50, 0.36, 0.24]) * (1.0 - t) + np.array([0.09, 0.07, 0.06]) * t
    for brow in face.brows:
        model_brow(surface, brow, person, linear(hair))
    for eye in face.eyes:
        model_eye(surface, eye, person, scene, light)
