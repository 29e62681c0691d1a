"""Skin: its colour, freckles, moles, age lines, stubble, and the relief of cheeks, brow ridge and chin."""

from __future__ import annotations

import numpy as np

from .canvas import HUGE, blob, smooth
from .identity import Identity
from .light import linear
from .scene import Scene
from .shape import Face
from .surface import Surface
from .texture import freckle_table, lookup, skin_table

TONES = np.array([[.36, .235, .17], [.47, .315, .23], [.59, .41, .30], [.72, .52, .39], [.84, .65, .53],
                  [.90, .73, .62], [.93, .79, .69]])


def skin_colour(person: Identity) -> np.ndarray:
    """The person's skin in linear light, (3,)."""
    t = float(np.clip((person.skin_tone + 1.7321) / 3.4642, 0.0, 1.0)) * (len(TONES) - 1)
    low = min(int(t), len(TONES) - 2)
    tone = TONES[low] + (t - low) * (TONES[low + 1] - TONES[low])
    shift = np.array([0.006, -0.012, -0.022]) * person.skin_hue
    return linear(np.clip(tone + shift, 0.05, 0.98))


def model_skin(surface: Surface, face: Face, person: Identity, scene: Scene, level: np.ndarray) -> None:
    """Base colour and relief over the whole face. `level`: the outline's level function on the window."""
    u, v = surface.u, surface.v
    skin = skin_colour(person)
    grain = 1.0 + 0.022 * lookup(skin_table(), u, v)
    for channel in range(3):
        np.multiply(grain, float(skin[channel]), out=surface.albedo[channel])
    room = (1.0 - level).clip(0.0, HUGE)
    surface.height += 0.80 * np.sqrt(room + 0.012) + 0.12 * room
    _relief(surface, face, person, scene)
    _colour(surface, face, person)
    _lines(surface, face, person, scene)
    _moles(surface, face, person)


def _relief(surface: Surface, face: Face, person: Identity, scene: Scene) -> None:
    smile = max(0.0, scene.smile)
    full = 0.055 + 0.022 * person.cheek_fullness + 0.05 * smile
    for side in (-1, 1):
        middle = side * (0.62 + 0.02 * person.cheekbones)
        patch = surface.patch(middle - 0.5, middle + 0.5, 0.15, 1.05)
        surface.bump(patch, max(0.0, full) * blob(patch.u - middle, patch.v - 0.58 + 0.06 * smile, 0.42, 0.36))
        hollow = max(0.0, 0.035 + 0.022 * person.cheekbones - 0.022 * person.cheek_fullness)
        side_u = side * 0.74
        patch = surface.patch(side_u - 0.35, side_u + 0.35, 0.65, 1.45)
        surface.bump(patch, -hollow * blob(patch.u - side_u, patch.v - 1.05, 0.32, 0.38))
        surface.occlude(patch, 0.7 * hollow * blob(patch.u - side_u, patch.v - 1.05, 0.32, 0.38))
    size = 0.27 + 0.035 * person.chin_size
    patch = surface.patch(-0.5, 0.5, face.chin - 0.55, face.chin + 0.05)
    surface.bump(patch, (0.085 + 0.018 * person.chin_size) * blob(patch.u, patch.v - face.chin + 0.22, size, 0.24))
    patch = surface.patch(-0.95, 0.95, -0.75, -0.05)
    surface.bump(patch, (0.030 + 0.012 * person.eye_depth) * blob(patch.u, patch.v + 0.36, 0.9, 0.24))


