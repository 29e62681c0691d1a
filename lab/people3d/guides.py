"""Guide lines of every hair style in the template's space, and the roots of brows, lashes and beard."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from .head import PARTS, Head
from .scenes import STYLES
from .surface import FrontView, Points

KNOTS = 16
GUIDES = 1000
SOURCE = {"bob": "bob01", "bob side": "bob02", "long": "long01", "ponytail": "ponytail01", "short swept": "short01",
          "short quiff": "short02", "short parted": "short03", "short cropped": "short04", "curls": "bob01"}
"""Styles that come from the packed hair meshes."""
BROW_LINE = ((0.0, 0.25, 0.5, 0.72, 1.0), (7.512, 7.540, 7.562, 7.566, 7.510))
BROW_ENDS = (0.085, 0.565)


def smooth(x: np.ndarray, low: float, high: float) -> np.ndarray:
    """Smooth step from 0 at low to 1 at high."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def scalp(points: np.ndarray, hairline: float = 0.3) -> np.ndarray:
    """Share of scalp hair at template points (..., 3); `hairline` 0 (low) to 1 (high, receding)."""
    x, y, z = points[..., 0], points[..., 1], points[..., 2]
    front = 7.90 + 0.20 * hairline
    recess = (0.05 + 0.22 * hairline) * np.exp(-(((np.abs(x) - 0.38) / 0.17) ** 2)) * smooth(z, 0.55, 1.0)
    edge = y - (front + 0.70 * (z - 1.18) + recess) + 0.02 * np.sin(37 * x) + 0.012 * np.sin(91 * x + 3)
    burns = np.exp(-(((z - 0.66) / 0.10) ** 2)) * (np.abs(x) > 0.5) * 0.2 * smooth(y, 7.12, 7.25)
    return smooth(edge + burns, -0.04, 0.06) * smooth(y - 7.05 + 1.1 * np.clip(0.45 - z, 0, 0.5), 0, 0.08) * (y > 6.6)


@dataclass(frozen=True, eq=False)
class Guides:
    """lines (S, GUIDES, KNOTS, 3) by style. near (S, GUIDES * KNOTS): nearest vertex of the body. cover (S, V): how
    much of the scalp each style covers. long (S,): usual length in decimetres."""

    lines: np.ndarray
    near: np.ndarray
    cover: np.ndarray
    handles: np.ndarray
    handle_weights: np.ndarray


def _roots(head: Head, density: np.ndarray, count: int, rng: np.random.Generator) -> Points:
    """`count` points of the body, as many as the density (V,) at the vertices asks for."""
    tris = head.tris[head.part == PARTS.index("body")]
    p = head.template[tris]
    area = np.linalg.norm(np.cross(p[:, 1] - p[:, 0], p[:, 2] - p[:, 0]), axis=1) * density[tris].mean(1)
    chosen = rng.choice(len(tris), count, p=area / area.sum())
    a, b = rng.random((2, count))
    flip = a + b > 1
    a, b = np.where(flip, 1 - a, a), np.where(flip, 1 - b, b)
    return Points(tris[chosen], np.stack([1 - a - b, a, b], 1))


def _grow(root: np.ndarray, normal: np.ndarray, field: object, length: np.ndarray, tree: cKDTree, head: Head,
          lift: np.ndarray, stiff: float) -> np.ndarray:
    """Lines from the roots along `field(place, share, surface normal)`, kept `lift` above the skin."""
    out = np.empty((len(root), KNOTS, 3))
    out[:, 0] = root
    direction, step = normal.copy(), (length / (KNOTS - 1))[:, None]
    vertices = head.template[: len(head.turn)]
    for k in range(1, KNOTS):
        _, j = tree.query(out[:, k - 1])
        wish = field(out[:, k - 1], k / (KNOTS - 1), head.normals[j])  # type: ignore[operator]
        direction = stiff * direction + (1 - stiff) * wish
        direction /= np.linalg.norm(direction, axis=1, keepdims=True) + 1e-9
        place = out[:, k - 1] + direction * step
        _, j = tree.query(place)
        height = ((place - vertices[j]) * head.normals[j]).sum(1)
        place += head.normals[j] * np.clip(lift * min(1.0, k / 3) - height, 0, 0.3)[:, None]
        direction = place - out[:, k - 1]
        direction /= np.linalg.norm(direction, axis=1, keepdims=True) + 1e-9
        out[:, k] = out[:, k - 1] + direction * step
    return out


