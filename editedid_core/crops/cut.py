"""The crops on which the diffusion works: original and edit of one person, aligned, in one light. METHOD §6."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from ..appearance.sharpness import SOFTEST, match_sharpness
from ..geometry.affine import (
    Matrix,
    apply,
    compose,
    crop_frame,
    face_to_face,
    fit_similarity,
    inverse_affine,
    pixel_grid,
    places_under,
    scale_of,
)
from ..geometry.landmarks import LIPS, as_68
from ..geometry.laying import lay
from ..geometry.resample import resample
from ..geometry.thin_plate import bend
from ..masks.decision import decide, undecided
from ..masks.elements import LARGEST, smaller
from ..masks.outline import face_mask
from ..masks.part_weights import PartWeights
from ..masks.parts import face_parts, features_in_one_state
from ..masks.reading import FaceReading, read_face
from ..pictures import check_found_in, check_pictures, checked_element_mask, to_rgb
from ..records import CropResult, FaceCrop, FacePair, FacePairs, PasteRecord
from ..ticks import Tick, nothing
from .whose import Small, at_size, reduced, whose

NATURAL_SIZES = (512, 1024)
"""Sides of crops that no model works on: for most faces, and for those whose crop is over FINE pixels wide."""
FINE = 768

_READ = 320
"""Side in pixels at which a photo's face is read."""

_SPARSE = 3.0
"""Pixels of a photo per pixel at which it is read that are averaged, at least."""

BY_THE_MASKS = PartWeights()
Alignment = Literal["mesh", "features", "own frames", "none"]


def _by_frames(source: ArrayLike, target: ArrayLike) -> Matrix:
    """The map between two faces' own crop frames."""
    return compose(crop_frame(target, 64), inverse_affine(crop_frame(source, 64)))


_ALIGNMENTS: dict[Alignment, Callable[[ArrayLike, ArrayLike], Matrix]] = {
    "mesh": face_to_face, "features": face_to_face, "own frames": _by_frames,
    "none": lambda source, target: np.eye(2, 3)}


def natural_size(pairs: FacePairs) -> int:
    """The side of crops in pixels that keeps the detail of the largest edited face, one of NATURAL_SIZES."""
    sides = [scale_of(crop_frame(pair.edited.points, 64)) * 64 for pair in pairs.pairs]
    return NATURAL_SIZES[max(sides, default=0.0) > FINE]


def crop_pairs(original_image: torch.Tensor, edited_image: torch.Tensor, pairs: FacePairs, size: int,
               element_mask: torch.Tensor | None = None, relight: float = 1.0, auto_elements: float = 1.0,
               piecewise: bool = False, keep_elements: bool = True, alignment: Alignment = "mesh",
               whole: bool = True, sharpen: bool = True, tick: Tick = nothing,
               parts: PartWeights = BY_THE_MASKS) -> CropResult:
    """Cut the edited face of every pair upright, and warp the original of the same person onto it.

    original_image: (B, H, W, C), edited_image: (B', H', W', C'), the pictures in which the faces were found.
    size: side S of the crops in pixels, 16 or more. element_mask: (B' or 1, H', W') in [0, 1], parts of the edit
    that cover the face, or None. relight: how far the original takes the edit's light, 0 to 1. auto_elements:
    sensitivity of finding elements by comparison, 0 (off) to 2. piecewise: bend the original to the edited landmarks
    where both faces have dense ones; pairs of Shape Faces are always bent, because they differ only in pose and
    expression. keep_elements: leave elements out of the paste, so they stay the edit's own pixels. alignment: how the
    original is laid over the edit: by the two faces' "mesh", with pose and expression removed; by "features" (the five
    points), also where a mesh is missing and nothing is bent; by the two faces' "own frames", or not at all ("none").
    whole: give each feature wholly to the photo or to the edit. sharpen: make the original as sharp as the edit. tick:
    called for each pair. parts: how much of each part is the photo's.
    Crops over the border of a picture are filled by reflection; those parts are never pasted.
    Returns tensors on the CPU; N = 0 when there is no pair. Raises ValueError for input that does not fit together.
    """
    check_pictures(original_image, "original_image")
    check_pictures(edited_image, "edited_image")
    if size < 16:
        raise ValueError(f"size is {size}: crops need a side of at least 16 pixels.")
    image_size = (edited_image.shape[1], edited_image.shape[2])
    _check_pairs(pairs, original_image, edited_image)
    mask = None if element_mask is None else checked_element_mask(element_mask, edited_image)
    rows = []
    for pair in pairs.pairs:
        tick()
        rows.append(_crop_pair(pair, original_image, edited_image, mask, size, relight, auto_elements,
                               piecewise or pair.shaped, alignment, whole, sharpen, parts))
    if not rows:
        empty = torch.zeros(0, size, size)
        pictures = torch.zeros(0, size, size, 3)
        record = PasteRecord((), empty, image_size, edited_image.shape[0])
        return CropResult(pictures, pictures, empty, empty, record)
    crops = tuple(row[0] for row in rows)
    original, edited, face, elements = (torch.stack(column) for column in list(zip(*rows))[1:])
    paste_masks = face * (1 - elements) if keep_elements else face
    return CropResult(original, edited, face, elements,
                      PasteRecord(crops, paste_masks, image_size, edited_image.shape[0]))


