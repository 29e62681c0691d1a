"""What a face wears and how it holds itself, read once from its picture and its mesh."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ..geometry.states import FeatureStates, mesh_states
from .beard import BeardFinding, find_beard
from .frontal_face import FrontalFace, frontal_face
from .glasses import find_glasses


@dataclass(frozen=True, eq=False)
class FaceReading:
    """mesh: (478, 3) in the picture that was read. glasses: whether the face wears some. beard: chin and upper lip.
    states: of its features."""

    mesh: NDArray[np.float64]
    face: FrontalFace
    glasses: bool
    beard: BeardFinding
    states: FeatureStates


def read_face(picture: torch.Tensor, mesh: NDArray[np.floating]) -> FaceReading:
    """Read the face of a picture (H, W, 3) in [0, 1] whose mesh (478, 3) is known."""
    points = np.asarray(mesh, dtype=np.float64)
    face = frontal_face((picture.clamp(0, 1) * 255).round().to(torch.uint8).numpy(), points)
    return FaceReading(points, face, find_glasses(face).present, find_beard(face), mesh_states(points))
