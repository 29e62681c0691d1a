"""Triples as an editing model makes them: the photo, the edit as it should be, the edit with a drifted face."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from PIL import Image

from .identity import Identity, drift_identity, sample_identity
from .render import Portrait, render
from .scene import ELEMENT_FIELDS, GLASSES, HATS, Placement, Scene, clipped, near_colour, sample_placement, sample_scene
from .shape import eye_distance

KINDS = ("accessory", "background", "light", "expression", "hair", "everything")
DRIFTS = ("small", "medium", "large")
DRIFT_DISTANCE = {"small": 0.45, "medium": 0.80, "large": 1.20}
"""Distances as `identity_distance` measures them; strangers are about 1.37 apart."""
KEEP_POSE = 0.7
"""Share of triples whose edit keeps pose and expression but for small jitter."""
SPLITS = {"train": (0, 10_000_000), "tune": (10_000_000, 20_000_000), "held-out": (20_000_000, 30_000_000)}
SPLIT_SIZE = {"train": 20_000, "tune": 200, "held-out": 200}
FACTORS = (8, 16, 32)
"""Reductions of the low-resolution triples."""

EXPRESSION = ("smile", "mouth_open", "brow_raise", "lids", "gaze_x", "gaze_y")
LIGHTING = ("light_x", "light_y", "light", "bright", "warmth")
HAIR = ("hair", "hair_colour", "hair_part", "hair_volume")
BACKDROP = ("backdrop", "backdrop_colour", "backdrop_second")
COLOURS = ("hair_colour", "hat_colour", "glasses_colour", "scarf_colour", "clothes_colour", "clothes_second",
           "backdrop_colour", "backdrop_second")
CLOTHING = ("clothes", "clothes_colour", "clothes_second")


@dataclass(frozen=True, eq=False)
class Triple:
    """`original`: the person in scene A; `ideal`: the same person in scene B; `drifted`: a person moved by the drift,
    in scene B with small jitter. `keeps_pose`: whether the edit kept pose and expression."""

    original: Portrait
    ideal: Portrait
    drifted: Portrait
    kind: str
    drift: str
    seed: int
    keeps_pose: bool


def make_triple(seed: int, kind: str | None = None, drift: str | None = None, size: int = 192) -> Triple:
    """The triple of a seed. Without `kind` and `drift` the seed decides; the person is the seed's in any case.

    Raises ValueError for an unknown kind or drift.
    """
    kind = KINDS[seed % len(KINDS)] if kind is None else kind
    drift = DRIFTS[seed // len(KINDS) % len(DRIFTS)] if drift is None else drift
    if kind not in KINDS:
        raise ValueError(f"unknown kind of triple {kind!r}; choose one of {', '.join(KINDS)}")
    if drift not in DRIFTS:
        raise ValueError(f"unknown drift {drift!r}; choose one of {', '.join(DRIFTS)}")
    person = triple_identity(seed)
    rng = np.random.default_rng((seed, 2))
    first = original_scene(rng)
    first = replace(first, placement=sized(first.placement, person))
    keeps = bool(rng.random() < KEEP_POSE)
    second = edited_scene(first, kind, keeps, rng)
    if not keeps:
        second = replace(second, placement=sized(second.placement, person))
    other = drift_identity(person, DRIFT_DISTANCE[drift], rng)
    third = jittered_scene(second, rng)
    return Triple(render(person, first, size), render(person, second, size), render(other, third, size), kind, drift,
                  seed, keeps)


def triple_identity(seed: int) -> Identity:
    """The person of a triple's seed."""
    return sample_identity(np.random.default_rng((seed, 1)))


def triple_split(name: str, n: int | None = None) -> list[int]:
    """Seeds of a split (`train`, `tune`, `held-out`), the first `n`; splits never share a person.

    Raises ValueError for an unknown name or more seeds than a split has (10 million).
    """
    if name not in SPLITS:
        raise ValueError(f"unknown split {name!r}; choose one of {', '.join(SPLITS)}")
    start, end = SPLITS[name]
    count = SPLIT_SIZE[name] if n is None else n
    if count > end - start:
        raise ValueError(f"split {name!r} has {end - start} seeds, {count} were asked for")
    return list(range(start, start + count))


def original_scene(rng: np.random.Generator) -> Scene:
    """Scene A: a photo that shows the face, mostly without hat, glasses or anything before it."""
    scene = sample_scene(rng, elements=False)
    if rng.random() < 0.08:
        scene = replace(scene, glasses=str(rng.choice(GLASSES[1:4])))
    if rng.random() < 0.08:
        scene = replace(scene, earrings="stud")
    return scene


def sized(place: Placement, person: Identity) -> Placement:
    """The placement with its scale chosen so that this person's eyes are a usual distance apart."""
    return replace(place, scale=place.scale / eye_distance(person))


