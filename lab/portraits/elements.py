"""What covers or adorns a face: glasses, hats, earrings, a hand, a scarf."""

from __future__ import annotations

import math

import numpy as np

from .camera import Camera
from .canvas import HUGE, Canvas, blob, coverage, smooth
from .hair import Hair
from .head import ear_middle
from .identity import Identity
from .light import Light, linear
from .scene import Scene
from .shape import Face
from .skin import skin_colour
from .texture import cloud_table, lookup


def paint_glasses(canvas: Canvas, camera: Camera, face: Face, scene: Scene, light: Light) -> None:
    """Frames on the nose, with tinted lenses for sunglasses. They sit before the face, so a turn moves them more."""
    window = camera.window(-1.35, 1.35, -0.55, 0.65, canvas.window)
    if window.empty:
        return
    pixel = 1.0 / camera.unit
    u, v = camera.head(*camera.plane(window))
    u = u - 0.10 * math.sin(camera.yaw)
    middle = 0.54
    x, y = np.abs(u) - middle, v - 0.05
    if scene.glasses == "round":
        lens = np.sqrt(x * x + y * y) - 0.37
    else:
        rx, ry, corner = (0.40, 0.30, 0.14) if scene.glasses != "half" else (0.38, 0.26, 0.12)
        if scene.glasses == "sun":
            rx, ry, corner = 0.42, 0.33, 0.22
        dx, dy = np.abs(x) - (rx - corner), np.abs(y + 0.06 * x) - (ry - corner)
        corners = np.sqrt(dx.clip(0.0, HUGE) ** 2 + dy.clip(0.0, HUGE) ** 2)
        lens = corners + np.maximum(dx, dy).clip(-HUGE, 0.0) - corner
    thick = {"round": 0.026, "square": 0.040, "half": 0.028, "sun": 0.040}[scene.glasses]
    rim = np.abs(lens) - thick
    if scene.glasses == "half":
        rim = np.maximum(rim, y - 0.03)
    bridge = np.maximum(np.abs(y + 0.10 + 0.25 * u * u) - thick * 0.9, np.abs(u) - 0.19)
    outward = np.abs(u)
    temple = np.maximum(np.maximum(np.abs(y + 0.12) - thick * 0.9, 0.90 - outward), outward - face.outline(0.0) - 0.02)
    frame = np.minimum(np.minimum(rim, bridge), temple)
    canvas.shade(window, 1.0 - 0.22 * smooth(frame, 0.09, 0.0))
    frame_alpha = coverage(frame, pixel)
    shine = smooth(np.abs(y + 0.20 + 0.1 * x), 0.09, 0.0)
    colour = linear(scene.glasses_colour)[:, None, None] * light.flat()[:, None, None] + 0.10 * shine
    glass = coverage(lens, pixel)
    if scene.glasses == "sun":
        tone = linear((0.10, 0.10, 0.11))[:, None, None] * (1.0 + 1.5 * (y + 0.4).clip(0.0, 1.0)) + 0.05 * smooth(
            np.abs(x + y * 0.7 + 0.1), 0.10, 0.02)
        canvas.over(window, glass * 0.94, tone.astype(np.float32), "glasses")
    else:
        glare = glass * 0.09 * smooth(np.abs(x * 0.8 + y + 0.12 * light.x), 0.10, 0.03)
        rows, columns = window.slices
        part = canvas.rgb[:, rows, columns]
        part += glare * (0.9 * float(light.flat().mean()) - part)
    canvas.over(window, frame_alpha, colour.astype(np.float32), "glasses")


def hat_distance(scene: Scene, u: np.ndarray, v: np.ndarray) -> np.ndarray | None:
    """Distance below the line above which a hat hides all hair, a little under its edge; None without such a hat."""
    if scene.hat in ("", "band"):
        return None
    return v - hat_edge(scene, u) + 0.05


