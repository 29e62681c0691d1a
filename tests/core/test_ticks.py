"""Every loop over faces or pictures asks once a unit of work whether it is to stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from editedid_core.appearance.skin_tone import retone_faces
from editedid_core.config import RestoreConfig
from editedid_core.crops.cut import crop_pairs
from editedid_core.crops.paste import paste
from editedid_core.engines.composite import CompositeEngine
from editedid_core.faces.compare import compare
from editedid_core.faces.detect import detect
from editedid_core.faces.find import find_faces
from editedid_core.faces.match import match_faces
from editedid_core.faces.preview import numbered_boxes, with_thumbnails
from editedid_core.geometry.reshape import reshape_faces
from editedid_core.masks.outline import faces_mask
from editedid_core.records import Face, FacePair, FacePairs, Faces, Matching
from editedid_core.restore.overlay import origin_overlay
from editedid_core.restore.report import Restoration
from editedid_core.restore.runner import restore
from editedid_core.restore.sheet import result_sheets

SIZE = (96, 96)
PICTURES = torch.rand(3, *SIZE, 3, generator=torch.Generator().manual_seed(0))


class Stop(Exception):
    """What the host raises, here."""


def stop() -> None:
    raise Stop


@pytest.fixture
def faces(make_face: Callable[..., Face]) -> Faces:
    """One face in each of three pictures."""
    return Faces(tuple(make_face(48, 40, 20, embedding=[1, 0, 0], frame=i, image_size=SIZE) for i in range(3)), 3, SIZE)


@pytest.fixture
def pairs(faces: Faces) -> FacePairs:
    return FacePairs(tuple(FacePair(face, face, 1.0, (face,)) for face in faces.faces), (), ())


class Seen:
    """An analyzer that finds one given face in every picture, or none."""

    name, licence = "given", "none"

    def __init__(self, face: Face | None) -> None:
        self.face, self.pictures = face, 0

    def find(self, image: NDArray[np.uint8], threshold: float = 0.5) -> list[Face]:
        self.pictures += 1
        return [] if self.face is None else [replace(self.face, frame=0)]


def test_each_loop_stops_at_its_first_unit(faces: Faces, pairs: FacePairs) -> None:
    record = crop_pairs(PICTURES, PICTURES, pairs, 32).record
    nothing_done = Restoration(PICTURES, torch.zeros(3, *SIZE), (), (), (), 0, 0, 0, "none",
                               Matching(faces, faces, FacePairs((), (), ())))
    work: dict[str, Callable[[], object]] = {
        "detect": lambda: detect(PICTURES, Seen(None), on_frame=stop),
        "find": lambda: find_faces(PICTURES, boxes=[[], [], []], on_frame=stop),
        "compare": lambda: compare(PICTURES, PICTURES, Seen(faces.faces[0]), PICTURES, stop),
        "match": lambda: match_faces(faces, faces, 0.2, 0.0, tick=stop),
        "reshape": lambda: reshape_faces(PICTURES, pairs, 1.0, stop),
        "tone": lambda: retone_faces(PICTURES, PICTURES, pairs, 1.0, tick=stop),
        "cut": lambda: crop_pairs(PICTURES, PICTURES, pairs, 32, tick=stop),
        "paste": lambda: paste(PICTURES, torch.zeros(3, 32, 32, 3), record, tick=stop),
        "boxes": lambda: numbered_boxes(PICTURES, faces, stop),
        "thumbnails": lambda: with_thumbnails(PICTURES, faces, stop),
        "masks": lambda: faces_mask(faces, stop),
        "overlay": lambda: origin_overlay(PICTURES, torch.zeros(3, *SIZE), faces.faces, stop),
        "sheets": lambda: result_sheets(PICTURES, nothing_done, stop),
    }
    for name, loop in work.items():
        with pytest.raises(Stop):
            loop()
            pytest.fail(f"{name} ran to its end")


def test_each_loop_ticks_once_a_unit(faces: Faces, pairs: FacePairs) -> None:
    count: list[str] = []
    record = crop_pairs(PICTURES, PICTURES, pairs, 32, tick=lambda: count.append("cut")).record
    paste(PICTURES, torch.zeros(3, 32, 32, 3), record, tick=lambda: count.append("paste"))
    reshape_faces(PICTURES, pairs, 1.0, lambda: count.append("reshape"))
    retone_faces(PICTURES, PICTURES, pairs, 1.0, tick=lambda: count.append("tone"))
    match_faces(faces, faces, 0.2, 0.0, tick=lambda: count.append("match"))
    compare(PICTURES, PICTURES, Seen(faces.faces[0]), None, lambda: count.append("compare"))
    assert {name: count.count(name) for name in dict.fromkeys(count)} == {
        "cut": 3, "paste": 3, "reshape": 3, "tone": 3, "match": 3, "compare": 6}


def test_edits_without_a_face_stop_after_the_first(faces: Faces) -> None:
    analyzer = Seen(None)
    edits = torch.zeros(24, *SIZE, 3)
    config = RestoreConfig().changed({"find.no_face": "pass through"})
    left = [3]

    def soon() -> None:
        left[0] -= 1
        if not left[0]:
            raise Stop

    with pytest.raises(Stop):
        restore(edits, edits, analyzer, CompositeEngine(), config, tick=soon)
    assert analyzer.pictures == 3
