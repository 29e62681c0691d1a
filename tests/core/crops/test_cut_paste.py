"""Crops, masks, light, and pasting that touches nothing else."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from editedid_core.appearance.relight import relight, to_linear, to_srgb
from editedid_core.crops.cut import crop_pairs, with_placeholder
from editedid_core.crops.paste import paste, paste_mask
from editedid_core.geometry import affine
from editedid_core.masks.elements import automatic_elements
from editedid_core.masks.outline import face_mask
from editedid_core.masks.parts import features_mask
from editedid_core.records import Face, FacePair, FacePairs

MakeFace = Callable[..., Face]
SIZE = (200, 300)


def paired(original: Face, edited: Face) -> FacePairs:
    return FacePairs((FacePair(original, edited, None, (original,)),), (), ())


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def painted(*faces: Face, channels: int = 3, light: float = 1.0) -> torch.Tensor:
    """A picture with a smooth skin-coloured disc, dark eyes and a mouth for each face."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    picture = np.full((*SIZE, 3), [0.3, 0.4, 0.6])
    for face in faces:
        unit = np.hypot(*(face.points[1] - face.points[0]))
        middle = face.points.mean(0)
        skin = np.hypot(x - middle[0], y - middle[1]) < 1.6 * unit
        picture[skin] = np.array([0.8, 0.6, 0.5]) * light
        for spot in face.points:
            picture[np.hypot(x - spot[0], y - spot[1]) < 0.12 * unit] = 0.15
    return torch.from_numpy(picture.astype(np.float32))[None, ..., :channels]


@settings(max_examples=25, deadline=None)
@given(x=st.floats(-20, 320), y=st.floats(-20, 220), eyes=st.floats(3, 90), turn=st.floats(-180, 180),
       feather=st.floats(0, 0.25), channels=st.sampled_from([1, 3, 4]), seed=st.integers(0, 9))
def test_nothing_outside_the_mask_changes(make_face: MakeFace, x: float, y: float, eyes: float, turn: float,
                                          feather: float, channels: int, seed: int) -> None:
    """Bit for bit, for a face anywhere (also half or wholly outside), at any size and turn; alpha never changes."""
    edited = noise(1, *SIZE, channels, seed=seed)
    before = edited.clone()
    result = crop_pairs(edited, edited, paired(make_face(x, y, eyes, turn), make_face(x, y, eyes, turn)), 32)
    out = paste(edited, noise(1, 32, 32, 3, seed=seed + 1), result.record, feather)
    mask = paste_mask(result.record, feather)
    assert torch.equal(edited, before)
    assert torch.equal(out[mask == 0], before[mask == 0])
    assert torch.equal(out[..., 3:], before[..., 3:])
    assert bool(torch.isfinite(out).all())


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_the_type_of_the_picture_is_kept(make_face: MakeFace, dtype: torch.dtype) -> None:
    edited = noise(1, *SIZE, 3).to(dtype)
    record = crop_pairs(edited, edited, paired(make_face(150, 90), make_face(150, 90)), 64).record
    out = paste(edited, torch.ones(1, 64, 64, 3), record)
    assert out.dtype == dtype
    mask = paste_mask(record)[0]
    assert torch.equal(out[0][mask == 0], edited[0][mask == 0])
    assert float(out[0][mask > 0.99].min()) > 0.98


def test_crop_and_paste_back_is_close_to_nothing(make_face: MakeFace) -> None:
    """A smooth picture survives the way through the crop."""
    face = make_face(150, 90, 20, turn=25)
    y, x = torch.meshgrid(torch.arange(200.0), torch.arange(300.0), indexing="ij")
    smooth = torch.stack([torch.sin(x / 30), torch.cos(y / 25), torch.sin((x + y) / 40)], -1)[None] * 0.4 + 0.5
    result = crop_pairs(smooth, smooth, paired(face, face), 128)
    assert float((paste(smooth, result.edited, result.record) - smooth).abs().max()) < 2e-3
    # painted in small, pasted from a crop of twice the size
    large = torch.nn.functional.interpolate(result.edited.permute(0, 3, 1, 2), scale_factor=2, mode="bicubic")
    assert float((paste(smooth, large.permute(0, 2, 3, 1), result.record) - smooth).abs().max()) < 5e-3


