"""An edit's faces brought to the person's shape with the smooth map between landmarks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from editedid_core.crops.cut import crop_pairs
from editedid_core.geometry.affine import apply, inverse_affine, pixel_grid
from editedid_core.geometry.landmarks import five_of_68
from editedid_core.geometry.reshape import reshape_faces
from editedid_core.records import Face, FacePair, FacePairs
from lab import portraits
from lab.people3d.geometry_only import landmark_triples

from .test_thin_plate import REACH, SIDE, from_hull, unit_of


@pytest.fixture(scope="module")
def triples() -> list[portraits.Triple]:
    return [portraits.make_triple(seed, size=SIDE) for seed in portraits.triple_split("tune", 12)]


def face_of(portrait: portraits.Portrait, frame: int = 0, image_size: tuple[int, int] = (SIDE, SIDE)) -> Face:
    """The portrait's face with its true landmarks."""
    box = np.concatenate([portrait.dense.min(0), portrait.dense.max(0)]).astype(np.float32)
    return Face(box, portrait.landmarks, 0.9, None, portrait.dense, frame, image_size)


def pair_of(triple: portraits.Triple, frame: int = 0) -> FacePair:
    photo = face_of(triple.original)
    return FacePair(photo, face_of(triple.drifted, frame), None, (photo,))


def paired(*pairs: FacePair) -> FacePairs:
    return FacePairs(pairs, (), ())


def picture(portrait: portraits.Portrait) -> torch.Tensor:
    return torch.from_numpy(portrait.image)[None]


def test_a_picture_that_the_faces_were_not_found_in_is_named(triples: list[portraits.Triple]) -> None:
    edited = picture(triples[0].drifted)
    for wrong in (edited[:, :, :-5], torch.zeros(2, 50, 60, 3)):
        with pytest.raises(ValueError, match="edited_image has .*connect the same picture as to Detect Faces"):
            reshape_faces(wrong, paired(pair_of(triples[0])))
    with pytest.raises(ValueError, match="edited_image has 1 pictures"):
        reshape_faces(edited, paired(pair_of(triples[0], frame=1)))


def test_pixels_that_are_no_numbers_do_not_spread(triples: list[portraits.Triple]) -> None:
    pair, edited = pair_of(triples[2]), picture(triples[2].drifted).clone()
    x, y = np.round(pair.edited.points[2]).astype(int)
    edited[0, y, x] = float("nan")
    image = reshape_faces(edited, paired(pair)).image[0]
    assert int(image.isnan().any(-1).sum()) <= 1


def test_strength_zero_and_unknown_landmarks_give_the_picture_itself(triples: list[portraits.Triple]) -> None:
    pair, edited = pair_of(triples[0]), picture(triples[0].drifted)
    without = [replace(pair, **{name: replace(getattr(pair, name), dense=dense)})
               for name in ("original", "edited") for dense in (None, np.zeros((98, 2), np.float32))]
    for pairs, strength in [(paired(pair), 0.0), *((paired(one), 1.0) for one in without), (paired(), 1.0)]:
        done = reshape_faces(edited, pairs, strength)
        assert done.image is edited
        assert done.pairs.pairs == pairs.pairs
        assert not bool(done.mask.any())


@pytest.mark.parametrize("strange", ["original", "edited"])
def test_a_face_that_the_model_does_not_know_keeps_its_shape(triples: list[portraits.Triple], strange: str) -> None:
    """A rendered face, which like a photographed one has other landmarks than drawn people have."""
    drawn, edited = pair_of(triples[0]), picture(triples[0].drifted)
    dense = landmark_triples([0], torch.Generator().manual_seed(1)).numpy()[0, 0]
    pair = replace(drawn, **{strange: replace(getattr(drawn, strange), dense=dense)})
    done = reshape_faces(edited, paired(pair))
    assert done.image is edited and done.bends == (None,)
    assert done.pairs.pairs == (pair,) and not done.pairs.pairs[0].shaped
    assert reshape_faces(edited, paired(drawn)).pairs.pairs[0].shaped


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_what_the_mask_leaves_out_is_bit_identical(triples: list[portraits.Triple], channels: int,
                                                   dtype: torch.dtype) -> None:
    triple = triples[2]
    colour = picture(triple.drifted)
    alpha = torch.rand(1, SIDE, SIDE, 1, generator=torch.Generator().manual_seed(1))
    edited = {1: colour.mean(-1, keepdim=True), 3: colour, 4: torch.cat([colour, alpha], -1)}[channels].to(dtype)
    before = edited.clone()
    done = reshape_faces(edited, paired(pair_of(triple)))
    assert torch.equal(edited, before), "the picture that was given was written to"
    assert done.image.dtype == dtype and done.image.shape == edited.shape
    assert torch.equal(done.image[done.mask == 0], before[done.mask == 0])
    assert torch.equal(done.image[..., 3:], before[..., 3:])
    assert not torch.equal(done.image, before)
    assert 0 <= float(done.mask.min()) and float(done.mask.max()) <= 1
    apart = torch.from_numpy(from_hull(triple.drifted.dense, SIDE))
    assert not bool(done.mask[0][apart > REACH * unit_of(triple.drifted.dense) + 4].any())


