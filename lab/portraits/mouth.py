"""Lips, the open mouth, the chin below."""

from __future__ import annotations

import numpy as np

from .canvas import HUGE, blob, coverage, smooth
from .identity import Identity
from .light import linear
from .shape import Face
from .surface import Surface


def model_mouth(surface: Surface, face: Face, person: Identity, skin: np.ndarray) -> None:
    """Relief, colour and inside of the mouth. `skin`: the skin's linear colour (3,)."""
    half, pixel = face.mouth_half, surface.pixel
    patch = surface.patch(face.mouth_u - half - 0.28, face.mouth_u + half + 0.28,
                          face.mouth_v - 0.36, face.mouth_v + 0.52 + face.open)
    if patch.empty:
        return
    u, v = patch.u - face.mouth_u, patch.v
    t = u * (1.0 / half)
    held = t.clip(-1.0, 1.0)
    arc = 1.0 - held * held
    line = face.mouth_v - face.lift * held * held - face.slant * held
    y = v - line
    gap = 0.5 * face.open
    dip = (1.0 - (held * (1.0 / 0.28)) ** 2).clip(0.0, HUGE)
    top = -face.upper * arc * (1.0 - face.bow * dip * dip) - 0.4 * gap * arc
    bottom = (face.lower + 1.6 * gap) * arc
    inner_top, inner_bottom = -0.4 * gap * arc, 1.6 * gap * arc
    steep = np.abs(t).clip(-HUGE, 1.0) * (2.0 / half)
    norm_top = 1.0 / np.sqrt(1.0 + (steep * (face.upper + 0.4 * gap)) ** 2)
    norm_bottom = 1.0 / np.sqrt(1.0 + (steep * (face.lower + 1.6 * gap)) ** 2)
    beyond = (np.abs(t) - 1.0) * half
    outside = np.maximum(np.maximum((top - y) * norm_top, (y - bottom) * norm_bottom), beyond)
    lips = coverage(outside, pixel + 0.012)

    surface.bump(patch, 0.05 * blob(u, y, half * 1.5, 0.34))
    upper_part = smooth(y, inner_top.min() - 0.02, inner_top.min() + 0.02) if gap == 0 else (y > 0)
    middle_top, middle_bottom = 0.5 * (top + inner_top), 0.5 * (bottom + inner_bottom)
    swell = 0.030 * (1.0 - ((y - middle_top) / (face.upper * 0.75 + 0.01)) ** 2).clip(0.0, HUGE)
    swell += 0.052 * (1.0 - ((y - middle_bottom) / (face.lower * 0.75 + 0.01)) ** 2).clip(0.0, HUGE)
    surface.bump(patch, swell * np.sqrt(arc.clip(0.0, HUGE)) * lips)
    surface.occlude(patch, 0.34 * blob(u, v - face.mouth_v - face.lower - 0.12 - 1.6 * gap, half * 0.85, 0.13)
                    + 0.30 * blob(np.abs(u) - half - 0.02, y, 0.08, 0.08))
    surface.bump(patch, -0.02 * blob(u, v - face.mouth_v + face.upper + 0.10, 0.07, 0.12))

    red = 0.55 + 0.30 * person.lip_colour
    tone = np.array([0.93, 0.60 - 0.17 * red, 0.60 - 0.13 * red], np.float32)
    colour = skin * tone**2 * (1.0 - 0.10 * red) + np.array([0.035, 0.0, 0.004], np.float32) * red
    lined = colour[:, None, None] * (1.0 - 0.20 * (1.0 - upper_part))
    surface.tint(patch, lips * 0.92, lined.astype(np.float32))
    surface.gloss[patch.index] += lips * 0.12 * (y > 0)
    crack = coverage(np.abs(y + 0.4 * gap * arc) - 0.012, pixel + 0.012) * (np.abs(t) < 1.04)
    if gap > 0.004:
        hole_distance = np.maximum((inner_top - y) * norm_top, (y - inner_bottom) * norm_bottom)
        hole = coverage(np.maximum(hole_distance, beyond), pixel) * lips
        deep = ((y - inner_top) * (1.0 / (2.0 * gap))).clip(0.0, 1.0)
        inside = linear((0.30, 0.09, 0.09))[:, None, None] * (1.0 - 0.55 * smooth(np.abs(t), 0.4, 1.0))
        tongue = blob(u, y - 1.7 * gap, half * 0.6, gap + 0.01)
        inside = inside + tongue * np.array([0.22, 0.05, 0.05], np.float32)[:, None, None]
        teeth_end = 0.13 - 0.03 * held * held
        teeth = coverage(y - inner_top - teeth_end, pixel + 0.01)
        gaps = np.abs(((u + 0.5 * 0.115) * (1.0 / 0.115)) % 1.0 - 0.5)
        white = (0.74 - 0.34 * np.abs(held) ** 2) * (1.0 - 0.22 * smooth(gaps, 0.40, 0.5)) * (0.72 + 0.28 * smooth(
            deep, 0.0, 0.25))
        inside = inside + teeth * (np.array([1.0, 0.965, 0.90], np.float32)[:, None, None] * white - inside)
        surface.tint(patch, hole, inside.astype(np.float32))
        flat = 1.0 - hole
        surface.gloss[patch.index] *= flat
        crack *= flat
    surface.stain(patch, crack * 0.85, (0.36, 0.22, 0.22))
    surface.features[3][patch.index] = np.maximum(lips, crack * (np.abs(t) < 1.0))