def test_the_original_lands_on_the_edited_face(make_face: MakeFace) -> None:
    original, edited = make_face(90, 60, 18, turn=-20), make_face(180, 100, 30, turn=15)
    result = crop_pairs(painted(original), painted(edited), paired(original, edited), 128)
    difference = (result.original - result.edited).abs().amax(-1)[0]
    assert float(difference[result.face_mask[0] > 0.9].mean()) < 0.03
    assert float(result.element_mask.max()) == 0.0  # two pictures that agree hold no elements


def test_an_element_over_the_face_is_found_and_kept(make_face: MakeFace) -> None:
    face = make_face(150, 80, 30)
    original, edited = painted(face), painted(face)
    edited[:, 60:66, 110:190] = torch.tensor([0.1, 0.5, 0.1])  # a green band over the forehead
    result = crop_pairs(original, edited, paired(face, face), 128)
    to_crop = affine.inverse_affine(result.record.crops[0].to_image)
    x, y = (round(float(v)) for v in affine.apply(to_crop, [150, 63]))
    assert float(result.element_mask[0, y, x]) > 0.8
    x, y = (round(float(v)) for v in affine.apply(to_crop, [128, 105]))  # a cheek
    assert float(result.element_mask[0, y, x]) == 0.0
    out = paste(edited, result.original, result.record)
    assert torch.equal(out[0, 61:65, 140:160], edited[0, 61:65, 140:160])
    off = crop_pairs(original, edited, paired(face, face), 128, auto_elements=0)
    assert float(off.element_mask.max()) == 0.0


def test_a_given_element_mask_is_followed(make_face: MakeFace) -> None:
    face = make_face(150, 80, 30)
    picture, mask = painted(face), torch.zeros(1, *SIZE)
    mask[:, 80:110, 120:150] = 1
    result = crop_pairs(picture, picture, paired(face, face), 128, element_mask=mask)
    out = paste(picture, torch.zeros(1, 128, 128, 3), result.record, feather=0)
    assert torch.equal(out[0, 83:107, 123:147], picture[0, 83:107, 123:147])
    assert not torch.equal(out, picture)


def test_light_follows_the_edit_and_detail_the_original(make_face: MakeFace) -> None:
    face = make_face(150, 80, 30)
    original = (painted(face) + 0.05 * (noise(1, *SIZE, 3) - 0.5)).clamp(0, 1)
    edited = painted(face, light=0.5)
    lit = crop_pairs(original, edited, paired(face, face), 128, auto_elements=0)
    plain = crop_pairs(original, edited, paired(face, face), 128, auto_elements=0, relight=0)
    skin = (lit.face_mask[0] > 0.9) & (features_mask(affine.apply(affine.inverse_affine(lit.record.crops[0].to_image),
                                                                 face.points), 128) == 0)
    assert float((lit.original[0] - lit.edited[0])[skin].mean().abs()) < 0.03
    assert float((plain.original[0] - plain.edited[0])[skin].mean().abs()) > 0.2
    detail = [(x[0][skin] - x[0][skin].mean(0)).flatten() for x in (lit.original, plain.original)]
    assert float(torch.corrcoef(torch.stack(detail))[0, 1]) > 0.95


def test_relight_is_exact_for_a_lamp_and_ignores_what_is_not_skin() -> None:
    picture = 0.2 + 0.5 * noise(64, 64, 3)
    target = to_srgb(to_linear(picture) * torch.tensor([0.6, 0.5, 0.4]))
    weight = torch.zeros(64, 64)
    weight[16:48, 16:48] = 1
    target[weight == 0] = 1.0  # a white background must not bleed in
    out = relight(picture, target, weight)
    assert float((out - target)[20:44, 20:44].abs().max()) < 0.02
    assert relight(picture, target, torch.zeros(64, 64)) is picture


def test_srgb_round_trip() -> None:
    values = torch.linspace(0, 1, 101)
    assert torch.allclose(to_srgb(to_linear(values)), values, atol=1e-5)


@pytest.mark.parametrize("dense", [False, True])
def test_the_face_mask_is_soft_and_inside_the_crop(make_face: MakeFace, dense: bool) -> None:
    points = affine.apply(affine.inverse_affine(affine.crop_frame(make_face(0, 0).points, 128)), make_face(0, 0).points)
    rng = np.random.default_rng(0)
    cloud = points.mean(0) + rng.uniform(-30, 30, (68, 2)) if dense else None
    mask = face_mask(points, cloud, 128)
    assert float(mask.max()) == 1.0
    assert float(mask[0].max()) == float(mask[:, 0].max()) == 0.0
    assert 0.1 < float(mask.mean()) < 0.45
    assert bool(((mask > 0.1) & (mask < 0.9)).any())


