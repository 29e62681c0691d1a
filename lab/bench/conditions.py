"""Triples made harder in one controlled way: pose, size, cover, drift, landmark noise, more photos of the person."""
from __future__ import annotations

import math
import zlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from editedid_core.records import Face

from .. import portraits
from ..portraits.scene import Scene
from ..portraits.triples import KEEP_POSE, edited_scene, jittered_scene, original_scene, sized

Array = NDArray[np.float32]

SIZE = 192
"""Side of a triple's pictures in pixels; eyes are then about 32 pixels apart."""
EYES = 32

COVERS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "glasses": {"glasses": "square"},
    "sunglasses": {"glasses": "sun"},
    "hand at the chin": {"hand": "chin"},
    "hand over the mouth": {"hand": "mouth"},
    "sunglasses and hand": {"glasses": "sun", "hand": "mouth"},
}
"""What covers the face in the edit, from nothing to most of it."""


@dataclass(frozen=True)
class Condition:
    """What is asked of a triple; None leaves it as the seed has it.

    noise: root mean square displacement of each landmark that the pack gets to see, as a share of the eye distance.
    yaw, pitch: degrees between the photo and the edit, half of them to each side of a frontal face. eyes: distance of
    the eyes in pixels, in all three pictures. cover: one of `COVERS`. drift: identity distance. photos: photos of the
    person, the triple's own first, to whose mean likeness is measured. used: how many of them the pack gets.
    """

    noise: float = 0.0
    yaw: float | None = None
    pitch: float | None = None
    eyes: int | None = None
    cover: str | None = None
    drift: float | None = None
    photos: int = 1
    used: int = 1

    @property
    def size(self) -> int:
        """Side of the pictures in pixels."""
        return SIZE if self.eyes is None else round(SIZE * self.eyes / EYES)


def make(seed: int, condition: Condition) -> portraits.Triple:
    """The triple of a seed under a condition; the plain condition gives `make_triple`'s own."""
    if (condition.yaw, condition.pitch, condition.cover, condition.drift) == (None, None, None, None):
        return portraits.make_triple(seed, size=condition.size)
    person = portraits.triple_identity(seed)
    kind = "accessory" if condition.cover is not None else portraits.KINDS[seed % len(portraits.KINDS)]
    drift = portraits.DRIFTS[seed // len(portraits.KINDS) % len(portraits.DRIFTS)]
    rng = np.random.default_rng((seed, 2))
    first = original_scene(rng)
    first = replace(first, placement=sized(first.placement, person))
    keeps = bool(rng.random() < KEEP_POSE) or condition.yaw is not None or condition.pitch is not None
    second = edited_scene(first, kind, keeps, rng)
    if not keeps:
        second = replace(second, placement=sized(second.placement, person))
    side = 1 if seed // 2 % 2 else -1
    first, second = _turned(first, condition, side), _turned(second, condition, -side)
    if condition.cover is not None:
        bare: dict[str, Any] = {"hat": "", "glasses": "", "earrings": "", "hand": "", "scarf": False}
        second = replace(second, **(bare | COVERS[condition.cover]))
    distance = portraits.DRIFT_DISTANCE[drift] if condition.drift is None else condition.drift
    other = portraits.drift_identity(person, distance, rng)
    third = jittered_scene(second, rng)
    original, ideal, drifted = (portraits.render(who, scene, condition.size)
                                for who, scene in ((person, first), (person, second), (other, third)))
    return portraits.Triple(original, ideal, drifted, kind, drift, seed, keeps)


def more_photos(seed: int, condition: Condition) -> list[portraits.Portrait]:
    """The other photos of a triple's person, in scenes and poses of their own."""
    person = portraits.triple_identity(seed)
    found = []
    for number in range(1, condition.photos):
        scene = original_scene(np.random.default_rng((seed, 3, number)))
        scene = replace(scene, placement=sized(scene.placement, person))
        found.append(portraits.render(person, scene, condition.size))
    return found


def displaced(points: Array, noise: float, picture: NDArray[np.uint8], seed: int, five: Array | None = None) -> Array:
    """Points (K, 2) moved by `noise` eye distances, the same for the same picture and seed. `five`: the face's five
    points, where `points` are others."""
    rng = np.random.default_rng((seed, zlib.crc32(picture.tobytes())))
    left, right = (points if five is None else five)[:2]
    eyes = float(np.linalg.norm(right - left))
    return (points + rng.normal(0.0, noise * eyes / math.sqrt(2), points.shape)).astype(np.float32)


@dataclass(frozen=True, eq=False)
class NoisyAnalyzer:
    """A face analyzer whose points, five and dense, are off by `noise`; everything else is as it was found."""

    analyzer: Any
    noise: float
    seed: int

    @property
    def name(self) -> str:
        return str(self.analyzer.name)

    @property
    def licence(self) -> str:
        return str(self.analyzer.licence)

    def find(self, image: NDArray[np.uint8], threshold: float = 0.5) -> list[Face]:
        faces = self.analyzer.find(image, threshold)
        return [self._off(face, image) for face in faces]

    def _off(self, face: Face, image: NDArray[np.uint8]) -> Face:
        dense = None if face.dense is None else displaced(face.dense, self.noise, image, self.seed + 1, face.points)
        return replace(face, points=displaced(face.points, self.noise, image, self.seed), dense=dense)


def _turned(scene: Scene, condition: Condition, side: int) -> Scene:
    """The scene with half of the condition's yaw and pitch, on its side of a frontal face."""
    place = scene.placement
    if condition.yaw is not None:
        place = replace(place, yaw=side * math.radians(condition.yaw) / 2)
    if condition.pitch is not None:
        place = replace(place, pitch=side * math.radians(condition.pitch) / 2)
    return replace(scene, placement=place)
