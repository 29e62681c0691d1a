"""The stages of a restoration, as functions from records to records; the runner calls them in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..appearance.skin_tone import retone_faces
from ..choices import one_of
from ..config import NO_FACE, FindConfig, MatchConfig, RestoreConfig
from ..crops.cut import crop_pairs, natural_size
from ..engines.protocol import FaceJob
from ..faces.analyzers.protocol import FaceAnalyzer
from ..faces.detect import detect
from ..faces.match import match_faces
from ..faces.similarity import person_similarity, pose_distance
from ..geometry.reshape import Reshaped, reshape_faces
from ..records import CropResult, FacePair, FacePairs, Faces
from ..ticks import Say, Tick, nothing, silent
from .report import Box, LeftAlone, box_of
from .small_face import damage_of, true_pixels, trust_in

MOST_PHOTOS = 4
"""Photos of one person that are used together, the first included."""


def find(image: Tensor, name: str, analyzer: FaceAnalyzer, config: FindConfig, tick: Tick = nothing) -> Faces:
    """The faces of pictures (B, H, W, C). Raises ValueError as `require_faces` does."""
    faces = detect(image, analyzer, config.threshold, config.min_face, config.order, on_frame=tick)
    require_faces(faces, name, config.no_face)
    return faces


def find_in_frames(image: Tensor, name: str, analyzer: FaceAnalyzer, config: FindConfig, tick: Tick = nothing) -> Faces:
    """The faces of a sequence, in which frames without a face are nothing special. Raises ValueError where no frame
    holds one and `no_face` is "error"."""
    faces = find(image, name, analyzer, replace(config, no_face="pass through"), tick)
    if not faces.faces:
        require_faces(faces, name, config.no_face)
    return faces


def require_faces(faces: Faces, name: str, no_face: str) -> None:
    """Raise ValueError, naming the input and the picture, where a picture holds no face and `no_face` is "error"."""
    if one_of(no_face, NO_FACE, "no_face") != "error":
        return
    empty = [frame for frame in range(faces.frames) if not faces.in_frame(frame)]
    if empty:
        which = "it" if faces.frames == 1 else f"picture {empty[0] + 1} of {faces.frames}"
        raise ValueError(
            f"{name}: no face was found in {which}; use a larger or clearer picture, or set no_face to pass through."
        )


def match(originals: Faces, edited: Faces, config: MatchConfig, tick: Tick = nothing) -> FacePairs:
    """Who is who: as the user chose, else by likeness and place."""
    return match_faces(originals, edited, config.min_similarity, config.position_weight, config.same_person,
                       config.photos, tick, config.pairs, config.doubt)


def left_alone(pairs: FacePairs, config: MatchConfig, edited: Faces) -> tuple[LeftAlone, ...]:
    """Why each face of the edit without a person was left alone."""
    refused: dict[tuple[int, Box], float | None] = {
        (pair.edited.frame, box_of(pair.edited.box)): pair.similarity for pair in pairs.refused}
    return tuple(LeftAlone(face.frame, box_of(face.box), refused.get((face.frame, box_of(face.box))),
                           config.min_similarity, face in pairs.skipped, edited.number(face))
                 for face in pairs.unmatched_edited)


@dataclass(frozen=True, eq=False)
class Prepared:
    """The edit with its faces in their persons' shape and tone. element_mask: moved along with them. certainty: for
    every pair, how certain its change of tone is, 0 to 1."""

    shaped: Reshaped
    element_mask: Tensor | None
    certainty: tuple[float, ...]


def shape_and_tone(original: Tensor, edited: Tensor, pairs: FacePairs, shares: Sequence[float], skin_tone: float,
                   element_mask: Tensor | None, tick: Tick = nothing) -> Prepared:
    """Faces moved to their persons' shape, each by its own share, and skin in its person's tone."""
    shaped = reshape_faces(edited, pairs, shares, tick)
    moved = None if element_mask is None else shaped.moved(element_mask)
    toned = retone_faces(original, shaped.image, shaped.pairs, skin_tone, moved, tick)
    if toned.image is shaped.image:
        return Prepared(shaped, moved, toned.certainty)
    both = replace(shaped, image=toned.image, mask=torch.maximum(shaped.mask, toned.mask))
    return Prepared(both, moved, toned.certainty)


def with_crop_size(config: RestoreConfig, pairs: FacePairs) -> RestoreConfig:
    """The configuration with a side for the crops, where it leaves that to the faces."""
    return config if config.crop.size is not None else config.changed({"crop.size": natural_size(pairs)})


def cut(original: Tensor, prepared: Prepared, config: RestoreConfig, tick: Tick = nothing) -> CropResult:
    """The crops of all pairs, in order."""
    c, pairs = config.crop, prepared.shaped.pairs
    size = natural_size(pairs) if c.size is None else c.size
    return crop_pairs(original, prepared.shaped.image, pairs, size, prepared.element_mask, c.relight, c.auto_elements,
                      c.piecewise, c.keep_elements, c.alignment, c.whole_features, c.match_sharpness, tick,
                      config.parts)


def job(original: Tensor, prepared: Prepared, crops: CropResult, i: int, config: RestoreConfig,
        say: Say = silent) -> FaceJob:
    """The i-th pair as a job for an engine."""
    one, pair = slice(i, i + 1), prepared.shaped.pairs.pairs[i]
    photos = pair.originals[1:MOST_PHOTOS] if config.match.photos == "all together" else ()
    further = replace(prepared.shaped, pairs=FacePairs(
        tuple(replace(pair, original=photo) for photo in photos), (), ()))
    others = cut(original, replace(prepared, shaped=further), config).original
    ready = FaceJob(crops.original[one], crops.edited[one], others, crops.face_mask[i], crops.element_mask[i],
                    pose_distance(pair.original, pair.as_found), _drift(pair), crops.record.crops[i],
                    prepared.shaped.bends[i], say=say)
    if config.engine != "super resolution":
        return ready
    # the crop lies in its picture at crop.size, and holds no more than the picture does
    pixels = true_pixels(prepared.shaped.image, pair.edited, config.super_resolution)
    trust = trust_in(damage_of(prepared.shaped.image, pair.edited)[0], pixels)
    return replace(ready, true_pixels=min(pixels, float(crops.record.crops[i].size)), trust=trust)


def _drift(pair: FacePair) -> float:
    """1 - cosine to the person; 1 for a face too small to be recognised."""
    return 1.0 if pair.as_found.embedding is None else 1 - person_similarity(pair.originals, pair.as_found)
