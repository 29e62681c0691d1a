"""Whether two faces stand in one light: brightness does not count, shadows do."""

from __future__ import annotations

import numpy as np
import torch

from editedid_core.appearance.relight import light_spread, linear_light

SIDE = 96
FACE = torch.ones(SIDE, SIDE)


def plain(shade: float = 1.0, shadow: float = 0.0) -> torch.Tensor:
    """The light of a picture, its left half darker by `shadow`."""
    x = np.mgrid[:SIDE, :SIDE][1]
    light = shade * (1 - shadow * (x < SIDE / 2))
    return linear_light(torch.from_numpy(np.repeat(0.6 * light[..., None], 3, -1).astype(np.float32)))


def test_another_brightness_is_one_light_and_a_shadow_is_another() -> None:
    assert light_spread(plain(), plain(0.7), FACE) < 0.02
    some, more = (light_spread(plain(), plain(shadow=dark), FACE) for dark in (0.2, 0.6))
    assert 0.1 < some < more
    assert more > 0.5


def test_only_the_face_counts() -> None:
    left_out = FACE.clone()
    left_out[:, :SIDE // 2 + 24] = 0
    assert light_spread(plain(), plain(shadow=0.6), left_out) < 0.05
    assert light_spread(plain(), plain(shadow=0.6), 0 * FACE) == 0.0
