"""Several pictures at once: what is found in each is what is found in it alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from editedid_core.faces.analyzers.composed import ComposedAnalyzer
from editedid_core.faces.analyzers.dlib_recogniser import DlibRecogniser
from editedid_core.faces.analyzers.face_window import reduced
from editedid_core.faces.analyzers.mesh_backend import MeshAnalyzer
from editedid_core.faces.analyzers.protocol import find_each
from editedid_core.faces.detect import detect
from editedid_core.records import Face

from .conftest import DrawPerson, as_bytes


def test_faces_of_several_pictures_are_those_of_each(mesh_analyzer: MeshAnalyzer, draw_person: DrawPerson) -> None:
    """An upright one, one without a face, two people, and one on its head, for which turned windows are searched."""
    first, second, third = (as_bytes(draw_person(seed).image) for seed in range(3))
    pictures = [first, np.full((90, 120, 3), 90, np.uint8), np.concatenate([second, third], 1), first[::-1, ::-1]]
    together = mesh_analyzer.find_each(pictures)
    assert [len(faces) for faces in together] == [1, 0, 2, 1]
    for faces, picture in zip(together, pictures):
        for one, alone in zip(faces, mesh_analyzer.find(np.ascontiguousarray(picture))):
            assert np.abs(one.mesh - alone.mesh).max() < 0.05 and one.score == pytest.approx(alone.score, abs=1e-3)


def test_each_face_gets_its_own_embedding(mesh_analyzer: MeshAnalyzer, draw_person: DrawPerson) -> None:
    pytest.importorskip("dlib")
    composed = ComposedAnalyzer(mesh_analyzer, DlibRecogniser())
    pictures = [as_bytes(draw_person(seed).image) for seed in range(3)]
    for (one,), picture in zip(composed.find_each(pictures), pictures):
        (alone,) = composed.find(picture)
        assert one.embedding is not None and alone.embedding is not None
        assert float(one.embedding @ alone.embedding) > 0.9999


def test_a_batch_is_searched_at_once_and_large_pictures_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[int] = []

    class Together:
        name = licence = "together"

        def find(self, image: np.ndarray, threshold: float = 0.5) -> list[Face]:
            raise AssertionError("alone")

        def find_each(self, images: list[np.ndarray], threshold: float = 0.5) -> list[list[Face]]:
            looked.append(len(images))
            return [[] for _ in images]

    assert detect(torch.zeros(5, 40, 40, 3), Together()).frames == 5  # an interrupt waits for four at most
    monkeypatch.setattr("editedid_core.faces.detect._PIXELS_TOGETHER", 2 * 40 * 40)
    detect(torch.zeros(5, 40, 40, 3), Together())
    assert looked == [4, 1, 2, 2, 1]


def test_analyzers_that_find_one_picture_at_a_time_still_serve() -> None:
    class Alone:
        name = licence = "alone"

        def find(self, image: np.ndarray, threshold: float = 0.5) -> list[Face]:
            return [] if image.any() else [None]  # type: ignore[list-item]

    assert find_each(Alone(), [np.ones((2, 2, 3), np.uint8), np.zeros((2, 2, 3), np.uint8)]) == [[], [None]]


@pytest.mark.parametrize(("height", "width", "factor"), [(513, 77, 2), (1, 5, 2), (700, 300, 3), (600, 31, 7)])
def test_strips_are_reduced_as_the_whole_is(height: int, width: int, factor: int) -> None:
    picture = np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8)
    assert np.array_equal(reduced(picture, factor), np.asarray(Image.fromarray(picture).reduce(factor)))