def test_noise_alone_is_no_element() -> None:
    face = torch.ones(64, 64)
    points = np.array([[24.0, 26.0], [40.0, 26.0], [32.0, 35.0], [26.0, 44.0], [38.0, 44.0]])
    a, b = (0.5 + 0.02 * (noise(64, 64, 3, seed=i) - 0.5) for i in (1, 2))
    assert float(automatic_elements(a, b, face, points).max()) == 0.0


def test_several_people_in_several_frames(make_face: MakeFace) -> None:
    edited = noise(2, *SIZE, 3)
    places = [(70, 80, 0), (220, 80, 0), (150, 90, 1)]
    pairs = FacePairs(tuple(
        FacePair(make_face(150, 90), make_face(x, y, 20, frame=frame), None, (make_face(150, 90),))
        for x, y, frame in places
    ), (), ())
    result = crop_pairs(noise(1, *SIZE, 3, seed=5), edited, pairs, 64)
    assert result.original.shape == result.edited.shape == (3, 64, 64, 3)
    out = paste(edited, torch.ones(3, 64, 64, 3), result.record)
    for x, y, frame in places:
        assert float(out[frame, y + 10, x].min()) > 0.99
    assert torch.equal(out[1, :, :60], edited[1, :, :60])


def test_no_pair_gives_the_picture_itself(make_face: MakeFace) -> None:
    edited = noise(1, *SIZE, 3)
    nobody = crop_pairs(edited, edited, FacePairs((), (), (make_face(150, 90),)), 64)
    assert nobody.original.shape == (0, 64, 64, 3)
    assert paste(edited, nobody.original, nobody.record) is edited
    shown = with_placeholder(nobody, edited, 64)
    assert shown.original.shape == (1, 64, 64, 3)
    assert float(shown.face_mask.max()) == 0.0
    assert paste(edited, shown.original, shown.record) is edited


def test_inputs_that_do_not_fit_are_named(make_face: MakeFace) -> None:
    edited = noise(1, *SIZE, 3)
    pairs = paired(make_face(150, 90), make_face(150, 90))
    record = crop_pairs(edited, edited, pairs, 64).record
    with pytest.raises(ValueError, match="element_mask is"):
        crop_pairs(edited, edited, pairs, 64, element_mask=torch.zeros(1, 50, 50))
    with pytest.raises(ValueError, match="original_image is an empty batch"):
        crop_pairs(edited[:0], edited, pairs, 64)
    with pytest.raises(ValueError, match="edited_image has 1 pictures"):
        crop_pairs(edited, noise(1, 50, 60, 3), pairs, 64)
    with pytest.raises(ValueError, match="crops holds 2 pictures for 1 faces"):
        paste(edited, noise(2, 64, 64, 3), record)
    with pytest.raises(ValueError, match="connect the picture that was cropped"):
        paste(noise(1, 50, 60, 3), noise(1, 64, 64, 3), record)
    with pytest.raises(ValueError, match="not numbers"):
        paste(edited, torch.full((1, 64, 64, 3), float("nan")), record)
    with pytest.raises(ValueError, match="at least 16"):
        crop_pairs(edited, edited, pairs, 8)
    with pytest.raises(ValueError, match="for 1 of|for 2 of"):
        paste(edited, noise(1, 64, 64, 3), replace(record, frames=2))


def test_tiny_and_huge_pictures(make_face: MakeFace) -> None:
    dot = torch.full((1, 1, 1, 3), 0.5)
    face = make_face(0, 0, 5, image_size=(1, 1))
    result = crop_pairs(dot, dot, paired(face, face), 32)
    assert torch.allclose(result.edited, torch.full((1, 32, 32, 3), 0.5), atol=1e-5)
    assert paste(dot, result.edited, result.record).shape == dot.shape

    wide = torch.zeros(1, 4320, 7680, 1)
    face = make_face(4000, 2000, 600, image_size=(4320, 7680))
    result = crop_pairs(wide, wide, paired(face, face), 64)
    out = paste(wide, torch.ones(1, 64, 64, 3), result.record)
    assert float(out[0, 2300, 4000]) == pytest.approx(1.0, abs=1e-3)
    assert not bool(out[0, :, :3000].any())
