"""What the node says about a result, in lines; and its progress, which never goes back."""

from __future__ import annotations

import torch

from editedid_core.records import FacePairs, Faces, Matching
from editedid_core.restore.report import Decision, FaceReport, LeftAlone, PictureReport, Restoration
from editedid_core.restore.sheet import result_sheets
from editedid_core.ticks import within

BOX = (10.0, 10.0, 40.0, 50.0)
NO_FACES = Faces((), 1, (64, 96))


def result(frames: int, *faces: FaceReport, alone: tuple[LeftAlone, ...] = ()) -> Restoration:
    image = torch.rand(frames, 64, 96, 3)
    pictures = tuple(PictureReport(i, sum(f.frame == i for f in faces), 1, 0) for i in range(frames))
    nobody = Matching(NO_FACES, NO_FACES, FacePairs((), (), ()))
    return Restoration(image, torch.zeros(frames, 64, 96), faces, alone, pictures, 0, 0, 0, "composite", nobody,
                       ("A note.",))


def test_a_line_a_face_in_order_with_its_photo_and_what_stays() -> None:
    second = FaceReport(0, BOX, 0.29, 0.52, 0.1, Decision.RESTORED, number=2, photo="photo 2", covered=0.2,
                        warnings=("It is small.",))
    kept = FaceReport(0, BOX, 0.31, 0.30, 0.1, Decision.KEPT_NO_NEARER, number=1)
    done = result(1, second, kept, alone=(LeftAlone(0, BOX, 0.1, 0.2, number=3),))
    lines = done.lines()
    assert [line.split(":")[0] for line in lines] == ["Face 1", "Face 2", "Face 3"]
    assert lines[0] == "Face 1: 0.31, the restored face was no nearer to the person; the edit's face is kept"
    assert lines[1] == "Face 2: 0.29 \u2192 0.52, restored from photo 2; 20% of it stays the edit's"
    assert "another person" in lines[2]
    assert done.cautions() == ["A note.", "Face 2: It is small."]


def test_faces_of_a_batch_name_their_picture_and_empty_pictures_are_named() -> None:
    done = result(3, *(FaceReport(i, BOX, 0.2, 0.4, 0.1, Decision.RESTORED) for i in (0, 2)))
    assert done.lines() == ["Face 1 of picture 1: 0.20 \u2192 0.40, restored",
                            "Face 1 of picture 3: 0.20 \u2192 0.40, restored",
                            "Picture 2: no face was found; the picture is unchanged"]


def test_the_sheet_shows_every_picture_before_and_after_in_one_size() -> None:
    done = result(2, FaceReport(0, BOX, 0.2, 0.4, 0.1, Decision.RESTORED, photo="photo 2"))
    edited = torch.zeros(2, 64, 96, 3)
    first, second = result_sheets(edited, done)
    assert first.shape == second.shape and first.shape[1] >= 2 * 96
    assert first[34 + 60, 12 + 90].max() == 0  # the edit, without the mark
    assert (first != second).any()


def test_a_part_of_the_work_says_where_the_whole_is() -> None:
    told: list[tuple[str, float]] = []
    within(lambda words, done: told.append((words, done)), 0.5, 1.0, "face 2 of 2: ")("sampling", 0.5)
    assert told == [("face 2 of 2: sampling", 0.75)]
