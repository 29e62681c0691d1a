"""Lines of hair traced over a mesh of hair strips, along the texture's v axis."""

from __future__ import annotations

import numpy as np

SHORTEST = 0.08
"""Shorter lines are dropped, decimetres."""


class _Surface:
    """Triangles with the step in barycentric coordinates that v takes, and their neighbours."""

    def __init__(self, vertices: np.ndarray, quads: np.ndarray, corners: np.ndarray) -> None:
        self.vertices = vertices
        self.triangles = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
        self.uv = np.concatenate([corners[:, [0, 1, 2]], corners[:, [0, 2, 3]]])
        d1, d2 = self.uv[:, 1] - self.uv[:, 0], self.uv[:, 2] - self.uv[:, 0]
        area = d1[:, 0] * d2[:, 1] - d1[:, 1] * d2[:, 0]
        self.usable = np.abs(area) > 1e-9
        safe = np.where(self.usable, area, 1.0)
        self.step = np.stack([-d2[:, 0] / safe, d1[:, 0] / safe], 1)
        p = vertices[self.triangles]
        self.area = np.linalg.norm(np.cross(p[:, 1] - p[:, 0], p[:, 2] - p[:, 0]), axis=1) * self.usable
        self.neighbour = np.full((len(self.triangles), 3), -1)
        edges: dict[tuple[int, int], list[tuple[int, int]]] = {}
        for t, (a, b, c) in enumerate(self.triangles.tolist()):
            for k, (x, y) in enumerate(((a, b), (b, c), (c, a))):
                edges.setdefault((min(x, y), max(x, y)), []).append((t, k))
        for pair in edges.values():
            if len(pair) == 2 and pair[0][0] != pair[1][0]:
                self.neighbour[pair[0]], self.neighbour[pair[1]] = pair[1][0], pair[0][0]

    def walk(self, t: int, weight: np.ndarray, sign: float) -> list[np.ndarray]:
        """Points where the line through (triangle, weights) crosses edges, until a border or a seam."""
        out: list[np.ndarray] = []
        for _ in range(200):
            move = self.step[t] * sign
            change = np.array([-move.sum(), move[0], move[1]])
            with np.errstate(all="ignore"):
                time = np.where(change < -1e-12, -weight / change, np.inf)
            time = np.where(time < 1e-9, np.where(change < -1e-12, 0.0, np.inf), time)
            k = int(np.argmin(time))
            if not np.isfinite(time[k]):
                break
            weight = np.clip(weight + change * time[k], 0, 1)
            weight /= weight.sum()
            out.append(weight @ self.vertices[self.triangles[t]])
            i, j = (k + 1) % 3, (k + 2) % 3
            other = int(self.neighbour[t, i])
            if other < 0 or not self.usable[other]:
                break
            at = [np.flatnonzero(self.triangles[other] == self.triangles[t][c]) for c in (i, j)]
            if not all(len(a) for a in at):
                break
            new = np.zeros(3)
            new[at[0][0]], new[at[1][0]] = weight[i], weight[j]
            if np.abs(new @ self.uv[other] - weight @ self.uv[t]).max() > 0.02:  # a seam of the texture
                break
            t, weight = other, new
        return out


def trace(vertices: np.ndarray, quads: np.ndarray, corners: np.ndarray, count: int, knots: int,
          rng: np.random.Generator) -> np.ndarray:
    """Lines (count, knots, 3) from low to high v, started evenly over the area.

    vertices: (V, 3). quads: (Q, 4). corners: (Q, 4, 2), texture points of the quads' corners.
    """
    surface = _Surface(vertices, quads, corners)
    lines: list[np.ndarray] = []
    for t in rng.choice(len(surface.triangles), count * 3, p=surface.area / surface.area.sum()):
        a, b = rng.random(2)
        a, b = (1 - a, 1 - b) if a + b > 1 else (a, b)
        start = np.array([1 - a - b, a, b])
        middle = [start @ vertices[surface.triangles[t]]]
        line = np.array(surface.walk(t, start, -1.0)[::-1] + middle + surface.walk(t, start, 1.0))
        length = np.r_[0.0, np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))]
        if len(line) > 1 and length[-1] > SHORTEST:
            place = np.linspace(0, length[-1], knots)
            lines.append(np.stack([np.interp(place, length, line[:, k]) for k in range(3)], 1))
        if len(lines) == count:
            break
    return np.array(lines)
