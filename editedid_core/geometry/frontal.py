"""A face's picture on one grid for all faces: the mean face seen from the front, so that places on skin compare."""

from __future__ import annotations

import math
from functools import cached_property, lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike, NDArray
from PIL import Image
from scipy.interpolate import LinearNDInterpolator
from scipy.spatial import Delaunay

from .mean_mesh import eye_distance, mean_mesh
from .mesh_points import SKIN

SIDE = 160
"""Pixels of the grid."""
SPAN = 2.9
"""Width of the grid in eye distances of the mean face: all of it lies inside. Not calibrated."""


class FrontalGrid:
    """The grid and its triangles. Made once: frontal_grid()."""

    def __init__(self) -> None:
        mean = mean_mesh().points[:SKIN, :2]
        self.pixels = SIDE / SPAN
        """Grid pixels per eye distance."""
        self._corner = np.array([0.0, (mean[:, 1].min() + mean[:, 1].max()) / 2]) - SPAN / 2
        triangulation = Delaunay(mean)
        self.triangles = _clockwise(mean, triangulation.simplices)
        """(T, 3) indices of mesh points, all wound the same way on the frontal face."""
        y, x = np.mgrid[:SIDE, :SIDE]
        places = np.stack([x, y], -1).reshape(-1, 2) / self.pixels + self._corner
        cell = triangulation.find_simplex(places)
        self.inside = (cell >= 0).reshape(SIDE, SIDE)
        """(SIDE, SIDE) bool, where the face is."""
        self.triangle_of = np.where(cell >= 0, cell, -1).reshape(SIDE, SIDE)
        """(SIDE, SIDE) index of the triangle at each place, -1 outside."""
        cell = cell.clip(0)
        two = np.einsum("nij,nj->ni", triangulation.transform[cell, :2], places - triangulation.transform[cell, 2])
        self._shares = np.column_stack([two, 1 - two.sum(1)])
        self._corners = triangulation.simplices[cell]

    def at(self, points: ArrayLike) -> NDArray[np.float64]:
        """Points (..., 2) of the mean face in grid pixels."""
        return (np.asarray(points, dtype=np.float64) - self._corner) * self.pixels

    def in_picture(self, mesh: NDArray[np.floating]) -> NDArray[np.float64]:
        """Where each place of the grid lies in the picture of a mesh (478, 3): (SIDE, SIDE, 2) pixels."""
        corners = np.asarray(mesh, dtype=np.float64)[self._corners, :2]
        return (corners * self._shares[..., None]).sum(1).reshape(SIDE, SIDE, 2)

    def texture(self, image: NDArray[np.uint8], mesh: NDArray[np.floating]) -> NDArray[np.float32]:
        """The face of a picture (H, W, 3) uint8 on the grid, (SIDE, SIDE, 3) float32 in [0, 1].

        Pixels outside the face (inside is False) mean nothing.
        """
        step = eye_distance(np.asarray(mesh)[:, :2]) / self.pixels
        places = self.in_picture(mesh)
        low, high = _window(places[self.inside], image.shape, 4 + int(2 * step))
        part, places = image[low[1]:high[1], low[0]:high[0]], places - low
        factor = max(1, int(step / 0.9))
        if factor > 1 and min(part.shape[:2]) > factor:
            part, places = np.asarray(Image.fromarray(part).reduce(factor)), (places + 0.5) / factor - 0.5
        return _bilinear(part, places)

    def to_picture(self, values: NDArray[np.floating], mesh: NDArray[np.floating], height: int, width: int
                   ) -> NDArray[np.float32]:
        """Values (SIDE, SIDE) of the grid as they lie in the picture of a mesh, (height, width); see GridInPicture."""
        return GridInPicture(self, mesh, height, width).show(values)


