"""How a photo is laid over an edit where both faces have a mesh: pose removed in 3D, expression feature by feature.

The person's features keep their own places as far as the two pictures can be compared: turned alike and in one state,
the photo is only moved and turned; the more they differ, the more the photo is bent to the edit's own mesh, irises and
lids included. The outline of the face is the edit's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.interpolate import LinearNDInterpolator
from scipy.ndimage import gaussian_filter

from .affine import Matrix, apply, fit_similarity, places_under
from .frontal import frontal_grid, signed_areas
from .mean_mesh import eye_distance, mean_mesh
from .mesh_points import SKIN
from .pose3d import HeadPose, head_pose
from .states import GAZE, LIDS, MOUTH, SMILE, FeatureStates, mesh_states
from .thin_plate import RING

Points = NDArray[np.float64]

_TURN = 10.0
"""Degrees between two poses at which only half of the person's places can be told from the pose."""

_OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176, 149, 150,
    136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)
# Lengths on the face, not calibrated
_INWARD = 0.45  # eye distances from the outline at which a point is wholly the person's
_NEAR_EYES, _NEAR_MOUTH = 0.34, 0.5  # eye distances within which a point follows the state of eyes and mouth
_HELD = 0.35  # eye distances outside the mesh where the photo is no longer bent
_NODES = 128  # of the map, along a side of the crop
_SMOOTH = 0.02  # eye distances, standard deviation


@dataclass(frozen=True, eq=False)
class Laying:
    """positions: (S, S, 2), the photo's pixel for each pixel of the crop. to_original: (2, 3), their similarity.
    mesh: (478, 3), where the photo's points lie in the crop. turn: degrees between the two poses."""

    positions: NDArray[np.float32]
    to_original: Matrix
    mesh: Points
    turn: float


def lay(photo: NDArray[np.floating], edit: NDArray[np.floating], size: int, own: float = 1.0) -> Laying:
    """photo: mesh (478, 3) in the photo's pixels. edit: mesh in the crop's pixels. size: side of the crop. own: how far
    features keep the person's places at best, 0 to 1."""
    there = np.asarray(photo, dtype=np.float64)
    mesh = person_places(there, np.asarray(edit, dtype=np.float64), own)
    wanted = mesh[:, :2]
    steady = mean_mesh().weights[:SKIN]
    to_original = fit_similarity(wanted[:SKIN], there[:SKIN, :2], steady)
    unit = eye_distance(wanted)
    left = there[:, :2] - apply(to_original, wanted)
    outline = wanted[list(_OVAL)]
    middle = outline.mean(0)
    angles = np.linspace(0, 2 * np.pi, RING, endpoint=False)
    reach = np.linalg.norm(outline - middle, axis=1).max() + _HELD * unit
    ring = middle + reach * np.stack([np.cos(angles), np.sin(angles)], -1)
    seen = _facing(there)
    places = np.concatenate([wanted[seen], ring])
    moves = np.concatenate([left[seen], np.zeros((RING, 2))])
    step = size / _NODES
    axis = (np.arange(_NODES + 1)) * step
    nodes = LinearNDInterpolator(places, moves, fill_value=0.0)(*np.meshgrid(axis, axis))
    nodes = gaussian_filter(nodes, (_SMOOTH * unit / step, _SMOOTH * unit / step, 0))
    fine = torch.from_numpy(nodes).float().permute(2, 0, 1)[None]
    between = F.interpolate(fine, size=(size + 1, size + 1), mode="bilinear",
                            align_corners=True)[0, :, :size, :size].permute(1, 2, 0).numpy()
    turn = turned(head_pose(there), head_pose(np.asarray(edit, dtype=np.float64)))
    return Laying(places_under(to_original, size, size) + between, to_original, mesh, turn)


def person_places(photo: Points, edit: Points, own: float = 1.0) -> Points:
    """Where the person's points belong in the edit, (478, 3) in its pixels, with the edit's depth."""
    pose_of_photo, pose_of_edit = head_pose(photo), head_pose(edit)
    frontal_photo, frontal_edit = pose_of_photo.remove(photo), pose_of_edit.remove(edit)
    turn = turned(pose_of_photo, pose_of_edit)
    share = own / (1 + (turn / _TURN) ** 2) * _in_one_state(mesh_states(photo), mesh_states(edit))
    moved = frontal_edit.copy()
    moved[:, :2] += (share * _inside())[:, None] * (frontal_photo - frontal_edit)[:, :2]
    return pose_of_edit.put(moved)


def turned(photo: HeadPose, edit: HeadPose) -> float:
    """Degrees between two poses; tilting the head does not count."""
    return float(np.hypot(photo.yaw - edit.yaw, photo.pitch - edit.pitch))


def _in_one_state(photo: FeatureStates, edit: FeatureStates) -> NDArray[np.float64]:
    """(478,) how far each point may keep the photo's place: 0 near a feature that is plainly in another state."""
    def alike(change: float, limit: float) -> float:
        return float(np.clip(2 - abs(change) / limit, 0, 1))

    def mean(pair: tuple[float, float]) -> float:
        return float(np.mean(pair))

    mouth = min(alike(photo.mouth - edit.mouth, MOUTH), alike(photo.smile - edit.smile, SMILE))
    eyes = min(alike(mean(photo.lids) - mean(edit.lids), LIDS), alike(mean(photo.gaze_x) - mean(edit.gaze_x), GAZE))
    mean_points = mean_mesh().points[:, :2]
    around = np.min([np.linalg.norm(mean_points - at, axis=1) for at in ((-0.5, 0.0), (0.5, 0.0))], 0)
    lips = mean_points[[61, 291, 0, 17]].mean(0)
    from_lips = np.linalg.norm((mean_points - lips) / [1.2, 1.0], axis=1)
    share = np.ones(len(mean_points))
    share *= 1 - (1 - eyes) * np.clip(2 - around / _NEAR_EYES, 0, 1)
    return share * (1 - (1 - mouth) * np.clip(2 - from_lips / _NEAR_MOUTH, 0, 1))


def _inside() -> NDArray[np.float64]:
    """(478,) 0 on the outline of the face, 1 well inside."""
    points = mean_mesh().points[:, :2]
    outline = points[list(_OVAL)]
    away = np.linalg.norm(points[:, None] - outline[None], axis=-1).min(1)
    return np.clip(away / _INWARD, 0, 1)


def _facing(mesh: Points) -> NDArray[np.int64]:
    """Points that the photo shows, irises included."""
    triangles = frontal_grid().triangles
    skin = np.unique(triangles[signed_areas(mesh[:, :2], triangles) > 0])
    return np.concatenate([skin, np.arange(SKIN, len(mesh))])