def _crop_pair(pair: FacePair, original_image: torch.Tensor, edited_image: torch.Tensor, mask: torch.Tensor | None,
               size: int, relight: float, auto_elements: float, bent: bool, alignment: Alignment, whole: bool,
               sharpen: bool, weights: PartWeights,
               ) -> tuple[FaceCrop, torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Record, original (S, S, 3), edited (S, S, 3), face mask (S, S) and element mask (S, S) of one pair."""
    to_image = crop_frame(pair.edited.points, size)
    from_image = inverse_affine(to_image)
    points = apply(from_image, pair.edited.points)
    dense = None if pair.edited.dense is None else apply(from_image, pair.edited.dense)

    edited = _cut(edited_image[pair.edited.frame], places_under(to_image, size, size), scale_of(to_image))
    here, there = as_68(dense), as_68(pair.original.dense)
    meshes = _meshes(pair, from_image) if alignment == "mesh" else None
    laying = None if meshes is None else lay(*meshes, size)
    places: NDArray[np.floating]
    if laying is not None:
        to_original, places = laying.to_original, laying.positions
    elif bent and here is not None and there is not None:
        to_original = fit_similarity(here, there)
        bent_grid = bend(here, apply(inverse_affine(to_original), there)).at((0, 0, size, size))
        places = apply(to_original, pixel_grid(size, size) + bent_grid)
    else:
        to_original = compose(_ALIGNMENTS[alignment](pair.edited.points, pair.original.points), to_image)
        places = places_under(to_original, size, size)
    original = _cut(original_image[pair.original.frame], places, scale_of(to_original))

    face = face_mask(points, dense, size)
    given = torch.zeros(size, size)
    if mask is not None:
        drawn = mask[pair.edited.frame % mask.shape[0]][..., None]
        positions = places_under(to_image, size, size)
        given = resample(drawn, positions, scale_of(to_image), padding="zeros", mode="bilinear")[..., 0]
    share = min(size, LARGEST) / size
    to_small = np.array([[share, 0, (share - 1) / 2], [0, share, (share - 1) / 2]])
    small_points = apply(to_small, points)
    small = Small(smaller(original), smaller(edited), reduced(face), reduced(given), small_points,
                  face_parts(small_points, min(size, LARGEST)), None if here is None else apply(to_small, here[LIPS]))
    if meshes is None or laying is None:
        decision = undecided(features_in_one_state(small.parts, there, here))
    else:
        edit = read_face(small.edited, in_frame(meshes[1], to_small))
        decision = decide(_read_photo(pair, original_image), edit, in_frame(laying.mesh, to_small), small.parts)
    found = whose(original, edited, small, decision, None if laying is None else laying.turn, auto_elements, relight,
                  whole, weights)
    original, elements = found.original, torch.maximum(at_size(found.elements, size), given)
    if sharpen:
        alike = small.face * (1 - found.elements) * small.parts.together()
        original = match_sharpness(original, edited, at_size(alike, size), SOFTEST if decision.read else 1.0)
    crop = FaceCrop(pair, to_image, to_original, size, pair.edited.frame, decision.glasses,
                    smaller(original) if decision.read else None)
    return crop, original, edited, face, elements


def _meshes(pair: FacePair, from_image: Matrix) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """The photo's mesh in its picture and the edit's in the crop, or None where one is missing."""
    photo, edit = pair.original.mesh, pair.edited.mesh
    if photo is None or edit is None:
        return None
    return photo.astype(np.float64), in_frame(edit, from_image)


def _read_photo(pair: FacePair, original_image: torch.Tensor) -> FaceReading:
    """The photo's face in its own upright crop."""
    assert pair.original.mesh is not None
    frame = crop_frame(pair.original.points, _READ)
    # of a large photo every second or third pixel is enough, since many are averaged into one
    every = max(1, int(scale_of(frame) / _SPARSE))
    places, step = places_under(frame, _READ, _READ) / every, scale_of(frame) / every
    photo = _cut(original_image[pair.original.frame][::every, ::every], places, step)
    return read_face(photo, in_frame(pair.original.mesh, inverse_affine(frame)))


def in_frame(mesh: NDArray[np.floating], to_frame: Matrix) -> NDArray[np.float64]:
    """A mesh (478, 3) seen in another frame, depth scaled along."""
    return np.column_stack([apply(to_frame, mesh[:, :2]), mesh[:, 2] * scale_of(to_frame)])


def cut_crops(image: torch.Tensor, record: PasteRecord) -> torch.Tensor:
    """The record's crops cut from a picture (B, H, W, C) of its size, (N, S, S, 3)."""
    cuts = [_cut(image[crop.frame], places_under(crop.to_image, crop.size, crop.size), scale_of(crop.to_image))
            for crop in record.crops]
    return torch.stack(cuts)


def _cut(picture: torch.Tensor, positions: NDArray[np.floating], step: float) -> torch.Tensor:
    """(S, S, 3) float32 in [0, 1] on the CPU."""
    clean = to_rgb(picture.detach()).cpu()
    return resample(clean, positions, step).nan_to_num(0.0).clamp(0, 1)


def _check_pairs(pairs: FacePairs, original_image: torch.Tensor, edited_image: torch.Tensor) -> None:
    for pair in pairs.pairs:
        check_found_in(pair.original, original_image, "original_image")
        check_found_in(pair.edited, edited_image, "edited_image")


def with_placeholder(result: CropResult, edited_image: torch.Tensor, size: int) -> CropResult:
    """The result itself; if it has no crop, one crop of the picture's middle under empty masks.

    A graph without a face then runs to its end, and pasting returns the edited picture unchanged.
    """
    if result.record.crops:
        return result
    height, width = edited_image.shape[1:3]
    side = min(height, width)
    positions = pixel_grid(size, size) * (side / size) + [(width - side) / 2, (height - side) / 2]
    middle = _cut(edited_image[0], positions, side / size)[None]
    empty = torch.zeros(1, size, size)
    return CropResult(middle, middle, empty, empty, result.record)
