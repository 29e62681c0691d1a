"""A crop of an edit, wherever it lies."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from editedid_core.records import Face, FaceCrop, FacePair

EDIT = (96, 144)
SIDE = 64


@pytest.fixture
def place(make_face: Callable[..., Face]) -> Callable[..., FaceCrop]:
    def make(turn: float = 0.0, corner: tuple[float, float] = (32.0, 16.0), scale: float = 1.0,
             frame: int = 0) -> FaceCrop:
        face = make_face(60, 40, image_size=EDIT, frame=frame)
        a = np.deg2rad(turn)
        linear = scale * np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
        # the outer corner of the first pixel lies at `corner`
        to_image = np.column_stack([linear, np.array(corner) - 0.5 + linear @ [0.5, 0.5]])
        return FaceCrop(FacePair(face, face, 1.0, (face,)), to_image, to_image, SIDE, frame)

    return make
