"""Glasses and beards on drawn people, and the parts of the detectors on drawn lines."""

from __future__ import annotations

import numpy as np
import pytest

from editedid_core.faces.analyzers.mesh_backend import MeshAnalyzer
from editedid_core.geometry.frontal import SIDE, GridInPicture, frontal_grid
from editedid_core.geometry.mean_mesh import mean_mesh
from editedid_core.masks.beard import beard_mask, find_beard
from editedid_core.masks.drawing import filled, stroked
from editedid_core.masks.frontal_face import frontal_face
from editedid_core.masks.glasses import eye_places, find_glasses
from editedid_core.masks.glasses_mask import glasses_masks
from editedid_core.masks.ridges import best_path, dark_lines

from .conftest import as_bytes


def mean_picture() -> tuple[np.ndarray, np.ndarray]:
    """A plain face without features, (320, 320, 3), and its mesh: the mean face, 70 pixels between the eyes."""
    y, x = np.mgrid[:320, :320]
    shade = 0.6 - 0.15 * ((x - 160) / 160) ** 2 + 0.02 * np.sin(x / 9) * np.sin(y / 7)
    picture = shade[..., None] * np.array([1.0, 0.8, 0.7])
    return picture, mean_mesh().points * 70 + [160, 130, 0]


def painted(picture: np.ndarray, mesh: np.ndarray, areas: list[np.ndarray], darker: float = 0.12) -> np.ndarray:
    """Areas of the frontal grid painted dark into the picture, uint8."""
    for area in areas:
        mask = frontal_grid().to_picture(area, mesh, 320, 320)[..., None]
        picture = picture * (1 - mask) + darker * mask
    return as_bytes(picture)


def drawn_glasses(width: float = 3.0) -> tuple[list[np.ndarray], np.ndarray]:
    """Round rims and a bridge on the frontal grid, and the lenses."""
    picture, mesh = mean_picture()
    left, right = eye_places(frontal_face(as_bytes(picture), mesh))
    turn = np.linspace(0, 2 * np.pi, 80)
    circle = 0.42 * frontal_grid().pixels * np.stack([1.1 * np.cos(turn), np.sin(turn)], -1)
    bridge = np.array([left + circle[0], right + circle[40]])
    lenses = np.maximum(filled(left + circle), filled(right + circle))
    return [stroked(line, width) for line in (left + circle, right + circle, bridge)], lenses


def test_a_path_follows_a_dark_line() -> None:
    patch = np.ones((40, 50))
    rows = (20 + 6 * np.sin(np.arange(50) / 8)).round().astype(int)
    patch[rows, np.arange(50)] = 0.2
    strength, path = best_path(dark_lines(patch, (2,)))
    assert np.abs(path + 2 - rows).max() <= 1
    assert strength.mean() > 0.6
    assert best_path(dark_lines(2 - patch, (2,)))[0].mean() < 0.1  # a bright line is none
    assert best_path(dark_lines(2 - patch, (2,), either=True))[0].mean() > 0.6


def test_drawn_frames_are_found_and_masked() -> None:
    picture, mesh = mean_picture()
    bare = find_glasses(frontal_face(as_bytes(picture), mesh))
    assert not bare.present
    assert bare.score < 0.1
    lines, lenses = drawn_glasses()
    face = frontal_face(painted(picture, mesh, lines), mesh)
    found = find_glasses(face)
    assert found.present
    assert found.score > 0.9
    masks = glasses_masks(face)
    frame = np.max(lines, axis=0) > 0.5
    assert (masks.frame[frame] > 0.5).mean() > 0.85
    inner = (lenses > 0.99) & ~frame
    assert (masks.lenses[inner] > 0.5).mean() > 0.85
    assert masks.lenses[lenses < 0.01].max() < 0.3
    in_picture = masks.in_picture(GridInPicture(face.grid, mesh, 320, 320))
    assert in_picture[0].shape == in_picture[1].shape == (320, 320)
    assert float((in_picture[0] * in_picture[1]).max()) < 0.5


def test_one_rim_or_a_bridge_alone_is_no_pair_of_glasses() -> None:
    picture, mesh = mean_picture()
    (left, right, bridge), _ = drawn_glasses()
    for areas in ([left, bridge], [right], [bridge]):
        assert not find_glasses(frontal_face(painted(picture, mesh, areas), mesh)).present


def test_a_dark_rough_chin_is_a_beard_and_its_mask_is_whole() -> None:
    picture, mesh = mean_picture()
    bare = find_beard(frontal_face(as_bytes(picture), mesh))
    assert not bare.present
    grid = frontal_grid()
    chin, lip = grid.at(mean_mesh().points[[199, 164], :2])
    y, x = np.mgrid[:SIDE, :SIDE]
    hair = (((x - chin[0]) / 30) ** 2 + ((y - chin[1]) / 18) ** 2 < 1) | (
        ((x - lip[0]) / 18) ** 2 + ((y - lip[1]) / 6) ** 2 < 1)
    strands = np.random.default_rng(0).uniform(0.6, 1.0, (SIDE, SIDE)) * hair
    face = frontal_face(painted(picture, mesh, [strands.astype(np.float32)]), mesh)
    found = find_beard(face)
    assert found.present
    assert found.chin
    assert found.moustache
    mask = beard_mask(found)
    below, above = grid.at(mean_mesh().points[[200, 164], :2]).round().astype(int)
    assert mask[below[1], below[0]] > 0.9
    assert mask[above[1], above[0]] > 0.5
    eyes, mouth = grid.at(mean_mesh().points[[168, 13], :2]).round().astype(int)
    assert mask[eyes[1], eyes[0]] == 0
    assert mask[mouth[1], mouth[0]] < 0.3
    assert beard_mask(bare).max() == 0


@pytest.mark.parametrize("seed", range(3))
def test_glasses_of_drawn_people(mesh_analyzer: MeshAnalyzer, draw_person, seed: int) -> None:
    for kind, expected in (("", False), ("round", True), ("square", True)):
        image = as_bytes(draw_person(seed, 320, glasses=kind, glasses_colour=(0.05, 0.05, 0.05)).image)
        (face,) = mesh_analyzer.find(image)
        assert find_glasses(frontal_face(image, face.mesh)).present is expected, kind
