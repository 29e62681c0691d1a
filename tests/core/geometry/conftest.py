"""The converted face mesh where it is at hand, and drawn people whose faces are known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from door.paths import MODELS
from editedid_core.faces.analyzers.mesh_backend import MeshAnalyzer
from editedid_core.faces.analyzers.mesh_weights import FILE_NAME, FOLDER
from editedid_core.records import Face
from lab import portraits

DrawPerson = Callable[..., portraits.Portrait]


@pytest.fixture(scope="session")
def mesh_file() -> Path:
    """run.py prepares it; without a network it is missing."""
    file = MODELS / FOLDER / FILE_NAME
    if not file.is_file():
        pytest.skip("the face mesh's weights are not at hand: python run.py weights")
    return file


@pytest.fixture(scope="session")
def mesh_analyzer(mesh_file: Path) -> MeshAnalyzer:
    return MeshAnalyzer(mesh_file)


@pytest.fixture(scope="session")
def draw_person() -> DrawPerson:
    """draw_person(seed, size=256, **scene): a drawn portrait, plain but for what the scene's fields say."""

    def draw(seed: int, size: int = 256, **scene: object) -> portraits.Portrait:
        rng = np.random.default_rng(seed)
        identity = portraits.sample_identity(rng)
        return portraits.render(identity, portraits.Scene(portraits.Placement(True), **scene), size)  # type: ignore[arg-type]

    return draw


def as_bytes(image: np.ndarray) -> np.ndarray:
    """(H, W, 3) in [0, 1] as uint8."""
    return (image * 255).round().clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def make_face() -> Callable[..., Face]:
    """make_face(x, y): a face without a mesh, its eyes 30 pixels apart around (x, y)."""

    def make(x: float, y: float) -> Face:
        points = np.array([[x - 15, y], [x + 15, y], [x, y + 18], [x - 12, y + 33], [x + 12, y + 33]])
        box = np.array([x - 33, y - 16, x + 33, y + 50])
        return Face(box.astype(np.float32), points.astype(np.float32), 0.9, None, None, 0, (200, 200))

    return make
