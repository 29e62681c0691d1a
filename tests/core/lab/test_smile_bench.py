"""What *keep the new smile* is measured by: the mouth that is left out, and the recovery of the rest."""

from __future__ import annotations

import numpy as np

from lab.bench import smile
from lab.portraits import make_triple


def test_the_mouth_is_left_out_and_little_else() -> None:
    truth = make_triple(10_000_001, size=128).ideal
    eyes = np.hypot(*(truth.landmarks[1] - truth.landmarks[0]))
    left, right = truth.landmarks[3:5].astype(np.float64)
    dense = np.zeros((68, 2))
    dense[:48] = truth.landmarks[2]
    for k, share in enumerate(np.linspace(0, 1, 12)):  # lips a quarter of the eye distance high
        dense[48 + k] = left + share * (right - left) + [0, (0.12 if k % 2 else -0.12) * eyes]
    dense[36:42], dense[42:48] = truth.landmarks[0], truth.landmarks[1]
    mouth = smile.mouth_of(dense, truth.image.shape)[..., 0]
    (x, y), (nose_x, nose_y) = ((left + right) / 2).astype(int), truth.landmarks[2].astype(int)
    assert mouth[y, x] > 0.99 and mouth[nose_y, nose_x] < 0.1 and 0.1 < mouth.sum() / eyes**2 < 1.5


def test_recovery_is_of_all_examples_together() -> None:
    def row(edit: float, made: float, truth: float) -> smile.Row:
        return {name: {"rest": [value]} for name, value in (("edit", edit), (smile.PRESET, made), ("truth", truth))}

    assert np.isclose(smile.recovery([row(0.2, 0.5, 0.8), row(0.4, 0.4, 0.6)], smile.PRESET, "rest", 0), 0.3 / 0.8)
    assert smile.METHODS[smile.PRESET]["parts.mouth"] == 0 and "parts.skin" not in smile.METHODS[smile.PRESET]
