"""Head pose from the 478-point mesh, and the face with its pose removed.

The pose is the similarity in space that takes the mean face to the mesh, in weighted least squares (Umeyama 1991).
The depth of a mesh serves the pose only: it tells people apart worse than the mean face's depth does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .mean_mesh import MeanMesh, mean_mesh


@dataclass(frozen=True, eq=False)
class HeadPose:
    """How a head stands in a picture: picture = scale * rotation @ frontal + offset.

    yaw, pitch, roll: degrees; yaw positive when the nose points to the right of the picture, pitch positive when it
    points up, roll positive when the head is turned clockwise on the screen. Applied pitch first, roll last.
    scale: pixels per eye distance of the frontal face. rotation: (3, 3). offset: (3,) pixels.
    """

    yaw: float
    pitch: float
    roll: float
    scale: float
    rotation: NDArray[np.float64]
    offset: NDArray[np.float64]

    @property
    def turn(self) -> float:
        """Degrees between the direction of the face and the viewer."""
        return float(np.degrees(np.arccos(np.clip(self.rotation[2, 2], -1, 1))))

    def remove(self, mesh: NDArray[np.floating]) -> NDArray[np.float64]:
        """Points (K, 3) of the picture as they lie on the frontal face, in eye distances of the mean face."""
        return (np.asarray(mesh, dtype=np.float64) - self.offset) @ self.rotation / self.scale

    def put(self, frontal: NDArray[np.floating]) -> NDArray[np.float64]:
        """Points (K, 3) of the frontal face as they lie in the picture."""
        return self.scale * np.asarray(frontal, dtype=np.float64) @ self.rotation.T + self.offset


def head_pose(mesh: NDArray[np.floating], mean: MeanMesh | None = None) -> HeadPose:
    """The pose of a mesh (478, 3). Raises ValueError when its points coincide or are not numbers."""
    mean = mean or mean_mesh()
    scale, rotation, offset = similarity_3d(mean.points, np.asarray(mesh, dtype=np.float64), mean.weights)
    roll = np.arctan2(rotation[1, 0], rotation[0, 0])
    cos, sin = np.cos(roll), np.sin(roll)
    x, y, z = np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]]) @ rotation @ [0.0, 0.0, -1.0]
    yaw, pitch = np.arctan2(x, -z), np.arcsin(np.clip(-y, -1, 1))
    return HeadPose(float(np.degrees(yaw)), float(np.degrees(pitch)), float(np.degrees(roll)), scale, rotation, offset)


def without_pose(mesh: NDArray[np.floating]) -> NDArray[np.float64]:
    """A mesh (478, 3) of a picture as it would lie on the frontal face, in eye distances; x, y as MeanMesh."""
    return head_pose(mesh).remove(mesh)


def similarity_3d(source: NDArray[np.float64], target: NDArray[np.float64], weights: NDArray[np.float64]
                  ) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """Scale, rotation (3, 3) without mirror image and offset (3,) that take source (K, 3) closest to target (K, 3).

    weights: (K,), how much each point counts. Raises ValueError when the points coincide or are not numbers.
    """
    w = weights / weights.sum()
    source_mean, target_mean = w @ source, w @ target
    s, t = source - source_mean, target - target_mean
    spread = float(w @ (s**2).sum(1))
    if not np.isfinite(t).all() or spread < 1e-12 or float(w @ (t**2).sum(1)) < 1e-12:
        raise ValueError("The mesh of a face has no extent or is not made of numbers: detect the face again.")
    u, values, v = np.linalg.svd((t * w[:, None]).T @ s)
    signs = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ v))])
    rotation = (u * signs) @ v
    scale = float((values * signs).sum() / spread)
    return scale, rotation, target_mean - scale * rotation @ source_mean