def hat_edge(scene: Scene, u: np.ndarray) -> np.ndarray:
    """Height of the hat's lower edge."""
    base = {"beanie": -0.60, "cap": -0.66, "brim": -0.64, "band": -0.72}[scene.hat]
    return base - 0.05 * u * u


def hat_shadow(scene: Scene, light: Light, u: np.ndarray, v: np.ndarray) -> np.ndarray | float:
    """Share of the key light below a hat, (H, W)."""
    if scene.hat == "":
        return 1.0
    reach = {"beanie": 0.14, "cap": 0.42, "brim": 0.50, "band": 0.07}[scene.hat] * (0.6 + max(0.0, -light.y))
    edge = hat_edge(scene, u) + 0.12 * light.x * u
    return 1.0 - 0.68 * smooth(v - edge, reach * 1.3, reach * 0.75)


def paint_hat(canvas: Canvas, camera: Camera, face: Face, scene: Scene, light: Light,
              head: tuple[np.ndarray, np.ndarray], hair: Hair | None) -> None:
    """The hat; its crown is wider than the hair below it, a band follows the outline of the head."""
    window = camera.window(-2.2, 2.2, -2.6, 0.3, canvas.window) if hair is None or scene.hat != "band" else hair.window
    if window.empty:
        return
    rows, columns = window.slices
    u, v = head[0][rows, columns], head[1][rows, columns]
    pixel = 1.0 / camera.unit
    edge = hat_edge(scene, u)
    base = linear(scene.hat_colour)
    width = face.outline(-0.62) + 0.07 if hair is None else hair.width + 0.03
    if scene.hat == "band":
        outer = (np.sqrt(face.level(u, v)) - 1.0) * face.width if hair is None else hair.outer
        band = np.maximum(np.abs(v - edge + 0.10) - 0.13, outer - 0.03)
        nz = np.sqrt((1.0 - (u / (width * 1.02)) ** 2).clip(0.06, HUGE))
        weave = 1.0 + 0.10 * np.sin(u * 40.0)
        lit = light.shade((u * 0.8, -0.2 * nz, nz))
        canvas.over(window, coverage(band, pixel), base[:, None, None] * weave * lit, "hat")
        return
    height = {"beanie": 1.42, "cap": 1.18, "brim": 1.20}[scene.hat]
    up = (v - edge).clip(-HUGE, 0.0) * (1.0 / height)
    shape = np.sqrt((u / width) ** 2 + up * up)
    crown = np.maximum((shape - 1.0) * width, v - edge)
    room = (1.0 - shape * shape).clip(0.0, HUGE)
    nz = 0.15 + 0.85 * np.sqrt(room)
    nx, ny = (u / width).clip(-1, 1) * 0.8, up.clip(-1, 0) * 0.8
    lumps = lookup(cloud_table(), u + scene.grain % 17, v, 110.0)
    texture = 1.0 + 0.05 * lumps
    if scene.hat == "beanie":
        texture = texture * (1.0 + 0.16 * np.sin(u * 34.0 / (0.35 + nz)))
        cuff = smooth(v - edge, -0.30, -0.285)
        texture = texture * (1.0 + 0.12 * cuff) * (1.0 - 0.45 * smooth(np.abs(v - edge + 0.30), 0.05, 0.0))
    if scene.hat == "cap":
        texture = texture * (1.0 - 0.30 * smooth(np.abs(np.abs(u) - 0.42 * (1.0 + up)), 0.02, 0.0))
    band = smooth(v - edge, -0.24, -0.22) if scene.hat == "brim" else 0.0
    colour = base[:, None, None] * (1.0 - 0.6 * band) * light.shade((nx, ny, nz)) * texture
    canvas.over(window, coverage(crown, pixel), colour.astype(np.float32), "hat")
    if scene.hat == "beanie":
        return
    if scene.hat == "cap":
        lean = 0.30 * math.sin(camera.yaw)
        x, y = (u - lean) / (width * 0.93), (v - edge + 0.02 + 0.16 * (u - lean) ** 2) / 0.30
        half = np.where(y > 0, 0.75, 0.55)
        brim = (np.sqrt(x * x + (y / half) ** 2) - 1.0) * 0.30
    else:
        x, y = u / (width * 1.42), (v - edge + 0.05 - 0.10 * u * u / width) / 0.17
        brim = (np.sqrt(x * x + y * y) - 1.0) * 0.19
    shade = 0.72 + 0.34 * smooth(v - edge, 0.16, -0.12)
    lit = base[:, None, None] * (light.ambient + light.key * 0.55)[:, None, None] * shade * (1.0 + 0.04 * lumps)
    canvas.over(window, coverage(brim, pixel), lit.astype(np.float32), "hat")


