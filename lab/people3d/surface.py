"""Points of the mesh seen from the front of the template: found by their x, y, kept as triangle and weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt

from .head import PARTS, Head
from .native import Raster

SIZE, LEFT, TOP, SPAN = 1200, -1.0, 8.0, 2.0
"""The front view: SIZE samples over SPAN decimetres from LEFT and TOP."""


@dataclass(frozen=True, eq=False)
class Points:
    """P points on the mesh: corners (P, 3) vertex numbers, weights (P, 3)."""

    corners: np.ndarray
    weights: np.ndarray

    def of(self, vertices: np.ndarray) -> np.ndarray:
        """Their places (P, D) for values (V, D) at the vertices."""
        return (vertices[self.corners] * self.weights[..., None]).sum(1)


def on(points: Points, vertices: torch.Tensor) -> torch.Tensor:
    """Places (n, P, 3) of the points for vertices (n, V, 3)."""
    corners = torch.as_tensor(points.corners, device=vertices.device).long()
    weights = torch.as_tensor(points.weights, device=vertices.device).float()
    return sum(vertices[:, corners[:, k]] * weights[:, k, None] for k in range(3))  # type: ignore[return-value]


class FrontView:
    """The template drawn from the front, with its eyeballs."""

    def __init__(self, head: Head) -> None:
        self.head = head
        count = len(head.turn)
        self.tris = head.tris[(head.part == PARTS.index("body"))[: len(head.tris)]]
        points = head.template[:count]
        place = self._project(points)
        raster = Raster(1, SIZE, SIZE, torch.device("cpu"))
        raster.triangles(torch.from_numpy(place[None]), torch.from_numpy(np.ascontiguousarray(self.tris)))
        depth, number, weight = raster.resolve()
        self.number, self.weight = number[0].numpy(), weight[0].numpy()
        depth0 = depth[0].numpy()
        y, x = np.mgrid[0:SIZE, 0:SIZE] + 0.5
        px, py = LEFT + x / SIZE * SPAN, TOP - y / SIZE * SPAN
        self.eye = np.zeros((SIZE, SIZE), bool)
        for index in head.eyes:
            ball = head.template[index]
            low, high = ball.min(0), ball.max(0)
            centre, radius = 0.5 * (low + high), 0.5 * float((high - low)[:2].mean())
            inside = radius**2 - (px - centre[0]) ** 2 - (py - centre[1]) ** 2
            front = 10 - (centre[2] + np.sqrt(np.maximum(inside, 0)))
            self.eye |= (inside > 0) & (front < depth0)
        mask = np.zeros((SIZE, SIZE, head.masks.shape[1]), np.float32)
        seen = self.number >= 0
        corner = self.tris[self.number[seen]]
        w = self.weight[seen]
        mask[seen] = (head.masks[corner] * np.stack([1 - w.sum(1), w[:, 0], w[:, 1]], 1)[..., None]).sum(1)
        self.nearest = distance_transform_edt((self.number < 0) | self.eye, return_distances=False, return_indices=True)
        self.lips = (mask[..., 0] > 0.5) & ~self.eye

    @staticmethod
    def _project(points: np.ndarray) -> np.ndarray:
        return np.stack([(points[:, 0] - LEFT) / SPAN * SIZE, (TOP - points[:, 1]) / SPAN * SIZE, 10 - points[:, 2]],
                        1).astype(np.float32)

    def at(self, places: np.ndarray) -> Points:
        """The mesh points in front at (P, 2) x, y in decimetres; an eyeball or the void takes the nearest skin."""
        x = np.clip(((places[:, 0] - LEFT) / SPAN * SIZE).astype(int), 0, SIZE - 1)
        y = np.clip(((TOP - places[:, 1]) / SPAN * SIZE).astype(int), 0, SIZE - 1)
        y, x = self.nearest[0, y, x], self.nearest[1, y, x]
        w = self.weight[y, x]
        return Points(self.tris[self.number[y, x]], np.stack([1 - w.sum(1), w[:, 0], w[:, 1]], 1))

    def eye_opening(self, side: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Columns x of an eye's opening (side 1: the person's left, at x > 0) and the y of its upper and lower edge."""
        half = np.zeros_like(self.eye)
        middle = int(-LEFT / SPAN * SIZE)
        half[:, middle:] = side > 0
        half[:, :middle] = side < 0
        return self._columns(self.eye & half)

    def lip_outline(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Columns x of the lips and the y of their upper and lower edge."""
        return self._columns(self.lips)

    def lip_gap(self, x: float) -> tuple[float, float]:
        """Where the upper lip ends and the lower begins in the column x."""
        column = self.lips[:, int((x - LEFT) / SPAN * SIZE)]
        rows = np.flatnonzero(column)
        breaks = np.flatnonzero(np.diff(rows) > 1)
        if len(breaks) == 0:
            middle = TOP - (rows.mean() + 0.5) / SIZE * SPAN
            return float(middle), float(middle)
        k = breaks[np.argmax(np.diff(rows)[breaks])]
        return float(TOP - (rows[k] + 0.5) / SIZE * SPAN), float(TOP - (rows[k + 1] + 0.5) / SIZE * SPAN)

    @staticmethod
    def _columns(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        columns = np.flatnonzero(mask.any(0))
        first = mask[:, columns].argmax(0)
        last = SIZE - 1 - mask[::-1, columns].argmax(0)
        return LEFT + (columns + 0.5) / SIZE * SPAN, TOP - first / SIZE * SPAN, TOP - (last + 1) / SIZE * SPAN
