"""The person's face shape in the pose and with the expression that the edit has (**ours**, METHOD §6).

An editing model drifts most in shape: how far eyes, nose and mouth lie apart, how wide the jaw is. The landmarks
give both faces' shapes, but these also differ in pose and expression, which stay the edit's. The difference of two
shapes splits linearly: with shape = mean + person + (pose and expression), both Gaussian, the best guess of the
difference in person is one matrix times the difference in shape (probabilistic linear discriminant analysis, Prince and
Elder 2007; the mean of two shapes says nothing about their difference, so only that counts). The matrix is learnt on
drawn people (`lab/train/shape_model.py`). A difference that it has never seen is halved.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..own_files import read_own
from .affine import apply, fit_similarity, inverse_affine
from .landmarks import COUNT

Shape = NDArray[np.float64]

MODEL = Path(__file__).with_name("shape_model.safetensors")
"""`mean` (68, 2): the shape over which others are laid, with its eyes 1 apart. `person` (136, 136): takes the
difference of two shapes laid over it, as x0 y0 x1 y1 ..., to the part that is the person."""

_MOST = 0.3
"""Eye distances that any point may be moved."""


@cache
def _model() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The mean shape and the matrix, read once a process."""
    model = read_own(MODEL)
    return model["mean"].astype(np.float64), model["person"].astype(np.float64)


def person_in_pose(photo: Shape, edit: Shape) -> Shape:
    """The shape that the photo's person would have in the edit.

    photo, edit: (68, 2) in pixels of their pictures. Returns (68, 2) in the edit's pixels; `edit` itself if both
    shapes agree apart from size, place and roll.
    """
    mean, person = _model()
    to_mean = fit_similarity(edit, mean)
    difference = apply(fit_similarity(photo, mean), photo) - apply(to_mean, edit)
    moved = (difference.ravel() @ person).reshape(COUNT, 2)
    length = np.linalg.norm(moved, axis=1, keepdims=True)
    moved *= np.minimum(1.0, _MOST / np.maximum(length, 1e-9))
    return apply(inverse_affine(to_mean), apply(to_mean, edit) + moved)
