"""Pictures with one to five people: the edit with drifted faces, the truth, and one original photo a person."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .backdrop import paint_backdrop
from .canvas import Canvas, Masks
from .finish import finish
from .identity import Identity, drift_identity, sample_identity
from .render import PaintedPerson, Portrait, paint_person, render, scene_camera
from .scene import Placement, Scene, clipped, colour, sample_scene
from .shape import face_shape
from .triples import DRIFT_DISTANCE, DRIFTS, jittered_scene, original_scene

PEOPLE = (1, 5)
SPACING = 0.72
"""Distance between neighbours as a share of the picture's height."""


@dataclass(frozen=True, eq=False)
class GroupPicture:
    """`image` float32 (H, W, 3); `people`: landmarks, masks, elements of each person, image-left to image-right."""

    image: np.ndarray
    people: tuple[PaintedPerson, ...]


@dataclass(frozen=True, eq=False)
class GroupTriple:
    """`edited`: the group with drifted faces; `truth`: the same with the right faces; `originals`: a photo of each
    person in the same order (None: no photo of that person was given)."""

    edited: GroupPicture
    truth: GroupPicture
    originals: tuple[Portrait | None, ...]
    drift: str
    seed: int


def group_picture(seed: int, people: int, size: int = 256, drift: str | None = None, stranger: bool = False,
                  photo_size: int = 192) -> GroupTriple:
    """A group of `people` (1 to 5) in a picture `size` pixels high. `stranger`: the last person has no photo.

    Raises ValueError for another number of people or an unknown drift.
    """
    if not PEOPLE[0] <= people <= PEOPLE[1]:
        raise ValueError(f"a group picture holds {PEOPLE[0]} to {PEOPLE[1]} people, {people} were asked for")
    drift = DRIFTS[seed % len(DRIFTS)] if drift is None else drift
    if drift not in DRIFT_DISTANCE:
        raise ValueError(f"unknown drift {drift!r}; choose one of {', '.join(DRIFTS)}")
    rng = np.random.default_rng((seed, 3))
    persons = [sample_identity(rng) for _ in range(people)]
    photos = [render(person, original_scene(rng), photo_size) for person in persons]
    width = round(size * (1.0 + SPACING * (people - 1)))
    scenes = _scenes(people, width / size, rng)
    drifted = [drift_identity(person, DRIFT_DISTANCE[drift], rng) for person in persons]
    moved = [jittered_scene(scene, rng) for scene in scenes]
    originals = tuple(None if stranger and k == people - 1 else photo for k, photo in enumerate(photos))
    edited, truth = _paint(drifted, moved, size, width), _paint(persons, scenes, size, width)
    return GroupTriple(edited, truth, originals, drift, seed)


def _scenes(people: int, aspect: float, rng: np.random.Generator) -> list[Scene]:
    """Scenes side by side under one light, in one place."""
    base = sample_scene(rng)
    scenes = []
    for k in range(people):
        own = sample_scene(rng)
        x = (0.5 + SPACING * k + clipped(rng, 0.012, 0.025)) / aspect
        place = Placement(False, x, 0.54 + clipped(rng, 0.03, 0.05), float(rng.uniform(0.125, 0.145)),
                          clipped(rng, 0.08, 0.18), clipped(rng, 0.16, 0.32), clipped(rng, 0.07, 0.15))
        scenes.append(replace(own, placement=place, light_x=base.light_x, light_y=base.light_y, light=base.light,
                              bright=base.bright, warmth=base.warmth, backdrop=base.backdrop, hand="",
                              backdrop_colour=base.backdrop_colour, backdrop_second=base.backdrop_second,
                              clothes_colour=colour(rng, 0.06, 0.9), noise=base.noise, blur=base.blur, jpeg=base.jpeg))
    return scenes


def _paint(persons: list[Identity], scenes: list[Scene], height: int, width: int) -> GroupPicture:
    canvas = Canvas(height, width)
    paint_backdrop(canvas, scenes[0], height)
    painted: list[PaintedPerson] = []
    for person, scene in zip(persons, scenes):
        layer = Canvas(height, width)
        layer.rgb[:] = canvas.rgb
        face = face_shape(person, scene)
        record = paint_person(layer, scene_camera(face, scene, width, height, height), face, person, scene)
        canvas.rgb[:] = layer.rgb
        painted = [_behind(earlier, record.person) for earlier in painted] + [record]
    return GroupPicture(finish(canvas.rgb, scenes[0], height), tuple(painted))


def _behind(painted: PaintedPerson, cover: np.ndarray) -> PaintedPerson:
    """The record of a person partly hidden by someone painted later."""
    left = 1.0 - cover
    masks = Masks(**{name: value * left for name, value in vars(painted.masks).items()})
    return replace(painted, masks=masks, elements=painted.elements * left, person=painted.person * left)
