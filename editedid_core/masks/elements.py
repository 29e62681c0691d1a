"""Elements of the edit that lie over a face, found by comparing the aligned pictures. METHOD §5-6.

Glasses, the brim of a hat, hair or a hand: where the two pictures disagree and the face itself does not explain it.
"""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike, NDArray

from ..geometry.axes import face_axes
from ..geometry.resample import blur, read
from .parts import features_mask, soft_ellipse

LARGEST = 256  # pixels; things over a face are visible at this size, in a fraction of the time

# All lengths are parts of the crop's side. Set on drawn people, the bridge on photographs, 2026-11.
_LOW_PASS = 0.06  # slower changes are light and skin tone, not things
_SLACK = 0.015  # how far the landmarks may be off
_LEAST_LENGTH = 0.14  # of an element; moles, freckles and wrinkles are shorter
_REACH = 0.06  # how far around the face elements are followed
_LEAST_DIFFERENCE = 0.05  # in parts of the range of a colour channel
_ORDINARY = 3.5  # times the median disagreement of this pair's skin
_LEAST_BRIDGE = 0.08  # of a frame over the bridge of the nose; bare skin in two photos often differs by 0.05
_LEAST_AREA = 0.004  # of the face, that an element shows outside the features
_LEAST_SHARE = 0.2  # of an element that lies outside the features


def automatic_elements(original: torch.Tensor, edited: torch.Tensor, face: torch.Tensor, points: ArrayLike,
                       strength: float = 1.0, glasses: bool = True) -> torch.Tensor:
    """Soft mask of what covers the face in only one of the two pictures.

    original, edited: (S, S, 3) aligned, the original already in the edit's light. face: (S, S) in [0, 1].
    points: (5, 2) in crop pixels. strength: 0 gives no elements, 1 the normal sensitivity, 2 a higher one. glasses:
    look for them too, at the bridge of the nose; False where something better has.
    Slow changes are removed, each pixel may match a pixel nearby, and the rest is measured against the ordinary
    disagreement of this pair: pictures that agree give exactly 0. Connected pieces that are short, or that lie in the
    face's own features, are dropped. A difference that crosses the bridge of the nose from eye to eye counts as a pair
    of glasses, and both eyes are then taken whole.
    S is best LARGEST at most: of larger pictures the time is wasted, see `smaller`.
    Returns (S, S) float32 in [0, 1], within the face and a little around it.
    """
    size, places = edited.shape[0], np.asarray(points, dtype=np.float64)
    features = features_mask(places, size)
    skin = (face > 0.5) & (features < 0.3)
    if strength <= 0 or int(skin.sum()) < 16:
        return torch.zeros(size, size)
    difference = _tolerant_difference(*_details(original, edited, face), max(1, round(_SLACK * size)))
    threshold = max(_LEAST_DIFFERENCE, _ORDINARY * float(difference[skin].median())) / strength
    near = _grown(face, _REACH * size)
    evidence = ((difference - threshold) / (0.5 * threshold)).clamp(0, 1) * near
    things = _smoothed(_things(evidence, face, features), 0.01 * size)
    if glasses and _across_the_bridge(difference, places) > max(threshold, _LEAST_BRIDGE):
        lenses = [soft_ellipse(eye, 0.62, 0.43, places, size) for eye in places[:2]]
        things = torch.maximum(things, torch.maximum(*lenses))
    return things * near


def _across_the_bridge(difference: torch.Tensor, points: NDArray[np.float64]) -> float:
    """Strength of a difference that runs from eye to eye: the largest value of each column between the eyes, then the
    value that four fifths of the columns exceed. difference: (S, S)."""
    middle, right, below, unit = face_axes(points)
    across, down = np.meshgrid(np.linspace(-0.14, 0.14, 15), np.linspace(-0.25, 0.2, 24))
    places = middle + unit * (across[..., None] * right + down[..., None] * below)
    columns = read(difference[..., None], places)[..., 0].max(0)
    return float(np.quantile(columns, 0.2))


def resized(x: torch.Tensor, size: int) -> torch.Tensor:
    """(S, S, C) to (size, size, C): means of the pixels that each one covers, or lines between them."""
    y = x.permute(2, 0, 1)[None]
    how = {"mode": "area"} if size < x.shape[0] else {"mode": "bilinear", "align_corners": False}
    return F.interpolate(y, size=(size, size), **how)[0].permute(1, 2, 0)


