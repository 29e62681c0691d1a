"""What can be measured of one output without asking who it is: geometry, pixels, light, seams, edges, ghosts.

Everything is seen in one upright crop of `ghost.SIDE` pixels around the truth's face (the edit's where there is no
truth). Values that cannot be had are None.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from editedid_core.geometry.affine import apply, crop_frame, inverse_affine
from editedid_core.geometry.landmarks import five_of_68
from editedid_core.masks.outline import face_mask

from ..bench import measures as common
from ..bench.rivals import Case, relit
from .ghost import SIDE, Ghosts, ghosts
from .landmarks import Landmarks
from .morph import bent, face_unit
from .records import Array, Picture, as_float

Points = NDArray[np.float64]

ZONES = {"eyes": ((17, 22), (22, 27), (36, 42), (42, 48)), "nose": ((27, 36),), "mouth": ((48, 60),)}
"""Features of a face, and the landmarks around each of their parts."""

EDGE_SLACK = 3.0
"""Pixels of the crop within which an edge of the truth accounts for one of the output."""


@dataclass(frozen=True, eq=False)
class Scene:
    """What stays the same for all outputs of an example: crops of photo, edit and truth, and where the face is.

    ideal: None where no truth is known. dense: the truth's landmarks, else the edit's, in the picture. frame: crop
    pixels to picture pixels. mask: the face in the crop; features: `ZONES` in it.
    """

    photos: list[Array]
    edit: Array
    ideal: Array | None
    dense: Points
    edit_dense: Points
    frame: NDArray[np.float64]
    mask: Array
    features: list[Array]

    @property
    def eyes(self) -> float:
        """Distance of the eyes in the crop."""
        five = apply(inverse_affine(self.frame), five_of_68(self.dense))
        return float(np.linalg.norm(five[1] - five[0]))


def scene(photo: Picture, photo_points: Points, edited: Picture, edited_points: Points, ideal: Picture | None,
          ideal_points: Points | None, landmarks: Landmarks) -> Scene:
    """points: the five that a detector found in each picture, (5, 2)."""
    photo_dense = landmarks.find(photo, photo_points)
    edit_dense = landmarks.find(edited, edited_points)
    dense = edit_dense if ideal is None or ideal_points is None else landmarks.find(ideal, ideal_points)
    frame = crop_frame(five_of_68(dense), SIDE)
    here = apply(inverse_affine(frame), dense)
    mask = face_mask(five_of_68(here), here, SIDE).numpy()
    case = Case(as_float(photo), as_float(edited), five_of_68(photo_dense).astype(np.float32),
                five_of_68(edit_dense).astype(np.float32), 0)
    layers = [relit(case), bent(case.original, photo_dense, edit_dense, edited.shape)]
    return Scene([cut(layer, frame) for layer in layers], cut(case.edited, frame),
                 None if ideal is None else cut(as_float(ideal), frame), dense, edit_dense, frame, mask,
                 [_zone(apply(inverse_affine(frame), edit_dense), parts) for parts in ZONES.values()])


def measure(output: Picture, scene: Scene, landmarks: Landmarks, is_edit: bool = False) -> dict[str, Any]:
    """All figures by name; `points`: the five places of the output's face, for the judges. is_edit: the output is the
    edit itself, whose landmarks are known."""
    dense = scene.edit_dense if is_edit else landmarks.find(output, five_of_68(scene.dense))
    crop = cut(as_float(output), scene.frame)
    found = ghosts(scene.photos, scene.edit, crop, scene.mask, scene.features)
    figures = {"points": five_of_68(dense).tolist(), **_of_ghosts(found)}
    names = ("landmarks", "psnr", "ssim", "light", "seam", "double_edges")
    if scene.ideal is None:
        return figures | dict.fromkeys(names)
    away = np.linalg.norm(dense - scene.dense, axis=1).mean()
    return figures | dict(zip(names, (
        float(away) / face_unit(scene.dense),
        common.face_psnr(crop, scene.ideal, scene.mask),
        common.face_ssim(crop, scene.ideal, scene.mask),
        common.light_error(crop, scene.ideal, scene.mask, scene.eyes),
        common.seam_error(crop, scene.ideal, scene.mask, scene.eyes),
        double_edges(crop, scene.ideal, scene.mask),
    )))


def _of_ghosts(found: Ghosts) -> dict[str, float]:
    return {"ghosts": found.share, "feature_ghosts": found.worst}


def double_edges(output: Array, ideal: Array, mask: Array) -> float:
    """Share of the output's edges in the face that lie further than `EDGE_SLACK` pixels from any edge of the truth: a
    second contour beside a nose or a jaw, a seam, another expression's creases."""
    seen, true = (edges(picture) for picture in (output, ideal))
    away = ndimage.distance_transform_edt(~true) > EDGE_SLACK
    inside = seen & (mask > 0.5)
    return float((inside & away).sum() / max(int(inside.sum()), 1))


def edges(picture: Array) -> NDArray[np.bool_]:
    """(S, S): contours of the luminance, one pixel wide (Canny 1986), at the size of lids and lips."""
    from skimage.feature import canny

    return np.asarray(canny(common.luminance(picture), sigma=2.0, low_threshold=0.02, high_threshold=0.06), bool)


def cut(picture: Array, frame: NDArray[np.float64], side: int = SIDE) -> Array:
    """A crop (side, side, 3) of a float picture, without aliasing. frame: crop pixels to picture pixels."""
    shrunk = float(np.sqrt(abs(np.linalg.det(frame[:, :2]))))
    seen = cv2.GaussianBlur(picture, (0, 0), 0.42 * shrunk) if shrunk > 1.3 else picture
    crop = cv2.warpAffine(seen, frame, (side, side), flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
                          borderMode=cv2.BORDER_REPLICATE)
    return np.clip(crop, 0, 1)


def _zone(dense: Points, parts: tuple[tuple[int, int], ...]) -> Array:
    """The hulls of some landmarks in the crop, a little grown and soft, (S, S) in [0, 1]."""
    mask = np.zeros((SIDE, SIDE), np.float32)
    for first, end in parts:
        cv2.fillPoly(mask, [cv2.convexHull(np.round(dense[first:end]).astype(np.int32))], 1.0)
    return np.asarray(cv2.GaussianBlur(cv2.dilate(mask, np.ones((9, 9), np.uint8)), (0, 0), 2.5))
