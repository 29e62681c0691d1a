"""The whole way in one call: find, match, crop, sample, guard, paste.

Knows neither the host nor a model: what encodes, samples and decodes is handed in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from .faces import (
    CropResult,
    Face,
    FaceAnalyzer,
    FacePair,
    FacePairs,
    Faces,
    Reshaped,
    crop_pairs,
    cut_crops,
    detect,
    match_faces,
    paste,
    person_similarity,
    reshape_faces,
    retone_faces,
)
from .faces.align import scale_of
from .faces.caution import cautions
from .faces.detail import return_detail
from .faces.detect import Order, check_pictures
from .faces.match import Choice
from .faces.paste import paste_mask
from .faces.similarity import pose_distance
from .faces.tone import OTHER_LIGHT, UNSURE

MOST_MOVED = 0.2
"""Landmark error, in eye distances, past which a restoration has come apart or brought another expression."""

Encode = Callable[[Tensor], Tensor]
"""(1, S, S, 3) picture -> latent."""
Decode = Callable[[Tensor], Tensor]
"""Latent -> (1, S, S, 3) picture."""


@dataclass(frozen=True, eq=False)
class Sampled:
    """What one sampling run gives back: the latent, its network evaluations and the mode that ran."""

    latent: Tensor
    evaluations: int
    mode: str


Sample = Callable[[Tensor, Tensor, Tensor, Tensor, float, "Tensor | None"], Sampled]
"""(original latent, edited latent, face mask (S, S), element mask (S, S), pose distance, latents of further photos of
the person or None) -> Sampled."""

MOST_PHOTOS = 4
"""Photos of one person that are used together, the first included."""


@dataclass(frozen=True)
class RestoreOptions:
    """`size`: side of the crops in pixels, a multiple of 16; `min_similarity`: pairs below this cosine are
    left alone; `detail`: how much of what the autoencoder loses is given back, 0 to 1; `face_shape`: how far the
    edit's features and outline are moved to where the person has them, 0 to 1; `skin_tone`: how far the skin takes
    the photo's tone, 0 to 1; `guard`: return the face unchanged when it would be further from the person; `choice`:
    which of several photos of the person is used; the rest as in the nodes of the same name."""

    size: int = 512
    threshold: float = 0.5
    min_face: int = 0
    order: Order = "left-right"
    min_similarity: float = 0.0
    position_weight: float = 0.25
    relight: float = 1.0
    auto_elements: float = 1.4
    feather: float = 0.03
    colour: float = 0.0
    detail: float = 1.0
    face_shape: float = 1.0
    skin_tone: float = 0.0
    guard: bool = True
    no_face: Literal["error", "pass through"] = "error"
    choice: Choice = "likest"


@dataclass(frozen=True)
class FaceReport:
    """One restored face. Similarities are cosines to the mean of the person's photos; `landmark_error` is the mean
    distance of the five points before and after, as a share of the eye distance; `None` where no face was found again.
    `warnings`: what made this face a hard one, whatever became of it.
    """

    frame: int
    box: tuple[float, float, float, float]
    id_similarity_before: float
    id_similarity_after: float | None
    landmark_error: float | None
    accepted: bool
    note: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Restoration:
    """`image`: the edited picture with restored faces; `mask` (B, H, W): where it may differ from the edit."""

    image: Tensor
    mask: Tensor
    faces: tuple[FaceReport, ...]
    unmatched_original: int
    unmatched_edited: int
    outside_pixels_changed: int
    network_evaluations: int
    mode: str

    def report(self) -> dict[str, object]:
        """The figures as plain data, for JSON."""
        return {
            "mode": self.mode,
            "faces": [asdict(face) for face in self.faces],
            "unmatched_original": self.unmatched_original,
            "unmatched_edited": self.unmatched_edited,
            "outside_pixels_changed": self.outside_pixels_changed,
            "network_evaluations": self.network_evaluations,
        }


def restore(original: Tensor, edited: Tensor, analyzer: FaceAnalyzer, encode: Encode, sample: Sample,
            decode: Decode, options: RestoreOptions, element_mask: Tensor | None = None) -> Restoration:
    """Restore every matched face of `edited` (B, H, W, C) from the photos in `original` (P, h, w, C).

    Raises ValueError when a picture holds no face and `no_face` is "error".
    """
    check_pictures(original, "original")
    check_pictures(edited, "edited")
    found = [detect(picture, analyzer, options.threshold, options.min_face, options.order)
             for picture in (original, edited)]
    for faces, name in zip(found, ("original", "edited"), strict=True):
        if not faces.faces and options.no_face == "error":
            raise ValueError(
                f"{name}: no face was found in it by {analyzer.name}; use a larger or clearer picture, lower the "
                "threshold, or set no_face to pass through."
            )
    untouched = torch.zeros(edited.shape[:3])
    if not all(faces.faces for faces in found):
        return Restoration(edited, untouched, (), len(found[0].faces), len(found[1].faces), 0, 0, "none")
    # one photo and one face are meant for each other, however far the face has drifted
    alone = all(len(faces.faces) == 1 for faces in found)
    pairs = match_faces(found[0], found[1], -1.0 if alone else options.min_similarity, options.position_weight,
                        choice=options.choice)
    counts = len(pairs.unmatched_original), len(pairs.unmatched_edited)
    if not pairs.pairs:
        return Restoration(edited, untouched, (), *counts, 0, 0, "none")
    shaped, certainty, moved_mask = _in_shape_and_tone(original, edited, pairs, options, element_mask)
    crops = crop_pairs(original, shaped.image, shaped.pairs, options.size, moved_mask, options.relight,
                       options.auto_elements)
    before = cut_crops(edited, crops.record)
    restored, reports, shape_alone, evaluations, mode = [], [], set(), 0, "none"
    for i in range(len(pairs.pairs)):
        one = slice(i, i + 1)
        latents = encode(crops.original[one]), encode(crops.edited[one])
        pair = pairs.pairs[i]
        pose = pose_distance(pair.original, pair.edited)
        others = _other_photos(original, shaped.image, shaped.pairs.pairs[i], options, moved_mask)
        more = torch.cat([encode(photo[None]) for photo in others]) if len(others) else None
        run = sample(*latents, crops.face_mask[i], crops.element_mask[i], pose, more)
        evaluations, mode = evaluations + run.evaluations, run.mode
        crop, of_original, of_edited = (decode(z)[..., :3].to(crops.edited) for z in (run.latent, *latents))
        weight = crops.face_mask[i] * (1 - crops.element_mask[i])
        restored.append(return_detail(crop, crops.original[one], crops.edited[one], of_original, of_edited, weight,
                                      options.detail))
        report = _judge(crops, i, before[one], pair, restored[-1], analyzer, options)
        if not report.accepted and shaped.pairs.pairs[i].shaped:
            unmixed = _judge(crops, i, before[one], pair, crops.edited[one], analyzer, options)
            if unmixed.accepted:
                shape_alone.add(i)
                report = replace(unmixed, note="only its shape was changed: with the photo mixed in it would have been "
                                 "further from the person or come apart")
        warnings = cautions(pair, _covered(crops, i))
        if options.skin_tone > 0 and certainty[i] < UNSURE:
            warnings += (OTHER_LIGHT,)
        reports.append(replace(report, warnings=warnings))
    accepted = [i for i, report in enumerate(reports) if report.accepted]
    if len(accepted) < len(reports):  # a face that is given up keeps its shape and tone too
        kept = replace(pairs, pairs=tuple(pairs.pairs[i] for i in accepted))
        shaped, _, _ = _in_shape_and_tone(original, edited, kept, options, element_mask)
    pasted = [i for i in accepted if i not in shape_alone]
    record = replace(crops.record, crops=tuple(crops.record.crops[i] for i in pasted), masks=crops.record.masks[pasted])
    crop_batch = torch.cat(restored)[pasted]
    image = paste(shaped.image, crop_batch, record, options.feather, options.colour)
    mask = torch.maximum(paste_mask(record, options.feather), shaped.mask)
    changed = (image != edited).any(-1) & (mask == 0).to(image.device)
    return Restoration(image, mask, tuple(reports), *counts, int(changed.sum()), evaluations, mode)


def _in_shape_and_tone(original: Tensor, edited: Tensor, pairs: FacePairs, options: RestoreOptions,
                       element_mask: Tensor | None) -> tuple[Reshaped, tuple[float, ...], Tensor | None]:
    """The edit with its faces in their persons' shapes and skin tones, for every pair how surely tone was known, and
    the element mask moved along."""
    shaped = reshape_faces(edited, pairs, options.face_shape)
    moved = None if element_mask is None else shaped.moved(element_mask)
    toned = retone_faces(original, shaped.image, shaped.pairs, options.skin_tone, moved)
    image, mask = toned.image, torch.maximum(shaped.mask, toned.mask)
    return replace(shaped, image=image, mask=mask), toned.certainty, moved


def _other_photos(original: Tensor, edited: Tensor, pair: FacePair, options: RestoreOptions,
                  element_mask: Tensor | None) -> Tensor:
    """Further photos of the person warped onto the edit like the first, (M, S, S, 3); none unless all are used."""
    photos = pair.originals[1:MOST_PHOTOS] if options.choice == "all together" else ()
    pairs = FacePairs(tuple(replace(pair, original=photo) for photo in photos), (), ())
    return crop_pairs(original, edited, pairs, options.size, element_mask, options.relight,
                      options.auto_elements).original


def _covered(crops: CropResult, i: int) -> float:
    """Share of a face that stays the edit's own."""
    face = crops.face_mask[i]
    return float((face * crops.element_mask[i]).sum() / face.sum().clamp_min(1e-6))


