"""The mean face of the 478-point mesh: what every mesh is compared with when its pose is removed.

Made by `python -m lab.train.mean_mesh` from drawn people: no photograph is in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..own_files import read_own
from .mesh_points import EYES

FILE = Path(__file__).with_name("mean_mesh.safetensors")


@dataclass(frozen=True, eq=False)
class MeanMesh:
    """points: (478, 3) float64, x to the right, y down, z away from the viewer; middles of the eyes at (±0.5, 0, z).

    weights: (478,) float64, sum 1: how much each point tells about the pose; steady points tell more.
    mirror: (478,) indices, which point each becomes in the mirror.
    """

    points: NDArray[np.float64]
    weights: NDArray[np.float64]
    mirror: NDArray[np.int64]


@lru_cache(maxsize=1)
def mean_mesh() -> MeanMesh:
    """The shipped mean face."""
    stored = read_own(FILE)
    return MeanMesh(
        stored["points"].astype(np.float64), stored["weights"].astype(np.float64), stored["mirror"].astype(np.int64)
    )


def eye_middles(mesh: NDArray[np.floating]) -> NDArray[np.float64]:
    """Middle of the corners of each eye, (2, D) of (478, D)."""
    points = np.asarray(mesh, dtype=np.float64)
    return np.stack([points[list(corners)].mean(0) for corners in EYES])


def eye_distance(mesh: NDArray[np.floating]) -> float:
    """How far the eyes are apart, in the mesh's unit and dimensions."""
    left, right = eye_middles(mesh)
    return float(np.linalg.norm(right - left))
