"""Where the eyes look, from a mesh with irises, against the truth; and what no measure was found for."""
from __future__ import annotations

import importlib
import importlib.util
from typing import Any

import numpy as np
from numpy.typing import NDArray

from editedid_core.faces.analyzers.protocol import FaceAnalyzer

from .landmarks import Points, upright
from .records import Picture

MESH = 478
EYES = ((33, 133, 468), (362, 263, 473))
"""Outer or inner corner at the left of the picture, the one at its right, middle of the iris: of both eyes in
MediaPipe's mesh."""
MODULES = ("editedid_core.faces.analyzers.mediapipe_backend", "editedid_core.faces.analyzers.mesh_backend")
"""Where an analyzer with a mesh may live; it offers `open_mesh() -> FaceAnalyzer | None`."""

NO_MESH = "no analyzer with irises (478 points) is installed"
NO_BEARD = "no measure tells a half beard from a whole one: the one that was tried agreed with the eye half of the time"


def open_mesh() -> FaceAnalyzer | None:
    """An analyzer whose faces have irises; None where there is none."""
    for name in MODULES:
        if importlib.util.find_spec(name) is not None:
            opened: FaceAnalyzer | None = importlib.import_module(name).open_mesh()
            return opened
    return None


def gaze(picture: Picture, near: Points, mesh: FaceAnalyzer | None) -> NDArray[np.float64] | None:
    """(2, 2): where both irises stand between the corners of their eyes, along and across, in eye widths. None without
    a mesh or a face."""
    if mesh is None:
        return None
    crop, _ = upright(picture, near)
    dense: list[Any] = [face.dense for face in mesh.find(crop) if face.dense is not None and len(face.dense) == MESH]
    return None if not dense else iris_places(np.asarray(dense[0], np.float64))


def iris_places(mesh: NDArray[np.float64]) -> NDArray[np.float64]:
    """(2, 2) as `gaze`, of a mesh's points (478, 2)."""
    places = []
    for left, right, iris in EYES:
        across = mesh[right, :2] - mesh[left, :2]
        off = mesh[iris, :2] - (mesh[left, :2] + mesh[right, :2]) / 2
        turned = np.array([-across[1], across[0]])
        places.append([off @ across, off @ turned] / np.square(across).sum())
    return np.array(places)


def gaze_error(output: NDArray[np.float64] | None, goal: NDArray[np.float64] | None) -> float | None:
    """Mean distance of the irises from where they should be, in eye widths."""
    if output is None or goal is None:
        return None
    return float(np.linalg.norm(output - goal, axis=1).mean())
