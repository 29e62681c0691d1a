"""Make the mean face of the 478-point mesh: ``python -m lab.train.mean_mesh``.

Writes `editedid_core/geometry/mean_mesh.safetensors` from drawn people, seen by MediaPipe's mesh. A point's weight is
the inverse of how much it varies between scenes of one person once the pose is removed.
"""
from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from scipy.optimize import linear_sum_assignment

from editedid_core.faces.analyzers.mesh_backend import MeshAnalyzer
from editedid_core.geometry.mean_mesh import FILE, eye_distance, eye_middles
from editedid_core.geometry.pose3d import similarity_3d

from .. import portraits

SIDE = 256
"""Pixels of a drawn picture: about 50 between the eyes."""
PAIRS = ((33, 263), (263, 33), (133, 362), (362, 133), (61, 291), (291, 61), (1, 1), (10, 10), (152, 152), (168, 168))
"""Points whose mirror images are plain: corners of eyes and mouth, and the middle line."""
LEAST_VARIANCE = 1e-4
"""Square eye distances added to each point's variance: the network's own unsteadiness."""


def drawn_meshes(analyzer: MeshAnalyzer, people: int, scenes: int, seed: int = 0) -> np.ndarray:
    """Meshes (people, scenes, 478, 3); drawn people in whose pictures a face is missed are left out."""
    rng = np.random.default_rng(seed)
    kept = []
    while len(kept) < people:
        identity = portraits.sample_identity(rng)
        found = []
        for _ in range(scenes):
            scene = portraits.sample_scene(rng, elements=False, placement=portraits.crop_scene(rng).placement)
            image = portraits.render(identity, scene, SIDE).image
            faces = analyzer.find((image * 255).round().clip(0, 255).astype(np.uint8))
            if len(faces) == 1 and faces[0].mesh is not None:
                found.append(faces[0].mesh.astype(np.float64))
        if len(found) == scenes:
            kept.append(np.stack(found))
    return np.stack(kept)


def aligned(meshes: np.ndarray, mean: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Meshes (N, 478, 3) laid over a mean face."""
    laid = []
    for mesh in meshes:
        scale, rotation, offset = similarity_3d(mean, mesh, weights)
        laid.append((mesh - offset) @ rotation / scale)
    return np.stack(laid)


def normalised(mean: np.ndarray) -> np.ndarray:
    """Upright, symmetric about x = 0, the eyes 1 apart at height 0, the weighted middle of depth at 0."""
    left, right = eye_middles(mean)
    mean = (mean - (left + right) / 2) / eye_distance(mean)
    return mean - [0, 0, mean[:, 2].mean()]


def mirror_of(mean: np.ndarray) -> np.ndarray:
    """(478,) which point each becomes in the mirror, from a mean face that is nearly symmetric."""
    mirrored = mean * [-1, 1, 1]
    source, target = np.array(PAIRS).T
    for _ in range(6):
        scale, rotation, offset = similarity_3d(mirrored[source], mean[target], np.ones(len(source)))
        laid = scale * mirrored @ rotation.T + offset
        source, target = linear_sum_assignment(((laid[:, None] - mean) ** 2).sum(-1))
    return target


def make(meshes: np.ndarray) -> dict[str, np.ndarray]:
    """What the file holds, from meshes (people, scenes, 478, 3)."""
    flat = meshes.reshape(-1, *meshes.shape[2:])
    mean, weights = normalised(flat[0] - flat[0].mean(0)), np.ones(flat.shape[1])
    for _ in range(4):
        mean = normalised(aligned(flat, mean, weights).mean(0))
    mirror = mirror_of(mean)
    for _ in range(4):
        other = (mean * [-1, 1, 1])[mirror]
        mean = normalised((mean + aligned(other[None], mean, weights)[0]) / 2)
        laid = aligned(flat, mean, weights)
        own = laid.reshape(meshes.shape)
        variance = ((own - own.mean(1, keepdims=True)) ** 2).sum((0, 1, 3)) / (meshes.shape[0] * (meshes.shape[1] - 1))
        variance = (variance + variance[mirror]) / 2
        weights = 1 / (variance + LEAST_VARIANCE)
        mean = normalised(laid.mean(0))
    other = (mean * [-1, 1, 1])[mirror]
    return {
        "points": normalised((mean + other) / 2).astype(np.float32),
        "weights": (weights / weights.sum()).astype(np.float32),
        "mirror": mirror.astype(np.int16),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, default=Path(".run/models/editedid/mediapipe_face.safetensors"))
    parser.add_argument("--people", type=int, default=160)
    parser.add_argument("--scenes", type=int, default=3)
    options = parser.parse_args()
    made = make(drawn_meshes(MeshAnalyzer(options.weights), options.people, options.scenes))
    FILE.unlink(missing_ok=True)
    save_file(made, str(FILE), {"source": "drawn people seen by MediaPipe's mesh; python -m lab.train.mean_mesh"})
    print(f"{FILE}: {options.people} people, widest weight ratio {made['weights'].max() / made['weights'].min():.0f}")


if __name__ == "__main__":
    main()
