"""One step of Catmull-Clark subdivision of a mesh of quads, as a sparse matrix."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp


def catmull_clark(quads: np.ndarray, count: int) -> tuple[sp.csr_matrix, np.ndarray]:
    """The matrix (new vertices, count) and the new quads (4 Q, 4).

    quads: (Q, 4) of `count` vertices. Borders are smoothed along themselves; vertices of no quad stay.
    Catmull and Clark (1978).
    """
    faces = len(quads)
    one = np.ones(4 * faces)
    owner = np.repeat(np.arange(faces), 4)
    to_face = sp.csr_matrix((one / 4, (owner, quads.ravel())), (faces, count))
    first, second = quads.ravel(), np.roll(quads, -1, 1).ravel()
    key = np.minimum(first, second).astype(np.int64) * count + np.maximum(first, second)
    edges, number = np.unique(key, return_inverse=True)
    ends = np.stack([edges // count, edges % count], 1)
    m = len(edges)
    inner = np.bincount(number, minlength=m) == 2
    middle = sp.csr_matrix((np.full(2 * m, 0.5), (np.repeat(np.arange(m), 2), ends.ravel())), (m, count))
    beside = sp.csr_matrix((one, (number, owner)), (m, faces))
    to_edge = sp.diags(np.where(inner, 0.5, 1.0)) @ middle + sp.diags(np.where(inner, 0.25, 0.0)) @ beside @ to_face

    at_face = sp.csr_matrix((one, (quads.ravel(), owner)), (count, faces))
    at_edge = sp.csr_matrix((np.ones(2 * m), (ends.ravel(), np.repeat(np.arange(m), 2))), (count, m))
    valence = np.asarray(at_edge.sum(1)).ravel()
    around = np.asarray(at_face.sum(1)).ravel()
    border_edge = at_edge @ sp.diags((~inner).astype(float))
    border = np.asarray(border_edge.sum(1)).ravel() > 0
    v = np.maximum(valence, 1)
    smooth = (sp.diags(1 / (v * np.maximum(around, 1))) @ at_face @ to_face + sp.diags(2 / v**2) @ at_edge @ middle
              + sp.diags((v - 3) / v))
    rim = 0.25 * border_edge @ middle + sp.diags(np.full(count, 0.5))
    keep = sp.diags((valence == 0).astype(float))
    to_vertex = sp.diags(((valence > 0) & ~border).astype(float)) @ smooth + sp.diags(border.astype(float)) @ rim + keep
    matrix = sp.vstack([to_vertex, to_edge, to_face]).tocsr()
    edge = count + number.reshape(faces, 4)
    centre = count + m + np.arange(faces)
    new = np.stack([np.stack([quads[:, k], edge[:, k], centre, edge[:, k - 1]], 1) for k in range(4)], 1)
    return matrix, new.reshape(-1, 4)
