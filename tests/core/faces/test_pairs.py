"""The user's own choice of who is who: read, held against the faces, used or reported."""

from collections.abc import Callable

import numpy as np
import pytest

from editedid_core.config import MatchConfig
from editedid_core.faces.pairs_text import FaceNumber, PairChoice, PairChoices, read_pairs
from editedid_core.records import Face, FacePairs, Faces
from editedid_core.restore.caution import cautions
from editedid_core.restore.stages import left_alone, match

MakeFace = Callable[..., Face]

ANNA, BEN, CARO = [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]
LIKE_ANNA, LIKE_BEN = [0.8, 0, 0, 0.6], [0, 0.8, 0.1, 0.6]


@pytest.fixture
def photos(make_face: MakeFace) -> Faces:
    return Faces(tuple(make_face(80, 60, embedding=one, frame=i) for i, one in enumerate((ANNA, BEN, CARO))), 3,
                 (200, 300))


@pytest.fixture
def edit(make_face: MakeFace) -> Faces:
    return Faces((make_face(80, 60, embedding=LIKE_ANNA), make_face(220, 60, embedding=LIKE_BEN)), 1, (200, 300))


def who(found: FacePairs, photos: Faces, edit: Faces) -> dict[int, list[int]]:
    """For each matched face of the edit the faces of the photos, from 1."""
    return {edit.faces.index(pair.edited) + 1: [photos.faces.index(photo) + 1 for photo in pair.originals]
            for pair in found.pairs}


def test_the_text_is_read_as_it_is_meant() -> None:
    assert read_pairs("  ") == PairChoices()
    read = read_pairs("faces=3/5; 1=2 (0.31), 2.1 = 3 + 1.2\n4=Skip (-0.05)")
    assert read.counts == (3, 5)
    assert read.choices == (
        PairChoice(FaceNumber(1), (FaceNumber(2),), 0.31),
        PairChoice(FaceNumber(1, 2), (FaceNumber(3), FaceNumber(2, 1))),
        PairChoice(FaceNumber(4), (), -0.05),
    )
    assert list(map(str, read.choices)) == ["1=2", "2.1=3+1.2", "4=skip"]


@pytest.mark.parametrize("text", ["1", "1=", "one=2", "1=2=3", "1=2+", "1=2+skip", "1=2 0.3", "1:2", "1=-2", '{"1": 2}',
                                  "1=2 (2.5)", "1..2=3"])
def test_a_text_that_cannot_be_read_is_one_sentence(text: str) -> None:
    with pytest.raises(ValueError, match="^pairs holds '.*such as 1=2, 3=skip.*\\.$"):
        read_pairs(text)


def test_naming_a_face_twice_is_a_fault() -> None:
    with pytest.raises(ValueError, match="pairs names face 1 of the edit twice"):
        read_pairs("1=2, 1=skip")


def test_a_choice_comes_before_likeness_and_the_others_are_matched(photos: Faces, edit: Faces) -> None:
    assert who(match(photos, edit, MatchConfig()), photos, edit) == {1: [1], 2: [2]}
    found = match(photos, edit, MatchConfig(pairs="1=2"))  # although they are strangers
    assert who(found, photos, edit) == {1: [2]} and found.pairs[0].chosen and found.notes == ()
    assert "as chosen" in found.report(photos, edit)
    assert who(match(photos, edit, MatchConfig(pairs="2=3")), photos, edit) == {1: [1], 2: [3]}


def test_skip_leaves_a_face_alone_and_says_so(photos: Faces, edit: Faces) -> None:
    found = match(photos, edit, MatchConfig(pairs="1=skip"))
    assert who(found, photos, edit) == {2: [2]}
    (alone,) = left_alone(found, MatchConfig(), edit)
    assert alone.note == "left alone, as chosen" == alone.as_data()["note"]
    assert "Edited face 1: left alone, as chosen" in found.report(photos, edit)


