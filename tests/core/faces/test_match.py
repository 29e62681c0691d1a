"""Who is who."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from editedid_core.config import MatchConfig
from editedid_core.faces.detect import ORDERS, sort_faces
from editedid_core.faces.match import group_people
from editedid_core.faces.similarity import face_similarity
from editedid_core.records import Face, Faces
from editedid_core.restore.stages import left_alone, match

MakeFace = Callable[..., Face]

ANNA, BEN, CARO = [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]
LIKE_ANNA, LIKE_BEN = [0.8, 0, 0, 0.6], [0, 0.8, 0.1, 0.6]


def one_photo(*faces, frames: int = 1, size: tuple[int, int] = (200, 300)) -> Faces:
    return Faces(tuple(faces), frames, size)


def test_identity_decides_where_people_have_changed_places(make_face: MakeFace) -> None:
    originals = one_photo(make_face(80, 60, embedding=ANNA), make_face(220, 60, embedding=BEN))
    edited = one_photo(make_face(80, 60, embedding=LIKE_BEN), make_face(220, 60, embedding=LIKE_ANNA))
    pairs = match(originals, edited, MatchConfig()).pairs
    assert [pair.original is originals.faces[i] for pair, i in zip(pairs, (1, 0))] == [True, True]


def test_place_decides_where_identity_has_drifted_away(make_face: MakeFace) -> None:
    originals = one_photo(make_face(80, 60, embedding=ANNA), make_face(220, 60, embedding=BEN))
    edited = one_photo(make_face(82, 61, embedding=CARO), make_face(221, 62, embedding=CARO))
    pairs = match(originals, edited, MatchConfig(min_similarity=-1.0)).pairs
    assert [pair.original is face for pair, face in zip(pairs, originals.faces)] == [True, True]
    assert match(originals, edited, MatchConfig()).pairs == ()


def test_two_strangers_with_one_face_each_are_left_alone_and_the_report_says_why(make_face: MakeFace) -> None:
    """The same place and nobody else to choose from: the threshold holds all the same."""
    originals, edited = one_photo(make_face(80, 60, embedding=ANNA)), one_photo(make_face(80, 60, embedding=BEN))
    result = match(originals, edited, MatchConfig(min_similarity=0.5))
    assert result.pairs == () and result.unmatched_edited == edited.faces
    assert "likely another person" in result.report(originals, edited)
    (alone,) = left_alone(result, MatchConfig(min_similarity=0.5), edited)
    assert alone.likeness == pytest.approx(0.0) and "min_similarity 0.50" in alone.note
    assert match(originals, edited, MatchConfig(min_similarity=-1.0)).pairs


def test_the_unmatched_are_reported(make_face: MakeFace) -> None:
    originals = one_photo(make_face(80, 60, embedding=ANNA))
    edited = one_photo(make_face(80, 60, embedding=LIKE_ANNA), make_face(220, 60, embedding=BEN))
    result = match(originals, edited, MatchConfig())
    assert result.unmatched_edited == (edited.faces[1],)
    assert "left alone" in result.report(originals, edited)
    alone = match(one_photo(make_face(80, 60, embedding=CARO)), one_photo(make_face(220, 60, embedding=BEN)),
                  MatchConfig())
    assert not alone.pairs
    assert len(alone.unmatched_original) == 1


def test_several_photos_of_one_person_are_one_person(make_face: MakeFace) -> None:
    photos = one_photo(
        make_face(80, 60, embedding=ANNA, frame=0), make_face(80, 60, embedding=LIKE_ANNA, frame=1),
        make_face(80, 60, embedding=BEN, frame=2), frames=3,
    )
    edited = one_photo(make_face(100, 60, embedding=[0.7, 0, 0, 0.7]), make_face(220, 60, embedding=LIKE_BEN))
    pairs = match(photos, edited, MatchConfig()).pairs
    assert [len(pair.originals) for pair in pairs] == [2, 1]
    assert pairs[0].original is photos.faces[1]  # the photo most like the edit comes first


def test_two_faces_of_one_photo_are_two_people(make_face: MakeFace) -> None:
    twins = one_photo(make_face(80, 60, embedding=ANNA), make_face(220, 60, embedding=ANNA))
    assert len(group_people(twins.faces)) == 2


def test_without_embeddings_the_place_counts(make_face: MakeFace) -> None:
    originals = one_photo(make_face(80, 60), make_face(220, 60))
    edited = one_photo(make_face(222, 58), make_face(78, 62))
    pairs = match(originals, edited, MatchConfig()).pairs
    assert [pair.original is originals.faces[i] for pair, i in zip(pairs, (1, 0))] == [True, True]
    assert pairs[0].similarity is None


def test_every_frame_is_matched_by_itself(make_face: MakeFace) -> None:
    originals = one_photo(make_face(80, 60, embedding=ANNA))
    edited = one_photo(*(make_face(80, 60, embedding=LIKE_ANNA, frame=i) for i in range(3)), frames=3)
    assert [pair.edited.frame for pair in match(originals, edited, MatchConfig()).pairs] == [0, 1, 2]


def test_nobody_to_match(make_face: MakeFace) -> None:
    nobody, somebody = one_photo(), one_photo(make_face(80, 60, embedding=ANNA))
    assert match(nobody, somebody, MatchConfig()).unmatched_edited == somebody.faces
    assert match(somebody, nobody, MatchConfig()).unmatched_original == somebody.faces
    assert match(nobody, nobody, MatchConfig()).report(nobody, nobody) == "No faces to match"


def test_similarity_needs_embeddings_of_one_analyzer(make_face: MakeFace) -> None:
    with pytest.raises(ValueError, match="no identity embedding"):
        face_similarity(make_face(1, 1), make_face(1, 1, embedding=ANNA))
    with pytest.raises(ValueError, match="different analyzers"):
        face_similarity(make_face(1, 1, embedding=[1, 0]), make_face(1, 1, embedding=ANNA))
    with pytest.raises(ValueError, match="different analyzers"):
        match(one_photo(make_face(80, 60, embedding=[1, 0])), one_photo(make_face(80, 60, embedding=ANNA)),
              MatchConfig())
    assert face_similarity(make_face(1, 1, embedding=ANNA), make_face(1, 1, embedding=LIKE_ANNA)) == pytest.approx(0.8)


@settings(max_examples=40)
@given(st.permutations(list(range(5))), st.sampled_from([order for order in ORDERS if order != "reference"]))
def test_the_order_does_not_depend_on_how_faces_were_found(make_face: MakeFace, found: list[int], order: str) -> None:
    faces = [
        make_face(40 + 50 * i, 50 + 7 * (i * 3 % 5), 12 + i * 2 % 7, score=0.5 + 0.09 * (i * 2 % 5)) for i in range(5)
    ]
    expected = sort_faces(one_photo(*faces), order).faces
    got = sort_faces(one_photo(*(faces[i] for i in found)), order).faces
    assert [id(face) for face in got] == [id(face) for face in expected]


def test_orders_mean_what_they_say(make_face: MakeFace) -> None:
    left, right = make_face(60, 90, 20, score=0.6), make_face(160, 70, 12, score=0.8)
    faces = one_photo(left, right)
    firsts = {order: sort_faces(faces, order).faces[0] for order in ORDERS if order != "reference"}
    assert firsts["left-right"] is left
    assert firsts["right-left"] is right
    assert firsts["top-bottom"] is right
    assert firsts["large-small"] is left
    assert firsts["centre"] is right
    assert firsts["confidence"] is right


def test_the_order_of_a_reference_is_followed(make_face: MakeFace) -> None:
    reference = one_photo(make_face(60, 60, embedding=BEN), make_face(220, 60, embedding=ANNA))
    faces = one_photo(make_face(40, 60, embedding=CARO), make_face(120, 60, embedding=LIKE_ANNA),
                      make_face(220, 60, embedding=LIKE_BEN))
    got = sort_faces(faces, "reference", reference).faces
    assert [np.argmax(face.embedding) for face in got] == [1, 0, 2]
    with pytest.raises(ValueError, match="reference_image"):
        sort_faces(faces, "reference", replace(reference, faces=()))
