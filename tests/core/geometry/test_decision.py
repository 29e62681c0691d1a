"""What of a face is the person's and what the edit's, on painted faces: glasses, beards, hidden places, states."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from editedid_core.crops.cut import crop_pairs
from editedid_core.geometry.affine import crop_frame
from editedid_core.geometry.frontal import SIDE, frontal_grid
from editedid_core.geometry.landmarks import as_68, five_of_68
from editedid_core.geometry.mean_mesh import mean_mesh
from editedid_core.masks.decision import Decision, decide
from editedid_core.masks.drawing import stroked
from editedid_core.masks.parts import face_parts
from editedid_core.masks.reading import FaceReading, read_face
from editedid_core.masks.strands import strands
from editedid_core.records import Face, FacePair, FacePairs

from .test_glasses_and_beards import drawn_glasses, mean_picture, painted

SIZE = 320
PICTURE, MESH = mean_picture()
LIPS_BELOW = [14, 17, 84, 314, 87, 317]


def read(areas: list[np.ndarray], mesh: np.ndarray = MESH) -> FaceReading:
    """The plain face with dark areas of the frontal grid, read with a mesh."""
    picture = painted(PICTURE, MESH, areas)
    return read_face(torch.from_numpy(picture).float() / 255, mesh)


def decided(photo: FaceReading, edit: FaceReading) -> Decision:
    dense = as_68(MESH[:, :2])
    assert dense is not None
    five = five_of_68(dense)
    assert crop_frame(five, SIZE).shape == (2, 3)
    return decide(photo, edit, MESH, face_parts(five, SIZE))


def place(*landmarks: int) -> tuple[int, int]:
    x, y = MESH[list(landmarks), :2].mean(0).round().astype(int)
    return int(y), int(x)


LEFT_EYE, RIGHT_EYE, CHIN, LIP, NOSE = place(33, 133), place(263, 362), place(199), place(164), place(4)


def beard() -> list[np.ndarray]:
    grid = frontal_grid()
    chin, lip = grid.at(mean_mesh().points[[199, 164], :2])
    y, x = np.mgrid[:SIDE, :SIDE]
    hair = (((x - chin[0]) / 30) ** 2 + ((y - chin[1]) / 18) ** 2 < 1) | (
        ((x - lip[0]) / 18) ** 2 + ((y - lip[1]) / 6) ** 2 < 1)
    return [(np.random.default_rng(0).uniform(0.6, 1.0, (SIDE, SIDE)) * hair).astype(np.float32)]


def strand() -> list[np.ndarray]:
    """A lock of single hairs that hangs from above the left temple over the forehead towards the nose."""
    grid = frontal_grid()
    top, low = grid.at(mean_mesh().points[[54, 107], :2])
    hairs = [stroked([top + [shift - 4, -10], top + [shift + 8, 2], low + [shift - 4, -14]], 1.3)
             for shift in range(0, 22, 3)]
    return [np.max(hairs, axis=0)]


@pytest.fixture(scope="module")
def bare() -> FaceReading:
    return read([])


@pytest.fixture(scope="module")
def glassed() -> FaceReading:
    return read(drawn_glasses()[0])


@pytest.fixture(scope="module")
def bearded() -> FaceReading:
    return read(beard())


def test_two_bare_faces_in_one_state_are_all_the_persons(bare: FaceReading) -> None:
    found = decided(bare, bare)
    assert float(found.edit[40:-40, 60:-60].max()) < 0.05
    assert not bool(found.person.any()) and not bool(found.hair.any())
    assert all(float(found.bent[at]) == 1.0 for at in (LEFT_EYE, RIGHT_EYE, NOSE, place(13)))


def test_the_persons_eyes_lie_behind_the_edits_frame(bare: FaceReading, glassed: FaceReading) -> None:
    found = decided(bare, glassed)
    assert min(float(found.person[eye]) for eye in (LEFT_EYE, RIGHT_EYE)) > 0.9
    rims = np.max([frontal_grid().to_picture(line, MESH, SIZE, SIZE) for line in drawn_glasses()[0]], axis=0) > 0.7
    assert float(found.edit[torch.from_numpy(rims)].mean()) > 0.8
    assert float((found.edit * found.person).max()) < 0.5


def test_the_guard_is_told_whether_the_edit_wears_glasses(make_face: Callable[..., Face]) -> None:
    dense = as_68(MESH[:, :2])
    assert dense is not None
    face = replace(make_face(160.0, 130.0), points=five_of_68(dense).astype(np.float32), dense=dense.astype(np.float32),
                   mesh=MESH.astype(np.float32), image_size=(SIZE, SIZE))
    bare, glassed = (torch.from_numpy(painted(PICTURE, MESH, areas))[None].float() / 255
                     for areas in ([], drawn_glasses()[0]))
    for edit, mesh, worn in ((bare, face.mesh, False), (glassed, face.mesh, True), (glassed, None, False)):
        pairs = FacePairs((FacePair(face, replace(face, mesh=mesh), None, (face,)),), (), ())
        assert crop_pairs(bare, edit, pairs, 256).record.crops[0].glasses is worn


def test_dark_lenses_stay_the_edits(bare: FaceReading) -> None:
    lines, lenses = drawn_glasses()
    found = decided(bare, read([0.8 * lenses, *lines]))
    assert min(float(found.edit[eye]) for eye in (LEFT_EYE, RIGHT_EYE)) > 0.9
    assert not bool(found.person.any())


def test_glasses_of_the_photo_alone_are_not_taken(bare: FaceReading, glassed: FaceReading) -> None:
    found = decided(glassed, bare)
    assert min(float(found.edit[eye]) for eye in (LEFT_EYE, RIGHT_EYE)) > 0.9


def test_a_beard_goes_with_the_mouth_as_a_whole(bare: FaceReading, bearded: FaceReading) -> None:
    both = decided(bearded, bearded)
    assert min(float(both.hair[at]) for at in (CHIN, LIP)) > 0.9
    assert max(float(both.edit[at]) for at in (CHIN, LIP)) < 0.05
    for photo, edit in ((bare, bearded), (bearded, bare)):  # a beard that was put on or taken off stays so
        alone = decided(photo, edit)
        assert min(float(alone.edit[at]) for at in (CHIN, LIP, place(13))) > 0.9
        assert float(alone.edit[LEFT_EYE]) < 0.05


def test_a_shadow_of_a_beard_that_came_with_the_drift_goes(bare: FaceReading, bearded: FaceReading) -> None:
    weak = replace(bearded, beard=replace(bearded.beard, score=0.6))
    found = decided(bare, weak)
    assert max(float(found.edit[at]) for at in (CHIN, LIP, place(13))) < 0.05
    assert min(float(found.shaved[at]) for at in (CHIN, LIP)) > 0.9
    assert float(found.shaved[LEFT_EYE]) < 0.05 and not bool(decided(bare, bare).shaved.any())


def test_a_laughs_folds_are_not_laid_over_a_sober_face(bare: FaceReading) -> None:
    cheeks = [place(at) for at in (206, 426)]
    for state in ("smile", "mouth"):
        laughing = replace(bare, states=replace(bare.states, **{state: getattr(bare.states, state) + 0.125}))
        found = decided(laughing, bare)
        assert min(float(found.edit[at]) for at in cheeks) > 0.7
        assert max(float(found.edit[at]) for at in (LEFT_EYE, NOSE, CHIN)) < 0.1
        # an edit that laughs alone keeps what it has by the ordinary rules
        assert max(float(decided(bare, laughing).edit[at]) for at in cheeks) < 0.05


def test_what_a_turned_photo_hides_stays_the_edits(bare: FaceReading) -> None:
    turn = np.radians(45)
    away = MESH @ np.array([[np.cos(turn), 0, np.sin(turn)], [0, 1, 0], [-np.sin(turn), 0, np.cos(turn)]]) + [60, 0, 0]
    found = decided(FaceReading(away, bare.face, False, bare.beard, bare.states), bare)
    cheeks = [float(found.edit[place(at)]) for at in (123, 352)]
    assert min(cheeks) < 0.1
    assert max(cheeks) > 0.8


def test_a_strand_of_the_photos_hair_is_not_painted_onto_the_edit(bare: FaceReading) -> None:
    hairs, shown = read(strand()), frontal_grid().to_picture(strand()[0], MESH, SIZE, SIZE)
    over = torch.from_numpy((shown > 0.5) & (frontal_grid().to_picture(bare.face.inside, MESH, SIZE, SIZE) > 0.9))
    assert float(decided(hairs, bare).edit[over].mean()) > 0.9
    assert float(decided(hairs, bare).edit[RIGHT_EYE]) < 0.05
    assert not strands(hairs.face, hairs.face).any()


def test_a_strand_of_the_edits_hair_is_not_painted_over(bare: FaceReading) -> None:
    shown = torch.from_numpy(frontal_grid().to_picture(strand()[0] * bare.face.inside, MESH, SIZE, SIZE) > 0.5)
    found = decided(bare, read(strand()))
    assert float(found.things[shown].mean()) > 0.9
    assert float(found.things[RIGHT_EYE]) < 0.05


def test_brows_and_moles_are_no_strands(bare: FaceReading) -> None:
    grid = frontal_grid()
    brow = [stroked(grid.at(mean_mesh().points[list(ring), :2]), 2.0) for ring in ((70, 63, 105, 66), (300, 293, 334))]
    moles = [stroked([at, at + 1], 4.0) for at in grid.at(mean_mesh().points[[67, 123, 298], :2])]
    for areas in (brow, moles):
        assert not strands(read(areas).face, bare.face).any()


def test_a_closed_mouth_does_not_make_an_open_one(bare: FaceReading) -> None:
    mesh = MESH.copy()
    mesh[LIPS_BELOW, 1] += 20
    found = decided(bare, read([], mesh))
    assert float(found.edit[place(13)]) > 0.9
    assert float(found.bent[place(13)]) == 0.0
    assert float(found.edit[LEFT_EYE]) < 0.05
