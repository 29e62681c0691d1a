"""Hints, areas and masks of the whole edit, brought to a crop by the crop's own map."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from editedid_core.comfy.crop_conditioning import crop_conditioning, within
from editedid_core.crops.cut import cut_crops
from editedid_core.geometry.thin_plate import Bend
from editedid_core.records import FaceCrop, PasteRecord

from .conftest import EDIT, SIDE

CELLS = (8, 8)
TOKENS = torch.zeros(1, 7, 4)


def options(place: FaceCrop, **given: Any) -> dict[str, Any] | None:
    done = crop_conditioning([[TOKENS, given]], place, CELLS)
    return None if done is None else done[0][1]


class Control:
    """As the host's ControlNets are: a hint, a copy, a chain."""

    def __init__(self, hint: Any, before: Any = None, concat: Any = ()) -> None:
        self.cond_hint_original, self.previous_controlnet, self.extra_concat_orig = hint, before, list(concat)

    def copy(self) -> Control:
        return Control(self.cond_hint_original, None, self.extra_concat_orig)

    def set_previous_controlnet(self, before: Any) -> None:
        self.previous_controlnet = before


@pytest.mark.parametrize("turn", [0.0, 17.0, 90.0])
def test_a_hint_is_cut_exactly_as_the_picture_is(place: Callable[..., FaceCrop], turn: float) -> None:
    crop = place(turn, scale=1.3)
    hint = torch.rand(1, *EDIT, 3, generator=torch.Generator().manual_seed(1))
    whole = Control(hint.movedim(-1, 1), Control(1 - hint.movedim(-1, 1)))
    done = options(crop, control=whole)
    assert done is not None
    expected = cut_crops(hint, PasteRecord((crop,), torch.ones(1, SIDE, SIDE), EDIT, 1))
    assert torch.equal(done["control"].cond_hint_original.movedim(1, -1), expected)
    assert done["control"].previous_controlnet.cond_hint_original.shape == (1, 3, SIDE, SIDE)
    assert torch.equal(whole.cond_hint_original, hint.movedim(-1, 1))  # the user's own stays


def test_a_hint_of_another_size_and_a_batch_s_own_frame(place: Callable[..., FaceCrop]) -> None:
    ramp = torch.linspace(0, 1, 288).expand(2, 3, 192, 288).clone()
    ramp[1] = 1 - ramp[1]
    for frame in (0, 1):
        done = options(place(frame=frame), control=Control(ramp))
        assert done is not None
        middle = done["control"].cond_hint_original[0, 0, 32]
        expected = (2 * (torch.arange(SIDE) + 32.5) - 0.5) / 287
        torch.testing.assert_close(middle, expected if frame == 0 else 1 - expected, atol=4e-3, rtol=0)


def test_a_control_whose_hint_cannot_be_cut_is_left_out_and_said(
    place: Callable[..., FaceCrop], caplog: pytest.LogCaptureFixture
) -> None:
    done = options(place(), control=Control(None, Control(torch.zeros(1, 3, *EDIT))), gligen="another pack's",
                   concat_mask=torch.zeros(1, 1, 4, 4))
    assert done is not None and set(done) == {"control"}
    assert done["control"].cond_hint_original.shape == (1, 3, SIDE, SIDE)
    for words in ("Control", "Boxes of the whole picture", "inpainting mask"):
        assert words in caplog.text


@pytest.mark.parametrize(("area", "expected"), [
    ((8, 4, 2, 4), (8, 4, 0, 0)),                       # the crop's left half: x 32 to 64, y 16 to 80
    ((4, 18, 6, 0), (4, 8, 4, 0)),                      # a band beyond both sides, in the crop's lower half
    (("percentage", 0.5, 0.5, 0.5, 0.5), (4, 3, 4, 5)),  # the picture's lower right quarter
    ((12, 18, 0, 0), None),                             # the whole picture
])
def test_an_area_is_cut_as_cropping_first_would_cut_it(
    place: Callable[..., FaceCrop], area: Any, expected: Any
) -> None:
    done = options(place(), area=area, strength=0.7)
    assert done is not None and done.get("area") == expected and "mask" not in done
    assert done["strength"] == 0.7


def test_an_area_beyond_the_crop_leaves_its_prompt_out(
    place: Callable[..., FaceCrop], caplog: pytest.LogCaptureFixture
) -> None:
    assert options(place(), area=(4, 4, 0, 14)) is None
    assert "sampled without" in caplog.text
    kept = crop_conditioning([[TOKENS, {"area": (4, 4, 0, 14)}], [TOKENS + 1, {}]], place(), CELLS)
    assert kept is not None and len(kept) == 1 and bool((kept[0][0] == 1).all())