def smaller(x: torch.Tensor) -> torch.Tensor:
    """(S, S, C) with LARGEST pixels a side at most."""
    return x if x.shape[0] <= LARGEST else resized(x, LARGEST)


def _details(original: torch.Tensor, edited: torch.Tensor, face: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Two pictures (S, S, 3) without their slow changes, compared within the face so that hair and background do not
    bleed in.

    Returns (1, 3, S, S) each; the channels are weighted, as lamps change red and blue most.
    """
    size = face.shape[0]
    weights = torch.tensor([0.6, 1.0, 0.6]).repeat(2).view(1, 6, 1, 1)
    x = torch.cat([original, edited], -1).permute(2, 0, 1)[None] * weights
    w = face.clamp(min=0.02)[None, None]
    low = blur(torch.cat([x * w, w], 1), _LOW_PASS * size)
    first, second = (blur(x, 0.004 * size) - low[:, :-1] / low[:, -1:]).split(3, 1)
    return first, second


def _tolerant_difference(x: torch.Tensor, y: torch.Tensor, radius: int) -> torch.Tensor:
    """How far each pixel of one picture lies outside what the other shows within `radius`; the larger way. (S, S)."""
    return torch.maximum(_outside_range(x, y, radius), _outside_range(y, x, radius))[0, 0]


def _outside_range(x: torch.Tensor, y: torch.Tensor, radius: int) -> torch.Tensor:
    """Distance of y from the range of x around each pixel, per channel; their Euclidean sum. (1, 1, S, S)."""
    above = y - largest_around(x, radius)
    below = -largest_around(-x, radius) - y
    return torch.maximum(above, below).clamp(min=0).square().sum(1, keepdim=True).sqrt()


def _things(evidence: torch.Tensor, face: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
    """The evidence of connected pieces that are long enough and do not lie in the features. (S, S)."""
    from scipy import ndimage

    labels, count = ndimage.label((evidence > 0.25).numpy(), structure=np.ones((3, 3)))
    telling: NDArray[np.bool_] = ((features < 0.5) & (face > 0.02)).numpy()
    face_area = float((face > 0.5).sum())
    kept = np.zeros(count + 1, dtype=np.float32)
    for label, place in enumerate(ndimage.find_objects(labels), start=1):
        piece = labels[place] == label
        outside = float((piece & telling[place]).sum())
        long_enough = max(piece.shape) >= _LEAST_LENGTH * evidence.shape[0]
        if long_enough and outside >= _LEAST_AREA * face_area and outside >= _LEAST_SHARE * piece.sum():
            kept[label] = 1
    return evidence * torch.from_numpy(kept[labels])


def _grown(mask: torch.Tensor, radius: float) -> torch.Tensor:
    """The mask reaching `radius` pixels further, with a soft edge; 1 where it was 1."""
    r = max(1, round(radius / 2))
    wide = largest_around(mask[None, None], r)
    return torch.maximum(blur(wide, r / 1.5)[0, 0], mask)


def _smoothed(mask: torch.Tensor, radius: float) -> torch.Tensor:
    """The mask a little wider and soft; exactly 0 where nothing is near."""
    if float(mask.max()) == 0.0:
        return mask
    r = max(1, round(radius))
    wide = largest_around(mask[None, None], r)
    return blur(wide, r / 1.5)[0, 0].clamp(0, 1)


def largest_around(x: torch.Tensor, radius: int) -> torch.Tensor:
    """Largest value in the square of 2 radius + 1 pixels around each pixel of (N, C, H, W); rows, then columns."""
    for axis, pad in ((-1, (radius, radius, 0, 0)), (-2, (0, 0, radius, radius))):
        x = F.pad(x, pad, value=-math.inf)
        width = 1  # of the pixels seen so far, which doubles: the same as a max-pooling in a tenth of the time
        while width < 2 * radius + 1:
            step = min(width, 2 * radius + 1 - width)
            left = x.shape[axis] - step
            x, width = torch.maximum(x.narrow(axis, 0, left), x.narrow(axis, step, left)), width + step
    return x