def edited_scene(first: Scene, kind: str, keeps: bool, rng: np.random.Generator) -> Scene:
    """Scene B: what an edit of `kind` makes of scene A; `keeps`: pose (and expression) stay but for jitter."""
    fresh = sample_scene(rng)
    fields: tuple[str, ...] = {"background": (*BACKDROP, "grain"), "light": LIGHTING, "expression": EXPRESSION,
                               "hair": (*HAIR, "grain"), "accessory": (),
                               "everything": (*BACKDROP, *CLOTHING, *LIGHTING, *HAIR, "grain")}[kind]
    if kind == "background" and rng.random() < 0.5:
        fields = (*fields, *CLOTHING)
    if not keeps:
        fields = (*fields, *EXPRESSION)
    second = replace(first, **{name: getattr(fresh, name) for name in fields})
    if kind == "expression" and abs(second.smile - first.smile) < 0.5:
        second = replace(second, smile=0.75 if first.smile < 0.2 else -0.4)
    if kind == "light" and abs(second.light_x - first.light_x) < 0.8:
        second = replace(second, light_x=float(rng.uniform(0.5, 1.1)) * (-1.0 if first.light_x > 0 else 1.0),
                         light=max(0.6, second.light))
    if kind in ("accessory", "everything"):
        adorned = _adorned(fresh, rng)
        second = replace(second, **{name: getattr(adorned, name) for name in
                                    (*ELEMENT_FIELDS, "hat_colour", "glasses_colour", "scarf_colour", "hand_side")})
    placement = _near(first.placement, rng, 1.0) if keeps else sample_placement(rng)
    second = replace(second, placement=placement, noise=fresh.noise, jpeg=fresh.jpeg, blur=fresh.blur)
    if keeps and kind != "expression":
        second = _express(second, rng, 0.07)
    return second


def jittered_scene(scene: Scene, rng: np.random.Generator) -> Scene:
    """Scene B as the editing model repaints it: pose, colours and details moved a little."""
    moved = _express(replace(scene, placement=_near(scene.placement, rng, 0.35)), rng, 0.05)
    colours: dict[str, Any] = {name: near_colour(rng, getattr(scene, name), 0.012) for name in COLOURS}
    return replace(moved, **colours, detail=scene.detail + clipped(rng, 0.5, 1.0),
                   hair_part=scene.hair_part + clipped(rng, 0.015, 0.03),
                   light=float(np.clip(scene.light + clipped(rng, 0.015, 0.03), 0.2, 0.9)),
                   light_x=scene.light_x + clipped(rng, 0.03, 0.06),
                   bright=scene.bright * (1.0 + clipped(rng, 0.01, 0.02)))


def degrade(image: np.ndarray, factor: int) -> np.ndarray:
    """A picture (H, W, 3) reduced by `factor` (8, 16 or 32) with area averaging and enlarged again (bicubic).

    Raises ValueError where the factor is not one of `FACTORS`.
    """
    if factor not in FACTORS:
        raise ValueError(f"reduction must be one of {FACTORS}, got {factor}")
    height, width = image.shape[:2]
    small = (max(1, round(width / factor)), max(1, round(height / factor)))
    planes = []
    for channel in range(image.shape[2]):
        plane = Image.fromarray(np.ascontiguousarray(image[..., channel], np.float32))
        reduced = plane.resize(small, Image.Resampling.BOX)
        planes.append(np.asarray(reduced.resize((width, height), Image.Resampling.BICUBIC)))
    return np.clip(np.stack(planes, -1), 0.0, 1.0).astype(np.float32)


def _adorned(scene: Scene, rng: np.random.Generator) -> Scene:
    """The scene with one element in plain sight and perhaps another."""
    bare = replace(scene, hat="", glasses="", earrings="", hand="", scarf=False)
    choices = {"hat": str(rng.choice(HATS[1:])), "glasses": str(rng.choice(GLASSES[1:])),
               "earrings": str(rng.choice(("stud", "hoop", "drop"))),
               "hand": str(rng.choice(("chin", "cheek", "mouth"))), "scarf": True}
    chosen = {str(rng.choice(("hat", "glasses", "hand", "scarf"), p=(0.38, 0.36, 0.13, 0.13)))}
    if rng.random() < 0.35:
        chosen.add(str(rng.choice(("hat", "glasses", "earrings"))))
    worn: dict[str, Any] = {name: choices[name] for name in sorted(chosen)}
    return replace(bare, **worn)


def _near(place: Placement, rng: np.random.Generator, amount: float) -> Placement:
    """A placement close to `place`; `amount` 1 shifts by about 1 % and turns by about 2°."""
    return replace(place, x=place.x + clipped(rng, 0.010, 0.02) * amount,
                   y=place.y + clipped(rng, 0.008, 0.016) * amount,
                   scale=place.scale * (1.0 + clipped(rng, 0.010, 0.02) * amount),
                   roll=place.roll + clipped(rng, 0.03, 0.06) * amount,
                   yaw=place.yaw + clipped(rng, 0.04, 0.08) * amount,
                   pitch=place.pitch + clipped(rng, 0.025, 0.05) * amount)


def _express(scene: Scene, rng: np.random.Generator, amount: float) -> Scene:
    """The scene with its expression moved by about `amount`."""
    opened = float(np.clip(scene.mouth_open + clipped(rng, amount, 2 * amount), 0.0, 1.0)) if scene.mouth_open else 0.0
    return replace(scene, smile=float(np.clip(scene.smile + clipped(rng, amount, 2 * amount), -0.8, 1.0)),
                   mouth_open=opened,
                   brow_raise=float(np.clip(scene.brow_raise + clipped(rng, amount, 0.2), -1.0, 1.0)),
                   gaze_x=float(np.clip(scene.gaze_x + clipped(rng, amount, 0.2), -0.9, 0.9)),
                   gaze_y=float(np.clip(scene.gaze_y + clipped(rng, amount, 0.2), -0.6, 0.6)))
