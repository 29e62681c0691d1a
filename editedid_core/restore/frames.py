"""Frames of one sequence: who is who is decided once for each person, and nothing flickers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ..config import FramesConfig, RestoreConfig
from ..faces.preview import thumbnail
from ..faces.track import track_faces, tracked
from ..records import CropResult, Face, FacePair, Faces, Matching
from ..ticks import Tick, nothing
from .report import Decision
from .stages import match


def match_sequence(image: Tensor, originals: Faces, edited: Faces, config: RestoreConfig,
                   tick: Tick = nothing) -> tuple[Matching, tuple[int, ...]]:
    """Who is who in a sequence, and the number of each pair's person.

    image: (B, H, W, C), the frames. Each person is matched once, by the mean of all frames, and has the same photos in
    each of them. `match.pairs` names persons by these numbers, and `Matching.people` shows them.
    """
    tracks = track_faces(edited, config.frames.smooth, config.frames.longest_gap)
    # one picture with everybody in it, each at the place of the middle of their track
    middles = (track.faces[len(track.faces) // 2] for track in tracks)
    first = Faces(tuple(replace(face, frame=0, thumbnail=thumbnail(image, face)) for face in middles), 1,
                  edited.image_size)
    found = match(originals, first, config.match, tick)
    of = {id(face): track for face, track in zip(first.faces, tracks)}
    pairs = [_in_frame(pair, face) for pair in found.pairs for face in of[id(pair.edited)].faces]
    everybody = tracked(edited, tracks)
    order = {id(face): i for i, face in enumerate(everybody.faces)}

    def all_frames(faces: Sequence[Face]) -> tuple[Face, ...]:
        return tuple(sorted((each for face in faces for each in of[id(face)].faces), key=lambda face: order[id(face)]))

    result = replace(
        found, pairs=tuple(sorted(pairs, key=lambda pair: order[id(pair.edited)])),
        unmatched_edited=all_frames(found.unmatched_edited), skipped=all_frames(found.skipped),
        refused=tuple(_in_frame(pair, face) for pair in found.refused for face in of[id(pair.edited)].faces))
    number = {id(face): track.number for track in tracks for face in track.faces}
    people = Matching(originals, first, found)
    return Matching(originals, everybody, result, people), tuple(number[id(pair.edited)] for pair in result.pairs)


def steady_masks(crops: CropResult, persons: Sequence[int], config: FramesConfig) -> CropResult:
    """The crops with the elements of each person smoothed over the frames, so that no part comes and goes.

    persons: the number of the person of each crop.
    """
    elements = crops.element_mask.clone()
    for person in set(persons):
        rows = [i for i, one in enumerate(persons) if one == person]
        times = torch.tensor([float(crops.record.crops[i].frame) for i in rows])
        weights = torch.exp(-0.5 * ((times[:, None] - times[None]) / max(config.steady, 1e-3)) ** 2)
        weights = weights / weights.sum(1, keepdim=True)
        elements[rows] = torch.einsum("ij,jhw->ihw", weights, crops.element_mask[rows])
    kept = torch.equal(crops.record.masks, crops.face_mask)  # elements are pasted over as well
    masks = crops.face_mask if kept else crops.face_mask * (1 - elements)
    return replace(crops, element_mask=elements, record=replace(crops.record, masks=masks))


def decided_together(decisions: Sequence[Decision], persons: Sequence[int]) -> list[Decision]:
    """One decision for all frames of a person, that of most of them: faces must not change from frame to frame. A frame
    that failed has no say and stays failed."""
    votes: dict[int, int] = {}
    for person, decision in zip(persons, decisions):
        vote = 0 if decision is Decision.FAILED else 1 if decision.accepted else -1
        votes[person] = votes.get(person, 0) + vote
    together = []
    for person, decision in zip(persons, decisions):
        accept = votes[person] > 0
        if decision is not Decision.FAILED and decision.accepted != accept:
            decision = Decision.RESTORED_AS_MOST if accept else Decision.KEPT_AS_MOST
        together.append(decision)
    return together


def _in_frame(pair: FacePair, face: Face) -> FacePair:
    return replace(pair, edited=face)

