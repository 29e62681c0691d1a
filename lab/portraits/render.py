"""One portrait: a person in a scene, with exact masks and landmarks."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .backdrop import paint_backdrop, paint_clothes
from .camera import Camera, crop_camera
from .canvas import HUGE, Canvas, Masks
from .elements import hat_distance, hat_shadow, paint_earrings, paint_glasses, paint_hand, paint_hat, paint_scarf
from .finish import finish
from .hair import Hair
from .head import paint_ears, paint_face, paint_neck, parallax
from .identity import Identity
from .light import scene_light
from .scene import Scene
from .shape import Face, face_shape

FACE_MIDDLE = 0.4
"""Height (head units) of the point that `Placement.x`, `.y` place."""
BODY_PIVOT = 1.9
BODY_UPRIGHT = 0.6
"""The body follows only the rest of the head's roll."""


@dataclass(frozen=True, eq=False)
class Portrait:
    """A finished picture. `image`: float32 (S, S, 3) in [0, 1]; `landmarks`: float32 (5, 2), pixels; `dense`:
    float32 (68, 2), pixels; `masks`; `elements`: float32 (S, S), all that covers or adorns the face; `person`:
    float32 (S, S), everything but the background."""

    image: np.ndarray
    landmarks: np.ndarray
    dense: np.ndarray
    masks: Masks
    elements: np.ndarray
    person: np.ndarray
    identity: Identity
    scene: Scene


@dataclass(frozen=True, eq=False)
class PaintedPerson:
    """One person on a canvas: landmarks as in `Portrait`, masks and element union over the canvas."""

    landmarks: np.ndarray
    dense: np.ndarray
    masks: Masks
    elements: np.ndarray
    person: np.ndarray


def render(identity: Identity, scene: Scene, size: int = 128) -> Portrait:
    """Draw a person in a scene at any size from 32 to 1024 pixels; the same content at every size.

    Raises ValueError for a size outside that range.
    """
    if not 32 <= size <= 1024:
        raise ValueError(f"portrait size must be between 32 and 1024 pixels, got {size}")
    canvas = Canvas(size, size)
    face = face_shape(identity, scene)
    camera = scene_camera(face, scene, size, size, size)
    paint_backdrop(canvas, scene, size)
    painted = paint_person(canvas, camera, face, identity, scene)
    image = finish(canvas.rgb, scene, size)
    return Portrait(image, painted.landmarks, painted.dense, painted.masks, painted.elements, painted.person,
                    identity, scene)


def scene_camera(face: Face, scene: Scene, width: int, height: int, side: int) -> Camera:
    """The camera that a scene's placement asks for. `side`: the length that placement scales refer to."""
    place = scene.placement
    if place.crop:
        turned = parallax(face, Camera(1.0, 0.0, place.yaw, place.pitch, 0.0, 0.0))
        return crop_camera(place.yaw, place.pitch, turned.five(), place.roll, place.scale, (place.x, place.y), side)
    unit = place.scale * side
    level = Camera(unit, place.roll, place.yaw, place.pitch, 0.0, 0.0)
    x, y = level.to_pixel(0.0, FACE_MIDDLE)
    return Camera(unit, place.roll, place.yaw, place.pitch, place.x * width - 0.5 - x, place.y * height - 0.5 - y)


def paint_person(canvas: Canvas, camera: Camera, face: Face, identity: Identity, scene: Scene) -> PaintedPerson:
    """Paint one person, back to front, onto a canvas with empty masks."""
    light = scene_light(scene)
    plane = camera.plane(canvas.window)
    head = camera.head(*plane)
    body = _body(plane, camera)
    hair = None if scene.hair == "bald" else Hair(canvas, camera, face, scene, head,
                                                  hat_distance(scene, *head), light)
    shade = np.ones_like(plane[0]) if hair is None else hair.light_through()
    shade = shade * hat_shadow(scene, light, *head)
    if hair is not None:
        hair.paint_back()
    paint_neck(canvas, camera, body, face, identity, light)
    paint_clothes(canvas, body, scene, light, 1.0 / camera.unit)
    if hair is None or hair.style.ears:
        paint_ears(canvas, camera, face, identity, light)
    paint_face(canvas, camera, face, identity, scene, light, shade)
    if scene.earrings and (hair is None or hair.style.ears):
        paint_earrings(canvas, camera, face, scene, light)
    if scene.glasses:
        paint_glasses(canvas, camera, face, scene, light)
    if hair is not None:
        hair.paint_front()
    if scene.hat:
        paint_hat(canvas, camera, face, scene, light, head, hair)
    if scene.scarf:
        paint_scarf(canvas, camera, face, scene, light, body)
    if scene.hand:
        paint_hand(canvas, camera, face, identity, scene, light)
    turned = parallax(face, camera)
    masks = _masks(canvas)
    elements = masks.hat + masks.glasses + masks.earrings + masks.hand + masks.scarf + canvas.over_face
    return PaintedPerson(camera.points(turned.five()), camera.points(turned.dense()), masks,
                         elements.clip(-HUGE, 1.0), canvas.person)


def _body(plane: tuple[np.ndarray, np.ndarray], camera: Camera) -> tuple[np.ndarray, np.ndarray]:
    """Body coordinates: the head plane, turned back about the neck so that shoulders stay nearer level."""
    p, q = plane
    angle = camera.roll * BODY_UPRIGHT
    c, s = math.cos(angle), math.sin(angle)
    y = q - BODY_PIVOT
    return p * c - y * s, p * s + y * c + BODY_PIVOT


def _masks(canvas: Canvas) -> Masks:
    canvas.masks.clip(0.0, 1.0, out=canvas.masks)
    face, eyes, brows, nose, mouth, _, *others = canvas.masks
    skin = (face - (eyes + brows + mouth).clip(-HUGE, 1.0)).clip(0.0, HUGE)
    return Masks(face, eyes, brows, np.minimum(nose, skin), mouth, skin, *others)
