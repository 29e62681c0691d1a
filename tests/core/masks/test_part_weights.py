"""Each part of a face by its weight: 0 is the edit's, 1 the photo's, and the text that says so."""

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from editedid_core.config import RestoreConfig
from editedid_core.crops.cut import crop_pairs
from editedid_core.crops.paste import paste, paste_mask
from editedid_core.engines.composite import CompositeEngine
from editedid_core.engines.protocol import FaceJob
from editedid_core.geometry.affine import apply, inverse_affine
from editedid_core.geometry.landmarks import LIPS, as_68
from editedid_core.masks.part_weights import NAMES, PRESETS, PartWeights, part_regions, read_parts
from editedid_core.records import CropResult, Face, FacePair, FacePairs
from editedid_core.restore.overlay import BLENDED, FROM_EDIT, FROM_PHOTO, origin_overlay
from lab.portraits import make_triple

MakeFace = Callable[..., Face]
SIDE = 96


@pytest.fixture
def face(make_face: MakeFace) -> Face:
    return make_face(100, 80, 40, image_size=(200, 200))


@pytest.fixture
def pictures() -> tuple[torch.Tensor, torch.Tensor]:
    """A photo and an edit that differ everywhere."""
    rows = torch.linspace(0.3, 0.7, 200)[None, :, None, None].expand(1, 200, 200, 3)
    return rows.clone(), (1 - rows).roll(30, 2) * 0.9


def crops(face: Face, pictures: tuple[torch.Tensor, torch.Tensor], auto: float = 0.0, **weights: float) -> CropResult:
    pairs = FacePairs((FacePair(face, face, None, (face,)),), (), ())
    return crop_pairs(*pictures, pairs, SIDE, relight=0.0, auto_elements=auto, sharpen=False,
                      parts=PartWeights(**weights))


def regions(face: Face, result: CropResult, beard: bool) -> dict[str, torch.Tensor]:
    points = apply(inverse_affine(result.record.crops[0].to_image), face.points)
    return part_regions(points, result.face_mask[0], beard)


def test_parts_do_not_overlap_and_are_all_of_a_face(face: Face, pictures: tuple[torch.Tensor, torch.Tensor]) -> None:
    result = crops(face, pictures)
    for beard in (False, True):
        found = regions(face, result, beard)
        assert set(found) == set(NAMES)
        total = torch.stack(list(found.values())).sum(0)
        assert float((total - 1).abs().max()) < 1e-5
        inside = {name: float((region * result.face_mask[0]).sum()) for name, region in found.items()}
        assert all(area > 0.015 * float(result.face_mask.sum()) for name, area in inside.items() if name != "beard")
        assert (inside["beard"] > 50) == beard


def test_the_mouth_keeps_to_the_lips_where_they_are_known(
    face: Face, pictures: tuple[torch.Tensor, torch.Tensor]
) -> None:
    """However far they are open, and no further than their rim: what lies around them is the person's again."""
    drawn = make_triple(1).drifted
    scale = 200 / drawn.image.shape[0]
    known = replace(face, points=drawn.landmarks * scale, dense=drawn.dense * scale)
    result = crops(known, pictures, mouth=0.0)
    to_crop = inverse_affine(result.record.crops[0].to_image)
    points, dense = apply(to_crop, known.points), as_68(apply(to_crop, known.dense))
    assert dense is not None
    lips = dense[LIPS]
    left, right = lips[:, 0].min(), lips[:, 0].max()
    plain = part_regions(points, result.face_mask[0])["mouth"]
    kept = result.element_mask[0]
    assert float(kept[tuple(lips.mean(0)[::-1].round().astype(int))]) > 0.99
    unit = float(np.linalg.norm(points[1] - points[0]))
    outside = np.ones((SIDE, SIDE), np.uint8)
    cv2.fillPoly(outside, [cv2.convexHull(lips.round().astype(np.int32))], 0)
    away = torch.from_numpy(cv2.distanceTransform(outside, cv2.DIST_L2, 5)) / unit
    assert float(kept[away > 0.16].max()) == 0 and float(plain[away > 0.16].max()) > 0.5
    opened = lips.copy()
    opened[lips[:, 1] > lips[:, 1].mean(), 1] += 0.4 * unit
    wide = part_regions(points, result.face_mask[0], lips=opened)["mouth"]
    below = tuple(np.array([opened[:, 1].max() - 1, (left + right) / 2]).round().astype(int))
    assert float(wide[below]) > 0.99 > 0.5 > float(plain[below])


