"""What of a face its picture shows: the far side of a turned head is hidden, or too narrow to be taken from there."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .frontal import SIDE, frontal_grid, signed_areas
from .mean_mesh import mean_mesh
from .mesh_points import LEFT_IRIS, POINTS, RIGHT_IRIS, SKIN
from .pose3d import head_pose

# A triangle is taken as seen when the picture shows it at this share of its frontal area, and as hidden below the
# other: a smear is what such a triangle becomes when it is stretched. Geometry, not calibrated.
_SEEN, _HIDDEN = 0.5, 0.2
# A point is behind another part of the face when that part is nearer by this much, in eye distances
_BEHIND = 0.06
_SPECK = 0.01  # of the face's area
_DOT = 9  # grid pixels: on the line of a closed mouth the mesh folds by so much; teeth that are hidden are more
_UPPER_LIP = 164


def triangle_visibility(mesh: NDArray[np.floating]) -> NDArray[np.float64]:
    """How well the picture shows each triangle of frontal_grid().triangles, (T,): 0 hidden, 1 seen.

    mesh: (478, 3). The measure is the area shown to the frontal area, both at one scale, and whether a corner lies
    behind another part of the face.
    """
    points = np.asarray(mesh, dtype=np.float64)
    triangles = frontal_grid().triangles
    shown = signed_areas(points[:, :2], triangles) / head_pose(points).scale ** 2
    frontal = signed_areas(mean_mesh().points[:, :2], triangles)
    share = np.clip((shown / np.maximum(frontal, 1e-9) - _HIDDEN) / (_SEEN - _HIDDEN), 0, 1)
    covered = _covered(points)
    return np.asarray(share * (1 - covered[triangles].max(1)))


def point_visibility(mesh: NDArray[np.floating]) -> NDArray[np.float64]:
    """How well the picture shows each point, (478,): the mean over the triangles it belongs to.

    The irises are shown as the inner corners of their eyes are.
    """
    triangles, seen = frontal_grid().triangles, triangle_visibility(mesh)
    total, count = np.zeros(POINTS), np.zeros(POINTS)
    for corner in range(3):
        np.add.at(total, triangles[:, corner], seen)
        np.add.at(count, triangles[:, corner], 1)
    visible = total / np.maximum(count, 1)
    for iris, lids in ((LEFT_IRIS, [159, 145]), (RIGHT_IRIS, [386, 374])):
        visible[iris] = visible[lids].mean()
    return visible


def visibility_map(mesh: NDArray[np.floating]) -> NDArray[np.float64]:
    """How well the picture shows each place of the frontal grid, (SIDE, SIDE); 0 outside the face."""
    grid = frontal_grid()
    values = np.append(triangle_visibility(mesh), 0.0)
    return values[grid.triangle_of].reshape(SIDE, SIDE)


def shown_map(photo: NDArray[np.floating], edit: NDArray[np.floating]) -> NDArray[np.float64]:
    """How well a photo shows each place of the frontal grid that an edit shows, (SIDE, SIDE); 1 outside the face.

    photo, edit: meshes (478, 3). A place that the photo shows at half the size in which the edit does is still taken,
    and one that is hidden or grazing there is not.
    """
    there, here = np.asarray(photo, dtype=np.float64), np.asarray(edit, dtype=np.float64)
    triangles = frontal_grid().triangles
    in_photo, in_edit = (signed_areas(m[:, :2], triangles) / head_pose(m).scale**2 for m in (there, here))
    share = np.where(in_edit > 1e-9, in_photo / np.maximum(in_edit, 1e-9), 1.0)
    shown = np.clip((share - _HIDDEN) / (_SEEN - _HIDDEN), 0, 1) * (1 - _covered(there)[triangles].max(1))
    values = np.append(shown, 1.0)
    return _without_specks(values[frontal_grid().triangle_of].reshape(SIDE, SIDE))


def _without_specks(shown: NDArray[np.float64]) -> NDArray[np.float64]:
    """The map without small hidden places inside the face and above the mouth: single triangles at the wings of a nose,
    which the mesh folds before the picture hides them. In a mouth they are teeth that the photo does not show, but for
    dots on the line of closed lips."""
    grid = frontal_grid()
    pieces, count = ndimage.label(shown < 1)
    sizes = np.bincount(pieces.ravel(), minlength=count + 1)
    lip = int(grid.at(mean_mesh().points[_UPPER_LIP, :2])[1])
    border = np.unique(pieces[grid.inside & ~ndimage.binary_erosion(grid.inside)])
    low = np.unique(pieces[lip:])
    speck = sizes < _SPECK * grid.inside.sum()
    speck[low] &= sizes[low] <= _DOT
    speck[0] = speck[border] = False
    return np.where(speck[pieces], 1.0, shown)


def _covered(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """(478,) 1 for points that lie behind a nearer triangle which faces the viewer, else 0."""
    triangles = frontal_grid().triangles
    margin = _BEHIND * head_pose(points).scale
    facing = triangles[signed_areas(points[:, :2], triangles) > 1e-9]
    # only a triangle whose box holds a point, and which is nearer at a corner, can cover it
    corners, (x, y, z) = points[facing], points[:SKIN].T[..., None]
    low, high = corners.min(1), corners.max(1)
    point, triangle = np.nonzero((low[:, 2] < z - margin) & (low[:, 0] < x) & (x < high[:, 0]) & (low[:, 1] < y)
                                 & (y < high[:, 1]))
    a, b, c = corners[triangle].transpose(1, 0, 2)
    ab, ac = (b - a)[:, :2], (c - a)[:, :2]
    area = ab[:, 0] * ac[:, 1] - ab[:, 1] * ac[:, 0]
    away = points[point, :2] - a[:, :2]
    u = (away[:, 0] * ac[:, 1] - away[:, 1] * ac[:, 0]) / area
    v = (ab[:, 0] * away[:, 1] - ab[:, 1] * away[:, 0]) / area
    inside = (u > 0) & (v > 0) & (u + v < 1)
    depth = a[:, 2] + u * (b - a)[:, 2] + v * (c - a)[:, 2]
    covered = np.zeros(len(points))
    covered[point[inside & (depth < points[point, 2] - margin)]] = 1
    return covered
