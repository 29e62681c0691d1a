"""Where photo and edit show different things, and which features may differ because the person does."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from editedid_core.geometry.landmarks import COUNT
from editedid_core.geometry.resample import blur
from editedid_core.masks.disagreement import disagreement, unlike_skin, whole_features
from editedid_core.masks.parts import face_parts, features_in_one_state, features_mask

SIDE = 128
POINTS = np.array([[48.0, 54.0], [80.0, 54.0], [64.0, 72.0], [52.0, 88.0], [76.0, 88.0]])
FACE = torch.ones(SIDE, SIDE)
NONE = torch.zeros(SIDE, SIDE)


def noise(seed: int, size: float) -> torch.Tensor:
    return size * (torch.rand(SIDE, SIDE, 3, generator=torch.Generator().manual_seed(seed)) - 0.5)


@pytest.fixture
def photo() -> torch.Tensor:
    return 0.5 + noise(0, 0.3)


def changed(photo: torch.Tensor, by: float, radius: int = 16) -> torch.Tensor:
    """The picture with a disc in its middle lighter by `by`."""
    y, x = np.mgrid[:SIDE, :SIDE]
    disc = torch.from_numpy(np.hypot(x - SIDE / 2, y - SIDE / 2) < radius)
    return photo + by * disc[..., None]


def test_equal_pictures_agree(photo: torch.Tensor) -> None:
    assert not bool(disagreement(photo, photo, FACE, NONE).any())
    assert not bool(disagreement(photo, photo + 0.02, FACE, NONE).any())  # light that was not quite met


def test_a_patch_that_differs_is_found_where_it_is(photo: torch.Tensor) -> None:
    found = disagreement(photo, changed(photo, 0.25), FACE, NONE)
    middle = SIDE // 2
    assert float(found[middle - 8:middle + 8, middle - 8:middle + 8].min()) == 1.0
    assert not bool(found[:, :24].any()) and not bool(found[:16].any())
    assert float(found.min()) == 0.0 and float(found.max()) == 1.0


def test_features_may_differ_three_times_as_much(photo: torch.Tensor) -> None:
    patch = {by: changed(photo, by, 30) for by in (0.1, 0.3)}
    middle = (SIDE // 2, SIDE // 2)
    assert float(disagreement(photo, patch[0.1], FACE, NONE)[middle]) == 1.0
    assert float(disagreement(photo, patch[0.1], FACE, FACE)[middle]) == 0.0
    assert float(disagreement(photo, patch[0.3], FACE, FACE)[middle]) == 1.0


def test_skin_is_the_photos_as_far_as_the_two_agree(photo: torch.Tensor) -> None:
    assert not bool(unlike_skin(photo, photo, FACE, POINTS).any())
    assert not bool(unlike_skin(photo, photo + 0.02, FACE, POINTS).any())  # tone and pores
    shadow = photo.clone()
    shadow[:, :40] -= 0.3  # a hard shadow over one cheek
    kept = unlike_skin(photo, shadow, FACE, POINTS)
    assert 0.3 < float(kept[100, 8]) < 0.4, "the photo keeps a share, however much the two differ"
    assert not bool(kept[:, 90:].any()), "the other cheek is not touched"
    assert not bool(kept[68:76, 60:68].any()), "the nose is whole"
    large = [torch.nn.functional.interpolate(x.permute(2, 0, 1)[None], scale_factor=3)[0].permute(1, 2, 0)
             for x in (photo, shadow)]
    again = unlike_skin(*large, torch.ones(3 * SIDE, 3 * SIDE), POINTS * 3 + 1)
    assert float((again[1::3, 1::3] - kept).abs().max()) < 0.05, "at any size"
    less = photo.clone()
    less[:, :40] -= 0.06
    assert 0.1 < float(unlike_skin(photo, less, FACE, POINTS)[100, 8]) < float(kept[100, 8])


def test_strength(photo: torch.Tensor) -> None:
    other = changed(photo, 0.055, 30)
    amounts = [float(disagreement(photo, other, FACE, NONE, strength).sum()) for strength in (0.0, 0.5, 1.0, 2.0)]
    assert amounts[0] == amounts[1] == 0
    assert 0 < amounts[2] < amounts[3]


def test_a_picture_that_is_coarser_everywhere_still_agrees() -> None:
    """Noise or lost detail is no other thing; a patch over it is still seen."""
    fine = 0.5 + noise(0, 0.6)
    coarse = blur(fine.permute(2, 0, 1)[None], 4.0)[0].permute(1, 2, 0)
    assert float((fine - coarse).abs().mean()) > 0.1
    assert float(disagreement(fine, coarse, FACE, NONE).mean()) < 0.02
    assert float(disagreement(fine, changed(coarse, 0.4), FACE, NONE)[SIDE // 2, SIDE // 2]) > 0.5


def test_without_a_face_there_is_still_an_answer(photo: torch.Tensor) -> None:
    assert float(disagreement(photo, photo + 0.3, NONE, NONE).min()) == 1.0


def shape(left: float = 4, right: float = 4, gap: float = 4, lift: float = 2) -> np.ndarray:
    """Eyes 12 wide and open by `left` and `right`, a mouth 24 wide, its corners `lift` over its middle."""
    points = np.zeros((COUNT, 2))
    for first, x, opening in ((36, 42, left), (42, 74, right)):
        points[first:first + 6] = [(x, 54), (x + 4, 54 - opening / 2), (x + 8, 54 - opening / 2), (x + 12, 54),
                                   (x + 8, 54 + opening / 2), (x + 4, 54 + opening / 2)]
    points[[48, 54]] = [(52, 88 - lift), (76, 88 - lift)]
    points[[51, 57]] = [(64, 86), (64, 90)]
    points[[61, 62, 63]] = [(x, 88 - gap / 2) for x in (58, 64, 70)]
    points[[67, 66, 65]] = [(x, 88 + gap / 2) for x in (58, 64, 70)]
    return points


@pytest.mark.parametrize(("edit", "lost"), [
    (shape(), ()), (shape(left=1), (0,)), (shape(right=8), (1,)), (shape(gap=10), (3,)), (shape(lift=6), (3,)),
    (shape(left=0, right=0, gap=12), (0, 1, 3)), (shape(left=4.5, right=3.5, gap=5, lift=3), ()),
])
def test_features_that_hold_themselves_otherwise_are_left_out(edit: np.ndarray, lost: tuple[int, ...]) -> None:
    spots = face_parts(POINTS, SIDE)
    kept = torch.stack([spot for i, spot in enumerate(spots) if i not in lost]).amax(0)
    assert torch.equal(features_in_one_state(spots, shape(), edit), kept)


def test_without_landmarks_all_features_are_taken_to_be_alike() -> None:
    everything = features_mask(POINTS, SIDE)
    spots = face_parts(POINTS, SIDE)
    assert torch.equal(features_in_one_state(spots, None, shape()), everything)
    assert torch.equal(features_in_one_state(spots, shape(), None), everything)


def test_spots_lie_on_their_features() -> None:
    spots = face_parts(POINTS, SIDE)
    places = [*POINTS[:3], POINTS[3:].mean(0)]
    for i, spot in enumerate(spots):
        for j, (x, y) in enumerate(places):
            assert (float(spot[round(y), round(x)]) == 1.0) == (i == j)
    assert torch.equal(features_mask(POINTS, SIDE), torch.stack(spots).amax(0))


def test_a_feature_is_the_photos_or_the_edits_but_never_half_of_each() -> None:
    spots = left, right, nose, mouth = face_parts(POINTS, SIDE)
    eyes = torch.maximum(left, right)
    half = NONE.clone()
    half[:, :round(POINTS[0, 0])] = 1  # up to the middle of the left eye
    taken = whole_features(half, spots, NONE)
    assert torch.equal(taken, torch.maximum(half, eyes) * (1 - nose) * (1 - mouth))
    assert float(taken[54, 80]) == 1.0  # the other eye goes along
    corner = NONE.clone()
    corner[50:54, 44:48] = 1  # too little to take an eye away
    kept = whole_features(corner, spots, NONE)
    assert not bool(kept[54, 48]) and not bool(kept[54, 80])


def test_outside_features_a_mask_stays_as_it_is() -> None:
    cheek = NONE.clone()
    cheek[70:110, :40] = 1
    beside = features_mask(POINTS, SIDE) == 0
    assert torch.equal(whole_features(cheek, face_parts(POINTS, SIDE), NONE)[beside], cheek[beside])
    off = POINTS + 1000  # a face that lies beside its crop
    assert torch.equal(whole_features(cheek, face_parts(off, SIDE), NONE), cheek)
