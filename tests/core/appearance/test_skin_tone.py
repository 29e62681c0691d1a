"""Skin tone given back where an edit changed it, and left alone where the light changed."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch

from editedid_core.appearance.relight import to_linear, to_srgb
from editedid_core.appearance.skin_tone import retone_faces, skin_mask
from editedid_core.records import Face, FacePair, FacePairs
from lab import portraits
from lab.portraits.render import render

SIDE = 192
SEEDS = [seed for seed in portraits.triple_split("tune", 60) if seed % 6 == 1]  # another background
BY = 1.2
"""Change of skin tone, in standard deviations of people's."""


def face_of(portrait: portraits.Portrait, frame: int = 0) -> Face:
    box = np.concatenate([portrait.dense.min(0), portrait.dense.max(0)]).astype(np.float32)
    return Face(box, portrait.landmarks, 0.9, None, portrait.dense, frame, (SIDE, SIDE))


def paired(photo: portraits.Portrait, edit: portraits.Portrait, frame: int = 0) -> FacePairs:
    face = face_of(photo)
    return FacePairs((FacePair(face, face_of(edit, frame), None, (face,)),), (), ())


def picture(portrait: portraits.Portrait) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(portrait.image))[None]


@cache
def with_another_tone(seed: int, by: float) -> tuple[portraits.Triple, portraits.Portrait]:
    """A triple, and its true edit with nothing but the person's skin tone changed."""
    triple = portraits.make_triple(seed, kind="background", size=SIDE)
    person = triple.ideal.identity
    away = by if person.skin_tone < 0 else -by  # towards the middle, so that there is room
    return triple, render(replace(person, skin_tone=person.skin_tone + away), triple.ideal.scene, SIDE)


def far(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a - b).abs().mean())


def test_most_of_a_changed_tone_is_given_back_over_face_ears_and_neck() -> None:
    """Edit and truth differ in the tone alone, so the whole picture tells: also hair that would have changed along."""
    left = []
    for seed in SEEDS:
        triple, edit = with_another_tone(seed, BY)
        done = retone_faces(picture(triple.original), picture(edit), paired(triple.original, edit))
        left.append(far(done.image, picture(triple.ideal)) / far(picture(edit), picture(triple.ideal)))
        assert torch.equal(done.image[done.mask == 0], picture(edit)[done.mask == 0])
    assert np.median(left) < 0.5
    assert np.mean(np.array(left) < 1.05) >= 0.9


def test_half_the_strength_changes_less() -> None:
    triple, edit = with_another_tone(SEEDS[0], BY)
    pair = paired(triple.original, edit)
    half, whole = (retone_faces(picture(triple.original), picture(edit), pair, s).image for s in (0.5, 1.0))
    assert 0.3 < far(half, picture(edit)) / far(whole, picture(edit)) < 0.7


def test_a_face_in_another_light_keeps_its_tone() -> None:
    kept = []
    for seed in SEEDS:
        triple = portraits.make_triple(seed, kind="light", size=SIDE)
        edit = picture(triple.ideal)
        done = retone_faces(picture(triple.original), edit, paired(triple.original, triple.ideal))
        kept.append(done.image is edit)
        assert bool(done.mask.any()) != kept[-1]
    assert np.mean(kept) >= 0.8


@pytest.mark.parametrize("light", [(0.6, 0.6, 0.6), (1.15, 1.0, 0.75)], ids=["darker", "warmer"])
def test_a_picture_that_changed_as_a_whole_keeps_its_light(light: tuple[float, float, float]) -> None:
    for seed in SEEDS[:5]:
        photo = portraits.make_triple(seed, size=SIDE).original
        edit = to_srgb((to_linear(picture(photo)) * torch.tensor(light)).clamp(0, 1))
        done = retone_faces(picture(photo), edit, paired(photo, photo))
        assert done.image is edit
        assert done.certainty == (0.0,)


@pytest.mark.parametrize("which", ["photo", "edit"])
def test_black_and_white_gives_and_takes_no_tone(which: str) -> None:
    triple, edit = with_another_tone(SEEDS[0], BY)
    pictures = {"photo": picture(triple.original), "edit": picture(edit)}
    pictures[which] = pictures[which].mean(-1, keepdim=True).expand(-1, -1, -1, 3).contiguous()
    done = retone_faces(pictures["photo"], pictures["edit"], paired(triple.original, edit))
    assert done.image is pictures["edit"]


