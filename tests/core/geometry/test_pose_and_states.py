"""Pose, visibility and states on the mean face put into known poses; no weights are needed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from editedid_core.geometry.frontal import SIDE, frontal_grid
from editedid_core.geometry.mean_mesh import eye_distance, eye_middles, mean_mesh
from editedid_core.geometry.mesh_points import SKIN
from editedid_core.geometry.pose3d import head_pose, without_pose
from editedid_core.geometry.resample import read
from editedid_core.geometry.states import Feature, State, StateDifference, compare_states, feature_states, mesh_states
from editedid_core.geometry.visibility import point_visibility, visibility_map

LEFT_CHEEK, RIGHT_CHEEK, FAR_JAW = 50, 280, 323


def rotation(yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0) -> np.ndarray:
    """Head turned so that the nose points right (yaw), up (pitch), and the head is turned clockwise (roll); degrees."""
    y, p, r = np.radians([-yaw, pitch, roll])
    about_y = [[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]]
    about_x = [[1, 0, 0], [0, np.cos(p), np.sin(p)], [0, -np.sin(p), np.cos(p)]]
    about_z = [[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]]
    return np.array(about_z) @ np.array(about_y) @ np.array(about_x)


def posed(points: np.ndarray | None = None, scale: float = 100.0, **angles: float) -> np.ndarray:
    """A mesh in a picture of 400 pixels."""
    mesh = mean_mesh().points if points is None else points
    return scale * mesh @ rotation(**angles).T + [200.0, 180.0, 0.0]


def test_the_mean_face_is_upright_symmetric_and_of_unit_size() -> None:
    mean = mean_mesh()
    assert np.allclose(mean.points[mean.mirror] * [-1, 1, 1], mean.points, atol=1e-5)
    assert np.array_equal(mean.mirror[mean.mirror], np.arange(478))
    assert eye_distance(mean.points) == pytest.approx(1, abs=1e-4)
    assert np.abs(eye_middles(mean.points)[:, 1]).max() < 1e-4
    assert mean.points[152, 1] > mean.points[1, 1] > 0 > mean.points[10, 1]  # chin, nose, forehead from below
    assert mean.points[1, 2] < mean.points[[234, 454], 2].min()  # the nose is nearer than the temples


@pytest.mark.parametrize(("yaw", "pitch", "roll"), [(0, 0, 0), (30, 0, 0), (-25, 12, 0), (10, -20, 170), (40, 15, -60)])
def test_pose_is_found_and_removed(yaw: float, pitch: float, roll: float) -> None:
    mesh = posed(scale=83.0, yaw=yaw, pitch=pitch, roll=roll)
    pose = head_pose(mesh)
    assert (pose.yaw, pose.pitch, pose.roll) == pytest.approx((yaw, pitch, roll), abs=1e-6)
    assert pose.scale == pytest.approx(83.0)
    assert np.allclose(without_pose(mesh), mean_mesh().points, atol=1e-9)
    assert np.allclose(pose.put(pose.remove(mesh)), mesh)


def test_the_nose_tells_the_direction() -> None:
    """Independent of the angles' formulas: the tip of the nose moves where the head turns."""
    straight = posed()
    assert posed(yaw=20)[1, 0] > straight[1, 0] + 5
    assert posed(pitch=20)[1, 1] < straight[1, 1] - 5
    assert head_pose(posed(yaw=20)).yaw > 0 < head_pose(posed(pitch=20)).pitch


def test_a_mesh_without_extent_is_refused() -> None:
    with pytest.raises(ValueError, match="detect the face again"):
        head_pose(np.zeros((478, 3)))
    with pytest.raises(ValueError, match="detect the face again"):
        head_pose(np.full((478, 3), np.nan))


def test_the_far_side_of_a_turned_head_is_hidden() -> None:
    assert point_visibility(posed())[[LEFT_CHEEK, RIGHT_CHEEK, 1, 468, 473]].min() > 0.9
    right = point_visibility(posed(yaw=45))
    assert right[LEFT_CHEEK] > 0.9
    assert right[FAR_JAW] < 0.1
    left = point_visibility(posed(yaw=-45))
    mirror = mean_mesh().mirror
    assert np.abs(left[mirror] - right).mean() < 0.02
    shown = [visibility_map(posed(yaw=yaw)).sum() for yaw in (0, 20, 40, 60)]
    assert shown == sorted(shown, reverse=True)


def test_the_nose_hides_what_lies_behind_it() -> None:
    """At 40 degrees the corner between the far side of the nose and the cheek is covered by the ridge."""
    visible = point_visibility(posed(yaw=-40))
    beside = [36, 142, 126, 209]  # beside the nose, at the left of the picture
    assert visible[beside].min() < 0.3
    assert point_visibility(posed(yaw=40))[beside].min() > 0.9