def _own_style(name: str, head: Head, rng: np.random.Generator, tree: cKDTree) -> np.ndarray:
    """Guides of the styles that have no mesh: buzz, crop, afro."""
    vertices = head.template[: len(head.turn)]
    points = _roots(head, scalp(vertices) * (1 - head.masks[:, 2]), GUIDES, rng)
    root = points.of(vertices)
    normal = points.of(head.normals)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    top = smooth(root[:, 1], 7.6, 8.1)
    forward, down = np.array([0, 0, 1.0]), np.array([0, -1.0, 0])
    if name == "afro":
        length = (0.55 + 0.35 * top) * rng.uniform(0.9, 1.1, GUIDES)
        return _grow(root, normal, lambda p, t, n: n + 0.25 * normal, length, tree, head, np.full(GUIDES, 0.01), 0.5)
    if name == "crop":
        length = (0.14 + 0.22 * top) * rng.uniform(0.8, 1.2, GUIDES)
        comb = 0.9 * forward * top[:, None] + 0.9 * down * (1 - top[:, None]) - 0.35 * forward * (1 - top[:, None])
        return _grow(root, normal, lambda p, t, n: comb + (0.55 - 0.3 * t) * n, length, tree, head,
                     rng.uniform(0.01, 0.07, GUIDES), 0.4)
    length = np.full(GUIDES, 0.055) * rng.uniform(0.7, 1.3, GUIDES)
    comb = 0.5 * forward * top[:, None] + 0.6 * down * (1 - top[:, None])
    return _grow(root, normal, lambda p, t, n: comb + n, length, tree, head, np.full(GUIDES, 0.005), 0.4)


def make_guides(head: Head) -> Guides:
    """The guides of every style, fixed."""
    rng = np.random.default_rng(5)
    vertices = head.template[: len(head.turn)]
    body = np.unique(head.tris[head.part == PARTS.index("body")])
    tree = cKDTree(vertices[body])
    lines, near, cover = [], [], []
    head_tree = tree if len(body) == len(vertices) else cKDTree(np.where(np.isin(np.arange(len(vertices)), body)[:, None],
                                                                         vertices, 1e6))
    base = scalp(vertices) * (1 - np.clip(2 * head.masks[:, 2], 0, 1))
    grown = np.flatnonzero(base > 0)
    for name in STYLES:
        if name in SOURCE:
            guide = head.guides[SOURCE[name]]
            place = np.linspace(0, guide.shape[1] - 1, KNOTS)
            k = np.clip(place.astype(int), 0, guide.shape[1] - 2)
            f = (place - k)[None, :, None]
            line = guide[:, k] * (1 - f) + guide[:, k + 1] * f
        else:
            line = _own_style("buzz" if name == "shaved" else name, head, rng, head_tree)
        line = _clear_face(line, name, rng)
        lines.append(line[rng.permutation(len(line))])
        _, j = head_tree.query(lines[-1].reshape(-1, 3))
        near.append(j)
        distance = np.full(len(vertices), 9.0)
        distance[grown], _ = cKDTree(lines[-1].reshape(-1, 3)).query(vertices[grown])
        reach = 0.30 if name in SOURCE else 0.25
        cover.append(base * (1 - smooth(distance, 0.10, reach)) if name not in ("bob", "bob side", "curls", "long") else base)
    handles = _far_apart(vertices, np.flatnonzero((head.turn > 0.9) & (vertices[:, 1] > 6.3)), 56)
    shoulders = _far_apart(vertices, np.flatnonzero((head.turn < 0.5) & (vertices[:, 1] > 4.0)), 24)
    handles = np.concatenate([handles, shoulders])
    flat = np.stack(lines).reshape(len(STYLES), -1, 3)
    return Guides(np.stack(lines).astype(np.float32), np.stack(near), np.stack(cover).astype(np.float32), handles,
                  np.stack([handle_weights(f, vertices[handles]) for f in flat]))


def _clear_face(line: np.ndarray, name: str, rng: np.random.Generator) -> np.ndarray:
    """Guides without those that hang before eyes, nose and mouth; others take their places."""
    x, y, z = line[..., 0], line[..., 1], line[..., 2]
    before = (((x / 0.50) ** 2 + ((y - 7.05) / 0.50) ** 2) < 1) & (z > 0.9)
    good = np.flatnonzero(~before.any(1))
    out = line.copy()
    bad = np.flatnonzero(before.any(1))
    out[bad] = line[rng.choice(good, len(bad))]
    return out


