"""Smooth maps between landmarks (thin plate splines, Bookstein 1989)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from .affine import pixel_grid
from .landmarks import five_of_68

# All lengths are in eye distances; set on drawn people, 2026-11.
_HOLD = 0.24  # from the landmarks' hull to the line where the picture is held still
_FADE = 0.16  # beyond that line the map fades to exactly zero
_NODE = 0.07  # between the nodes of a map
_STIFFNESS = 0.05  # how far the map may miss a landmark: about the error of a detector
RING = 48  # places along the hull that are held
_LEAST_AREA = 0.1  # share of its area to which a pixel may shrink: less would fold the picture
_BETWEEN = 3  # parts of a node's side in the search for folds: a cubic overshoots between its nodes
_LEADING = np.r_[0:17, 27:68]  # brows follow: led by their landmarks they would bend a frame of glasses
Points = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Bend:
    """A smooth map: `nodes` (h, w, 2) displacements in pixels at `corner` + `step` · (column, row); zero elsewhere."""

    nodes: Points
    corner: Points
    step: float

    def window(self, height: int, width: int) -> tuple[int, int, int, int]:
        """x0, y0, x1, y1 (ends excluded) of the part of a picture in which the map is not zero."""
        rows, columns = self.nodes.shape[:2]
        x0, y0 = np.maximum(np.ceil(self.corner), 0).astype(int)
        x1, y1 = np.floor(self.corner + self.step * np.array([columns - 1, rows - 1])).astype(int) + 1
        return int(x0), int(y0), int(max(x0, min(x1, width))), int(max(y0, min(y1, height)))

    def at(self, window: tuple[int, int, int, int]) -> Points:
        """(h, w, 2) displacement of every pixel of a window, in pixels."""
        x0, y0, x1, y1 = window
        return self.of(pixel_grid(y1 - y0, x1 - x0, x0, y0))

    def of(self, places: Points) -> Points:
        """(h, w, 2) displacement at places (h, w, 2), in pixels."""
        places = (places - self.corner) / self.step
        extent = np.array([self.nodes.shape[1] - 1, self.nodes.shape[0] - 1])
        grid = torch.from_numpy((2 * places / extent - 1).astype(np.float32))[None]
        nodes = torch.from_numpy(self.nodes.astype(np.float32)).permute(2, 0, 1)[None]
        found = F.grid_sample(nodes, grid, mode="bicubic", padding_mode="zeros", align_corners=True)
        return found[0].permute(1, 2, 0).double().numpy()


def bend(here: Points, there: Points) -> Bend:
    """The smoothest map (thin plate spline, Bookstein 1989) whose displacement at `here` leads to `there`, (68, 2) each
    in one picture's pixels. It ends 0.4 eye distances outside their hull; a map that would fold is weakened until it
    does not.
    """
    from scipy.interpolate import RBFInterpolator
    from scipy.spatial import ConvexHull

    five = five_of_68(here)
    down = five[3:].mean(0) - five[:2].mean(0)
    # a profile's eyes come together, so its height gives its size
    unit = max(float(np.linalg.norm(five[1] - five[0])), 0.5 * float(np.linalg.norm(down)), 1.0)
    both = np.concatenate([here, there])
    outline = _resampled(both[ConvexHull(both).vertices], RING)
    outward = outline - both.mean(0)
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    held = [outline + d * unit * outward for d in (_HOLD, _HOLD + _FADE, _HOLD + 3 * _FADE)]
    led = here[_LEADING]
    places = np.concatenate([led, *held])
    moves = np.concatenate([there[_LEADING] - led, np.zeros((len(places) - len(led), 2))])
    step = _NODE * unit
    low, high = held[1].min(0) - step, held[1].max(0) + step
    columns, rows = (np.ceil((high - low) / step).astype(int) + 1).tolist()
    nodes = low + step * pixel_grid(rows, columns)
    spline = RBFInterpolator(places / unit, moves, kernel="thin_plate_spline", smoothing=_STIFFNESS)
    field = spline(nodes.reshape(-1, 2) / unit).reshape(rows, columns, 2)
    fade = np.clip(_depth(nodes, held[1]) / (_FADE * unit), 0, 1)
    field *= (fade * fade * (3 - 2 * fade))[..., None]
    while _least_area(field / step) < _LEAST_AREA:
        field *= 0.8
    return Bend(field, low, step)


def _resampled(corners: Points, count: int) -> Points:
    """`count` places evenly along a closed polygon (K, 2)."""
    closed = np.concatenate([corners, corners[:1]])
    along = np.r_[0, np.cumsum(np.linalg.norm(np.diff(closed, axis=0), axis=1))]
    wanted = np.linspace(0, along[-1], count, endpoint=False)
    return np.stack([np.interp(wanted, along, closed[:, i]) for i in (0, 1)], -1)


def _depth(places: Points, ring: Points) -> Points:
    """How far inside the convex hull of `ring` (K, 2) each of (..., 2) places lies; 0 outside."""
    from scipy.spatial import ConvexHull

    planes = ConvexHull(ring).equations  # n x + d <= 0 inside
    return np.maximum(-(places @ planes[:, :2].T + planes[:, 2]).max(-1), 0)


def _least_area(field: Points) -> float:
    """The smallest share of its area to which a map (h, w, 2) with nodes 1 apart shrinks any place."""
    height, width = (_BETWEEN * (n - 1) + 1 for n in field.shape[:2])
    nodes = torch.from_numpy(field).permute(2, 0, 1)[None]
    fine = F.interpolate(nodes, size=(height, width), mode="bicubic", align_corners=True)[0].permute(1, 2, 0).numpy()
    down, across = (_BETWEEN * np.diff(fine, axis=axis) for axis in (0, 1))
    down, across = down[:, :-1], across[:-1]
    return float(((1 + across[..., 0]) * (1 + down[..., 1]) - across[..., 1] * down[..., 0]).min())