def _colour(surface: Surface, face: Face, person: Identity) -> None:
    patch = surface.patch(-1.2, 1.2, 0.1, 1.1)
    across = np.abs(patch.u) - 0.60
    surface.stain(patch, (0.36 + 0.21 * max(-1.7, person.blush)) * blob(across, patch.v - 0.62, 0.46, 0.36),
                  (0.985, 0.74, 0.72))
    if person.freckles > 0.0:
        spots = lookup(freckle_table(), patch.u, patch.v - 0.42)
        surface.stain(patch, min(0.9, 0.15 + person.freckles * 0.48) * spots, (0.62, 0.48, 0.40))
    if person.stubble > -0.2:
        patch = surface.patch(-1.35, 1.35, 0.6, face.chin + 0.15)
        u, v = patch.u, patch.v
        beard = smooth(v, 0.62, 1.15) * smooth(np.abs(u) - 0.25 * (v - 0.7), 0.25, 0.62) * smooth(v, 0.7, 1.2)
        lip = blob(u, v - face.mouth_v + face.upper + 0.13, face.mouth_half * 1.2, 0.16)
        chin = blob(u, v - face.chin + 0.12, 0.62, 0.50)
        amount = min(0.62, (person.stubble + 0.2) * 0.30)
        grain = 0.85 + 0.15 * lookup(skin_table(), u * 1.9, v * 1.9)
        surface.stain(patch, amount * (beard + lip + chin).clip(-HUGE, 1.0) * grain, (0.34, 0.36, 0.40))


def _lines(surface: Surface, face: Face, person: Identity, scene: Scene) -> None:
    smile = max(0.0, scene.smile)
    fold = 0.22 + 0.26 * max(-0.8, person.age_lines) + 0.32 * smile
    for side in (-1, 1):
        start, end = face.nose_half + 0.05, face.mouth_half + 0.13
        middle = side * 0.5 * (start + end)
        top, low = face.nose_tip + 0.0, face.mouth_v + 0.10
        patch = surface.patch(middle - 0.32, middle + 0.32, top - 0.06, low + 0.06)
        t = ((patch.v - top) * (1.0 / (low - top))).clip(0.0, 1.0)
        line = side * patch.u - (start + (end - start) * np.sqrt(t))
        ends = smooth(t, 0.0, 0.22) * smooth(t, 1.0, 0.72)
        surface.stain(patch, min(fold, 0.8) * ends * blob(line, 0.0 * t, 0.055, 1.0), (0.66, 0.54, 0.50))
        surface.bump(patch, 0.035 * fold * ends * blob(line - 0.09, 0.0 * t, 0.13, 1.0))
    lines = max(0.0, person.age_lines) + 0.35 * max(0.0, scene.brow_raise)
    if lines > 0.05:
        patch = surface.patch(-0.72, 0.72, -0.92, -0.50)
        wave = patch.v + 0.05 * np.cos(patch.u * 2.6)
        for row in (-0.80, -0.66, -0.53):
            surface.stain(patch, min(0.5, 0.34 * lines) * blob(patch.u, (wave - row) * 18.0, 0.66, 0.6),
                          (0.66, 0.56, 0.52))
    if person.age_lines > 0.2:
        for eye in face.eyes:
            middle = eye.u + eye.side * (eye.half + 0.13)
            patch = surface.patch(middle - 0.17, middle + 0.17, eye.v - 0.2, eye.v + 0.2)
            x, y = (patch.u - middle) * eye.side, patch.v - eye.v
            for slope in (-0.55, 0.05, 0.6):
                surface.stain(patch, min(0.55, 0.32 * person.age_lines) * blob(x, (y - slope * (x + 0.12)) * 9.0,
                                                                             0.14, 0.2), (0.66, 0.54, 0.50))


def _moles(surface: Surface, face: Face, person: Identity) -> None:
    for strength, x, y in ((person.mole, person.mole_x, person.mole_y), (person.mole2, person.mole2_x, person.mole2_y)):
        if strength < -0.7:
            continue
        u, v = 0.44 * x, 0.55 + 0.42 * y
        u = float(np.clip(u, -0.8, 0.8) * face.width * 0.9)
        radius = 0.030 + 0.012 * (strength + 0.7)
        patch = surface.patch(u - 0.1, u + 0.1, v - 0.1, v + 0.1)
        distance = np.sqrt((patch.u - u) ** 2 + (patch.v - v) ** 2)
        alpha = (0.5 - (distance - radius) * (1.0 / (surface.pixel + 0.008))).clip(0.0, 1.0)
        surface.stain(patch, alpha * min(0.9, 0.55 + 0.14 * (strength + 0.7)), (0.22, 0.14, 0.11))
        surface.bump(patch, 0.012 * blob(patch.u - u, patch.v - v, radius * 1.6, radius * 1.6))
