"""Faces bent to other landmarks and mixed: what makes a drifted face of two real ones, in a known amount.

Pictures are float32 (H, W, 3) in [0, 1], landmarks (68, 2) in their pixels.
"""
from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RBFInterpolator
from scipy.spatial import ConvexHull

from editedid_core.geometry.affine import apply, fit_similarity
from editedid_core.geometry.landmarks import five_of_68

from .records import Array

Points = NDArray[np.float64]

_RINGS = (1.45, 1.9)
"""Outlines around the face, in parts of its own, that stand still when it is bent."""
_NODES = 64
"""Places along a side at which a bend is worked out."""


def face_unit(dense: Points) -> float:
    """A face's length: the distance of its eyes, or what it would be if the head were not turned."""
    five = five_of_68(dense)
    down = five[3:].mean(0) - five[:2].mean(0)
    return float(max(np.linalg.norm(five[1] - five[0]), 0.9 * np.linalg.norm(down)))


def bent(picture: Array, here: Points, there: Points, shape: tuple[int, ...]) -> Array:
    """The picture, whose landmarks are `here`, in a canvas of `shape` in which they lie at `there`.

    A similarity and the smoothest map of what is left (thin plate spline, Bookstein 1989); far from the face nothing
    but the similarity.
    """
    height, width = shape[:2]
    unit = face_unit(there)
    back = fit_similarity(there, here)
    outline, middle = there[ConvexHull(there).vertices], there.mean(0)
    rings = [middle + (outline - middle) * reach for reach in _RINGS]
    x, y = np.meshgrid([0, width / 2, width], [0, height / 2, height])
    frame = np.stack([x, y], -1).reshape(-1, 2)[[0, 1, 2, 3, 5, 6, 7, 8]]
    still = np.concatenate([*rings, frame])
    moves = np.concatenate([here - apply(back, there), np.zeros((len(still), 2))])
    spline = RBFInterpolator(np.concatenate([there, still]) / unit, moves, kernel="thin_plate_spline", smoothing=1e-3)
    nodes = np.stack(np.meshgrid(np.linspace(0, width - 1, _NODES), np.linspace(0, height - 1, _NODES)), -1)
    coarse = spline(nodes.reshape(-1, 2) / unit).reshape(_NODES, _NODES, 2).astype(np.float32)
    # resize puts the first and last node half a step inside the picture; the grid is read at its corners instead
    gx, gy = np.meshgrid(np.linspace(0, _NODES - 1, width, dtype=np.float32),
                         np.linspace(0, _NODES - 1, height, dtype=np.float32))
    field = cv2.remap(coarse, gx, gy, cv2.INTER_LINEAR)
    grid = np.stack(np.meshgrid(np.arange(width, dtype=np.float64), np.arange(height, dtype=np.float64)), -1)
    places = (apply(back, grid) + field).astype(np.float32)
    moved = cv2.remap(picture, places[..., 0], places[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.clip(moved, 0, 1).astype(np.float32)


def soft_face(dense: Points, shape: tuple[int, ...]) -> Array:
    """(H, W) in [0, 1]: the face and a part of its forehead, with a wide soft edge."""
    five, unit = five_of_68(dense), face_unit(dense)
    up = five[:2].mean(0) - five[3:].mean(0)
    points = np.concatenate([dense, dense[17:27] + 0.55 * unit * up / np.linalg.norm(up)])
    hull = points[ConvexHull(points).vertices]
    mask = np.zeros(shape[:2], np.float32)
    cv2.fillPoly(mask, [np.round(hull * 8).astype(np.int32)], 1.0, cv2.LINE_AA, 3)
    mask = cv2.erode(mask, np.ones((3, 3), np.uint8), iterations=max(1, int(0.055 * unit)))
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), 0.1 * unit))


def in_light_of(picture: Array, goal: Array, mask: Array, sigma: float) -> Array:
    """The picture with the low-passed colours of another, compared under the mask."""
    weight = mask + np.float32(1e-3)
    share = cv2.GaussianBlur(weight, (0, 0), sigma)[..., None]
    own, wanted = (cv2.GaussianBlur(p * weight[..., None], (0, 0), sigma) / share for p in (picture, goal))
    return np.clip(picture * (wanted + 0.03) / (own + 0.03), 0, 1).astype(np.float32)


def toward(dense: Points, other: Points, share: float) -> Points:
    """Landmarks a share of the way to another face's, that brought as near as a similarity can."""
    return dense + share * (apply(fit_similarity(other, dense), other) - dense)


def unlikeness(dense: Points, other: Points) -> float:
    """Root mean square distance of two faces' landmarks after a similarity, in face units."""
    away = apply(fit_similarity(other, dense), other) - dense
    return float(np.sqrt((away**2).sum(1).mean()) / face_unit(dense))


def drifted(person: Array, dense: Points, other: Array, other_dense: Points, geometry: float,
            texture: float) -> tuple[Array, Points]:
    """A face part of the way to somebody else's, as an editing model lets it drift: shape by `geometry`, appearance by
    `texture`, both 0 to 1, in the light of the picture, its skin a little smoother. And its landmarks."""
    wanted = toward(dense, other_dense, geometry)
    own, strange = bent(person, dense, wanted, person.shape), bent(other, other_dense, wanted, person.shape)
    mask, unit = soft_face(wanted, person.shape), face_unit(wanted)
    strange = in_light_of(strange, own, mask, 0.22 * unit)
    mixed = own + (texture * mask)[..., None] * (strange - own)
    smooth = cv2.GaussianBlur(mixed, (0, 0), 0.012 * unit + 0.3)
    return np.clip(mixed + (0.5 * mask)[..., None] * (smooth - mixed), 0, 1).astype(np.float32), wanted