def test_what_the_element_mask_covers_keeps_its_colour() -> None:
    triple, edit = with_another_tone(SEEDS[0], BY)
    half = torch.zeros(SIDE, SIDE)
    half[:, : SIDE // 2] = 1
    pair, before = paired(triple.original, edit), picture(edit)
    free, held = (retone_faces(picture(triple.original), before, pair, 1.0, mask) for mask in (None, half))
    assert torch.equal(held.image[:, :, : SIDE // 2], before[:, :, : SIDE // 2])
    assert not bool(held.mask[:, :, : SIDE // 2].any())
    assert torch.equal(held.image[:, :, SIDE // 2 :], free.image[:, :, SIDE // 2 :])
    assert not torch.equal(free.image[:, :, : SIDE // 2], before[:, :, : SIDE // 2])
    with pytest.raises(ValueError, match="element_mask"):
        retone_faces(picture(triple.original), before, pair, 1.0, torch.zeros(3, 5))


def test_the_mask_of_skin_is_the_face_without_hair_hat_and_background() -> None:
    on_skin, on_hair, on_rest = [], [], []
    for seed in portraits.triple_split("tune", 12):
        person = portraits.make_triple(seed, size=SIDE).drifted
        image = torch.from_numpy(np.ascontiguousarray(person.image))
        found = skin_mask(image, person.landmarks.astype(np.float64), person.dense.astype(np.float64)).numpy()
        on_skin.append(float(found[person.masks.skin > 0.9].mean()))
        hair = (person.masks.hair > 0.9) | (person.masks.hat > 0.9)
        on_hair.append(float((found * hair).sum() / max(hair.sum(), 1)))
        on_rest.append(float(found[person.person < 0.1].mean()))
    assert np.median(on_skin) > 0.9
    assert np.median(on_hair) < 0.06
    assert max(on_rest) < 0.05


def test_clothes_of_the_skin_s_colour_beyond_a_scarf_are_not_skin() -> None:
    person = portraits.make_triple(SEEDS[0], size=SIDE).ideal
    image = torch.from_numpy(np.ascontiguousarray(person.image)).clone()
    chin, unit = float(person.dense[:, 1].max()), float(np.linalg.norm(person.landmarks[1] - person.landmarks[0]))
    scarf, below = int(chin + 0.1 * unit), int(chin + 0.6 * unit)
    image[scarf:below] = torch.tensor([0.1, 0.2, 0.8])
    image[below:] = image[torch.from_numpy(person.masks.skin > 0.9)].median(0).values
    found = skin_mask(image, person.landmarks.astype(np.float64), person.dense.astype(np.float64))
    assert float(found[: scarf - 2].max()) > 0.9
    assert float(found[below:].max()) < 0.1


def test_strength_0_and_no_pair_return_the_picture_itself() -> None:
    triple, edit = with_another_tone(SEEDS[0], BY)
    before = picture(edit)
    none = retone_faces(picture(triple.original), before, FacePairs((), (), ()))
    off = retone_faces(picture(triple.original), before, paired(triple.original, edit), 0.0)
    assert none.image is before and off.image is before
    assert not bool(none.mask.any()) and not bool(off.mask.any())


def test_only_the_frame_of_the_face_changes_and_alpha_stays() -> None:
    triple, edit = with_another_tone(SEEDS[0], BY)
    batch = torch.cat([picture(edit)] * 2)
    batch = torch.cat([batch, torch.rand(2, SIDE, SIDE, 1, generator=torch.Generator().manual_seed(1))], -1).half()
    kept = batch.clone()
    done = retone_faces(picture(triple.original), batch, paired(triple.original, edit, frame=1))
    assert torch.equal(batch, kept)
    assert done.image.dtype == torch.float16
    assert torch.equal(done.image[0], batch[0]) and torch.equal(done.image[..., 3], batch[..., 3])
    assert not torch.equal(done.image[1], batch[1])


def test_another_picture_than_the_faces_were_found_in_is_refused() -> None:
    triple, edit = with_another_tone(SEEDS[0], BY)
    with pytest.raises(ValueError, match="original_image"):
        retone_faces(torch.rand(1, 64, 64, 3), picture(edit), paired(triple.original, edit))
