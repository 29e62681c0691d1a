"""Choices of the method that are no settings of the pack, as functions to be put in place of its own for one call."""
from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType, ModuleType
from typing import Any

import numpy as np
import torch


class UnavailableError(RuntimeError):
    """The pack as it is has nothing that this change could change."""


def attribute(holder: Any, name: str) -> Any:
    """`holder.name`, or UnavailableError."""
    if not hasattr(holder, name):
        raise UnavailableError(f"{getattr(holder, '__name__', holder)} has no {name}")
    return getattr(holder, name)


Core = Callable[[str], ModuleType]
Swaps = list[tuple[Any, str, Any]]


def _linear_mixing(core: Core) -> Swaps:
    return [(core("diffusion.loop"), "spherical_mix", lambda first, second, w: torch.lerp(second, first,
                                                                                         w.expand_as(first)))]


def _naive_inversion(core: Core) -> Swaps:
    return [(core("comfy.sampling"), "invert", attribute(core("engines.edited_id.inversion"), "invert_naive"))]


def _fixed_point_inversion(core: Core) -> Swaps:
    """One more evaluation a step: the slope is taken again at the state that the first one led to."""
    inversion, trajectory = core("engines.edited_id.inversion"), core("engines.edited_id.trajectory")

    def invert(denoise: Any, space: Any, clean: Any, noise: Any, schedule: Any) -> Any:
        rhos = schedule.rhos
        state = inversion.anchored(clean, noise, rhos[0])
        slope, levels = noise.expand_as(clean), []
        for i in range(1, len(rhos)):
            rise = rhos[i] - rhos[i - 1]
            for _ in range(2):
                predicted = state + rise * slope
                denoised = denoise(space.to_model(predicted, rhos[i]), space.sigma(rhos[i]), trajectory.Rows.SOURCES, i)
                slope = (predicted - denoised) / rhos[i]
            state = state + rise * slope
            levels.append(trajectory.SourceLevel(state, predicted - state, denoised))
        return trajectory.Trajectory(clean, tuple(levels))

    return [(core("comfy.sampling"), "invert", invert)]


def _hard_masks(core: Core) -> Swaps:
    sampling = core("comfy.sampling")
    regions = attribute(sampling, "Regions")
    return [(sampling, "Regions", lambda face, element, hard=False, *rest: regions(face, element, True, *rest))]


def _free_surroundings(core: Core) -> Swaps:
    sampling = core("comfy.sampling")
    descend = attribute(sampling, "descend")

    def unheld(denoise: Any, space: Any, schedule: Any, source: Any, clean: Any, start: Any, weight: Any, support: Any,
               *rest: Any, **named: Any) -> Any:
        return descend(denoise, space, schedule, source, clean, start, weight, torch.ones_like(support), *rest, **named)

    return [(sampling, "descend", unheld)]


def _recompute(core: Core) -> Swaps:
    return [(core("comfy.sampling"), "RECORD_SHARE", 0.0)]


def _one_half(gated: str) -> Callable[[Core], Swaps]:
    """Under guidance the gates act on one half of the batch only."""

    def swaps(core: Core) -> Swaps:
        kind = core("engines.edited_id.attention.run").AttentionRun
        edit = attribute(kind, "edit")

        def one_half(self: Any, call: Any, attend: Any, q: Any, k: Any, v: Any) -> Any:
            out = edit(self, call, attend, q, k, v)
            if call.chunks == 1:
                return out
            plain = attend(q, k, v)
            for chunk in range(call.chunks):
                if (chunk == call.recorded_chunk) != (gated == "positive"):
                    rows = slice(chunk * call.rows, (chunk + 1) * call.rows)
                    out[rows] = plain[rows]
            return out

        return [(kind, "edit", one_half)]

    return swaps


def _no_warp(core: Core) -> Swaps:
    return [(core("crops.cut"), "face_to_face", lambda source, target: np.eye(2, 3))]


def _own_frames(core: Core) -> Swaps:
    align = core("geometry.affine")

    def frames(source: Any, target: Any) -> Any:
        return align.compose(align.crop_frame(target, 64), align.inverse_affine(align.crop_frame(source, 64)))

    return [(core("crops.cut"), "face_to_face", frames)]


def _features_in_part(core: Core) -> Swaps:
    crop = core("crops.cut")
    attribute(crop, "whole_features")
    return [(crop, "whole_features", lambda mask, spots: mask)]


def _own_sharpness(core: Core) -> Swaps:
    crop = core("crops.cut")
    attribute(crop, "match_sharpness")
    return [(crop, "match_sharpness", lambda picture, target, weight: picture)]


def _no_diffusion(core: Core) -> Swaps:
    """What comes out is the original's crop laid over the edit's in the same masks; what was sampled is thrown away."""
    pipeline = core("restore.pipeline")
    attribute(pipeline, "return_detail")

    def composite(restored: Any, original: Any, edited: Any, decoded_original: Any, decoded_edited: Any, weight: Any,
                  strength: float = 1.0) -> Any:
        return torch.lerp(edited, original, weight[None, ..., None].to(edited).expand_as(edited))

    return [(pipeline, "return_detail", composite)]


SWAPS: Mapping[str, Callable[[Core], Swaps]] = MappingProxyType({
    "linear mixing": _linear_mixing, "naive inversion": _naive_inversion,
    "fixed-point inversion": _fixed_point_inversion, "hard masks": _hard_masks,
    "free surroundings": _free_surroundings, "recompute": _recompute, "positive half": _one_half("positive"),
    "negative half": _one_half("negative"), "no warp": _no_warp, "own frames": _own_frames,
    "features in part": _features_in_part, "own sharpness": _own_sharpness, "no diffusion": _no_diffusion,
})
"""What is no setting of the pack: (module or class, attribute, stand-in) by name."""
