"""The head: base mesh, subdivision, morph targets and masks, from `data/head.npz` (CC0, see data/LICENSE.md).

Units are decimetres, y up, the face looks along +z, the person's left is +x.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from .subdivide import catmull_clark

PACK = Path(__file__).parent / "data" / "head.npz"
PARTS = ("body", "upper-teeth", "lower-teeth", "tongue")


@dataclass(frozen=True, eq=False)
class Head:
    """Everything fixed.

    base (B, 3): the mesh of quads before any target. targets (K, B, 3): displacements in the order of `names`;
    those of identity keep the skull in its place. matrix (V + E, B): subdivision of body, teeth and tongue (V rows)
    and the vertices of the two eyes (E rows). template (V + E, 3): an average adult, where things are painted.
    tris (T, 3) and part (T,), index into PARTS. turn (V,): share of the head's turn. masks (V, 4): lips, eyelids,
    ears, inside of the mouth. guides: hair lines (G, K, 3) by style. pivot (3,): where the head turns.
    """

    base: np.ndarray
    targets: np.ndarray
    names: tuple[str, ...]
    matrix: sp.csr_matrix
    template: np.ndarray
    normals: np.ndarray
    tris: np.ndarray
    part: np.ndarray
    turn: np.ndarray
    masks: np.ndarray
    guides: dict[str, np.ndarray]
    eyes: tuple[np.ndarray, np.ndarray]
    pivot: np.ndarray

    def part_of_vertex(self) -> np.ndarray:
        """(V,) index into PARTS."""
        out = np.zeros(len(self.turn), int)
        out[self.tris.ravel()] = np.repeat(self.part, 3)
        return out


@lru_cache(maxsize=1)
def load_head() -> Head:
    """The head, subdivided once; about a second."""
    pack = dict(np.load(PACK))
    base, template = pack["vertices"].astype(np.float64), pack["template"].astype(np.float64)
    count = len(base)
    matrices, quads, parts, offset = [], [], [], 0
    for k, name in enumerate(PARTS):
        matrix, new = catmull_clark(pack[f"faces_{name}"].astype(np.int64), count)
        used, new = np.unique(new, return_inverse=True)
        matrices.append(matrix[used])
        quads.append(new.reshape(-1, 4) + offset)
        parts.append(np.full(len(quads[-1]), k))
        offset += len(used)
    eye_sets = [np.unique(pack[f"faces_{side}-eye"]) for side in ("l", "r")]
    for eye in eye_sets:
        matrices.append(sp.csr_matrix((np.ones(len(eye)), (np.arange(len(eye)), eye)), (len(eye), count)))
    matrix = sp.vstack(matrices).tocsr()
    starts, index, move = pack["target_starts"], pack["target_index"], pack["target_moves"]
    names = tuple(str(x) for x in pack["target_names"])
    skull = np.flatnonzero((pack["turn"] > 252) & (template[:, 1] > 7.0) & (template[:, 1] < 7.9))
    targets = np.zeros((len(names), count, 3), np.float32)
    for k, scale in enumerate(pack["target_scales"]):
        at = slice(starts[k], starts[k + 1])
        targets[k, index[at]] = move[at] * scale
        if "-" in names[k]:  # targets of expression have names in one word
            targets[k] -= targets[k, skull].mean(0)
    base += template[skull].mean(0) - base[skull].mean(0)
    all_quads = np.concatenate(quads)
    tris = np.ascontiguousarray(np.stack([all_quads[:, [0, 1, 2]], all_quads[:, [0, 2, 3]]], 1).reshape(-1, 3), np.int32)
    smooth = matrix @ template
    size = len(eye_sets[0])
    eyes = (np.arange(size) + offset, np.arange(len(eye_sets[1])) + offset + size)
    masks = np.clip((matrix @ (pack["masks"] / 255.0))[:offset], 0, 1)
    return Head(base.astype(np.float32), targets, names, matrix, smooth.astype(np.float32),
                vertex_normals(smooth[:offset], tris).astype(np.float32), tris, np.repeat(np.concatenate(parts), 2),
                (matrix @ (pack["turn"] / 255.0))[:offset].astype(np.float32), masks.astype(np.float32),
                {k[5:]: pack[k] / 2000.0 for k in pack if k.startswith("hair_")}, eyes,
                0.5 * (pack["joint_neck"] + pack["joint_head"]))


def vertex_normals(points: np.ndarray, tris: np.ndarray) -> np.ndarray:
    """Unit normals (V, 3), weighted by area."""
    p = points[tris]
    face = np.cross(p[:, 1] - p[:, 0], p[:, 2] - p[:, 0])
    out = np.zeros_like(points)
    for k in range(3):
        np.add.at(out, tris[:, k], face)
    return out / (np.linalg.norm(out, axis=1, keepdims=True) + 1e-12)