def paint_earrings(canvas: Canvas, camera: Camera, face: Face, scene: Scene, light: Light) -> None:
    """Earrings on the lobes that the turn leaves visible."""
    pixel = 1.0 / camera.unit
    for side in (-1, 1):
        if side * camera.yaw > 0.16:
            continue
        middle, v = ear_middle(camera, face, side)
        u0, v0 = middle + side * 0.02, v + face.ear * 0.92
        window = camera.window(u0 - 0.3, u0 + 0.3, v0 - 0.15, v0 + 0.6, canvas.window)
        if window.empty:
            continue
        u_, v_ = camera.head(*camera.plane(window))
        x, y = u_ - u0, v_ - v0
        if scene.earrings == "stud":
            distance = np.sqrt(x * x + y * y) - 0.062
        elif scene.earrings == "hoop":
            distance = np.abs(np.sqrt((x * 1.35) ** 2 + (y - 0.16) ** 2) - 0.16) - 0.026
        else:
            distance = np.minimum(np.sqrt((x * 1.5) ** 2 + ((y - 0.24) * 0.9) ** 2) - 0.10,
                                  np.maximum(np.abs(x) - 0.014, np.abs(y - 0.08) - 0.09))
        tone = linear((0.86, 0.72, 0.36) if scene.grain % 2 else (0.82, 0.83, 0.86))
        sparkle = 0.55 + 0.9 * smooth(x * light.x + y * light.y, -0.02, 0.08)
        canvas.over(window, coverage(distance, pixel), tone[:, None, None] * sparkle * light.flat()[:, None, None],
                    "earrings")


