"""Whose each place of a crop is, and in which light the original belongs there. METHOD §4-6.

All of it is decided on copies of LARGEST pixels a side: no mask is finer than its soft borders, and no light finer than
shading.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ..appearance.relight import in_light, light_ratio, light_spread, linear_light
from ..masks.decision import Decision
from ..masks.disagreement import disagreement, unlike_skin, whole_features
from ..masks.elements import automatic_elements, resized, smaller
from ..masks.part_weights import PartWeights, weighted
from ..masks.parts import FaceParts

LIGHT = 0.03
"""Standard deviation, in parts of a crop's side, of the low-pass in which the original takes the edit's light: as fine
as shading, so that the original keeps its skin, brows and eyes."""

_LIGHT_OTHER = 0.012
"""The same where the two faces stand in wholly different light, whose shadows are finer than shading. It is known only
where the photo lies on the edit's mesh, feature on feature."""

_ONE_LIGHT, _OTHER_LIGHT = 0.12, 0.5
"""Spread of the logarithm of two faces' ratio of light up to which they stand in one light, and from which on in wholly
different ones; photographs with and without relighting, 2026-11."""

_LAID = 0.43
"""Share of `auto_elements` that counts there, because pictures that lie on each other differ less by chance. Set on
half of the people of docs/PHOTOGRAPHS.md, while the other half was looked at, 2026-11."""

_MOMENT = 3.0
"""Degrees between two poses at which half of what skin differs by is taken for another moment's light and creases, and
not for another person's skin; of photos in the edit's pose it is 1 at most."""

Light = tuple[torch.Tensor, torch.Tensor]


@dataclass(frozen=True, eq=False)
class Small:
    """A pair of crops at LARGEST pixels a side at most, s. original, edited: (s, s, 3). face, given: (s, s), the face
    and what the user keeps of the edit. points: (5, 2) of the edit's face in its pixels. parts: of that face. lips:
    (N, 2), their outline, None where it is not known."""

    original: torch.Tensor
    edited: torch.Tensor
    face: torch.Tensor
    given: torch.Tensor
    points: NDArray[np.float64]
    parts: FaceParts
    lips: NDArray[np.float64] | None = None


@dataclass(frozen=True, eq=False)
class Whose:
    """original: (S, S, 3) in the edit's light. elements: (s, s), what stays the edit's."""

    original: torch.Tensor
    elements: torch.Tensor


def whose(original: torch.Tensor, edited: torch.Tensor, small: Small, decision: Decision, turn: float | None,
          auto_elements: float, relight: float, whole: bool, weights: PartWeights) -> Whose:
    """original, edited: (S, S, 3), aligned. decision: masks of small's size. turn: degrees between the two poses, None
    where the photo does not lie on the edit's mesh. auto_elements, relight, whole, weights: as of crop_pairs()."""
    face, points = small.face, small.points
    strength = auto_elements * (_LAID if decision.read else 1.0)
    skin = face * (1 - small.given) * (1 - decision.shaved)
    light = (linear_light(small.original), linear_light(small.edited))
    fine = _fitting_light(light, skin) if decision.read else LIGHT
    found = _things(small, light, skin, strength, glasses=not decision.read)
    covered = torch.maximum(small.given, torch.maximum(found * (1 - decision.person), face * decision.things))
    elements = torch.maximum(covered, face * decision.edit).clamp(0, 1)
    # elements and hair are not lit like skin, so light is compared once more without them
    skin = face * (1 - elements) * (1 - decision.shaved)
    lit, lit_small, shown = original, small.original, original
    if float(skin.max()) > 0:
        ratio = light_ratio(*light, skin, fine)
        lit = in_light(original, ratio)
        lit_small = lit if lit.shape == small.original.shape else in_light(small.original, ratio)
        shown = original if relight <= 0 else lit if relight == 1 else in_light(original, ratio**relight)
    apart = disagreement(lit, edited, face, decision.bent, strength) * (1 - decision.shaved)
    apart = apart * (1 - decision.edit) * (1 - decision.person)
    apart = whole_features(apart, small.parts, decision.hair) if whole else apart
    elements = torch.maximum(elements, face * apart * (1 - decision.person))
    if turn is not None:
        other_moment = 1 - 1 / (1 + (turn / _MOMENT) ** 2)
        unlike = other_moment * unlike_skin(lit_small, small.edited, face, points) * (1 - decision.shaved)
        elements = elements + (1 - elements) * unlike
    return Whose(shown, weighted(elements, covered, face, points, weights, small.lips))


def at_size(mask: torch.Tensor, size: int) -> torch.Tensor:
    """A small mask (s, s) at the crop's size, (size, size)."""
    return mask if mask.shape[0] == size else resized(mask[..., None], size)[..., 0]


def reduced(mask: torch.Tensor) -> torch.Tensor:
    """A crop's mask (S, S) as a small one."""
    return smaller(mask[..., None])[..., 0]


def _things(small: Small, light: Light, skin: torch.Tensor, strength: float, glasses: bool) -> torch.Tensor:
    """What covers the face in one of the two pictures, (s, s)."""
    lit = in_light(small.original, light_ratio(*light, skin)) if float(skin.max()) > 0 else small.original
    return automatic_elements(lit, small.edited, small.face, small.points, strength, glasses)


def _fitting_light(light: Light, skin: torch.Tensor) -> float:
    """The low-pass in which the original should take the edit's light, in parts of the crop's side."""
    share = (light_spread(*light, skin) - _ONE_LIGHT) / (_OTHER_LIGHT - _ONE_LIGHT)
    return LIGHT * (_LIGHT_OTHER / LIGHT) ** min(max(share, 0.0), 1.0)
