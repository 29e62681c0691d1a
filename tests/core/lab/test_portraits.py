"""The lab's portraits: same seed same picture, masks and landmarks that fit the pixels, honest triples."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from lab.portraits import (
    DRIFT_DISTANCE,
    DRIFTS,
    KINDS,
    Identity,
    Placement,
    Scene,
    crop_scene,
    degrade,
    drift_identity,
    group_picture,
    identity_distance,
    make_triple,
    render,
    sample_identity,
    sample_scene,
    triple_identity,
    triple_split,
)
from lab.portraits.identity import names

BARE = {"hat": "", "glasses": "", "earrings": "", "hand": "", "scarf": False, "hair": "buzz"}


def portrait(seed: int, size: int = 128, **changes):
    rng = np.random.default_rng(seed)
    identity = sample_identity(rng)
    return render(identity, dataclasses.replace(crop_scene(rng), **changes), size)


def at(mask: np.ndarray, point: np.ndarray) -> float:
    return float(mask[int(round(float(point[1]))), int(round(float(point[0])))])


def test_same_seed_gives_the_same_picture_and_another_seed_another():
    first, again, other = portrait(3), portrait(3), portrait(4)
    assert np.array_equal(first.image, again.image)
    assert np.array_equal(first.dense, again.dense)
    assert np.abs(first.image - other.image).mean() > 0.02


@pytest.mark.parametrize("seed", range(12))
def test_picture_masks_and_landmarks_have_the_promised_form(seed):
    p = portrait(seed)
    assert p.image.shape == (128, 128, 3) and p.image.dtype == np.float32
    assert 0.0 <= p.image.min() and p.image.max() <= 1.0
    assert p.landmarks.shape == (5, 2) and p.landmarks.dtype == np.float32
    assert p.dense.shape == (68, 2)
    for field in dataclasses.fields(p.masks):
        mask = getattr(p.masks, field.name)
        assert mask.shape == (128, 128) and mask.dtype == np.float32
        assert mask.min() >= 0.0 and mask.max() <= 1.0, field.name
    assert p.elements.min() >= 0.0 and p.elements.max() <= 1.0


@pytest.mark.parametrize("seed", range(12))
def test_masks_share_the_pixels_between_them(seed):
    m = portrait(seed).masks
    total = m.face + m.hair + m.hat + m.glasses + m.earrings + m.hand + m.scarf
    assert total.max() <= 1.001
    for part in (m.eyes, m.brows, m.mouth, m.nose, m.skin):
        assert (part - m.face).max() <= 0.01
    assert (m.nose - m.skin).max() <= 0.01
    assert np.abs(m.face - np.minimum(m.skin + m.eyes + m.brows + m.mouth, 1.0)).max() < 0.3
    assert (m.face > 0.5).sum() > 1500


@pytest.mark.parametrize("seed", range(30))
def test_landmarks_lie_on_their_parts(seed):
    rng = np.random.default_rng((1, seed))
    identity, scene = sample_identity(rng), dataclasses.replace(crop_scene(rng), **BARE)
    p = render(identity, scene, 256)
    left, right, nose, mouth_left, mouth_right = p.landmarks
    assert at(p.masks.eyes, left) > 0.9 and at(p.masks.eyes, right) > 0.9
    assert left[0] < right[0] and mouth_left[0] < mouth_right[0]
    assert at(p.masks.nose, nose) > 0.9
    rows, columns = np.nonzero(p.masks.mouth > 0.5)
    for corner, column in ((mouth_left, columns.min()), (mouth_right, columns.max())):
        row = rows[np.argmin(np.abs(columns - column))]
        assert np.hypot(corner[0] - column, corner[1] - row) < 8.0
    rows, columns = np.nonzero(p.masks.eyes > 0.5)
    half = columns < (left[0] + right[0]) / 2
    assert np.hypot(columns[half].mean() - left[0], rows[half].mean() - left[1]) < 5.0


@pytest.mark.parametrize("seed", range(6))
def test_jaw_line_follows_the_face(seed):
    p = portrait(seed, 256, **BARE)
    for point in p.dense[2:15]:
        x, y = int(round(float(point[0]))), int(round(float(point[1])))
        if 3 <= x < 253 and 3 <= y < 253:
            near = p.masks.face[y - 3 : y + 4, x - 3 : x + 4]
            assert near.min() < 0.5 < near.max()


@pytest.mark.parametrize("seed", range(8))
def test_crop_framing_is_the_formula_within_the_jitter(seed):
    p = portrait(seed)
    eyes, mouth = p.landmarks[:2].mean(0), p.landmarks[3:].mean(0)
    across, down = p.landmarks[1] - p.landmarks[0], mouth - eyes
    side = 2 * max(2.0 * np.hypot(*across), 1.8 * np.hypot(*down))
    assert 0.919 <= side / 128 <= 1.081
    centre = eyes + 0.35 * down
    assert np.abs(centre - 63.5).max() <= 0.04 * 128 + 0.01
    assert abs(np.degrees(np.arctan2(across[1], across[0]))) <= 6.01


def test_crop_without_jitter_is_the_frame_itself():
    scene = Scene(placement=Placement(yaw=0.3, pitch=-0.1))
    p = render(sample_identity(np.random.default_rng(5)), scene, 128)
    eyes, mouth = p.landmarks[:2].mean(0), p.landmarks[3:].mean(0)
    across, down = p.landmarks[1] - p.landmarks[0], mouth - eyes
    assert abs(across[1]) < 1e-3
    assert np.allclose(eyes + 0.35 * down, 63.5, atol=1e-3)
    assert 2 * max(2.0 * np.hypot(*across), 1.8 * np.hypot(*down)) == pytest.approx(128, abs=1e-2)


@pytest.mark.parametrize("seed", range(6))
def test_size_changes_the_sampling_and_nothing_else(seed):
    plain = {"noise": 0.0, "jpeg": 0, "blur": 0.0}
    small, large = portrait(seed, 128, **plain), portrait(seed, 256, **plain)
    reduced = large.image.reshape(128, 2, 128, 2, 3).mean((1, 3))
    assert np.abs(reduced - small.image).mean() < 0.008
    face = large.masks.face.reshape(128, 2, 128, 2).mean((1, 3))
    assert np.abs(face - small.masks.face).mean() < 0.004
    assert np.allclose((large.landmarks + 0.5) / 2 - 0.5, small.landmarks, atol=1e-2)


def test_every_identity_parameter_changes_the_picture():
    scene = Scene(hair="buzz", noise=0.0, jpeg=0, light=0.65)
    base = {"freckles": 0.6, "mole": 0.5, "mole2": 0.5, "age_lines": 0.5, "stubble": 0.5}
    for name in names():
        low = render(Identity(**{**base, name: -1.2}), scene)
        high = render(Identity(**{**base, name: 1.2}), scene)
        changed = np.abs(low.image - high.image).max(-1)
        assert (changed > 0.03).sum() >= 12, name


def test_identity_vectors_are_standardised():
    vectors = np.stack([sample_identity(np.random.default_rng(k)).vector() for k in range(1500)])
    assert vectors.dtype == np.float32 and vectors.shape[1] >= 30
    assert np.abs(vectors.mean(0)).max() < 0.12
    assert np.abs(vectors.std(0) - 1.0).max() < 0.12


@pytest.mark.parametrize("distance", [0.0, 0.1, 0.45, 0.8, 1.2])
def test_drift_moves_a_person_by_the_distance_asked(distance):
    for seed in range(5):
        rng = np.random.default_rng(seed)
        person = sample_identity(rng)
        assert identity_distance(person, drift_identity(person, distance, rng)) == pytest.approx(distance, abs=1e-3)


def test_a_negative_or_impossible_drift_is_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="must not be negative"):
        drift_identity(Identity(), -0.1, rng)
    with pytest.raises(ValueError, match="ask for less"):
        drift_identity(Identity(), 5.0, rng)


def test_splits_share_no_person_and_have_their_sizes():
    tune, held = triple_split("tune"), triple_split("held-out")
    assert len(tune) == len(held) == 200
    seeds = triple_split("train", 300) + tune + held
    assert len(set(seeds)) == len(seeds)
    people = {triple_identity(seed).vector().tobytes() for seed in seeds}
    assert len(people) == len(seeds)
    assert triple_split("tune", 5) == tune[:5]
    with pytest.raises(ValueError, match="unknown split"):
        triple_split("test")


@pytest.mark.parametrize("kind", KINDS)
def test_a_triple_keeps_who_and_changes_what_its_kind_says(kind):
    kept = 0
    for seed in range(6):
        t = make_triple(seed, kind=kind, size=96)
        assert t.original.identity == t.ideal.identity == triple_identity(seed)
        drift = identity_distance(t.ideal.identity, t.drifted.identity)
        assert drift == pytest.approx(DRIFT_DISTANCE[t.drift], abs=1e-3)
        a, b, c = t.original.scene, t.ideal.scene, t.drifted.scene
        assert (b.hat, b.glasses, b.hand, b.scarf, b.hair) == (c.hat, c.glasses, c.hand, c.scarf, c.hair)
        assert np.hypot(*(t.ideal.landmarks - t.drifted.landmarks).T).max() < 12
        if kind == "accessory":
            assert t.ideal.elements.sum() > 5 and (b.hat or b.glasses or b.earrings or b.hand or b.scarf)
        if kind == "background":
            assert (a.backdrop, a.backdrop_colour) != (b.backdrop, b.backdrop_colour) and a.hair == b.hair
        if kind == "light":
            assert abs(a.light_x - b.light_x) > 1e-6 and a.backdrop == b.backdrop
        if kind == "expression":
            assert abs(a.smile - b.smile) > 0.3
        if kind == "hair":
            assert a.hair_colour != b.hair_colour
        if t.keeps_pose:
            kept += 1
            assert abs(a.placement.yaw - b.placement.yaw) < 0.09 and abs(a.placement.roll - b.placement.roll) < 0.07
    assert kept >= 1


def test_seeds_walk_through_all_kinds_and_drifts():
    seen = {(KINDS[s % 6], DRIFTS[s // 6 % 3]) for s in triple_split("tune", 18)}
    assert len(seen) == 18
    t = make_triple(20_000_007, size=64)
    assert (t.kind, t.drift) == (KINDS[20_000_007 % 6], DRIFTS[20_000_007 // 6 % 3])
    with pytest.raises(ValueError, match="unknown kind"):
        make_triple(0, kind="wig")


def test_eyes_in_triples_are_about_as_far_apart_as_in_crops():
    spans = []
    for seed in range(24):
        t = make_triple(seed)
        spans += [np.hypot(*(p.landmarks[1] - p.landmarks[0])) for p in (t.original, t.ideal)]
    assert 26 <= min(spans) and max(spans) <= 38


def test_elements_cover_what_lies_before_the_face():
    bare = portrait(8, **BARE)
    for change in ({"hat": "brim"}, {"glasses": "square"}, {"hand": "mouth"}, {"scarf": True}):
        dressed = portrait(8, **{**BARE, **change})
        name = next(iter(change))
        mask = getattr(dressed.masks, name)
        assert mask.max() > 0.95 and (mask - dressed.elements).max() <= 1e-3
        assert ((mask > 0.5) & (dressed.masks.face > 0.5)).sum() == 0
        assert name == "scarf" or dressed.masks.face.sum() < bare.masks.face.sum() - 50


@pytest.mark.parametrize("people", [1, 3, 5])
def test_group_pictures_hold_everybody_and_a_photo_each(people):
    g = group_picture(11, people, size=128, stranger=people == 3)
    assert g.edited.image.shape == g.truth.image.shape and len(g.truth.people) == people
    height, width = g.truth.image.shape[:2]
    middles = [person.landmarks[:, 0].mean() for person in g.truth.people]
    assert middles == sorted(middles)
    for person in (*g.truth.people, *g.edited.people):
        assert person.masks.face.shape == (height, width) and person.masks.face.sum() > 300
        assert (person.landmarks >= 0).all() and (person.landmarks < (width, height)).all()
    faces = sum(person.masks.face for person in g.truth.people)
    assert faces.max() <= 1.001
    assert [photo is None for photo in g.originals] == [people == 3 and k == people - 1 for k in range(people)]


@pytest.mark.parametrize("factor", [8, 16, 32])
def test_low_resolution_keeps_the_mean_and_loses_the_detail(factor):
    image = portrait(2, 192).image
    low = degrade(image, factor)
    assert low.shape == image.shape and low.dtype == np.float32
    assert np.abs(low.mean((0, 1)) - image.mean((0, 1))).max() < 0.01
    assert np.abs(np.diff(low, axis=1)).mean() < 0.6 * np.abs(np.diff(image, axis=1)).mean()
    with pytest.raises(ValueError, match="reduction must be"):
        degrade(image, 5)


def test_a_person_is_one_piece_at_every_extreme():
    ndimage = pytest.importorskip("scipy.ndimage")
    rng = np.random.default_rng(0)
    for k in range(40):
        person = Identity(*rng.choice((-2.0, 2.0), len(names())).tolist())
        p = render(person, sample_scene(np.random.default_rng(k)), 96)
        assert np.isfinite(p.image).all()
        pieces, count = ndimage.label(p.person > 0.3, np.ones((3, 3)))
        sizes = ndimage.sum(np.ones_like(pieces), pieces, range(1, count + 1))
        touching = set(pieces[-1]) | {int(np.argmax(sizes)) + 1}
        assert set(range(1, count + 1)) <= touching, (k, sizes)


def test_a_size_out_of_range_is_refused():
    with pytest.raises(ValueError, match="between 32 and 1024"):
        render(Identity(), Scene(), 8)
