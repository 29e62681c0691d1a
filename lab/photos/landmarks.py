"""Landmarks for measuring: found from a place that is known, so that a strange result is not lost, and independently of
what the pack does with them."""
from __future__ import annotations

from functools import cache
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from editedid_core.faces.analyzers.dlib_backend import dlib_available
from editedid_core.faces.analyzers.protocol import FaceAnalyzer
from editedid_core.geometry.affine import apply, crop_frame
from editedid_core.geometry.landmarks import as_68, five_of_68

from .records import Picture

Points = NDArray[np.float64]

SIDE = 320
BOX_CENTRE, BOX_SIDE = np.array([0.50, 0.53]), 0.57
"""Where dlib's detector would put its box in an upright crop, in parts of the crop's side."""
MOVES = ((0, 0, 1), (0.04, 0, 1.04), (-0.04, 0, 1.04), (0, 0.04, 0.96), (0, -0.04, 0.96))
"""Boxes moved and scaled by these parts; the mean of their landmarks jumps less than one of them."""


class Landmarks(Protocol):
    def find(self, picture: Picture, near: Points) -> Points:
        """The 68 points of iBUG (68, 2) of the face whose five points are about at `near` (5, 2); itself a face's, even
        where there is none."""


def landmarks_for(analyzer: FaceAnalyzer) -> Landmarks:
    """dlib's, which know photographs, unless another analyzer is what the examples need (drawn people)."""
    return DlibLandmarks() if "dlib" in analyzer.name and dlib_available() else AnalyzerLandmarks(analyzer)


def upright(picture: Picture, near: Points, side: int = SIDE) -> tuple[Picture, NDArray[np.float64]]:
    """An upright crop (side, side, 3), and the map from its pixels to the picture's."""
    frame = crop_frame(near, side)
    seen = picture
    shrunk = float(np.sqrt(abs(np.linalg.det(frame[:, :2]))))
    if shrunk > 1.2:
        seen = cv2.GaussianBlur(seen, (0, 0), 0.42 * shrunk)
    crop = cv2.warpAffine(seen, frame, (side, side), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                          borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(crop), frame


class DlibLandmarks:
    """dlib's 68 points, twice: the second time from where the first found the face."""

    def find(self, picture: Picture, near: Points) -> Points:
        places = np.asarray(near, np.float64)
        dense = np.zeros((68, 2))
        for _ in range(2):
            crop, frame = upright(picture, places)
            dense = apply(frame, np.mean([_predicted(crop, *move) for move in MOVES], 0))
            places = five_of_68(dense)
        return dense


@cache
def _predictor() -> Any:
    import dlib

    from editedid_core.faces.analyzers.dlib_backend import _weights_folder

    folder = _weights_folder()
    assert folder is not None
    return dlib.shape_predictor(str(folder / "shape_predictor_68_face_landmarks.dat"))


def _predicted(crop: Picture, dx: float, dy: float, zoom: float) -> Points:
    import dlib

    side = BOX_SIDE * zoom * SIDE
    x, y = BOX_CENTRE * SIDE + np.array([dx, dy]) * side - side / 2
    shape = _predictor()(crop, dlib.rectangle(round(x), round(y), round(x + side), round(y + side)))
    return np.array([(part.x, part.y) for part in shape.parts()], np.float64)


class AnalyzerLandmarks:
    """An analyzer's dense landmarks of the face nearest to the place; the places themselves where it finds none."""

    def __init__(self, analyzer: FaceAnalyzer) -> None:
        self._analyzer = analyzer

    def find(self, picture: Picture, near: Points) -> Points:
        crop, frame = upright(picture, np.asarray(near, np.float64))
        faces = [face for face in self._analyzer.find(crop, 0.3) if as_68(face.dense) is not None]
        nearest = min(faces, key=lambda face: float(np.linalg.norm(face.centre - SIDE / 2)), default=None)
        dense = None if nearest is None else as_68(nearest.dense)
        return spread_five(np.asarray(near, np.float64)) if dense is None else apply(frame, dense)


def spread_five(five: Points) -> Points:
    """68 points of which only the five are known: every part of the face at the one it is nearest to."""
    owner = np.full(68, 2)
    owner[36:42], owner[42:48], owner[48:54], owner[54:68] = 0, 1, 3, 4
    return five[owner]
