"""A real analyzer, a real photograph with a known change, and small pictures with known faces."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from PIL import Image

from editedid_core.faces.analyzers.dlib_backend import DlibAnalyzer
from editedid_core.faces.analyzers.protocol import FaceAnalyzer
from editedid_core.records import Face


@dataclass(frozen=True, eq=False)
class RealPair:
    """A photograph, a resized, turned and recoloured copy, and the map (2, 3) between their pixels."""

    original: torch.Tensor
    edited: torch.Tensor
    original_to_edited: np.ndarray


@pytest.fixture(scope="session")
def dlib_analyzer() -> FaceAnalyzer:
    pytest.importorskip("dlib")
    return DlibAnalyzer()


def pictures(*arrays: np.ndarray) -> torch.Tensor:
    """uint8 (H, W, C) arrays as (B, H, W, C) in [0, 1]."""
    return torch.from_numpy(np.stack(arrays).astype(np.float32) / 255)


@pytest.fixture(scope="session")
def photograph() -> np.ndarray:
    """Public-domain portrait of an astronaut (NASA), shipped with scikit-image; (512, 512, 3) uint8."""
    data = pytest.importorskip("skimage.data")
    return np.asarray(data.astronaut())


@pytest.fixture(scope="session")
def real_pair(photograph: np.ndarray) -> RealPair:
    """The copy is 1.3 times as large, turned by 20 degrees about the face, warmer and darker."""
    scale, angle = 1.3, np.deg2rad(20)
    centre = np.array([220.0, 120.0])
    linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    forward = np.column_stack([linear, np.array([300.0, 200.0]) - linear @ centre])
    inverse_linear = np.linalg.inv(linear)
    offset = -inverse_linear @ forward[:, 2]
    corner = offset + 0.5 - inverse_linear @ [0.5, 0.5]  # Pillow measures from the corner of a pixel
    image = Image.fromarray(photograph).transform(
        (640, 600), Image.Transform.AFFINE,
        (*inverse_linear[0], corner[0], *inverse_linear[1], corner[1]), Image.Resampling.BICUBIC,
    )
    recoloured = np.clip(np.asarray(image, dtype=np.float32) * [1.0, 0.85, 0.7] + 8, 0, 255).astype(np.uint8)
    return RealPair(pictures(photograph), pictures(recoloured), forward)


_FRONTAL = np.array([[-0.5, 0.0], [0.5, 0.0], [0.0, 0.6], [-0.4, 1.1], [0.4, 1.1]])

MakeFace = Callable[..., Face]


@pytest.fixture(scope="session")
def make_face() -> MakeFace:
    return _make_face


@pytest.fixture(scope="session")
def as_pictures() -> Callable[..., torch.Tensor]:
    return pictures


def _make_face(x: float, y: float, eye_distance: float = 30.0, turn: float = 0.0,
               embedding: list[float] | None = None, frame: int = 0,
               image_size: tuple[int, int] = (200, 300), score: float = 0.9) -> Face:
    """A face with its eyes around (x, y), turned by `turn` degrees."""
    a = np.deg2rad(turn)
    rotation = np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
    points = np.array([x, y]) + eye_distance * _FRONTAL @ rotation.T
    middle = points.mean(0)
    box = np.concatenate([middle - 1.1 * eye_distance, middle + 1.1 * eye_distance])
    vector = None if embedding is None else np.asarray(embedding, dtype=np.float32) / np.linalg.norm(embedding)
    return Face(box.astype(np.float32), points.astype(np.float32), score, vector, None, frame, image_size)
