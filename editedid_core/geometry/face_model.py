"""The person's face shape in the pose and with the expression that the edit has (**ours**, METHOD §6).

An editing model drifts most in shape: how far eyes, nose and mouth lie apart, how wide the jaw is. The landmarks
give both faces' shapes, but these also differ in pose and expression, which stay the edit's. The difference of two
shapes splits linearly: with shape = mean + person + (pose and expression), both Gaussian, the best guess of the
difference in person is one matrix times the difference in shape (probabilistic linear discriminant analysis, Prince and
Elder 2007; the mean of two shapes says nothing about their difference, so only that counts). The matrix is learnt on
drawn people (`lab/train/shape_model.py`). A difference that it has never seen is halved.

Of other faces than those it says nothing: on photographs it takes pose and expression for the person. So it also says
how well it knows two faces (probabilistic principal components, Tipping and Bishop 1999), and leaves strange ones
unmoved.
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
difference of two shapes laid over it, as x0 y0 x1 y1 ..., to the part that is the person. `axes` (K, 136): orthonormal,
the directions in which the shapes of its faces differ most from the mean. `spread` (K + 1,): standard deviation along
each of them, and along all others."""

_MOST = 0.3
"""Eye distances that any point may be moved."""

_KNOWN, _STRANGE = 1.5, 3.0
"""Mean square deviation of a face from the model, in its own spreads, up to which the face is known and from which on
it is strange. Of 150 drawn pairs the stranger face of the two has 0.16 to 1.06, of 65 pairs of photographs 4.7 to 23
(each half of the people alone: from 4.7 and from 5.0), of 500 rendered pairs 2.8 to 62; 2026-11."""


@cache
def _model() -> dict[str, NDArray[np.float64]]:
    """What MODEL holds, read once a process."""
    return {name: value.astype(np.float64) for name, value in read_own(MODEL).items()}


def known(photo: Shape, edit: Shape) -> float:
    """How far the model knows both faces, 0 to 1. photo, edit: (68, 2) in pixels of their pictures."""
    strange = max(_strangeness(shape) for shape in (photo, edit))
    return float(np.clip((_STRANGE - strange) / (_STRANGE - _KNOWN), 0, 1))


def _strangeness(shape: Shape) -> float:
    """Mean square deviation of a shape from the mean, in the model's spreads; about 1 for faces like those it was
    learnt on."""
    model = _model()
    mean, axes, spread = model["mean"], model["axes"], model["spread"]
    away = (apply(fit_similarity(shape, mean), shape) - mean).ravel()
    along = axes @ away
    rest = away - along @ axes
    return float((np.sum((along / spread[:-1]) ** 2) + np.sum(rest**2) / spread[-1] ** 2) / away.size)


def person_in_pose(photo: Shape, edit: Shape) -> Shape:
    """The shape that the photo's person would have in the edit.

    photo, edit: (68, 2) in pixels of their pictures. Returns (68, 2) in the edit's pixels; `edit` itself if both
    shapes agree apart from size, place and roll.
    """
    mean, person = _model()["mean"], _model()["person"]
    to_mean = fit_similarity(edit, mean)
    difference = apply(fit_similarity(photo, mean), photo) - apply(to_mean, edit)
    moved = (difference.ravel() @ person).reshape(COUNT, 2)
    length = np.linalg.norm(moved, axis=1, keepdims=True)
    moved *= np.minimum(1.0, _MOST / np.maximum(length, 1e-9))
    return apply(inverse_affine(to_mean), apply(to_mean, edit) + moved)
