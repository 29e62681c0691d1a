"""A picture in other light: a ratio of light, also in the dark toe of sRGB."""

from __future__ import annotations

import torch

from editedid_core.appearance.relight import in_light, light_ratio, linear_light, to_linear, to_srgb

SIDE = 64


def test_a_ratio_of_light_is_met_at_every_brightness() -> None:
    picture = torch.linspace(0, 1, SIDE)[None, :, None].expand(SIDE, SIDE, 3)
    for much in (0.25, 0.9, 1.0, 1.7, 4.0):
        ratio = torch.full((1, 3, 8, 8), much)
        wanted = to_srgb((to_linear(picture) * much).clamp(0, 1))
        assert float((in_light(picture, ratio) - wanted).abs().max()) < 1e-4


def test_the_ratio_of_two_lights_is_found_at_any_low_pass() -> None:
    photo = 0.3 + 0.1 * torch.rand(256, 256, 3, generator=torch.Generator().manual_seed(1))
    edit = to_srgb(to_linear(photo) * 1.5)
    for sigma in (0.012, 0.03, 0.07):
        ratio = light_ratio(linear_light(photo), linear_light(edit), torch.ones(256, 256), sigma)
        assert float((in_light(photo, ratio) - edit).abs().max()) < 0.01
