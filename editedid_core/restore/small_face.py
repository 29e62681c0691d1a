"""The stages of a super-resolution that a restoration lacks: the small face is placed, and its photos are put in order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..appearance.damage import Damage, measure_damage
from ..config import FindConfig, RestoreConfig
from ..crops.register import register
from ..crops.small_place import BOX, MEAN, place
from ..engines.super_resolution.engine import AGREEING
from ..engines.super_resolution.settings import SuperResolution
from ..faces.analyzers.composed import FaceRecogniser
from ..faces.analyzers.protocol import FaceAnalyzer
from ..faces.find import find_faces
from ..faces.similarity import person_similarity
from ..geometry.affine import apply, crop_frame, pixel_grid, scale_of
from ..geometry.resample import resample
from ..pictures import to_rgb
from ..records import Face, FacePair, FacePairs, Faces, Placement
from ..ticks import Tick, nothing
from .reference_photos import agreement
from .same_person import FEWEST, low_likeness, margin_of

MEASURED_AT = 64
"""Side of the crop in which damage is measured."""

CLEAN_TRUST = 0.35
"""Trust in the bands of a small face without noise: more keeps its pixels, less is nearer to the person (drawn)."""

NOISE_OF_HALF = 0.03
"""Error of a true pixel, in [0, 1], at which trust has fallen to half (drawn)."""

_SHARPEST = 52.0
"""True pixels across a crop of MEASURED_AT above which blur cannot be seen in it."""

_FOUND = 4.0
"""How much surer the place of a face is that the analyzer found than that of a box."""

_PLACED = 2.0
"""How much surer the place of a whole face is than that of one of its points (drawn, 16 people of the tune split)."""

SHARP = (16.0, 32.0)
"""True pixels across a crop from which its own bands tell who it is, and from which they tell everything (drawn)."""


def find_small(image: Tensor, analyzer: FaceAnalyzer, config: FindConfig, box: Any = None, tick: Tick = nothing,
               ) -> Faces:
    """The faces of pictures (B, H, W, C) in which a face may be too small to be found.

    box: where a face is, in a layout of the host's BOUNDING_BOX; the analyzer's points are taken where it sees a face
    there. Without a box the analyzer searches, and where it finds nothing the picture's middle is taken for a face's
    crop. A face that was only placed has no embedding.
    """
    found = find_faces(image, analyzer, None, box, config.threshold, config.min_face, config.order, on_frame=tick)
    faces: list[Face] = []
    for frame in range(found.frames):
        faces += found.in_frame(frame) or [_framed(frame, found.image_size)]
    return replace(found, faces=tuple(faces))


def _framed(frame: int, size: tuple[int, int]) -> Face:
    """A face whose crop is the largest square in the middle of its picture."""
    side = min(size)
    corner = (np.array([size[1], size[0]]) - side) / 2
    points = corner + np.array(MEAN) * side - 0.5
    box = np.concatenate([corner + 0.2 * side, corner + 0.8 * side])
    return Face(box.astype(np.float32), points.astype(np.float32), 0.0, None, None, frame, size)


def pair_small(original: Tensor, image: Tensor, photos: Faces, faces: Faces, config: RestoreConfig,
               tick: Tick = nothing, analyzer: FaceAnalyzer | None = None) -> FacePairs:
    """Pair the person whom most photos show with one face of each picture, and place it by the photos if need be.
    Where as many show another person, the small face decides. analyzer: looks whether it is this person, if it can
    recognise a face that it has not found.

    Photos of the pairs come in the order of how well they explain the face. Notes name photos of somebody else.
    """
    found = agreement(photos, config.match.same_person)
    recogniser = analyzer if isinstance(analyzer, FaceRecogniser) else None
    pairs, left, notes = [], [], [*faces.notes, *found.notes]
    others = [*found.others, *(face for one in found.candidates for face in one if found.tied)]
    for frame in range(faces.frames):
        tick()
        here = faces.in_frame(frame)
        chosen = [_likest(person, here) for person in found.candidates]
        tried = [_placed(original, image, person, face, config, recogniser)
                 for person, face in zip(found.candidates, chosen)]
        pair = max(tried, key=_evidence)
        pairs.append(pair)
        left += [face for face in here if face is not chosen[tried.index(pair)]]
        if found.tied:
            notes.append(f"The photos show {len(tried)} people, as many of each: {photos.label(pair.original)} suits "
                         f"the face of picture {frame + 1} best and is used. Leave out the photos of the others.")
    others = [face for face in others if not any(face is one for pair in pairs for one in pair.originals)]
    return FacePairs(tuple(pairs), tuple(others), tuple(left), notes=tuple(notes))


def _evidence(pair: FacePair) -> float:
    """What speaks for a pair: its margin, where there is none the contrast that its photos explain."""
    assert pair.placement is not None
    return pair.placement.explained if pair.placement.margin is None else pair.placement.margin


def _likest(person: Sequence[Face], faces: Sequence[Face]) -> Face:
    known = [face for face in faces if face.embedding is not None]
    return max(known, key=lambda face: person_similarity(person, face)) if known else faces[0]


def _placed(original: Tensor, image: Tensor, person: tuple[Face, ...], face: Face, config: RestoreConfig,
            recogniser: FaceRecogniser | None) -> FacePair:
    """A pair whose photos are in order; a face without an embedding gets its points from them."""
    shots = [(original[photo.frame], photo.points) for photo in person]
    pixels = true_pixels(image, face, config.super_resolution)
    points, certainty = face.points, _FOUND
    if face.embedding is None:
        guess = place(image[face.frame], face.points, pixels)
        points, certainty = guess.points.astype(np.float32), _PLACED * BOX / guess.spread
    laid = register(image[face.frame], points, shots, pixels, certainty)
    order = sorted(range(len(person)), key=lambda i: -laid.explained[i])
    photos = tuple(person[i] for i in order)
    explained = max(laid.explained)
    if face.embedding is not None:
        likeness = person_similarity(person, face)
        placement = Placement(laid.spread, explained, likeness - config.match.min_similarity)
        return FacePair(photos[0], face, likeness, photos, placement=placement)
    placed = replace(face, points=laid.points)
    margin = None
    if recogniser is not None and pixels >= FEWEST:
        seen = [low_likeness(recogniser, image[face.frame], placed, original[photo.frame], photo, pixels)
                for photo in photos[:AGREEING]]
        margin = margin_of(float(np.mean(seen)), explained)
    placement = Placement(laid.spread, explained, margin)
    return FacePair(photos[0], placed, None, photos, placement=placement)


def damage_of(image: Tensor, face: Face) -> tuple[Damage, float]:
    """The damage of a face in its picture (B, H, W, C), and the picture's pixels across its crop."""
    frame = crop_frame(face.points, MEASURED_AT)
    crop = resample(to_rgb(image[face.frame].detach()).cpu(), apply(frame, pixel_grid(MEASURED_AT, MEASURED_AT)),
                    scale_of(frame), padding="border")
    return measure_damage(crop), MEASURED_AT * scale_of(frame)


def true_pixels(image: Tensor, face: Face, settings: SuperResolution) -> float:
    """Pixels of the scene across a face's crop, by the scale that the user gave or by what is measured."""
    damage, across = damage_of(image, face)
    if settings.scale > 0:
        return across / settings.scale
    return across if damage.true_pixels > _SHARPEST else min(damage.true_pixels, across)


def trust_in(damage: Damage, pixels: float) -> float:
    """How far a face's own bands can be believed, 0 to 1: little where they are noisy, little too where they are so few
    that they hold the wrong person as well as the right one."""
    low, high = (np.log2(edge) for edge in SHARP)
    sharp = float(np.clip((np.log2(max(pixels, 1.0)) - low) / (high - low), 0, 1))
    clean = CLEAN_TRUST + (1 - CLEAN_TRUST) * sharp
    return clean / (1 + (damage.error / NOISE_OF_HALF) ** 2)


def whole_crop(size: int) -> Tensor:
    """The mask (S, S) of a crop that is pasted whole: 1 but on its border, from where the paste fades in."""
    mask = torch.zeros(size, size)
    mask[1:-1, 1:-1] = 1
    return mask
