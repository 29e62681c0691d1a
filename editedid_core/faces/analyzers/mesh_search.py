"""Where to look for faces in a picture: all of it, tiles for small faces, turns where nothing is upright."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...geometry.mesh_points import SKIN
from .face_window import Pyramid, Window
from .mesh_networks import Detection, FaceDetector, FaceMesh, MeshFit, Place, strongest_detections
from .search import strongest

_DETECTION = 0.5
# a fit is a face when its presence is above and its last move below these; set on 101 photographs of 24 people and
# on turned, covered and darkened copies of 12 of them, 2026-11
_PRESENCE, _MOVE = 0.5, 0.05
# upside-down faces are taken for upright ones with scores up to 0.78, and found upright with 0.91 and more (the same)
_SURE = 0.8
# beside a sure face, what scores less is none: below lay a glove, a round sign, the back of a head and a blurred half
# of a face, and no whole face (a hundred photographs and forty edits, 2026-11)
_DOUBTFUL = 0.7
_OVERLAP = 0.2  # intersection over union above which two fits lie on one face
# sides of overlapping tiles in parts of the picture's longer side, for ever smaller faces, and how far they overlap
_TILES, _TILE_OVERLAP = (0.6, 0.35, 0.2), 0.25
_LEAST_TILE = 96  # pixels: smaller tiles show nothing that larger ones do not
# the next tiles are searched while the smallest face is smaller than this in parts of the window that showed it, or
# while there is none: a face of a fifth of a window is seen, one of a tenth is not
_SMALL_FACE = 0.3
_TURNS = tuple(np.radians([45, -45, 90, -90, 135, -135, 180]))
_WIDE = 1.5  # a face that fills the picture is seen with room around it


@dataclass(frozen=True, eq=False)
class FoundMesh:
    """A detection and the mesh fitted to it."""

    detection: Detection
    fit: MeshFit

    @property
    def score(self) -> float:
        """How sure both are, 0 to 1."""
        return min(self.detection.score, self.fit.presence)


def find_meshes(pyramids: Sequence[Pyramid], detector: FaceDetector, mesh: FaceMesh) -> list[list[FoundMesh]]:
    """Every face of each picture once, strongest first: upright ones, and turned ones where none is plainly upright.
    Beside a sure face nothing doubtful counts. All pictures together take less time than one after another."""
    wholes = [_whole(pyramid) for pyramid in pyramids]
    first = detector.find(list(zip(pyramids, wholes)), _DETECTION)
    seen = [one + _smaller(pyramid, whole, one, detector) for pyramid, whole, one in zip(pyramids, wholes, first)]
    found = _fitted(pyramids, mesh, seen)
    unsure = [i for i, some in enumerate(found) if all(one.detection.score < _SURE for one in some)]
    for i in unsure:
        whole = wholes[i]
        wide = Window(whole.x, whole.y, _WIDE * whole.side, 0.0)
        turned = [Window(w.x, w.y, w.side, angle) for w in (whole, wide) for angle in _TURNS]
        seen[i] = seen[i] + sum(detector.find([(pyramids[i], window) for window in (wide, *turned)], _DETECTION), [])
    for i, some in zip(unsure, _fitted([pyramids[i] for i in unsure], mesh, [seen[i] for i in unsure])):
        found[i] = some
    return [[one for one in some if one.score >= (_DOUBTFUL if any(other.score >= _SURE for other in some) else 0.0)]
            for some in found]


def _smaller(pyramid: Pyramid, whole: Window, seen: list[Detection], detector: FaceDetector) -> list[Detection]:
    """What else is seen in tiles, ever smaller while the smallest face is small. seen: in all of the picture."""
    found, side = list(seen), whole.side
    for share in _TILES:
        if share * whole.side < _LEAST_TILE or (found and min(one.side for one in found) >= _SMALL_FACE * side):
            break
        side = share * whole.side
        found += sum(detector.find([(pyramid, tile) for tile in _tiles(pyramid, side)], _DETECTION), [])
    return found[len(seen):]


def _fitted(pyramids: Sequence[Pyramid], mesh: FaceMesh, seen: Sequence[list[Detection]]) -> list[list[FoundMesh]]:
    """Of each picture the detections on which the mesh settles on a face, each face once, the strongest detection of
    it."""
    detections = [strongest_detections(some) for some in seen]
    places: list[Place] = [(pyramid, one.window()) for pyramid, some in zip(pyramids, detections) for one in some]
    fits, result = iter(mesh.fit(places)), []
    for some in detections:
        found = [FoundMesh(one, fit) for one, fit in zip(some, fits) if fit.presence > _PRESENCE and fit.move < _MOVE]
        kept = strongest([box_of(one.fit.points) for one in found], [one.detection.score for one in found], _OVERLAP)
        result.append([found[index] for index in kept])
    return result


def box_of(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Box x1, y1, x2, y2 of a mesh (478, 3)."""
    return np.concatenate([points[:SKIN, :2].min(0), points[:SKIN, :2].max(0)])


def _whole(pyramid: Pyramid) -> Window:
    return Window((pyramid.width - 1) / 2, (pyramid.height - 1) / 2, float(max(pyramid.width, pyramid.height)), 0.0)


def _tiles(pyramid: Pyramid, side: float) -> list[Window]:
    """Overlapping squares that cover the picture."""
    return [Window(x, y, side, 0.0) for y in _middles(pyramid.height, side) for x in _middles(pyramid.width, side)]


def _middles(length: int, side: float) -> list[float]:
    if length <= side:
        return [(length - 1) / 2]
    count = 1 + math.ceil((length - side) / ((1 - _TILE_OVERLAP) * side))
    return [float(x) for x in np.linspace(side / 2 - 0.5, length - side / 2 - 0.5, count)]
