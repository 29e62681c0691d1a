"""Glasses in one picture only are found by what crosses the bridge of the nose, and take both eyes with them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from editedid_core.masks.elements import automatic_elements
from editedid_core.masks.outline import face_mask
from editedid_core.masks.parts import features_mask
from lab import portraits

SIDE = 192


def person(seed: int, glasses: str) -> portraits.Portrait:
    """Close up, seen from the front, in one light, with these glasses or none; another background as well."""
    scene = portraits.Scene(portraits.Placement(scale=1.0))
    return portraits.render(portraits.triple_identity(seed), replace(scene, glasses=glasses), SIDE)


def found(first: portraits.Portrait, second: portraits.Portrait) -> torch.Tensor:
    face = face_mask(second.landmarks.astype(np.float64), second.dense.astype(np.float64), SIDE)
    pictures = (torch.from_numpy(np.ascontiguousarray(shot.image)) for shot in (first, second))
    return automatic_elements(*pictures, face, second.landmarks, 1.4)


@pytest.mark.parametrize("kind", ["round", "square", "half", "sun"])
@pytest.mark.parametrize("seed", [3, 8, 21])
def test_a_pair_of_glasses_is_taken_whole(seed: int, kind: str) -> None:
    bare, worn = person(seed, ""), person(seed, kind)
    frame = torch.from_numpy(worn.masks.glasses) * (face_mask(worn.landmarks, worn.dense, SIDE) > 0.5)
    for pair in ((bare, worn), (worn, bare)):  # put on, or taken off
        mask = found(*pair)
        assert float((mask * frame).sum() / frame.sum()) > 0.85
        for eye in worn.landmarks[:2].round().astype(int):
            assert float(mask[eye[1], eye[0]]) == 1.0


@pytest.mark.parametrize("glasses", ["", "half"])
def test_without_glasses_or_with_the_same_ones_there_are_none(glasses: str) -> None:
    shot = person(8, glasses)
    assert not bool(found(shot, shot).any())


def test_somebody_elses_eyes_are_no_glasses() -> None:
    shot = person(8, "")
    other = found(person(3, ""), shot)
    assert float((other * features_mask(shot.landmarks, SIDE)).mean()) < 0.02