class GridInPicture:
    """Where the grid lies in a picture (height, width) of a mesh (478, 3). It is worked out once for all values."""

    def __init__(self, grid: FrontalGrid, mesh: NDArray[np.floating], height: int, width: int) -> None:
        self.grid, self.height, self.width = grid, height, width
        self._points = np.asarray(mesh, dtype=np.float64)[:SKIN]
        self._low, self._high = _window(self._points[:, :2], (height, width), 1)
        self._step = max(1, math.ceil((self._high - self._low).max() / SIDE))

    @cached_property
    def _places(self) -> tuple[torch.Tensor, torch.Tensor]:
        """For the pixels of the window that holds the face: their places on the grid, (1, h, w, 2) from -1 to 1, and
        how much of the face they show, (h, w)."""
        xs, ys = (np.arange(low, high + self._step, self._step) for low, high in zip(self._low, self._high))
        seen = _facing(self._points, self.grid.triangles)
        there = self.grid.at(mean_mesh().points[:SKIN, :2])[seen] / ((SIDE - 1) / 2) - 1
        some = LinearNDInterpolator(self._points[seen, :2], there)(*np.meshgrid(xs, ys)).astype(np.float32)
        known = torch.from_numpy(np.concatenate([np.nan_to_num(some), ~np.isnan(some[..., :1])], -1))
        # between places that are worked out all is linear, as it is within a triangle of the mesh
        size = [(n - 1) * self._step + 1 for n in known.shape[:2]]
        full = F.interpolate(known.permute(2, 0, 1)[None], size=size, mode="bilinear", align_corners=True)
        width, height = self._high - self._low
        full = full[:, :, :height, :width].permute(0, 2, 3, 1)
        return full[..., :2] / full[..., 2:].clamp(min=1e-6), full[0, ..., 2]

    def show(self, values: NDArray[np.floating]) -> NDArray[np.float32]:
        """Values (SIDE, SIDE) of the grid as they lie in the picture, (height, width) float32; 0 outside.

        Where the face folds over itself the nearer part is taken.
        """
        result = np.zeros((self.height, self.width), dtype=np.float32)
        if (self._high <= self._low).any():
            return result
        places, shown = self._places
        grid = torch.from_numpy(np.asarray(values, dtype=np.float32))[None, None]
        found = F.grid_sample(grid, places, mode="bilinear", padding_mode="border", align_corners=True)[0, 0]
        result[self._low[1]:self._high[1], self._low[0]:self._high[0]] = (found * shown).numpy()
        return result


@lru_cache(maxsize=1)
def frontal_grid() -> FrontalGrid:
    """The one grid."""
    return FrontalGrid()


def _clockwise(points: NDArray[np.float64], triangles: NDArray[np.int32]) -> NDArray[np.int32]:
    wound = triangles.copy()
    flipped = signed_areas(points, triangles) < 0
    wound[flipped] = wound[flipped][:, ::-1]
    return wound


def signed_areas(points: NDArray[np.float64], triangles: NDArray[np.int32]) -> NDArray[np.float64]:
    """Area of each triangle (T,) in the plane, negative for those wound the other way. points: (K, 2)."""
    a, b, c = (points[triangles[:, i]] for i in range(3))
    return 0.5 * ((b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0]))


def _facing(points: NDArray[np.float64], triangles: NDArray[np.int32]) -> NDArray[np.int64]:
    """Indices of the points that belong to a triangle turned towards the viewer."""
    return np.unique(triangles[signed_areas(points[:, :2], triangles) > 0])


def _window(places: NDArray[np.float64], shape: tuple[int, ...], margin: int
            ) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
    """Corners x, y of the part of a picture that holds some places."""
    limit = np.array([shape[1], shape[0]])
    low = np.clip(np.floor(places.min(0)).astype(int) - margin, 0, limit - 1)
    return low, np.clip(np.ceil(places.max(0)).astype(int) + margin + 1, low + 1, limit)


def _bilinear(picture: NDArray[np.generic], places: NDArray[np.float64]) -> NDArray[np.float32]:
    """Picture (H, W, C) at places (h, w, 2); its border is repeated. uint8 becomes 0 to 1."""
    limit = np.array([picture.shape[1] - 1, picture.shape[0] - 1])
    inside = np.clip(places, 0, limit)
    first = np.minimum(inside.astype(int), np.maximum(limit - 1, 0))
    share = (inside - first).astype(np.float32)
    second = np.minimum(first + 1, limit)
    x0, y0, x1, y1 = first[..., 0], first[..., 1], second[..., 0], second[..., 1]
    u, v = share[..., :1], share[..., 1:]
    scale = np.float32(1 / 255) if picture.dtype == np.uint8 else np.float32(1)
    above = picture[y0, x0] * (1 - u) + picture[y0, x1] * u
    below = picture[y1, x0] * (1 - u) + picture[y1, x1] * u
    return np.asarray((above * (1 - v) + below * v) * scale, dtype=np.float32)