def _far_apart(vertices: np.ndarray, pool: np.ndarray, count: int) -> np.ndarray:
    """`count` vertices of the pool, each far from those before it."""
    chosen = [int(pool[np.argmax(vertices[pool, 2])])]
    distance = np.full(len(pool), np.inf)
    for _ in range(count - 1):
        distance = np.minimum(distance, ((vertices[pool] - vertices[chosen[-1]]) ** 2).sum(1))
        chosen.append(int(pool[np.argmax(distance)]))
    return np.array(chosen)


def handle_weights(points: np.ndarray, handles: np.ndarray) -> np.ndarray:
    """(P, H) weights, summing to one, with which points (P, 3) follow the handles (H, 3)."""
    points, handles = points.astype(np.float32), handles.astype(np.float32)
    distance = (points ** 2).sum(1, keepdims=True) - 2 * points @ handles.T + (handles ** 2).sum(1)
    nearest = distance.min(1, keepdims=True)
    weight = np.exp(-(distance - nearest) / (2 * 0.30**2))
    return (weight / weight.sum(1, keepdims=True)).astype(np.float32)


@dataclass(frozen=True, eq=False)
class FaceRoots:
    """Roots on the skin. brow_place (P, 3): share along the brow, height above its line in decimetres, side.
    lash: rows of 2 eyes × (upper, lower), `lash_share` 0 at the inner corner. beard_place (P, 3): template places."""

    brow: Points
    brow_place: np.ndarray
    lash: Points
    lash_share: np.ndarray
    lash_upper: np.ndarray
    lash_side: np.ndarray
    beard: Points
    beard_place: np.ndarray
    beard_share: np.ndarray


def beard_area(p: np.ndarray, lips: np.ndarray) -> np.ndarray:
    """Where beards grow, 0 to 1, at template points."""
    x, y, z = np.abs(p[..., 0]), p[..., 1], p[..., 2]
    line = 6.87 + 0.42 * np.clip(x - 0.36, 0, 1) * 1.9
    jaw = smooth(line - y, 0.0, 0.10)
    cheek = 1 - 0.95 * np.exp(-(((x - 0.30) / 0.15) ** 2 + ((y - 6.84) / 0.16) ** 2))
    under = smooth(y, 6.02, 6.30)
    chin_sides = 1 - 0.75 * np.exp(-(((x - 0.13) / 0.045) ** 2 + ((y - 6.52) / 0.04) ** 2))
    front = smooth(z, 0.38, 0.62)
    return jaw * cheek * under * front * chin_sides * np.clip(1 - 2.2 * lips, 0, 1)


def make_face_roots(head: Head, view: FrontView) -> FaceRoots:
    """Roots of brows, lashes and beard, more than any person needs."""
    rng = np.random.default_rng(6)
    vertices = head.template[: len(head.turn)]
    places = np.stack([rng.uniform(0.04, 0.66, 5200), rng.uniform(7.40, 7.68, 5200)], 1)
    share = (places[:, 0] - BROW_ENDS[0]) / (BROW_ENDS[1] - BROW_ENDS[0])
    above = places[:, 1] - np.interp(share, *BROW_LINE)
    keep = np.abs(above) < 0.085
    places, share, above = places[keep], share[keep], above[keep]
    both = np.concatenate([places, places * [-1, 1]])
    brow_place = np.concatenate([np.stack([share, above, np.full(len(share), s)], 1) for s in (1.0, -1.0)])
    lash_at, lash_share, upper_row, side_row = [], [], [], []
    for side in (1, -1):
        x, upper, lower = view.eye_opening(side)
        along = np.linspace(0, 1, len(x)) if side > 0 else np.linspace(1, 0, len(x))
        for is_upper, edge, count in ((1.0, upper, 150), (0.0, lower, 70)):
            t = rng.uniform(0.05 if is_upper else 0.15, 0.985, count)
            order = np.argsort(along)
            px = np.interp(t, along[order], x[order])
            py = np.interp(t, along[order], edge[order]) + (0.004 if is_upper else -0.006)
            lash_at.append(np.stack([px, py], 1))
            lash_share.append(t)
            upper_row.append(np.full(count, is_upper))
            side_row.append(np.full(count, float(side)))
    area = beard_area(vertices, head.masks[:, 0]) * (head.part_of_vertex() == 0) * (1 - head.masks[:, 3])
    beard = _roots(head, area, 9000, rng)
    return FaceRoots(view.at(both), brow_place, view.at(np.concatenate(lash_at)), np.concatenate(lash_share),
                     np.concatenate(upper_row), np.concatenate(side_row), beard, beard.of(vertices),
                     beard_area(beard.of(vertices), beard.of(head.masks)[:, 0]))
