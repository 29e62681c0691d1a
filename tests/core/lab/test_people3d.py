"""The rendered world: the rasteriser against plain arithmetic, people, framing and truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from editedid_core.geometry.affine import crop_frame
from editedid_core.geometry.affine import inverse_affine as invert_map
from lab.people3d import SPLITS, People, World, crop, split
from lab.people3d.camera import crop_matrix, five_points
from lab.people3d.edits import edited_scenes, hard_scenes, original_scenes
from lab.people3d.geometry_only import LandmarkModel
from lab.people3d.head import load_head
from lab.people3d.native import Raster, noise
from lab.people3d.people import people_of
from lab.people3d.split import PARTS, make_split
from lab.people3d.subdivide import catmull_clark
from lab.people3d.triples import drift, make_triples
from lab.people3d.words import words
from lab.photos import folder
from lab.samples import FOLDER, SAMPLES, pair

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def world() -> World:
    return World("cpu", samples=2, children=4)


@pytest.fixture(scope="module")
def drawn(world: World):
    people = world.people_of([0, 1, 2])
    scenes = world.scenes(3, torch.Generator().manual_seed(4), people, "crop")
    plain = {
        k: torch.zeros_like(scenes.values[k])
        for k in ("yaw", "pitch", "roll", "azimuth", "elevation", "hat", "glasses")
    }
    scenes = scenes.replace(**plain)
    return people, scenes, world.draw(people, scenes, 96, truth=True)


def test_the_depth_buffer_agrees_with_plain_arithmetic() -> None:
    rng = np.random.default_rng(0)
    points = torch.from_numpy(np.concatenate([rng.uniform(0, 40, (30, 2)), rng.uniform(1, 9, (30, 1))], 1)).float()[
        None
    ]
    tris = torch.arange(30, dtype=torch.int32).reshape(10, 3)
    raster = Raster(1, 40, 40, CPU)
    raster.triangles(points, tris)
    depth, number, weight = raster.resolve()
    y, x = np.mgrid[0:40, 0:40] + 0.5
    nearest, which = np.full((40, 40), np.inf), np.full((40, 40), -1)
    for k in range(10):
        a, b, c = points[0, 3 * k : 3 * k + 3].double().numpy()
        m = np.linalg.inv(np.array([b[:2] - a[:2], c[:2] - a[:2]]).T)
        w = np.einsum("ij,yxj->yxi", m, np.stack([x, y], -1) - a[:2])
        w = np.concatenate([1 - w.sum(-1, keepdims=True), w], -1)
        z = 1 / (w @ (1 / np.array([a[2], b[2], c[2]])))
        closer = (w.min(-1) > 1e-4) & (z < nearest)
        nearest[closer], which[closer] = z[closer], k
    same = which == number[0].numpy()
    assert same.mean() > 0.98  # samples on an edge may fall to either side
    seen = same & (which >= 0)
    assert seen.sum() > 200
    np.testing.assert_allclose(depth[0].numpy()[seen], nearest[seen], rtol=1e-4)
    corners = points[0, tris[number[0][torch.from_numpy(seen)].long()].long()]
    w = weight[0][torch.from_numpy(seen)]
    place = corners[:, 0] + w[:, :1] * (corners[:, 1] - corners[:, 0]) + w[:, 1:] * (corners[:, 2] - corners[:, 0])
    np.testing.assert_allclose(
        place[:, 2].numpy(), nearest[seen], rtol=1e-3
    )  # weights are those of space, not of the screen


def test_hair_covers_as_much_as_its_width_says() -> None:
    for angle in (0.1, 0.9, 2.0):
        raster = Raster(1, 200, 200, CPU)
        raster.triangles(torch.zeros(1, 3, 3), torch.arange(3, dtype=torch.int32)[None])
        step = torch.tensor([np.cos(angle), np.sin(angle), 0.0]).float()
        ends = torch.stack(
            [torch.tensor([100.0, 100.0, 2.0]) - 80 * step, torch.tensor([100.0, 100.0, 2.0]) + 80 * step]
        )
        raster.strands(ends[None, None], torch.full((1, 1, 2), 2.5))
        covered = float((~torch.isinf(raster.depth())).sum())
        assert covered == pytest.approx(160 * 2.5, rel=0.03)


def test_noise_has_the_gradient_it_says() -> None:
    p = torch.rand(200, 3) * 3
    seeds = torch.full((200,), 7)
    here = noise(p, seeds, 0.4)
    assert here[:, 0].abs().max() <= 1 and here[:, 0].std() > 0.15
    for k in range(3):
        step = torch.zeros(3)
        step[k] = 1e-3
        slope = (noise(p + step, seeds, 0.4)[:, 0] - noise(p - step, seeds, 0.4)[:, 0]) / 2e-3
        assert torch.allclose(slope, here[:, 1 + k], atol=0.05)
    assert not torch.equal(noise(p, seeds + 1, 0.4), here)


def test_subdivision_keeps_a_plane_flat_and_its_border() -> None:
    y, x = np.mgrid[0:4, 0:4]
    points = np.stack([x.ravel(), y.ravel(), 0 * x.ravel()], 1).astype(float)
    quads = np.array([[r * 4 + c, r * 4 + c + 1, r * 4 + c + 5, r * 4 + c + 4] for r in range(3) for c in range(3)])
    matrix, new = catmull_clark(quads, 16)
    out = matrix @ points
    assert new.shape == (36, 4) and np.allclose(np.asarray(matrix.sum(1)), 1)
    assert np.allclose(out[:, 2], 0) and out[:, 0].max() == pytest.approx(3) and out.min() == pytest.approx(0)


def test_a_person_does_not_depend_on_who_stands_beside() -> None:
    alone, group = people_of([7]), people_of([3, 7, 9])
    assert torch.equal(alone.shape[0], group.shape[1]) and torch.equal(alone.values[0], group.values[1])
    assert not torch.equal(group.shape[0], group.shape[1])
    starts = sorted(SPLITS.values())
    assert all(a[1] <= b[0] for a, b in zip(starts[:-1], starts[1:]))


def test_a_blend_goes_from_one_person_to_the_other() -> None:
    a, b = people_of([1]), people_of([2])
    half = a.blend(b, 0.4)
    assert torch.allclose(half.shape, 0.6 * a.shape + 0.4 * b.shape) and torch.equal(half.marks, a.marks)
    assert torch.allclose(a.blend(b, 1.0).values, b.values) and torch.equal(
        a.blend(b, torch.tensor([1.0])).marks, b.marks
    )
    assert len(People.cat([a, b, half])) == 3


def test_pictures_show_faces_where_the_truth_says(drawn) -> None:
    _, _, out = drawn
    assert out.pictures.shape == (3, 3, 96, 96) and 0 <= out.pictures.min() and out.pictures.max() <= 1
    assert out.pictures.std(dim=(1, 2, 3)).min() > 0.05
    marks = out.landmarks68
    assert (marks[:, 36, 0] < marks[:, 45, 0]).all() and (marks[:, 8, 1] > marks[:, 30, 1]).all()
    assert (marks[:, 36:48, 1].mean(1) < marks[:, 48:68, 1].mean(1)).all()
    distance = (marks[:, 36:42].mean(1) - marks[:, 42:48].mean(1)).norm(dim=-1)
    assert torch.allclose(distance, torch.full((3,), 24.0), atol=5.0)  # a quarter of the crop
    assert out.masks is not None and out.visibility is not None and out.depth is not None
    total = torch.stack(list(out.masks.values())).sum(0)
    assert total.max() <= 1.001 and (total[:, 40:70, 40:56] > 0.95).all()
    for k in range(3):  # the mouth's landmarks lie on the mouth
        x, y = marks[k, 57].round().long().tolist()
        near = (out.masks["lips"] + out.masks["mouth"] + out.masks["beard"])[k, y - 3 : y + 3, x - 3 : x + 3]
        assert near.max() > 0.3
    assert out.visibility[:, [30, 33, 51]].all()
    assert torch.isinf(out.depth).any() and out.depth[torch.isfinite(out.depth)].min() > 5


def test_the_same_people_and_scenes_give_the_same_picture(world: World, drawn) -> None:
    people, scenes, out = drawn
    again = world.draw(people[1:2], scenes[1:2], 96)
    assert torch.allclose(again.pictures[0], out.pictures[1], atol=2 / 255)


def test_a_picture_takes_the_framing_of_others(world: World, drawn) -> None:
    people, scenes, out = drawn
    far = scenes[1:2].replace(frame=0.5 * scenes.frame[1:2])
    marks = world.draw(people[1:2], scenes[1:2], 96, framed=(people[1:2], far)).landmarks68[0]
    eyes = [float((m[36:42].mean(0) - m[42:48].mean(0)).norm()) for m in (marks, out.landmarks68[1])]
    assert eyes[0] == pytest.approx(0.5 * eyes[1], rel=0.02)


def test_an_editing_model_keeps_the_camera(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A drifted face is framed as the true one, so that what stands behind it stays where it is."""
    asked: list[tuple] = []
    draw = world.draw

    def watched(people, scenes, *rest, framed=None):
        asked.append((people, scenes, framed))
        return draw(people, scenes, 16, framed=framed)

    monkeypatch.setattr(world, "draw", watched)
    make_triples(world, [3], truth=False)
    (_, _, first), (person, second, ideal), (other, _, framed) = asked
    assert first is ideal is None and framed == (person, second) and not torch.equal(other.shape, person.shape)


