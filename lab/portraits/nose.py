"""The nose: bridge, tip, wings, nostrils and the shadow it casts."""

from __future__ import annotations

import numpy as np

from .canvas import HUGE, blob, coverage, smooth
from .identity import Identity
from .light import Light
from .shape import Face
from .surface import Surface


def model_nose(surface: Surface, face: Face, person: Identity, light: Light) -> None:
    """Relief, colour and shadows of the nose. The turned tip moves by its own depth along with `face.nose_u`."""
    half, tip = face.nose_half, face.nose_tip
    patch = surface.patch(-half - 0.42, half + 0.42, face.nose_top - 0.3, tip + 0.42)
    if patch.empty:
        return
    along = ((patch.v - face.nose_top) * (1.0 / (tip - face.nose_top))).clip(0.0, 1.0)
    u, v = patch.u - face.nose_u * along, patch.v
    width = face.bridge * (1.0 + 0.35 * along) + 0.06
    ridge = (1.0 - (u / (width * 1.9)) ** 2).clip(0.0, HUGE) ** 2
    fade = smooth(v, face.nose_top - 0.26, face.nose_top + 0.12) * smooth(v, tip + 0.16, tip - 0.06)
    height = ridge * fade * (0.10 + 0.13 * along)
    ball = face.ball
    height += 0.13 * blob(u, v - tip, ball * 1.55, ball * 1.25)
    height += 0.07 * blob(np.abs(u) - half * 0.72, v - tip - 0.035, 0.115, 0.125)
    surface.bump(patch, height)
    wing = blob(np.abs(u) - half * 0.99, v - tip - 0.055, 0.055, 0.13)
    surface.occlude(patch, (0.42 * wing + 0.34 * blob(u, v - tip - 0.165, half * 1.15, 0.09)).clip(-HUGE, 0.8))
    drop = 0.02 * person.nose_tip
    hole_u, hole_v = np.abs(u) - half * 0.48, v - tip - 0.105 + drop
    hole = coverage(np.sqrt((hole_u / 0.085) ** 2 + ((hole_v + 0.15 * hole_u) / 0.036) ** 2) * 0.036 - 0.036,
                    surface.pixel + 0.014)
    surface.stain(patch, hole * 0.9, (0.20, 0.12, 0.11))
    surface.stain(patch, 0.12 * blob(u, v - tip, half * 1.2, 0.22), (0.98, 0.74, 0.72))
    surface.gloss[patch.index] += 0.10 * blob(u, v - tip + 0.02, ball * 1.4, ball * 1.3) * 0.8
    reach = 0.20
    sx, sy = u + light.x * reach * 1.15, v - tip - 0.06 + light.y * reach * 0.55
    cast = blob(sx, sy, half * 0.95, 0.26) * smooth(u * (-1 if light.x > 0 else 1), -0.02, 0.10) * min(
        1.0, abs(light.x) * 1.8)
    below = blob(u + light.x * 0.10, v - tip - 0.20, half * 1.05, 0.13) * max(0.0, -light.y) * 1.4
    surface.shadow(patch, (0.62 * cast + 0.6 * below).clip(-HUGE, 0.85))
    inside = blob(u, v - tip - 0.02, half * 1.25, 0.26) + ridge * fade
    surface.features[2][patch.index] = ((inside - 0.10) * 12.0).clip(0.0, 1.0)
