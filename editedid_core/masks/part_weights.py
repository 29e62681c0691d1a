"""How much of each part of a face comes from the photo, as the user wants it: weights, presets, and where parts lie.

The parts of a face do not overlap: each pixel belongs to one of them, or at a soft border to two by shares.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from types import MappingProxyType

import numpy as np
import torch
from numpy.typing import ArrayLike
from PIL import Image, ImageDraw
from torch import Tensor

from ..geometry.affine import pixel_grid
from ..geometry.axes import face_axes
from .outline import soft_inside
from .parts import face_parts, soft_ellipse

_RIM = 0.12
"""Width of the outline part, in parts of the crop's side."""
_LIPS = (0.05, 0.15)
"""Eye distances from the lips to which the mouth is whole, and at which it ends."""


@dataclass(frozen=True)
class PartWeights:
    """For each part of a face: 0 keeps the edit's, 1 takes the photo's, between blends. None leaves it to the masks,
    which take the photo's unless something covers it or the two pictures differ too much. beard: where a beard grows,
    chin, jaw and upper lip; it counts as skin and outline where it is None."""

    eyes: float | None = None
    brows: float | None = None
    nose: float | None = None
    mouth: float | None = None
    beard: float | None = None
    skin: float | None = None
    outline: float | None = None

    def __post_init__(self) -> None:
        for name, weight in asdict(self).items():
            if weight is not None and not 0 <= weight <= 1:
                raise ValueError(f"parts: {name} is {weight:g}; give a weight from 0 (the edit's) to 1 (the photo's).")

    def __str__(self) -> str:
        """The text that read_parts() takes."""
        return ", ".join(f"{name}={weight:g}" for name, weight in asdict(self).items() if weight is not None)


NAMES = tuple(field.name for field in fields(PartWeights))
PRESETS: Mapping[str, PartWeights] = MappingProxyType({
    "keep the new smile": PartWeights(eyes=1.0, brows=1.0, nose=1.0, mouth=0.0),
    "keep the make-up": PartWeights(eyes=0.0, brows=0.0, mouth=0.0),
    "keep the beard": PartWeights(mouth=0.0, beard=0.0),
    "keep the eyes": PartWeights(eyes=0.0, brows=0.0),
})
"""What people ask for, by name."""


def read_parts(text: str) -> PartWeights:
    """The weights of a text such as "mouth=0, eyes=0.5" or "keep the new smile, nose=1"; later entries win.

    Raises ValueError, one sentence, where the text cannot be read.
    """
    weights = PartWeights()
    for entry in filter(None, (part.strip().lower() for part in re.split(r"[,;\n]", text))):
        if entry in PRESETS:
            chosen = {name: weight for name, weight in asdict(PRESETS[entry]).items() if weight is not None}
            weights = replace(weights, **chosen)
            continue
        fits = re.fullmatch(r"([a-z]+)\s*=\s*(\d*\.?\d+)", entry)
        if fits is None or fits[1] not in NAMES:
            raise ValueError(f"parts holds '{entry}', which cannot be read: write a part ({', '.join(NAMES)}) and its "
                             f"weight from 0 to 1, such as mouth=0, or one of {', '.join(PRESETS)}.")
        weights = replace(weights, **{fits[1]: float(fits[2])})
    return weights


def part_regions(points: ArrayLike, face: Tensor, beard: bool = False, lips: ArrayLike | None = None
                 ) -> dict[str, Tensor]:
    """Where each part of a face lies in its crop, (S, S) float32 each, together 1.

    points: (5, 2) in crop pixels. face: (S, S), the face mask. beard: whether the beard is a part of its own; its
    region is 0 if not. lips: (N, 2), the outline of the lips, which the mouth then keeps to; None for an ellipse.
    """
    p = np.asarray(points, dtype=np.float64)
    size = face.shape[-1]
    _, right, below, unit = face_axes(p)
    parts = face_parts(p, size)
    eyes = [soft_ellipse(p[i] + 0.02 * unit * below, 0.34, 0.17, p, size) for i in (0, 1)]
    brows = [soft_ellipse(p[i] - (0.33 * below + side * 0.02 * right) * unit, 0.46, 0.16, p, size)
             for i, side in ((0, 1), (1, -1))]
    low = (pixel_grid(size, size) - p[2] - 0.22 * unit * below) @ below / (0.12 * unit)
    masks = {
        "eyes": torch.maximum(*eyes), "brows": torch.maximum(*brows),
        "mouth": parts.mouth if lips is None else _around(lips, unit, size), "nose": parts.nose,
        "beard": torch.from_numpy(np.clip(low + 0.5, 0, 1).astype(np.float32)) * float(beard),
        "outline": (2 - 3 * soft_inside(face, _RIM * size)).clamp(0, 1),
    }
    left, regions = torch.ones_like(face), {}
    for name, mask in masks.items():
        regions[name] = left * mask
        left = left - regions[name]
    return {**regions, "skin": left}


def _around(lips: ArrayLike, unit: float, size: int) -> Tensor:
    """The lips and a soft rim, (size, size). unit: the eye distance in pixels."""
    from scipy.ndimage import distance_transform_edt
    from scipy.spatial import ConvexHull

    corners = np.asarray(lips, np.float64)
    sheet = Image.new("L", (size, size), 1)
    hull = corners[ConvexHull(corners, qhull_options="QJ").vertices]  # joggled: lips on one line are no error
    ImageDraw.Draw(sheet).polygon([(float(x), float(y)) for x, y in hull.round()], fill=0)
    outside = np.asarray(sheet)
    if outside.all():  # the crop holds no lips
        return torch.zeros(size, size)
    away = distance_transform_edt(outside) / unit
    return torch.from_numpy(np.clip((_LIPS[1] - away) / (_LIPS[1] - _LIPS[0]), 0, 1).astype(np.float32))


def weighted(elements: Tensor, covered: Tensor, face: Tensor, points: ArrayLike, weights: PartWeights,
             lips: ArrayLike | None = None) -> Tensor:
    """What stays the edit's, (S, S) in [0, 1], after the user's weights.

    elements: (S, S) what the masks would leave to the edit. covered: (S, S) what lies over the face, drawn or found; it
    stays the edit's at any weight. face: (S, S). points: (5, 2) in crop pixels. lips: as of part_regions().
    """
    given = {name: weight for name, weight in asdict(weights).items() if weight is not None}
    if not given:
        return elements
    kept = elements
    for name, region in part_regions(points, face, weights.beard is not None, lips).items():
        if name in given:
            kept = kept + region * (face * (1 - given[name]) - elements)
    return torch.maximum(kept, covered).clamp(0, 1)