def test_words_tell_what_was_drawn(drawn) -> None:
    people, scenes, out = drawn
    for k, tags in enumerate(out.words):
        assert ("woman" in tags) == bool(people.trait("woman")[k] > 0.5) and "glasses" not in tags and "hat" not in tags
    worn = scenes.replace(hat=torch.tensor([2, 2, 2]))
    assert all("hat" in tags and "cap" in tags for tags in words(people, worn))
    with pytest.raises(ValueError, match="unknown field"):
        scenes.replace(nose=torch.zeros(3))


def test_the_crop_is_the_packs() -> None:
    rng = np.random.default_rng(2)
    base = np.array([[40.0, 50], [70, 48], [55, 65], [44, 80], [68, 79]])
    for _ in range(5):
        five = base + rng.normal(0, 3, (5, 2))
        mine = crop_matrix(torch.from_numpy(five).float()[None], 64)[0].numpy()
        np.testing.assert_allclose(mine, crop_frame(five, 64), atol=1e-3)


def test_a_crop_moves_picture_and_landmarks_alike(drawn) -> None:
    _, _, out = drawn
    small, marks = crop(out.pictures, out.landmarks68, 64)
    assert small.shape == (3, 3, 64, 64)
    five = five_points(out.landmarks68)[0].double().numpy()
    back = invert_map(crop_frame(five, 64))
    expected = out.landmarks68[0].double().numpy() @ back[:, :2].T + back[:, 2]
    np.testing.assert_allclose(marks[0].numpy(), expected, atol=0.02)


