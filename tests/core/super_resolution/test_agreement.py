"""Several photos of a person: whom they show, and how far their results differ."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from editedid_core.engines.protocol import FaceJob
from editedid_core.engines.super_resolution.engine import AGREEING, SuperResolutionEngine
from editedid_core.engines.super_resolution.settings import SuperResolution
from editedid_core.records import Face, Faces
from editedid_core.restore.reference_photos import agreement

S = 32
ADULT = (1.0, 0.0, 0.0)
CHILD = (0.5, np.sqrt(0.75), 0.0)  # likeness 0.5
STRANGER = (0.0, 0.0, 1.0)


def photos(*people: tuple[float, ...] | None) -> Faces:
    """A face in each photo, with these embeddings."""
    points = np.array([[10, 10], [20, 10], [15, 15], [11, 20], [19, 20]], np.float32)
    box = np.array([5, 5, 25, 25], np.float32)
    found = [Face(box, points, 1.0, None if who is None else np.asarray(who, np.float32), None, frame, (S, S))
             for frame, who in enumerate(people)]
    return Faces(tuple(found), len(people), (S, S))


def test_photos_of_somebody_else_and_of_another_age_are_left_out_and_named() -> None:
    found = agreement(photos(ADULT, STRANGER, ADULT, CHILD, ADULT), 0.6)
    assert [[face.frame for face in one] for one in found.candidates] == [[0, 2, 4]] and not found.tied
    assert [face.frame for face in found.others] == [1, 3]
    assert "picture 2" in found.notes[0] and "(likeness 0.00)" in found.notes[0]
    assert "picture 4" in found.notes[1] and "another age (likeness 0.50)" in found.notes[1]


@pytest.mark.parametrize("who", [(STRANGER, ADULT), (STRANGER, STRANGER, ADULT, ADULT, CHILD)])
def test_where_as_many_photos_show_each_nobody_is_called_the_wrong_one(who: tuple[tuple[float, ...], ...]) -> None:
    found = agreement(photos(*who), 0.6)
    assert found.tied and len(found.candidates) == 2
    assert all("most" not in note for note in found.notes) and len(found.notes) == len(who) % 2


def test_a_photo_that_is_less_like_the_others_is_flagged_and_stays() -> None:
    near = (0.95, np.sqrt(1 - 0.95**2), 0.0)
    young = (0.7, 0.0, np.sqrt(1 - 0.7**2))
    found = agreement(photos(ADULT, near, young, ADULT), 0.6)
    assert len(found.candidates[0]) == 4 and not found.others
    (note,) = found.notes
    assert "picture 3" in note and "another age" in note and "(likeness 0.69)" in note and "(0.97)" in note
    assert not agreement(photos(ADULT, near, ADULT), 0.6).notes
    assert not agreement(photos(ADULT, young), 0.6).notes  # of two, nobody knows which one is odd


def test_faces_without_an_embedding_are_each_their_own() -> None:
    found = agreement(photos(ADULT, None, ADULT), 0.6)
    assert [face.frame for face in found.others] == [1] and "likeness" not in found.notes[0]


def test_results_of_several_photos_are_held_against_each_other() -> None:
    generator = torch.Generator().manual_seed(0)
    first = torch.rand(1, S, S, 3, generator=generator)
    face = torch.zeros(S, S)
    face[8:24, 8:24] = 1

    def spread(*others: torch.Tensor) -> float | None:
        rest = torch.cat(others) if others else first[:0]
        job = FaceJob(first, torch.full_like(first, 0.5), rest, face, torch.zeros(S, S), 0.0, 1.0, true_pixels=8.0,
                      trust=0.5)
        return SuperResolutionEngine(SuperResolution()).run(job).spread

    off = torch.rand(1, S, S, 3, generator=generator)
    near = 0.9 * first + 0.1 * off
    assert spread() is None and spread(first) == pytest.approx(0, abs=1e-6)
    some, much = spread(near), spread(off)
    assert some is not None and much is not None and 0 < some < 0.3 * much
    beside = first.clone()
    beside[:, :6] = 0  # not in the face
    assert spread(beside) == pytest.approx(0, abs=0.02)
    assert spread(*[first] * AGREEING, off) == pytest.approx(0, abs=1e-6)  # what fits worst does not count