@pytest.fixture(scope="module")
def unweighted() -> dict[float, CropResult]:
    """The crops without any weight, by the sensitivity of the masks: what every part is compared with."""
    return {}


@pytest.mark.parametrize("auto", [0.0, 1.4])
@pytest.mark.parametrize("part", NAMES)
def test_each_part_at_0_is_the_edits_and_at_1_the_photos(
    face: Face, pictures: tuple[torch.Tensor, torch.Tensor], unweighted: dict[float, CropResult], part: str,
    auto: float
) -> None:
    """At any sensitivity of the masks; pixels of the other parts do not change."""
    if auto not in unweighted:
        unweighted[auto] = crops(face, pictures, auto)
    plain = unweighted[auto].record.masks[0]
    for weight in (0.0, 0.5, 1.0):
        result = crops(face, pictures, auto, **{part: weight})
        (made,) = CompositeEngine().run(FaceJob(result.original, result.edited, result.original[:0],
                                                result.face_mask[0], result.element_mask[0], 0, 0)).crop
        region = regions(face, result, part == "beard")[part]
        core = (region > 0.999) & (result.face_mask[0] > 0.999)
        assert int(core.sum()) > 10
        if weight == 0:
            assert torch.allclose(made[core], result.edited[0][core], atol=1e-3)
            edited = pictures[1]
            pasted = paste(edited, result.original, result.record)
            kept = paste_mask(result.record)[0] == 0
            assert torch.equal(pasted[0][kept], edited[0][kept])
            assert float(result.record.masks[0][core].max()) < 1 / 1024  # which paste() takes for nothing
        if weight == 1:
            assert torch.allclose(made[core], result.original[0][core], atol=1e-3)
        if weight == 0.5:
            assert torch.allclose(result.record.masks[0][core], torch.tensor(0.5), atol=1e-3)
        assert torch.equal(result.record.masks[0][region == 0], plain[region == 0])


def test_what_covers_the_face_stays_at_any_weight(face: Face, pictures: tuple[torch.Tensor, torch.Tensor]) -> None:
    drawn = torch.ones(1, 200, 200)
    pairs = FacePairs((FacePair(face, face, None, (face,)),), (), ())
    result = crop_pairs(*pictures, pairs, SIDE, element_mask=drawn, parts=PartWeights(mouth=1.0, skin=1.0))
    assert float(result.record.masks.max()) < 1e-6


def test_the_text_is_read_and_written() -> None:
    assert read_parts("") == PartWeights() and str(PartWeights()) == ""
    assert read_parts(" Mouth = 0 , eyes=.5") == PartWeights(mouth=0.0, eyes=0.5)
    assert read_parts("keep the eyes, nose=1") == PartWeights(eyes=0.0, brows=0.0, nose=1.0)
    assert read_parts("keep the beard; mouth=1") == PartWeights(mouth=1.0, beard=0.0)
    for weights in PRESETS.values():
        assert read_parts(str(weights)) == weights
    assert RestoreConfig().changed({"parts.mouth": 0}).parts.mouth == 0.0


@pytest.mark.parametrize("text", ["mouth", "ears=0", "mouth=", "mouth=-1", "keep the smile", "mouth:0"])
def test_a_text_that_cannot_be_read_is_one_sentence(text: str) -> None:
    with pytest.raises(ValueError, match=f"^parts holds '{text}'.*mouth=0.*\\.$"):
        read_parts(text)
    with pytest.raises(ValueError, match="parts: mouth is 2; give a weight from 0"):
        read_parts("mouth=2")


def test_the_overlay_tints_what_is_from_where(face: Face) -> None:
    grey = torch.full((2, 200, 200, 1), 0.5)
    mask = torch.zeros(2, 200, 200)
    y, x = (int(v) for v in face.points.mean(0)[::-1])
    mask[0, y - 10:y, x], mask[0, y:y + 10, x] = 1.0, 0.5
    shown = origin_overlay(grey, mask, [face])
    assert shown.shape == (2, 200, 200, 3) and torch.equal(shown[1], grey[1].expand(-1, -1, 3))
    for place, colour in ((shown[0, y - 5, x], FROM_PHOTO), (shown[0, y + 5, x], BLENDED),
                          (shown[0, y, x + 5], FROM_EDIT)):
        tint = place - 0.5
        assert max((FROM_PHOTO, BLENDED, FROM_EDIT), key=lambda one: float(tint @ (torch.tensor(one) - 0.5))) == colour
    assert torch.equal(shown[0, 0, 0], torch.full((3,), 0.5))
