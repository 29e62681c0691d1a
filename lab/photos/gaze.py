"""Where the eyes look, from a mesh with irises, against the truth; and what no measure was found for."""
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from editedid_core.faces.analyzers.mesh_backend import MeshAnalyzer
from editedid_core.faces.analyzers.protocol import FaceAnalyzer

from .analyzers import mesh_file
from .landmarks import Points, upright
from .records import Picture

MESH = 478
EYES = ((33, 133, 468), (362, 263, 473))
"""Outer or inner corner at the left of the picture, the one at its right, middle of the iris: of both eyes in
MediaPipe's mesh."""
NO_MESH = "the face mesh with irises is not at hand (python run.py weights)"
NO_BEARD = "no measure tells a half beard from a whole one: the one that was tried agreed with the eye half of the time"


def open_mesh() -> FaceAnalyzer | None:
    """The face mesh, whose faces have irises; None where its weights are not at hand (`run.py weights`)."""
    file = mesh_file()
    return None if file is None else MeshAnalyzer(file)


def gaze(picture: Picture, near: Points, mesh: FaceAnalyzer | None) -> NDArray[np.float64] | None:
    """(2, 2): where both irises stand between the corners of their eyes, along and across, in eye widths. None without
    a mesh or a face."""
    if mesh is None:
        return None
    crop, _ = upright(picture, near)
    found = [face.mesh for face in mesh.find(crop) if face.mesh is not None and len(face.mesh) == MESH]
    return iris_places(np.asarray(found[0], np.float64)) if found else None


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