def test_each_frame_gets_its_own_face_and_the_rest_stay(triples: list[portraits.Triple]) -> None:
    edited = torch.cat([picture(triple.drifted) for triple in triples[:3]])
    done = reshape_faces(edited, paired(pair_of(triples[0], 0), pair_of(triples[2], 2)))
    assert torch.equal(done.image[1], edited[1]) and not bool(done.mask[1].any())
    for frame in (0, 2):
        alone = reshape_faces(edited[frame:frame + 1], paired(pair_of(triples[frame])))
        assert torch.equal(done.image[frame], alone.image[0])
        assert torch.equal(done.mask[frame], alone.mask[0])


def test_landmarks_move_along_and_the_pair_is_marked(triples: list[portraits.Triple]) -> None:
    pair, edited = pair_of(triples[4]), picture(triples[4].drifted)
    whole, half = (reshape_faces(edited, paired(pair), strength).pairs.pairs[0] for strength in (1.0, 0.5))
    assert whole.shaped and not pair.shaped
    assert whole.original is pair.original
    moved = whole.edited.dense - pair.edited.dense
    assert np.linalg.norm(moved, axis=1).max() > 1
    assert np.allclose(half.edited.dense - pair.edited.dense, moved / 2, atol=0.15)  # pixels
    shift = five_of_68(whole.edited.dense) - five_of_68(pair.edited.dense)
    assert np.allclose(whole.edited.points - pair.edited.points, shift, atol=1e-3)
    truth, before = triples[4].ideal.dense, pair.edited.dense
    assert np.linalg.norm(whole.edited.dense - truth, axis=1).mean() < np.linalg.norm(before - truth, axis=1).mean()


def test_pixels_move_where_the_landmarks_went(triples: list[portraits.Triple]) -> None:
    """Landmarks drawn as dots into the edit are found near the new landmarks, and not where they were."""
    side = 3 * SIDE
    triple = portraits.make_triple(triples[4].seed, size=side)
    photo, edited = (face_of(shot, image_size=(side, side)) for shot in (triple.original, triple.drifted))
    pair = FacePair(photo, edited, None, (photo,))
    grid = pixel_grid(side, side)
    missed, moved = [], []
    for index in (4, 12, 30, 36, 45, 48, 54, 57):
        place = pair.edited.dense[index]
        dot = torch.from_numpy(np.exp(-((grid - place) ** 2).sum(-1) / 8).astype(np.float32))[None, ..., None]
        done = reshape_faces(dot, paired(pair))
        weight = done.image[0, ..., 0].double().numpy() ** 2
        found = (weight[..., None] * grid).sum((0, 1)) / weight.sum()
        wanted = done.pairs.pairs[0].edited.dense[index]
        missed.append(np.linalg.norm(found - wanted))
        moved.append(np.linalg.norm(wanted - place))
    assert np.mean(missed) < 0.4 * np.mean(moved)


