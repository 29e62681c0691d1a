"""The mesh on drawn people: turned, covered, small, several; and with another analyzer's identity."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from editedid_core.faces.analyzers import registry
from editedid_core.faces.analyzers.composed import ComposedAnalyzer
from editedid_core.faces.analyzers.dlib_recogniser import DlibRecogniser
from editedid_core.faces.analyzers.mesh_backend import MeshAnalyzer
from editedid_core.geometry.landmarks import as_68
from editedid_core.geometry.states import Feature, State, compare_states, feature_states

from .conftest import as_bytes


def error(face, dense: np.ndarray) -> float:
    """Mean distance of eyes, nose and mouth to the drawn landmarks (68, 2), in eye distances; the jaw is left out."""
    eyes = np.linalg.norm(dense[36:42].mean(0) - dense[42:48].mean(0))
    return float(np.linalg.norm(face.dense[27:] - dense[27:], axis=1).mean() / eyes)


def test_a_drawn_face_is_found_where_it_was_drawn(mesh_analyzer: MeshAnalyzer, draw_person) -> None:
    errors = []
    for seed in range(4):
        portrait = draw_person(seed)
        (face,) = mesh_analyzer.find(as_bytes(portrait.image))
        errors.append(error(face, portrait.dense))
        assert face.mesh is not None
        assert face.mesh.shape == (478, 3)
        assert np.allclose(as_68(face.mesh[:, :2]), face.dense)
        assert face.embedding is None
    assert np.mean(errors) < 0.08


@pytest.mark.parametrize("degrees", [45, 90, 135, 180, 270])
def test_turned_faces_are_found(mesh_analyzer: MeshAnalyzer, draw_person, degrees: int) -> None:
    portrait = draw_person(1)
    turned = Image.fromarray(as_bytes(portrait.image)).rotate(degrees, Image.Resampling.BICUBIC, fillcolor=(128,) * 3)
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    middle = np.full(2, 127.5)
    (face,) = mesh_analyzer.find(np.asarray(turned))
    assert error(face, (portrait.dense - middle) @ turn.T + middle) < 0.12


@pytest.mark.parametrize("harm", ["mask", "dark", "grey", "small", "jpeg"])
def test_harmed_pictures_keep_their_face(mesh_analyzer: MeshAnalyzer, draw_person, harm: str) -> None:
    portrait = draw_person(2)
    image, dense = Image.fromarray(as_bytes(portrait.image)), portrait.dense
    if harm == "mask":
        ImageDraw.Draw(image).polygon([tuple(p) for p in (*dense[2:15], dense[29])], fill=(150, 190, 210))
    elif harm == "dark":
        noise = np.random.default_rng(0).normal(0, 6, portrait.image.shape)
        image = Image.fromarray((np.asarray(image) * 0.15 + noise).clip(0, 255).astype(np.uint8))
    elif harm == "grey":
        image = image.convert("L").convert("RGB")
    elif harm == "small":
        image, dense = image.reduce(5), (dense + 0.5) / 5 - 0.5
    else:
        import io

        stream = io.BytesIO()
        image.save(stream, "JPEG", quality=8)
        image = Image.open(stream).convert("RGB")
    (face,) = mesh_analyzer.find(np.asarray(image))
    assert error(face, dense) < (0.2 if harm == "mask" else 0.12)


def test_small_faces_of_a_group_are_found(mesh_analyzer: MeshAnalyzer, draw_person) -> None:
    sheet = Image.new("RGB", (1200, 900), (150, 150, 160))
    drawn = [draw_person(seed, 96) for seed in range(12)]
    for index, portrait in enumerate(drawn):
        sheet.paste(Image.fromarray(as_bytes(portrait.image)), (60 + index % 4 * 290, 60 + index // 4 * 290))
    assert len(mesh_analyzer.find(np.asarray(sheet))) == 12


def test_a_doubtful_face_counts_only_where_none_is_sure(mesh_analyzer: MeshAnalyzer, draw_person) -> None:
    blurred, sure = (Image.fromarray(as_bytes(draw_person(seed).image)) for seed in (1, 2))
    blurred = blurred.filter(ImageFilter.GaussianBlur(9))
    (alone,) = mesh_analyzer.find(np.asarray(blurred))
    assert alone.score < 0.7
    both = Image.new("RGB", (512, 256))
    both.paste(sure, (0, 0))
    both.paste(blurred, (256, 0))
    (face,) = mesh_analyzer.find(np.asarray(both))
    assert face.centre[0] < 256 and face.score > 0.8


def test_no_face_is_found_where_there_is_none(mesh_analyzer: MeshAnalyzer) -> None:
    y, x = np.mgrid[:300, :400]
    noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
    pictures = [np.full((200, 300, 3), 128, np.uint8), noise,
                np.stack([(x // 20 + y // 20) % 2 * 255] * 3, -1).astype(np.uint8), np.zeros((1, 1, 3), np.uint8)]
    assert [len(mesh_analyzer.find(picture)) for picture in pictures] == [0, 0, 0, 0]


def test_identity_comes_from_the_other_analyzer(mesh_analyzer: MeshAnalyzer, mesh_file: Path) -> None:
    """dlib's recogniser about the mesh's points gives what it gives about its own detector's."""
    pytest.importorskip("dlib")
    photograph = np.asarray(pytest.importorskip("skimage.data").astronaut())
    from editedid_core.faces.analyzers.dlib_backend import DlibAnalyzer

    dlib = DlibAnalyzer()
    composed = ComposedAnalyzer(mesh_analyzer, DlibRecogniser())
    (own,) = dlib.find(photograph[:260, 100:360])
    face = max(composed.find(photograph), key=lambda found: found.size)
    assert face.mesh is not None
    assert float(face.embedding @ own.embedding) > 0.95
    assert "dlib" in composed.name
    assert "Apache-2.0" in composed.licence
    assert registry.load_analyzer("dlib", {}, mesh=mesh_file).name == composed.name
    assert face.second is None
    seconded = ComposedAnalyzer(mesh_analyzer, DlibRecogniser(), DlibRecogniser())
    (again,) = seconded.find(photograph[:260, 100:360])
    assert np.allclose(again.second, again.embedding) and seconded.name.endswith("second opinion dlib")


def test_states_of_drawn_expressions(mesh_analyzer: MeshAnalyzer, draw_person) -> None:
    """What is drawn is what is told: an open mouth and a turned gaze, and nothing in a second look at one face."""

    def states(**scene):
        (face,) = mesh_analyzer.find(as_bytes(draw_person(3, 320, **scene).image))
        return feature_states(face)

    plain = states()
    assert compare_states(plain, states(bright=0.9, jpeg=60)).differing == ()
    assert compare_states(plain, states(mouth_open=1.0)).mouth is State.DIFFERS
    assert Feature.GAZE in compare_states(states(gaze_x=-0.8), states(gaze_x=0.8)).differing
