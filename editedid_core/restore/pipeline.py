"""The whole way in one call: find, match, crop, sample, guard, paste.

Knows neither the host nor a model: what encodes, samples and decodes is handed in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from ..appearance.detail import return_detail
from ..appearance.skin_tone import OTHER_LIGHT, UNSURE, retone_faces
from ..crops.cut import crop_pairs, cut_crops
from ..crops.paste import paste, paste_mask
from ..faces.analyzers.protocol import FaceAnalyzer
from ..faces.detect import Order, detect
from ..faces.match import Choice, match_faces
from ..faces.similarity import person_similarity, pose_distance
from ..geometry.reshape import Reshaped, reshape_faces
from ..pictures import check_pictures
from ..records import CropResult, FacePair, FacePairs, PasteRecord
from .caution import cautions
from .guard import FaceReport, judge

RETRY_SHAPES = (0.5, 0.0)
"""Parts of the new shape that are tried, one after the other, where the guard refuses all of it."""

RETRY_GAIN = 0.01
"""Likeness that a retry has to win: the second of two tries is lucky more often, and a face's likeness changes by as
much with the crop that it is seen in."""

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


Sample = Callable[[Tensor, Tensor, Tensor, Tensor, float, float, "Tensor | None"], Sampled]
"""(original latent, edited latent, face mask (S, S), element mask (S, S), pose distance, drift as 1 - cosine, latents
of further photos of the person or None) -> Sampled."""

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
    face_shape: float = 0.0
    skin_tone: float = 0.0
    guard: bool = True
    no_face: Literal["error", "pass through"] = "error"
    choice: Choice = "likest"


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
    model = _Model(analyzer, encode, sample, decode)
    attempts, shaped = _attempt(original, edited, pairs, model, options, element_mask)
    refused = [i for i, attempt in enumerate(attempts) if attempt.shape > 0 and not attempt.report.accepted]
    for share in RETRY_SHAPES:  # part of the way, or none of it, may be nearer to the person than the whole way
        left = [i for i in refused if not attempts[i].report.accepted]
        if left:
            less = replace(options, face_shape=share * options.face_shape)
            again, _ = _attempt(original, edited, _some(pairs, left), model, less, element_mask, RETRY_GAIN)
            for i, attempt in zip(left, again):
                attempts[i] = _retried(attempts[i], attempt, share)
    accepted = [i for i, attempt in enumerate(attempts) if attempt.report.accepted]
    if refused or len(accepted) < len(attempts):  # a face that is given up keeps its shape and tone too
        shaped, _, _ = _in_shape_and_tone(original, edited, _some(pairs, accepted), options,
                                          [attempts[i].shape for i in accepted], element_mask)
    first, pasted = attempts[0], [attempts[i] for i in accepted if attempts[i].mixed]
    record = replace(first.record, crops=tuple(one.record.crops[0] for one in pasted),
                     masks=torch.cat([first.record.masks[:0], *(one.record.masks for one in pasted)]))
    crops = torch.cat([first.crop[:0], *(one.crop for one in pasted)])
    image = paste(shaped.image, crops, record, options.feather, options.colour)
    mask = torch.maximum(paste_mask(record, options.feather), shaped.mask)
    changed = (image != edited).any(-1) & (mask == 0).to(image.device)
    return Restoration(image, mask, tuple(attempt.report for attempt in attempts), *counts, int(changed.sum()),
                       sum(attempt.evaluations for attempt in attempts), first.mode)


@dataclass(frozen=True)
class _Model:
    """What finds faces, and what carries crops through the diffusion model."""

    analyzer: FaceAnalyzer
    encode: Encode
    sample: Sample
    decode: Decode


@dataclass(frozen=True, eq=False)
class _Attempt:
    """One face restored. `shape`: how far its shape was changed, 0 where no dense landmarks say how; `crop`
    (1, S, S, 3) and `record`: what is to be pasted, where `mixed`; else the new shape is all."""

    report: FaceReport
    shape: float
    crop: Tensor
    record: PasteRecord
    mixed: bool
    evaluations: int
    mode: str


def _some(pairs: FacePairs, chosen: list[int]) -> FacePairs:
    return replace(pairs, pairs=tuple(pairs.pairs[i] for i in chosen))


def _attempt(original: Tensor, edited: Tensor, pairs: FacePairs, model: _Model, options: RestoreOptions,
             element_mask: Tensor | None, least_gain: float = 0.0) -> tuple[list[_Attempt], Reshaped]:
    """Every pair restored with `options.face_shape`, and judged: mixed with the photo, or in its new shape alone where
    that is refused, or wins less than `least_gain` of likeness. And the edit with all of those shapes."""
    shaped, certainty, moved_mask = _in_shape_and_tone(original, edited, pairs, options,
                                                       [options.face_shape] * len(pairs.pairs), element_mask)
    crops = crop_pairs(original, shaped.image, shaped.pairs, options.size, moved_mask, options.relight,
                       options.auto_elements)
    before = cut_crops(edited, crops.record)
    attempts = []
    for i, pair in enumerate(pairs.pairs):
        one = slice(i, i + 1)
        latents = model.encode(crops.original[one]), model.encode(crops.edited[one])
        pose = pose_distance(pair.original, pair.edited)
        drift = 1 - person_similarity(pair.originals, pair.edited)
        others = _other_photos(original, shaped.image, shaped.pairs.pairs[i], options, moved_mask)
        more = torch.cat([model.encode(photo[None]) for photo in others]) if len(others) else None
        run = model.sample(*latents, crops.face_mask[i], crops.element_mask[i], pose, drift, more)
        crop, of_original, of_edited = (model.decode(z)[..., :3].to(crops.edited) for z in (run.latent, *latents))
        weight = crops.face_mask[i] * (1 - crops.element_mask[i])
        crop = return_detail(crop, crops.original[one], crops.edited[one], of_original, of_edited, weight,
                             options.detail)
        strict = options.threshold, options.guard, least_gain
        report = judge(crops, i, before[one], pair, crop, model.analyzer, *strict)
        reshaped, mixed = shaped.pairs.pairs[i].shaped, True
        if not report.accepted and reshaped:
            unmixed = judge(crops, i, before[one], pair, crops.edited[one], model.analyzer, *strict)
            if unmixed.accepted:
                mixed = False
                report = replace(unmixed, note="only its shape was changed: with the photo mixed in it would have been "
                                 "further from the person or come apart")
        warnings = cautions(pair, _covered(crops, i))
        if options.skin_tone > 0 and certainty[i] < UNSURE:
            warnings += (OTHER_LIGHT,)
        record = replace(crops.record, crops=crops.record.crops[one], masks=crops.record.masks[one])
        attempts.append(_Attempt(replace(report, warnings=warnings), options.face_shape if reshaped else 0.0, crop,
                                 record, mixed, run.evaluations, run.mode))
    return attempts, shaped


def _retried(refused: _Attempt, again: _Attempt, share: float) -> _Attempt:
    """The attempt with less of the new shape where that is accepted, else the first; what both cost counts."""
    evaluations = refused.evaluations + again.evaluations
    if not again.report.accepted:
        return replace(refused, evaluations=evaluations)
    how = "was not changed" if share == 0 else "was changed by half"
    note = f"{again.report.note}; its shape {how}, as all of it was refused"
    return replace(again, evaluations=evaluations, report=replace(again.report, note=note))


def _in_shape_and_tone(
    original: Tensor, edited: Tensor, pairs: FacePairs, options: RestoreOptions, shape: list[float],
    element_mask: Tensor | None,
) -> tuple[Reshaped, tuple[float, ...], Tensor | None]:
    """The edit with its faces in their persons' shapes, each by its own strength, and skin tones, for every pair how
    surely tone was known, and the element mask moved along."""
    shaped = reshape_faces(edited, pairs, shape)
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
