"""Face, ears and neck, modelled and lit."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from .camera import Camera
from .canvas import HUGE, MASK_NAMES, Canvas, blob, coverage, slope_coverage, smooth
from .eyes import model_eyes
from .identity import Identity
from .light import Light, normals
from .mouth import model_mouth
from .nose import model_nose
from .scene import Scene
from .shape import Face
from .skin import model_skin, skin_colour
from .surface import Surface


def paint_neck(canvas: Canvas, camera: Camera, body: tuple[np.ndarray, np.ndarray], face: Face, person: Identity,
               light: Light) -> None:
    """The neck with the chin's shadow. `body`: body coordinates (p, q) over the whole canvas."""
    window = camera.plane_window(-2.6, 2.6, 0.6, 6.0, canvas.window)
    if window.empty:
        return
    rows, columns = window.slices
    p, q = body[0][rows, columns], body[1][rows, columns]
    half = 0.60 + 0.03 * person.face_width + 0.02 * person.jaw_width
    spread = half + 0.75 * (q - 2.1).clip(0.0, HUGE) ** 2
    distance = np.maximum(np.abs(p) - spread, 0.9 - q)
    alpha = coverage(distance, 1.0 / camera.unit)
    round_ = (p * (1.0 / (half * 1.05))).clip(-0.97, 0.97)
    nz = np.sqrt(1.0 - round_ * round_)
    drop = face.chin - 0.05
    shadow = smooth(q + 0.35 * light.x * p, drop + 0.62, drop + 0.02)
    cord = 0.08 * blob(np.abs(p) - 0.22 - 0.2 * (2.6 - q), q - 2.2, 0.08, 0.5)
    lit = light.shade((round_, 0.0 * nz + 0.15, nz), 1.0 - 0.52 * shadow - cord, 1.0 - 0.72 * shadow)
    canvas.over(window, alpha, skin_colour(person)[:, None, None] * 0.94 * lit)


def paint_ears(canvas: Canvas, camera: Camera, face: Face, person: Identity, light: Light) -> None:
    """Both ears; the turn uncovers one and hides the other behind the face."""
    skin = skin_colour(person) * np.array([1.0, 0.92, 0.90], np.float32)
    for side in (-1, 1):
        middle, v = ear_middle(camera, face, side)
        rx, ry = 0.135 + face.ear_out * 0.5, face.ear
        window = camera.window(middle - 0.3, middle + 0.3, v - 0.45, v + 0.45, canvas.window)
        if window.empty:
            continue
        u_, v_ = camera.head(*camera.plane(window))
        x, y = (u_ - middle) * side, v_ - v
        x = x + 0.12 * y
        shape = np.sqrt((x / (rx * (1.0 - 0.28 * y / ry).clip(0.5))) ** 2 + (y / ry) ** 2)
        alpha = coverage((shape - 1.0) * rx, 1.0 / camera.unit)
        rim = smooth(shape, 0.55, 0.85)
        inner = 1.0 - 0.42 * blob(x + 0.02, y + 0.02, rx * 0.72, ry * 0.66) - 0.3 * blob(x + rx * 0.7, y, rx * 0.6, ry)
        nz = np.full_like(x, 0.72)
        lit = light.shade((side * (0.35 + 0.3 * rim), y * 0.6, nz), inner, inner)
        canvas.over(window, alpha, skin[:, None, None] * lit)


def ear_middle(camera: Camera, face: Face, side: int) -> tuple[float, float]:
    """The middle of an ear in head coordinates: it sits behind the face, so the turn moves it the other way."""
    v = 0.20
    return side * (face.outline(v) + face.ear_out * 0.55) - 0.16 * math.sin(camera.yaw), v


def paint_face(canvas: Canvas, camera: Camera, face: Face, person: Identity, scene: Scene, light: Light,
               shade: np.ndarray) -> None:
    """The face. `shade`: share of key light that hair and hat let through, over the whole canvas (H, W)."""
    window = camera.window(-1.35, 1.35, -1.75, face.chin + 0.12, canvas.window)
    if window.empty:
        return
    u, v = camera.head(*camera.plane(window))
    surface = Surface(camera, window, u, v, 1.0 / camera.unit)
    level = face.level(u, v)
    model_skin(surface, face, person, scene, level)
    model_nose(surface, parallax(face, camera), person, light)
    model_mouth(surface, face, person, skin_colour(person))
    model_eyes(surface, face, person, scene, light)
    rows, columns = window.slices
    veil = shade[rows, columns]
    surface.key *= veil
    surface.occlusion *= 0.45 + 0.55 * veil
    normal = normals(surface.height, camera.unit)
    lit = light.shade(normal, surface.occlusion, surface.key)
    colour = surface.albedo * lit
    shine = light.gloss(normal) * surface.gloss * surface.key
    for channel in range(3):
        colour[channel] += shine * float(light.key[channel]) + surface.glint * float(0.5 + 0.5 * light.key[channel])
    alpha = slope_coverage(level - 1.0)
    canvas.over(window, alpha, colour, "face")
    for name, part in zip(("eyes", "brows", "nose", "mouth"), surface.features):
        index = MASK_NAMES.index(name)
        canvas.masks[index, rows, columns] += part * alpha * (1.0 - canvas.masks[index, rows, columns])
        if index not in canvas.used:
            canvas.used.append(index)


def parallax(face: Face, camera: Camera) -> Face:
    """The face whose nose has moved by its own depth in the turn."""
    return replace(face, nose_u=face.nose_u + 0.20 * math.sin(camera.yaw),
                   nose_tip=face.nose_tip - 0.20 * math.sin(camera.pitch))
