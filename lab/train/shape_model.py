"""Learn what of two faces' difference in shape is the person: ``python -m lab.train.shape_model``.

Makes `editedid_core/geometry/shape_model.safetensors` from the landmarks of drawn triples: which of the differences
between the photo's shape and the drifted edit's are there between the true edit's and the drifted one's as well. Ridge
regression; every triple counts twice, as it is and mirrored, with landmarks as shaky as a detector's. Photos and
drifted edits also say how the shapes of these faces are spread, by which others are told from them.
"""
from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from editedid_core.geometry.affine import apply, fit_similarity
from editedid_core.geometry.face_model import MODEL
from editedid_core.geometry.landmarks import COUNT, MIRRORED

from .. import portraits
from .parallel import spread

SHAKE = 0.012
"""Deviation of the landmarks in eye distances."""
PENALTY = 0.01
AXES = 24
"""Directions whose spread is kept, each wider than the landmarks shake."""
SIDE = 64
"""Pixels; landmarks are the same at any size, and this one is quick to draw."""


def _shapes(seed: int) -> np.ndarray:
    """Photo, drifted edit and ideal edit of a triple, (3, 68, 2)."""
    triple = portraits.make_triple(seed, size=SIDE)
    return np.stack([picture.dense for picture in (triple.original, triple.drifted, triple.ideal)]).astype(np.float64)


def eyes_apart(shape: np.ndarray) -> float:
    return float(np.linalg.norm(shape[42:48].mean(0) - shape[36:42].mean(0)))


def mean_shape(shapes: np.ndarray) -> np.ndarray:
    """(68, 2): the symmetric mean of shapes (N, 68, 2) laid over each other, centred, its eyes 1 apart."""
    mean = shapes[0]
    for _ in range(3):
        mean = np.mean([apply(fit_similarity(shape, mean), shape) for shape in shapes], 0)
        other = (mean * [-1, 1])[MIRRORED]
        mean = (mean + apply(fit_similarity(other, mean), other)) / 2
    tilt = fit_similarity(mean[[36, 45]], np.array([[-1.0, 0.0], [1.0, 0.0]]))
    mean = apply(tilt, mean) - apply(tilt, mean).mean(0)
    return mean / eyes_apart(mean)


def fit(triples: np.ndarray, seed: int = 0) -> dict[str, np.ndarray]:
    """What `face_model.MODEL` holds, from triples (N, 3, 68, 2)."""
    rng = np.random.default_rng(seed)
    mean = mean_shape(triples[:500, 0])
    given, wanted, away = [], [], []
    for triple in triples:
        for shapes in (triple, (triple * [-1, 1])[:, MIRRORED]):
            photo, edit = (s + rng.normal(0, SHAKE * eyes_apart(s), s.shape) for s in shapes[:2])
            to_mean = fit_similarity(edit, mean)
            here, there = apply(to_mean, edit), apply(fit_similarity(photo, mean), photo)
            given.append((there - here).ravel())
            away += [(there - mean).ravel(), (here - mean).ravel()]
            wanted.append((apply(to_mean, shapes[2]) - here).ravel())
    x, y = np.array(given), np.array(wanted)
    person = np.linalg.solve(x.T @ x + PENALTY * np.eye(2 * COUNT), x.T @ y)
    return {"mean": mean, "person": person} | spread_of(np.array(away))


def spread_of(away: np.ndarray) -> dict[str, np.ndarray]:
    """`axes` (AXES, 136) and `spread` (AXES + 1,) of shapes' deviations from the mean (N, 136)."""
    variance, axes = np.linalg.eigh(away.T @ away / len(away))
    widest = variance[::-1]
    return {"axes": axes.T[::-1][:AXES].copy(), "spread": np.sqrt(np.append(widest[:AXES], widest[AXES:].mean()))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=MODEL)
    parser.add_argument("--triples", type=int, default=6000)
    parser.add_argument("--workers", type=int, default=2, help="processes that render")
    options = parser.parse_args()
    seeds = portraits.triple_split("train", options.triples)
    model = fit(np.stack(spread(_shapes, seeds, options.workers)))
    kept = {name: value.astype(np.float32 if name == "mean" else np.float16) for name, value in model.items()}
    save_file(kept, str(options.out))
    print(f"{options.out}: {options.out.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
