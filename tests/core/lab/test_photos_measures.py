"""Measures on photographs: ghosts are seen and nothing else is taken for one; when a face is whole; where eyes look."""
from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import ndimage

from editedid_core.records import Face
from lab import portraits
from lab.bench.rivals import PIXEL_RIVALS, Case
from lab.photos import gaze, ghost, measures, methods, whole
from lab.photos.flow import flow, moved

SEEDS = [10_000_028, 10_000_063]


@pytest.fixture(scope="module", params=SEEDS)
def drawn(request: pytest.FixtureRequest,
          drawn_scene: Callable[[portraits.Triple], measures.Scene]) -> tuple[portraits.Triple, measures.Scene]:
    triple = portraits.make_triple(request.param, kind="light", drift="large", size=256)
    return triple, drawn_scene(triple)


def _found(picture: np.ndarray, scene: measures.Scene) -> ghost.Ghosts:
    crop = measures.cut(picture, scene.frame)
    return ghost.ghosts(scene.photos, scene.edit, crop, scene.mask, scene.features)


def test_a_blend_is_a_ghost_and_clean_pictures_are_none(drawn: tuple[portraits.Triple, measures.Scene]) -> None:
    triple, scene = drawn
    case = Case(triple.original.image, triple.drifted.image, triple.original.landmarks, triple.drifted.landmarks, 0)
    blend = _found(PIXEL_RIVALS["blend_60"](case), scene)
    assert blend.share > 4 * ghost.LIMIT and not blend.clean
    assert _found(triple.drifted.image, scene).share == 0.0
    for clean in (triple.ideal.image, PIXEL_RIVALS["relit_paste"](case)):  # two people are drawn with the same pen
        assert _found(clean, scene).share < min(0.1, blend.share / 3)


def test_eyes_that_are_half_blended_are_seen(drawn: tuple[portraits.Triple, measures.Scene]) -> None:
    _, scene = drawn
    eyes = scene.features[list(measures.ZONES).index("eyes")][..., None]
    wholly, half = (scene.edit + share * eyes * (scene.photos[0] - scene.edit) for share in (1.0, 0.5))
    clean, mixed = (ghost.ghosts(scene.photos, scene.edit, out, scene.mask, scene.features) for out in (wholly, half))
    assert clean.clean and not mixed.clean
    assert mixed.worst > 3 * clean.worst


def test_flow_finds_a_shift_and_a_bend() -> None:
    rng = np.random.default_rng(3)
    texture = ndimage.gaussian_filter(rng.normal(size=(256, 256)), 2).astype(np.float32)
    texture /= texture.std()
    y, x = np.mgrid[:256, :256].astype(np.float32)
    bend = np.stack([3 * np.sin(y / 60), 2 + 0 * x], -1).astype(np.float32)
    target = moved(texture, bend)
    off = (flow(target, texture) - bend)[24:-24, 24:-24]
    assert np.abs(off).mean() < 0.35
    assert np.abs(moved(texture, flow(target, texture)) - target)[24:-24, 24:-24].mean() < 0.25


def test_the_truth_has_no_error_and_damage_has(drawn: tuple[portraits.Triple, measures.Scene]) -> None:
    triple, scene = drawn
    assert scene.ideal is not None
    assert measures.double_edges(scene.ideal, scene.ideal, scene.mask) == 0.0
    doubled = np.maximum(scene.ideal - 0.25 * (np.roll(scene.ideal, 7, 1) < 0.35), 0)
    assert measures.double_edges(doubled, scene.ideal, scene.mask) > 0.1


EDIT = {"recovery_1": 0.0, "recovery_2": 0.0, "landmarks": 0.03, "psnr": 23.0, "ghosts": 0.0, "feature_ghosts": 0.0}
GOOD = {"recovery_1": 0.7, "recovery_2": 0.4, "landmarks": 0.044, "psnr": 21.6, "ghosts": 0.05, "feature_ghosts": 0.4}


def test_whole_needs_every_part() -> None:
    assert whole.failures(GOOD, EDIT) == ()
    for name, worse, word in (("recovery_1", 0.5, "recovery"), ("landmarks", 0.0451, "landmarks"),
                              ("psnr", 21.4, "psnr"), ("ghosts", 0.07, "ghosts"), ("feature_ghosts", 0.6, "ghosts")):
        assert whole.failures(GOOD | {name: worse}, EDIT) == (word,)
    assert whole.failures(EDIT, EDIT) == ("recovery",)
    assert whole.failures(GOOD | {"psnr": None}, EDIT) is None


def test_one_judge_alone_decides_where_there_is_no_second() -> None:
    alone = {name: value for name, value in GOOD.items() if name != "recovery_2"}
    assert whole.failures(alone, EDIT) == ()
    assert whole.failures(alone | {"recovery_1": 0.49}, EDIT) == ("recovery",)


def test_recovery_of_a_small_loss_is_not_blown_up() -> None:
    assert whole.recovery(0.6, 0.5, 0.7) == pytest.approx(0.5)
    assert whole.recovery(0.51, 0.5, 0.501) == pytest.approx(0.2)


def test_further_means_by_both_judges() -> None:
    edit = {"near_1": 0.5, "near_2": 0.5}
    assert whole.further({"near_1": 0.4, "near_2": 0.4}, edit, 2)
    assert not whole.further({"near_1": 0.4, "near_2": 0.6}, edit, 2)
    assert whole.further({}, {}, 2) is None


def test_gaze_is_where_the_irises_stand_between_the_corners() -> None:
    mesh = np.zeros((gaze.MESH, 3))
    for (left, right, iris), at in zip(gaze.EYES, (0.0, 100.0)):
        mesh[left, :2], mesh[right, :2] = (at, 10), (at + 40, 10)
        mesh[iris, :2] = at + 20, 10
    straight = gaze.iris_places(mesh)
    assert np.allclose(straight, 0)
    mesh[[468, 473], 0] += 4
    aside = gaze.iris_places(mesh)
    assert np.allclose(aside, [[0.1, 0], [0.1, 0]])
    assert gaze.gaze_error(aside, straight) == pytest.approx(0.1)
    assert gaze.gaze_error(None, straight) is None


def test_an_edit_of_several_people_is_measured_at_the_photos_person() -> None:
    def face(side: float, *embedding: float) -> Face:
        known = np.array(embedding, np.float32) if embedding else None
        box, points = np.array([0, 0, side, side], np.float32), np.zeros((5, 2), np.float32)
        return Face(box, points, 0.9, known, None, 0, (99, 99))

    photo, person, stranger = face(50, 1, 0), face(20, 0.8, 0.6), face(40, 0, 1)
    assert methods.likest([stranger, person], photo) is person
    unknown = methods.likest([face(20), face(40)], photo)
    assert unknown is not None and unknown.size == 40  # nobody was recognised: the largest
    assert methods.likest([stranger, person], None) is stranger
    assert methods.likest([], photo) is None