@pytest.mark.parametrize("corner", [(0, 0), (SIDE // 2, 0), (0, SIDE // 2), (SIDE // 3, SIDE // 2), (SIDE, SIDE)])
def test_a_face_over_the_border_is_shaped_as_far_as_it_is_seen(triples: list[portraits.Triple],
                                                               corner: tuple[int, int]) -> None:
    """The same pixels as in the whole picture, but for what would come from beyond the border."""
    x, y = corner
    pair, edited = pair_of(triples[2]), picture(triples[2].drifted)
    whole = reshape_faces(edited, paired(pair))
    cut = edited[:, y:, x:] if min(SIDE - x, SIDE - y) > 0 else edited[:, :40, :40]
    face = replace(pair.edited, dense=pair.edited.dense - np.float32([x, y]), image_size=cut.shape[1:3],
                   points=pair.edited.points - np.float32([x, y]))
    part = reshape_faces(cut, paired(replace(pair, edited=face)))
    assert torch.equal(part.image[part.mask == 0], cut[part.mask == 0])
    if cut.shape[1:3] == (SIDE - y, SIDE - x):
        reach = 12
        same = slice(reach if y else 0, None), slice(reach if x else 0, None)
        far = (part.image[0] - whole.image[0, y:, x:]).abs().amax(-1)[same]
        assert float(far.max()) < 0.02
    else:
        assert torch.equal(part.image, cut)


def test_recognition_improves(triples: list[portraits.Triple]) -> None:
    """Shape alone brings a drifted face nearer to the person, for the recogniser that knows nothing of landmarks."""
    pytest.importorskip("insightface")
    from lab.bench.judges import Judges
    from lab.bench.measures import cosine

    judges = Judges.open()
    gains = []
    for triple in triples:
        done = reshape_faces(picture(triple.drifted), paired(pair_of(triple)))
        person, before, after = (judges.identity(image, points)[1] for image, points in (
            (triple.original.image, triple.original.landmarks), (triple.drifted.image, triple.drifted.landmarks),
            (done.image[0].numpy(), done.pairs.pairs[0].edited.points)))
        gains.append(cosine(person, after) - cosine(person, before))
    assert np.mean(gains) > 0.05
    assert np.mean(np.array(gains) > 0) > 0.6


def test_the_original_is_bent_to_a_shaped_edit(triples: list[portraits.Triple]) -> None:
    """In the crops the photo's landmarks, drawn as dots, lie on the edit's, where a similarity leaves them aside."""
    side, size = 3 * SIDE, 256
    triple = portraits.make_triple(next(t.seed for t in triples if not t.keeps_pose), size=side)
    photo, edited = (face_of(shot, image_size=(side, side)) for shot in (triple.original, triple.drifted))
    shaped = reshape_faces(picture(triple.drifted), paired(FacePair(photo, edited, None, (photo,))))
    grid, in_crop = pixel_grid(side, side), pixel_grid(size, size)
    missed: dict[str, list[float]] = {"bent": [], "asked to": [], "stiff": []}
    for index in (3, 8, 13, 30, 36, 45, 48, 54, 57):
        dot = torch.from_numpy(np.exp(-((grid - photo.dense[index]) ** 2).sum(-1) / 18).astype(np.float32))
        for name, piecewise in (("bent", False), ("asked to", True), ("stiff", False)):
            pairs = replace(shaped.pairs, pairs=(replace(shaped.pairs.pairs[0], shaped=name == "bent"),))
            crops = crop_pairs(dot[None, ..., None], shaped.image, pairs, size, relight=0.0, auto_elements=0.0,
                               piecewise=piecewise)
            weight = crops.original[0, ..., 0].double().numpy() ** 2
            found = (weight[..., None] * in_crop).sum((0, 1)) / weight.sum()
            wanted = apply(inverse_affine(crops.record.crops[0].to_image), pairs.pairs[0].edited.dense[index])
            missed[name].append(float(np.linalg.norm(found - wanted)))
    unit = unit_of(apply(inverse_affine(crops.record.crops[0].to_image), pairs.pairs[0].edited.dense))
    means = {name: float(np.mean(values)) / unit for name, values in missed.items()}
    assert means["bent"] == means["asked to"] < 0.03
    assert means["bent"] < 0.5 * means["stiff"]


def test_a_mask_drawn_on_the_edit_moves_along(triples: list[portraits.Triple]) -> None:
    pair, edited = pair_of(triples[4]), picture(triples[4].drifted)
    shaped = reshape_faces(edited, paired(pair))
    index = 8  # the chin
    mask = torch.zeros(edited.shape[1:3])
    grid = torch.from_numpy(pixel_grid(*mask.shape)).float()
    mask[(grid - torch.from_numpy(pair.edited.dense[index])).norm(dim=-1) < 4] = 1
    moved = shaped.moved(mask)
    assert moved.shape == edited.shape[:3]
    centre = (grid * moved[0][..., None]).sum((0, 1)) / moved.sum()
    wanted, before = (torch.from_numpy(face.dense[index]) for face in (shaped.pairs.pairs[0].edited, pair.edited))
    assert float((centre - wanted).norm()) < 0.5 * float((before - wanted).norm())
    assert shaped.moved(torch.zeros(3, 3)).shape == (3, 3)