def test_boxes_are_cut_as_cropping_first_would_cut_them(place: Callable[..., FaceCrop]) -> None:
    """Text, height, width, y and x of each; the crop shows x 32 to 96 and y 16 to 80."""
    inside, beyond, rim = ("a", 2, 3, 4, 6), ("b", 2, 2, 0, 15), ("c", 4, 4, 0, 2)

    def cut(crop: FaceCrop, *boxes: Any, **given: Any) -> Any:
        done = options(crop, gligen=("position", "net", list(boxes)), **given)
        assert done is not None
        return done.get("gligen")

    assert cut(place(), inside, beyond, rim) == ("position", "net", [("a", 2, 3, 2, 2), ("c", 2, 2, 0, 0)])
    assert cut(place(), beyond) is None
    _, _, ((_, height, width, y, x),) = cut(place(scale=0.5), inside)  # half the part of the picture, twice as large
    assert (height, width, y, x) == (4, 4, 4, 4)
    _, _, ((_, height, width, y, x),) = cut(place(90.0, corner=(96, 16)), inside)
    assert np.allclose((height, width, y, x), (3, 2, 3, 2))
    # from the corner of the area, of which the crop shows the lower right part
    assert cut(place(), ("a", 2, 2, 1, 3), area=(6, 6, 1, 3)) == ("position", "net", [("a", 2, 2, 0, 2)])
    assert options(place(), gligen=("empty", "net", []))["gligen"][0] == "empty"  # type: ignore[index]


def test_an_area_under_a_turned_crop_becomes_a_mask(place: Callable[..., FaceCrop]) -> None:
    crop = place(30.0, corner=(70, 10))
    done = options(crop, area=(12, 9, 0, 0))  # the picture's left half
    assert done is not None and "area" not in done
    half = torch.zeros(1, *EDIT)
    half[..., :72] = 1
    cut = cut_crops(half[..., None], PasteRecord((crop,), torch.ones(1, SIDE, SIDE), EDIT, 1))[..., 0]
    assert float((done["mask"] - cut).abs().mean()) < 0.01 and 0 < float(done["mask"].mean()) < 1
    whole = options(crop, area=(12, 18, 0, 0))
    assert whole is not None


@pytest.mark.parametrize("turn", [0.0, 25.0])
def test_a_mask_is_cut_as_the_picture_is(place: Callable[..., FaceCrop], turn: float) -> None:
    crop = place(turn, scale=0.8)
    mask = torch.zeros(1, *EDIT)
    mask[:, 30:60, 40:75] = 1
    done = options(crop, mask=mask, mask_strength=0.6, set_area_to_bounds=False)
    assert done is not None and done["mask"].shape == (1, SIDE, SIDE) and done["mask_strength"] == 0.6
    expected = cut_crops(mask[..., None], PasteRecord((crop,), torch.ones(1, SIDE, SIDE), EDIT, 1))[..., 0]
    assert float((done["mask"] - expected).abs().mean()) < 0.01
    assert options(crop, mask=torch.zeros(1, *EDIT)) is None
    small = torch.nn.functional.interpolate(mask[None], scale_factor=0.5, mode="area")[0]
    assert float((options(crop, mask=small)["mask"] - expected).abs().mean()) < 0.05  # type: ignore[index]


def test_without_a_place_or_a_prompt_nothing_changes(place: Callable[..., FaceCrop]) -> None:
    prompt = [[TOKENS, {"area": (1, 1, 0, 0)}]]
    assert crop_conditioning(prompt, None, CELLS) is prompt
    assert crop_conditioning(None, place(), CELLS) is None
    assert options(place(), pooled_output=TOKENS) == {"pooled_output": TOKENS}


def test_hints_and_masks_follow_a_face_that_was_brought_to_another_shape(place: Callable[..., FaceCrop]) -> None:
    """Where the picture took its pixels from three further to the right, so do they."""
    moved = Bend(np.tile([3.0, 0.0], (60, 60, 1)), np.array([-60.0, -60.0]), 5.0)
    hint = torch.linspace(0, 1, EDIT[1]).expand(1, 3, *EDIT).clone()
    mask = (torch.arange(EDIT[1]) >= 60).float().expand(1, *EDIT).clone()
    prompt = [[TOKENS, {"control": Control(hint), "mask": mask}]]
    plain, bent = (crop_conditioning(prompt, place(), CELLS, how) for how in (None, moved))
    assert plain is not None and bent is not None
    shift = bent[0][1]["control"].cond_hint_original - plain[0][1]["control"].cond_hint_original
    torch.testing.assert_close(shift, torch.full_like(shift, 3 / (EDIT[1] - 1)), atol=1e-4, rtol=0)
    assert float(bent[0][1]["mask"].sum() - plain[0][1]["mask"].sum()) == pytest.approx(3 * SIDE, abs=1)


@pytest.mark.parametrize(("area", "kept"), [
    ((4, 4, 0, 0), True), ((4, 4, 4, 7), True), ((4, 4, 8, 0), False), ((4, 4, 0, 200), False),
    ((1, 2, 2, 0, 8, 0), False), (("percentage", 0.5, 0.5, 0.9, 0.5), True),
    (("percentage", 0.1, 0.1, 0.5, 0.99), False),
])
def test_an_area_that_begins_beyond_the_latent_is_left_out(area: Any, kept: bool) -> None:
    prompt = [[TOKENS, {}], [TOKENS + 1, {"area": area}]]
    left = within(prompt, CELLS)
    assert left is not None and len(left) == 1 + kept
    assert (within(prompt[1:], CELLS) is None) == (not kept)
    assert within(None, CELLS) is None