def test_the_packed_head_is_whole() -> None:
    head = load_head()
    assert len(head.names) == len(head.targets) and np.isfinite(head.targets).all()
    assert head.tris.max() < len(head.turn) and set(head.part) == {0, 1, 2, 3}
    lips = head.template[: len(head.turn)][head.masks[:, 0] > 0.6]
    assert abs(lips[:, 0].mean()) < 0.02 and 6.4 < lips[:, 1].mean() < 6.9


def test_landmarks_without_drawing_are_those_of_the_pictures(world: World, drawn) -> None:
    people, scenes, out = drawn
    assert torch.allclose(LandmarkModel.load().landmarks(people, scenes, 96), out.landmarks68, atol=0.05)


def test_a_drift_moves_a_person_by_steps() -> None:
    seeds = [4, 5, 6, 7]
    people = people_of(seeds)
    steps = [(drift(people, seeds, torch.full((4,), s)).shape - people.shape).norm(dim=1) for s in (0.0, 0.3, 0.6)]
    assert steps[0].max() < 1e-5 and (steps[1] > 0).all() and (steps[2] > 1.5 * steps[1]).all()


def test_edits_change_what_their_kind_says() -> None:
    people = people_of([8, 9])
    generator = torch.Generator().manual_seed(1)
    first = original_scenes(people, generator)
    kept = edited_scenes(first, people, ["accessory", "light"], torch.tensor([True, True]), generator)
    assert torch.equal(kept.yaw, first.yaw) and torch.equal(kept.units, first.units)
    assert kept.hat[0] > 0 or kept.glasses[0] or kept.scarf[0]
    assert not torch.equal(kept.key_direction[1], first.key_direction[1])
    assert torch.equal(kept.key_direction[0], first.key_direction[0])
    hard = hard_scenes(first, people, ["turned", "covered"], generator)
    turn = (hard.yaw - first.yaw).abs().maximum((hard.pitch - first.pitch).abs() / 0.6)
    assert turn[0] > 10 and (hard.hat[1] > 0 or hard.glasses[1] or hard.scarf[1])


def test_a_stopped_split_goes_on_and_the_photograph_bench_reads_it(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_split(world, "tune", tmp_path, 2, size=48)
    pictures = [tmp_path / "triples" / name / f"{part}.jpg" for name in ("000", "001") for part in PARTS]
    assert len({file.read_bytes() for file in pictures}) == 2 * len(PARTS)
    easy, hard = folder.ready_triples(tmp_path)
    assert (easy.group, hard.group) == ("easy", "hard")
    assert easy.person != hard.person
    assert hard.held_out == (pictures[-1],)
    asked: list[int] = []
    monkeypatch.setattr(split, "draw", lambda world, seed, *rest: asked.append(seed) or {"edit": "", "drift": ""})
    make_split(world, "tune", tmp_path, 2, size=48)
    assert not asked
    pictures[-1].unlink()
    make_split(world, "tune", tmp_path, 2, size=48)
    assert asked == [10_000_001]


def test_the_samples_that_ship_are_those_that_the_script_draws(world: World) -> None:
    for name, drawn in zip(("photo", "edit"), pair(world, SAMPLES[0], 64)):
        with Image.open(FOLDER / f"{name}_1.jpg") as shipped:
            small = np.asarray(shipped.resize(drawn.size, Image.Resampling.BOX), np.float32)
        assert np.abs(small - np.asarray(drawn)).mean() < 5, name
    assert len(list(FOLDER.glob("*.jpg"))) == 2 * len(SAMPLES)
    assert all(not start <= sample.seed < end for sample in SAMPLES for start, end in SPLITS.values())