def test_several_photos_or_one_of_them(photos: Faces, edit: Faces, make_face: MakeFace) -> None:
    assert who(match(photos, edit, MatchConfig(pairs="1=2+1")), photos, edit) == {1: [1, 2]}  # the likest comes first
    twice = Faces((*photos.faces, make_face(80, 60, embedding=LIKE_ANNA, frame=3)), 4, (200, 300))
    assert who(match(twice, edit, MatchConfig()), twice, edit)[1] == [4, 1]
    found = match(twice, edit, MatchConfig(pairs="1=1"))
    assert who(found, twice, edit) == {1: [1], 2: [2]}
    assert found.unmatched_original == (twice.faces[2],)  # the other photo is of somebody who is used


def test_pictures_of_a_batch_are_named_before_the_dot(photos: Faces, make_face: MakeFace) -> None:
    batch = Faces(tuple(make_face(80, 60, embedding=LIKE_ANNA, frame=i) for i in range(2)), 2, (200, 300))
    for text in ("2.1=3", "2=3.1"):
        assert who(match(photos, batch, MatchConfig(pairs=text)), photos, batch) == {1: [1], 2: [3]}


@pytest.mark.parametrize(("text", "said"), [
    ("faces=3/3, 1=2, 2=skip", "faces then: 3 in the edit and 3 in the photos; now: 2 in the edit and 3 in the photos"),
    ("1=2 (0.55)", "likeness was 0.55 when it was chosen and is 0.00 now"),
    ("1=skip (0.30)", "likeness was 0.30"),
    ("1=7", "the photos hold no face 7"),
    ("5=skip", "the edit holds no face 5"),
    ("2.1=1", "the edit holds no face 2.1"),
    ("1=0", "the photos hold no face 0"),
])
def test_a_choice_for_other_pictures_is_reported_and_not_used(photos: Faces, edit: Faces, text: str, said: str) -> None:
    plain = match(photos, edit, MatchConfig())
    found = match(photos, edit, MatchConfig(pairs=text))
    assert who(found, photos, edit) == who(plain, photos, edit) and not found.skipped
    (note,) = found.notes
    assert said in note and "choose again in the face map" in note
    assert note in found.report(photos, edit)


def test_what_was_seen_is_known_again(photos: Faces, edit: Faces) -> None:
    found = match(photos, edit, MatchConfig(pairs="faces=2/3, 1=2 (0.05), 2=skip (0.75)"))
    assert found.notes == () and who(found, photos, edit) == {1: [2]}


def test_two_faces_of_one_photo_are_not_one_person(make_face: MakeFace, edit: Faces) -> None:
    group = Faces((make_face(80, 60, embedding=ANNA), make_face(220, 60, embedding=BEN)), 1, (200, 300))
    found = match(group, edit, MatchConfig(pairs="1=1+2"))
    assert "in one photo and cannot be one person" in found.notes[0]


def test_without_embeddings_choices_hold(make_face: MakeFace) -> None:
    photos = Faces((make_face(80, 60), make_face(220, 60)), 1, (200, 300))
    edit = Faces((make_face(80, 60), make_face(220, 60)), 1, (200, 300))
    found = match(photos, edit, MatchConfig(pairs="1=2, 2=1 (0.4)"))
    assert who(found, photos, edit) == {1: [2], 2: [1]}


def test_look_alikes_are_doubtful_and_a_choice_ends_the_doubt(make_face: MakeFace) -> None:
    twin = np.array(ANNA) + [0, 0, 0.3, 0.1]
    photos = Faces((make_face(80, 60, embedding=ANNA), make_face(220, 60, embedding=list(twin)),
                    make_face(150, 60, embedding=BEN)), 1, (200, 300))
    edit = Faces((make_face(80, 60, embedding=LIKE_ANNA), make_face(150, 60, embedding=LIKE_BEN)), 1, (200, 400))
    anna, ben = match(photos, edit, MatchConfig()).pairs
    assert anna.rival is not None and ben.rival is None
    assert "doubtful: original face" in match(photos, edit, MatchConfig()).report(photos, edit)
    assert any("doubtful" in sentence for sentence in cautions(anna))
    assert not any("doubtful" in sentence for sentence in cautions(ben))
    chosen = match(photos, edit, MatchConfig(pairs="1=1")).pairs[0]
    assert chosen.rival is None
    assert match(photos, edit, MatchConfig(doubt=0.0)).pairs[0].rival is None
