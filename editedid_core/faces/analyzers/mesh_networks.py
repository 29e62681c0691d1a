"""MediaPipe's short-range face detector and its attention mesh, on windows of a picture.

Sources: Bazarevsky et al. 2019, "BlazeFace"; Grishchenko et al. 2020, "Attention Mesh"; weights: mesh_weights.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ...geometry.affine import apply, scale_of
from ...geometry.mesh_points import LEFT_IRIS, OUTER_CORNERS, POINTS, RIGHT_IRIS, SKIN
from .face_window import Pyramid, Window, level_window
from .lite_graph import LiteGraph

_DETECTOR_SIZE, _MESH_SIZE = 128, 192
_TOGETHER = 16  # faces in one pass
_ROOM = 1.5  # of a mesh window around a face, as its network was trained
# MediaPipe's names are the person's left and right for landmarks, but the picture's for these outputs
_PATCHES = {"output_lips": 0, "output_left_eye": 1, "output_right_eye": 2}
_IRISES = {"output_left_iris": (LEFT_IRIS, 1), "output_right_iris": (RIGHT_IRIS, 2)}
_EYE_OUTLINE = 16  # the first points of an eye's patch are the lids


Place = tuple[Pyramid, Window]
"""A window of a picture."""


@dataclass(frozen=True, eq=False)
class Detection:
    """score: 0 to 1. points: (6, 2) right eye, left eye, nose, mouth, right and left ear of the person; centre: (2,);
    side: of its box; all in pixels."""

    score: float
    centre: NDArray[np.float64]
    points: NDArray[np.float64]
    side: float

    def window(self) -> Window:
        """Where the mesh network should look."""
        line = self.points[1] - self.points[0]
        return Window(float(self.centre[0]), float(self.centre[1]), _ROOM * self.side,
                      float(np.arctan2(line[1], line[0])))


@dataclass(frozen=True, eq=False)
class MeshFit:
    """points: (478, 3) float64, x and y in picture pixels, depth in the same unit, towards the camera negative.

    presence: 0 to 1, how much the last window looked like a face. move: how far the last look moved the points, mean,
    in distances of the outer corners of the eyes; a true face settles, anything else wanders.
    """

    points: NDArray[np.float64]
    presence: float
    move: float


class FaceDetector:
    """Faces that are large in a window, upright in it or nearly so (a turn of up to about 30 degrees)."""

    def __init__(self, network: LiteGraph) -> None:
        self._network = network
        self._anchors = np.concatenate([_anchors(16, 2), _anchors(8, 6)])

    def find(self, places: Sequence[Place], threshold: float) -> list[list[Detection]]:
        """What the network sees in each window, unsifted: a face is seen by several anchors and windows."""
        found: list[list[Detection]] = []
        for first in range(0, len(places), _TOGETHER):
            found += self._seen(places[first:first + _TOGETHER], threshold)
        return found

    def _seen(self, places: Sequence[Place], threshold: float) -> list[list[Detection]]:
        crops = torch.stack([pyramid.crop(window, _DETECTOR_SIZE) for pyramid, window in places]) * 2 - 1
        out = self._network(crops)
        scores = torch.sigmoid(out["classificators"][..., 0].clamp(-60, 60)).numpy()
        boxes = out["regressors"].numpy().astype(np.float64)
        found = []
        for (_, window), score, box in zip(places, scores, boxes):
            matrix, some = window.to_picture(_DETECTOR_SIZE), []
            for index in np.flatnonzero(score > threshold):
                values = box[index].reshape(8, 2)
                anchor = self._anchors[index] * _DETECTOR_SIZE - 0.5
                points = apply(matrix, values[[0, *range(2, 8)]] + anchor)
                side = float(values[1].max()) * scale_of(matrix)
                some.append(Detection(float(score[index]), points[0], points[1:], side))
            found.append(some)
        return found


def _anchors(cells: int, per_cell: int) -> NDArray[np.float64]:
    """Middles of a grid of cells, (cells * cells * per_cell, 2), in parts of the window."""
    y, x = (np.mgrid[:cells, :cells] + 0.5) / cells
    return np.repeat(np.stack([x, y], -1).reshape(-1, 2), per_cell, axis=0)


def strongest_detections(found: Sequence[Detection]) -> list[Detection]:
    """One detection a face, the strongest: no two lie nearer than half the larger box."""
    kept: list[Detection] = []
    for one in sorted(found, key=lambda d: -d.score):
        if all(np.hypot(*(one.centre - other.centre)) > 0.5 * max(one.side, other.side) for other in kept):
            kept.append(one)
    return kept


class FaceMesh:
    """478 points of one face: 468 on the skin, lips and lids drawn finer, and five on each iris."""

    def __init__(self, network: LiteGraph) -> None:
        self._network = network
        self._patches = [
            np.array(step.options["subset_idxs"]) for step in network.steps
            if step.operator == "Landmarks2TransformMatrix"
        ]

    def fit(self, places: Sequence[Place], refinements: int = 2) -> list[MeshFit]:
        """One fit for each window. Look once where the detector says, then `refinements` (at least 1) times where the
        mesh itself says; all faces together, which takes a fraction of the time."""
        found = self._look(places)
        moves = [float("inf")] * len(found)
        for _ in range(refinements):
            before = found
            found = self._look([(pyramid, mesh_window(points)) for (pyramid, _), (points, _) in zip(places, before)])
            moves = [_moved(old, new) for (old, _), (new, _) in zip(before, found)]
        return [MeshFit(points, presence, move) for (points, presence), move in zip(found, moves)]

    def _look(self, places: Sequence[Place]) -> list[tuple[NDArray[np.float64], float]]:
        """Points in picture pixels and presence, of each window."""
        looks = []
        for first in range(0, len(places), _TOGETHER):
            some = places[first:first + _TOGETHER]
            out = self._network(torch.stack([pyramid.crop(window, _MESH_SIZE) for pyramid, window in some]))
            rows = {name: values.numpy().astype(np.float64) for name, values in out.items()}
            looks += [self._placed({name: values[i] for name, values in rows.items()}, window)
                      for i, (_, window) in enumerate(some)]
        return looks

    def _placed(self, rows: dict[str, NDArray[np.float64]], window: Window) -> tuple[NDArray[np.float64], float]:
        mesh = np.zeros((POINTS, 3))
        mesh[:SKIN] = rows["output_mesh_identity"].reshape(SKIN, 3)
        for name, patch in _PATCHES.items():
            mesh[self._patches[patch], :2] = rows[name].reshape(-1, 2)
        for name, (points, eye) in _IRISES.items():
            mesh[points, :2] = rows[name].reshape(-1, 2)
            mesh[points, 2] = mesh[self._patches[eye][:_EYE_OUTLINE], 2].mean()
        matrix = window.to_picture(_MESH_SIZE)
        # the network counts from the corner of the first pixel, the pack from its centre
        placed = np.column_stack([apply(matrix, mesh[:, :2] - 0.5), mesh[:, 2] * scale_of(matrix)])
        return placed, float(1 / (1 + np.exp(-rows["conv_faceflag"][0])))


def _moved(before: NDArray[np.float64], points: NDArray[np.float64]) -> float:
    """How far two looks at a face lie apart, mean, in distances of the outer corners of the eyes."""
    eyes = np.linalg.norm((points[OUTER_CORNERS[1]] - points[OUTER_CORNERS[0]])[:2])
    return float(np.linalg.norm((points - before)[:SKIN, :2], axis=1).mean() / max(eyes, 1e-9))


def mesh_window(points: NDArray[np.float64]) -> Window:
    """Where to look for a face whose mesh (478, 3) is known."""
    left, right = points[OUTER_CORNERS[0], :2], points[OUTER_CORNERS[1], :2]
    return level_window(points[:SKIN, :2], left, right, _ROOM)