def test_a_picture_goes_to_the_grid_and_back() -> None:
    mesh = posed(yaw=15, roll=20)
    y, x = np.mgrid[:400, :400]
    picture = np.stack([x / 400, y / 400, (x + y) / 800], -1)
    grid = frontal_grid()
    texture = grid.texture((picture * 255).round().astype(np.uint8), mesh)
    places = grid.in_picture(mesh)
    error = np.abs(texture[..., :2] - places / 400)[grid.inside]
    assert texture.shape == (SIDE, SIDE, 3)
    assert error.max() < 0.02
    back = grid.to_picture(texture[..., 0], mesh, 400, 400)
    seen = back > 0
    assert 15_000 < seen.sum() < 60_000
    inner = grid.to_picture(np.where(grid.inside, 1.0, 0.0), mesh, 400, 400) > 0.99
    assert np.abs(back - x / 400)[inner].mean() < 0.01


@pytest.mark.parametrize("size", [256, 512, 1024])
def test_the_grid_lies_in_a_picture_where_the_mesh_does(size: int) -> None:
    """At any size, without a shift: what the grid shows at the mesh's points is their own place."""
    mesh = mean_mesh().points * size / 4.2 + [size / 2 + 0.3, size / 2, 0]
    grid, points = frontal_grid(), mesh[:SKIN, :2]
    across = np.tile(np.arange(SIDE, dtype=np.float32), (SIDE, 1))
    shown = grid.to_picture(across, mesh, size, size)
    found = read(torch.from_numpy(shown)[..., None], points[None])[0, :, 0]
    inner = np.linalg.norm(points - points.mean(0), axis=1) < size / 5
    assert np.abs(found - grid.at(mean_mesh().points[:SKIN, :2])[:, 0])[inner].mean() < 0.02



def moved(points: list[int], by: tuple[float, float]) -> np.ndarray:
    """The mean face with some points moved, in eye distances."""
    mesh = mean_mesh().points.copy()
    mesh[points, :2] += by
    return mesh


EYE_WIDTH = float(np.linalg.norm((mean_mesh().points[133] - mean_mesh().points[33])[:2]))
IRISES = list(range(468, 478))
LOWER_LIP = [87, 14, 317, 17]
CASES = {
    Feature.GAZE: moved(IRISES, (0.1 * EYE_WIDTH, 0.0)),
    Feature.LIDS: moved([160, 159, 158, 387, 386, 385], (0.0, 0.08 * EYE_WIDTH)),
    Feature.MOUTH: moved([82, 13, 312], (0.0, -0.12)),
    Feature.SMILE: moved([61, 291], (0.0, -0.1)),
    Feature.BROWS: moved([105, 66, 63, 334, 296, 293], (0.0, -0.06)),
}


def same_pose(mesh: np.ndarray, **angles: float) -> StateDifference:
    return compare_states(mesh_states(posed(**angles)), mesh_states(posed(mesh, **angles)))


@pytest.mark.parametrize("feature", list(CASES))
@pytest.mark.parametrize("yaw", [0.0, 15.0])
def test_each_feature_tells_its_own_change(feature: Feature, yaw: float) -> None:
    difference = same_pose(CASES[feature], yaw=yaw)
    follow = {Feature.MOUTH: Feature.CHEEKS, Feature.SMILE: Feature.CHEEKS, Feature.BROWS: Feature.FOREHEAD}
    assert difference.of(feature) is State.DIFFERS
    assert set(difference.differing) == {feature, follow.get(feature, feature)}


def test_pose_is_no_state() -> None:
    difference = compare_states(mesh_states(posed()), mesh_states(posed(yaw=12, pitch=8, roll=30, scale=60.0)))
    assert difference.differing in ((), (Feature.GAZE,))  # an eye seen from the side shows its iris elsewhere
    assert same_pose(mean_mesh().points, yaw=20).differing == ()


def test_what_is_not_seen_is_unknown(make_face) -> None:
    face = make_face(50, 50)
    assert feature_states(face) is None
    known = mesh_states(posed())
    assert all(compare_states(None, known).of(feature) is State.UNKNOWN for feature in Feature)
    assert all(compare_states(known, mesh_states(posed(yaw=60))).of(feature) is State.UNKNOWN for feature in Feature)
    small = compare_states(known, mesh_states(posed(scale=9.0)))
    assert small.gaze is small.lids is State.UNKNOWN
    assert small.mouth is State.SAME
    assert compare_states(known, replace(known, lids=(0.05, 0.05))).gaze is State.UNKNOWN
    with_mesh = replace(face, mesh=posed().astype(np.float32))
    assert feature_states(with_mesh) is not None
