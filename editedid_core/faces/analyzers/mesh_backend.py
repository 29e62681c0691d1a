"""Faces with MediaPipe's detector and attention mesh: 478 points with depth and irises, in torch. Recognises nobody."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...geometry.landmarks import as_68, five_of_68
from ...records import Face
from .face_window import Pyramid
from .faults import in_words
from .mesh_networks import FaceDetector, FaceMesh
from .mesh_search import FoundMesh, box_of, find_meshes
from .mesh_weights import MESH_WEIGHTS, open_networks


class MeshAnalyzer:
    """FaceAnalyzer over the converted networks; its faces have a mesh and no embedding.

    file: mediapipe_face.safetensors. Raises AnalyzerError with the remedy when it is missing or damaged.
    """

    def __init__(self, file: Path) -> None:
        networks = open_networks(file)
        self._detector = FaceDetector(networks["detector"])
        self._mesh = FaceMesh(networks["mesh"])

    @property
    def name(self) -> str:
        return "MediaPipe mesh"

    @property
    def licence(self) -> str:
        return f"{MESH_WEIGHTS.vendor}: {MESH_WEIGHTS.terms}"

    def find(self, image: NDArray[np.uint8], threshold: float = 0.5) -> list[Face]:
        """See FaceAnalyzer.find. Faces with eyes 10 pixels apart are found; turned ones where none is upright."""
        return self.find_each([image], threshold)[0]

    def find_each(self, images: Sequence[NDArray[np.uint8]], threshold: float = 0.5) -> list[list[Face]]:
        """See FindsTogether.find_each."""
        with in_words("The face mesh", "finding faces", "the CPU", "use a smaller picture, or set detector to own"):
            found = find_meshes([Pyramid(image) for image in images], self._detector, self._mesh)
        faces = [[_face(one, (image.shape[0], image.shape[1])) for one in some] for some, image in zip(found, images)]
        return [[face for face in some if face.score >= threshold] for some in faces]


def _face(found: FoundMesh, image_size: tuple[int, int]) -> Face:
    points = found.fit.points
    dense = as_68(points[:, :2])
    assert dense is not None
    return Face(
        box=box_of(points).astype(np.float32), points=five_of_68(dense).astype(np.float32),
        score=found.score, embedding=None, dense=dense.astype(np.float32), frame=0,
        image_size=image_size, mesh=points.astype(np.float32),
    )