def _capsule(p: np.ndarray, q: np.ndarray, start: tuple[float, float], end: tuple[float, float],
             r0: float, r1: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distance to a tapering rod, the position across it (-1…1) and along it (0…1)."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    length2 = dx * dx + dy * dy
    t = (((p - start[0]) * dx + (q - start[1]) * dy) * (1.0 / length2)).clip(0.0, 1.0)
    ox, oy = p - start[0] - t * dx, q - start[1] - t * dy
    radius = r0 + (r1 - r0) * t
    across = (ox * dy - oy * dx) * (1.0 / math.sqrt(length2)) / radius
    return np.sqrt(ox * ox + oy * oy) - radius, across.clip(-1.0, 1.0), t


def paint_hand(canvas: Canvas, camera: Camera, face: Face, person: Identity, scene: Scene, light: Light) -> None:
    """A hand before the face: at the chin, on the cheek or before the mouth; four fingers, back of hand, wrist."""
    side = float(scene.hand_side)
    pixel = 1.0 / camera.unit
    window = camera.plane_window(-4.5, 4.5, -0.4, 6.0, canvas.window)
    if window.empty:
        return
    p, q = camera.plane(window)
    centre = {"chin": (0.20, face.chin + 0.46, 0.9), "cheek": (1.02, 1.42, 0.25),
              "mouth": (0.50, face.mouth_v + 0.42, 1.05)}[scene.hand]
    knuckle_p, knuckle_q, angle = centre
    shift, _ = camera.turn(0.0, face.mouth_v)
    x, y = (p - 0.8 * shift) * side - knuckle_p, q - knuckle_q
    c, s = math.cos(angle), math.sin(angle)
    along, across = y * -c + x * -s, x * c - y * s
    skin = skin_colour(person) * np.array([1.02, 0.96, 0.94], np.float32)
    parts = [((-5.5, 0.32), (-0.35, 0.06), 0.60, 0.37), ((-0.35, 0.06), (-0.02, 0.04), 0.41, 0.37)]
    lengths = (0.42, 0.54, 0.58, 0.48)
    curl = 0.45 if scene.hand == "chin" else 0.92
    for k, reach in enumerate(lengths):
        across0 = 0.34 - 0.205 * k
        parts.append(((-0.06, across0), (reach * curl, across0 * 1.10), 0.118, 0.100))
    shapes = [_capsule(along, across, start, end, r0, r1) for start, end, r0, r1 in parts]
    shadow = np.minimum.reduce([distance for distance, _, _ in shapes])
    canvas.shade(window, 1.0 - 0.38 * smooth(shadow, 0.16, -0.03))
    for k, (distance, position, t) in enumerate(shapes):
        nz = np.sqrt((1.0 - position * position).clip(0.08, HUGE))
        nx, ny = position * c * side, -position * s
        edge = 1.0 - 0.42 * smooth(distance, -0.055, 0.01) if k >= 2 else np.ones_like(distance)
        lit = skin[:, None, None] * light.shade((nx, ny, nz), edge, edge)
        if k >= 2:
            tip = blob(t - 0.93, position, 0.16, 0.62)
            lit = lit * (1.0 - 0.14 * smooth(np.abs(t - 0.45), 0.06, 0.0))
            lit = lit + (0.10 * tip)[None] * light.flat()[:, None, None]
        canvas.over(window, coverage(distance, pixel), lit.astype(np.float32), "hand")


def paint_scarf(canvas: Canvas, camera: Camera, face: Face, scene: Scene, light: Light,
                body: tuple[np.ndarray, np.ndarray]) -> None:
    """A thick scarf round the neck, up to the chin. `body`: body coordinates (p, q)."""
    window = camera.plane_window(-2.0, 2.0, 0.4, 3.8, canvas.window)
    if window.empty:
        return
    rows, columns = window.slices
    p, q = body[0][rows, columns], body[1][rows, columns]
    pixel = 1.0 / camera.unit
    base = linear(scene.scarf_colour)
    top = face.chin + 0.02
    middle = top + 0.42 + 0.10 * np.cos(p * 1.6)
    distance = (np.sqrt(_fourth(p * (1.0 / 1.02)) + _fourth((q - middle) * (1.0 / 0.44)) + 1e-6) - 1.0) * 0.30
    folds = lookup(cloud_table(), p * 0.35 + scene.grain % 19, (q + 0.18 * p * p) * 1.5, 110.0)
    t = ((q - middle) * (1.0 / 0.46)).clip(-1.0, 1.0)
    nz = np.sqrt((1.0 - t * t * 0.85).clip(0.1, HUGE))
    groove = 1.0 - 0.40 * smooth(np.abs(t + 0.12 - 0.25 * p), 0.12, 0.0)
    knit = 1.0 + 0.08 * np.sin((q + 0.2 * p * p) * 30.0 + folds)
    lit = light.shade(((p * 0.6).clip(-0.9, 0.9), t * 0.8 + 0.12 * folds, nz), groove, groove)
    canvas.shade(window, 1.0 - 0.30 * smooth(distance, 0.14, 0.0))
    canvas.over(window, coverage(distance, pixel), base[:, None, None] * lit * (knit + 0.06 * folds), "scarf")


def _fourth(values: np.ndarray) -> np.ndarray:
    """Fourth power (the general power costs a hundred times as much)."""
    square = values * values
    return square * square