def _judge(crops: CropResult, i: int, as_edited: Tensor, pair: FacePair, restored: Tensor, analyzer: FaceAnalyzer,
           options: RestoreOptions) -> FaceReport:
    """Compare the face before (`as_edited`, (1, S, S, 3)) and after, both seen in the same crop by the same analyzer.
    `pair`: as it was found, before it was shaped."""
    crop = crops.record.crops[i]
    mask = crops.record.masks[i][None, ..., None].to(restored)
    composed = torch.lerp(crops.edited[i : i + 1].to(restored), restored, mask.expand_as(restored))
    # the whole paste is judged, so that a bad seam counts as well
    before = _central_face(as_edited, analyzer, options)
    after = _central_face(composed, analyzer, options)
    similarity_before = person_similarity(pair.originals, before or pair.edited)
    box = tuple(round(float(v), 1) for v in pair.edited.box)
    if after is None:
        note = "no face was found after the restoration" + ("; the edit's face is kept" if options.guard else "")
        return FaceReport(crop.frame, box, similarity_before, None, None, not options.guard, note)  # type: ignore[arg-type]
    similarity_after = person_similarity(pair.originals, after)
    error = None
    if before is not None:
        # the face's new shape moves its points on purpose
        shift = (crop.pair.edited.points - pair.edited.points) / scale_of(crop.to_image)
        eye_distance = float(np.linalg.norm(before.points[1] - before.points[0]))
        away = np.linalg.norm(after.points - before.points - shift, axis=1).mean()
        error = float(away) / max(eye_distance, 1e-6)
    note = "restored"
    if options.guard and similarity_after < similarity_before:
        note = "the restored face was further from the person; the edit's face is kept"
    elif options.guard and error is not None and error > MOST_MOVED:
        note = "eyes, nose or mouth would have moved too far; the edit's face is kept"
    accepted = note == "restored"
    return FaceReport(crop.frame, box, similarity_before, similarity_after, error, accepted, note)  # type: ignore[arg-type]


def _central_face(crop: Tensor, analyzer: FaceAnalyzer, options: RestoreOptions) -> Face | None:
    """The face nearest to the middle of a crop (1, S, S, 3), or None."""
    faces: Faces = detect(crop, analyzer, options.threshold, 0, "centre")
    return faces.faces[0] if faces.faces else None
