"""The network that places small faces: it moves a box towards the face, knows when it cannot, and can be trained."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from editedid_core.crops.register import SIDE
from editedid_core.crops.small_place import BOX, MEAN, place
from lab.portraits import triple_split
from lab.portraits.small_faces import SmallFace, make_small_face
from lab.train.small_place import error, portrait, reduced, train, varied


def off(points: np.ndarray, face: SmallFace) -> float:
    """Mean distance of five points from the truth in eye distances."""
    truth = face.truth.landmarks
    return float(np.linalg.norm(points - truth, axis=1).mean() / np.linalg.norm(truth[1] - truth[0]))


@pytest.mark.parametrize(("factor", "share"), [(8, 0.6), (16, 0.8)])
def test_a_box_moves_to_the_face(factor: int, share: float) -> None:
    before, after = [], []
    for seed in triple_split("tune", 30)[16:]:  # those after the ones that a constant was set on
        face = make_small_face(seed, factor, photos=0, gallery=0)
        side = face.small.shape[0]
        start = np.array(MEAN) * side - 0.5
        found = place(torch.from_numpy(face.small), start, side / factor)
        before.append(off(start, face))
        after.append(off(found.points, face))
    assert np.mean(after) < share * np.mean(before)


def test_fewer_pixels_are_less_sure_and_a_blank_picture_leaves_the_box() -> None:
    face = make_small_face(triple_split("tune", 1)[0], 8, photos=0, gallery=0)
    side = face.small.shape[0]
    start = np.array(MEAN) * side - 0.5
    spreads = [place(torch.from_numpy(face.small), start, pixels).spread for pixels in (4, 8, 16)]
    assert spreads == sorted(spreads, reverse=True) and spreads[0] < BOX
    blank = place(torch.full((side, side, 3), 0.5), start, 8)
    assert blank.spread > spreads[1]
    eyes = start[1, 0] - start[0, 0]
    assert np.linalg.norm(blank.points - start, axis=1).mean() < BOX * eyes


def test_points_follow_their_pixels() -> None:
    """A dot at each point is still there after a crop was moved, turned and mirrored."""
    pictures, points = torch.zeros(5, 3, 64, 64, dtype=torch.uint8), torch.tensor(MEAN).expand(5, 5, 2)
    for i, (x, y) in enumerate(MEAN):
        row, column = round(y * 64 - 0.5), round(x * 64 - 0.5)
        pictures[i, :, row - 1:row + 2, column - 1:column + 2] = 255
    swapped = [1, 0, 2, 4, 3]
    crops, there = varied(pictures, points, 0.1, torch.Generator().manual_seed(3))
    for i in range(5):
        weight = crops[i].mean(0) - crops[i].mean(0).median()
        rows, columns = torch.meshgrid(torch.arange(SIDE) + 0.5, torch.arange(SIDE) + 0.5, indexing="ij")
        seen = torch.stack([(columns * weight).sum(), (rows * weight).sum()]) / weight.sum() / SIDE
        assert min((seen - there[i, k]).norm() for k in (i, swapped[i])) < 0.03


def test_reduced_crops_keep_their_light() -> None:
    crops = torch.rand(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    small = reduced(crops, 4, torch.Generator().manual_seed(0), torch.tensor(0.0))
    assert small.shape == crops.shape and float((small.mean((2, 3)) - crops.mean((2, 3))).abs().max()) < 0.02


def test_training_learns_where_the_face_is() -> None:
    drawn = [portrait(index) for index in range(50)]
    pictures = torch.from_numpy(np.stack([one[0] for one in drawn])).permute(0, 3, 1, 2)
    points = torch.from_numpy(np.stack([one[1] for one in drawn]))
    short, longer = (train(pictures[:30], points[:30], ((16, steps, 0.1, 0.1),)) for steps in (1, 16))
    assert error(longer, pictures[30:], points[30:], 16)[0] < error(short, pictures[30:], points[30:], 16)[0]
