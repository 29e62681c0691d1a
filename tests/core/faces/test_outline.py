"""The outline of a face and the head brought to another's shape."""
from __future__ import annotations

import numpy as np
import pytest
import torch

from editedid_core.faces import Face, FacePair, FacePairs, crop_pairs
from editedid_core.faces.align import pixel_grid
from editedid_core.faces.outline import Polar, dense_outline, find_outline, inside, reshaping, shaped

SIZE = 128
POINTS = np.array([[48, 50], [80, 50], [64, 66], [52, 82], [76, 82]], np.float32)
POLAR = Polar.around(POINTS)


def head(width: float, height: float = 1.12) -> torch.Tensor:
    """A flat face, an ellipse with half axes in face units around the middle, on a striped background."""
    away = (pixel_grid(SIZE, SIZE) - POLAR.centre) / POLAR.unit
    face = np.clip((1 - np.hypot(away[..., 0] / width, away[..., 1] / height)) * 20 + 0.5, 0, 1)[..., None]
    stripes = 0.3 + 0.15 * np.sin(pixel_grid(SIZE, SIZE)[..., :1] / 5) * [0.4, 0.8, 1.0]
    return torch.from_numpy((face * [0.85, 0.65, 0.55] + (1 - face) * stripes).astype(np.float32))


def ellipse(width: float, height: float = 1.12) -> np.ndarray:
    return 1 / np.hypot(np.cos(POLAR.angles) / width, np.sin(POLAR.angles) / height)


@pytest.mark.parametrize("width", [0.85, 1.0, 1.15])
def test_the_outline_of_a_drawn_head_is_found(width: float) -> None:
    assert np.abs(find_outline(head(width), POLAR) - ellipse(width)).mean() < 0.03


def test_dense_landmarks_give_their_hull() -> None:
    below = POLAR.lower() == 1
    jaw = POLAR.centre + POLAR.unit * (ellipse(0.9)[:, None] * POLAR.directions)[below]
    found = dense_outline(POINTS, jaw, POLAR)
    assert np.abs(found - ellipse(0.9))[below].max() < 0.01


def test_a_narrow_head_becomes_wide_and_its_features_stay() -> None:
    narrow, wide = ellipse(0.85), ellipse(1.05)
    places, moved = reshaping(SIZE, POLAR, narrow, shaped(narrow, wide, POLAR))
    away = np.hypot(*np.moveaxis(places - pixel_grid(SIZE, SIZE), -1, 0))
    radius, angle = POLAR.of_grid(SIZE)
    assert away[radius < 0.55].max() < 1e-6  # eyes, nose, mouth
    assert away[radius > 1.6].max() < 1e-6  # the surroundings
    assert not moved[torch.from_numpy(radius < 0.55)].any() and not moved[torch.from_numpy(radius > 1.6)].any()
    cheek = np.unravel_index(np.abs(np.hypot(radius - 1.0, angle - 0.4)).argmin(), radius.shape)
    assert float(moved[cheek]) == 1 and away[cheek] > 2
    above = (np.sin(angle) < -0.4) & (radius < 1.5)
    assert away[above].max() < 0.5  # hair and hats


def test_equal_heads_are_not_moved() -> None:
    own = find_outline(head(1.0), POLAR)
    _, moved = reshaping(SIZE, POLAR, own, shaped(own, own, POLAR))
    assert not moved.any()


def test_the_mask_ends_at_the_outline() -> None:
    mask = inside(SIZE, POLAR, ellipse(1.0))
    radius, angle = POLAR.of_grid(SIZE)
    beyond = torch.from_numpy(radius > POLAR.at(ellipse(1.0), angle))
    assert not mask[beyond].any() and float(mask[torch.from_numpy(radius < 0.6)].min()) == 1


def test_crops_take_the_persons_width_only_when_asked() -> None:
    face = Face(np.array([20, 20, 110, 110], np.float32), POINTS, 1.0, None, None, 0, (SIZE, SIZE))
    pairs = FacePairs((FacePair(face, face, None, (face,)),), (), ())
    original, edited = head(1.1)[None], head(0.85)[None]
    plain = crop_pairs(original, edited, pairs, SIZE, auto_elements=0)
    assert plain.edited is plain.as_edited or torch.equal(plain.edited, plain.as_edited)
    crops = crop_pairs(original, edited, pairs, SIZE, auto_elements=0, head_shape=1.0)
    assert torch.equal(crops.as_edited, plain.edited)

    def width(picture: torch.Tensor) -> int:
        return int((picture[0, 78, :, 0] > 0.6).sum())

    assert width(crops.edited) >= width(plain.edited) + 8
    assert float(crops.record.masks.sum()) > float(plain.record.masks.sum())
