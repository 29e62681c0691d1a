"""What the front end's face map is told, and that the text it names is understood again."""

import base64
import io
import json
from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image

from editedid_core.config import MatchConfig
from editedid_core.faces import face_map
from editedid_core.faces.preview import with_thumbnails
from editedid_core.records import Face, Faces, Matching
from editedid_core.restore.stages import match

MakeFace = Callable[..., Face]

ANNA, BEN, CARO = [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]
LIKE_ANNA, LIKE_BEN = [0.8, 0, 0, 0.6], [0, 0.8, 0.1, 0.6]
TWO = MatchConfig(pairs="faces=2/3, 2=skip (0.80)")


@pytest.fixture
def matching(make_face: MakeFace) -> Callable[..., Matching]:
    photos = Faces((make_face(80, 60, embedding=ANNA), make_face(80, 60, embedding=LIKE_ANNA, frame=1),
                    make_face(80, 60, embedding=BEN, frame=2)), 3, (200, 300))
    edit = Faces((make_face(80, 60, embedding=LIKE_ANNA), make_face(220, 60, embedding=LIKE_BEN)), 1, (200, 300))
    pictures = [torch.rand(faces.frames, *faces.image_size, 3) for faces in (photos, edit)]
    photos, edit = (with_thumbnails(image, faces) for image, faces in zip(pictures, (photos, edit)))
    return lambda config: Matching(photos, edit, match(photos, edit, config))


def shown(found: Matching, config: MatchConfig) -> dict:
    """The map's data as it comes out of JSON."""
    data = face_map.face_map(found, config.pairs, config.same_person, *(lambda face: face.thumbnail,) * 2)
    return json.loads(json.dumps(data))


def test_everybody_is_told_with_name_likeness_and_picture(matching: Callable[..., Matching]) -> None:
    data = shown(matching(MatchConfig()), MatchConfig())
    assert data["counts"] == [2, 3]
    assert [face["name"] for face in data["edited"]] == ["1", "2"]
    assert [(photo["name"], photo["label"], photo["person"]) for photo in data["photos"]] == [
        ("1", "photo 1", 1), ("2", "photo 2", 1), ("3", "photo 3", 2)]
    assert data["edited"][0]["likeness"] == [0.8, 1.0, 0.0] and data["edited"][0]["likest"] == 1.0
    assert [(pair["edited"], pair["photos"], pair["chosen"]) for pair in data["matched"]] == [
        (0, [1, 0], False), (1, [2], False)]
    picture = Image.open(io.BytesIO(base64.b64decode(data["edited"][0]["picture"].split(",")[1])))
    assert picture.size == (96, 96) and np.asarray(picture).std() > 10


def test_what_was_chosen_and_what_no_longer_fits_is_told(matching: Callable[..., Matching]) -> None:
    data = shown(matching(TWO), TWO)
    assert [face["skip"] for face in data["edited"]] == [False, True] and data["notes"] == []
    other = MatchConfig(pairs="faces=4/3, 2=skip")
    data = shown(matching(other), other)
    assert not any(face["skip"] for face in data["edited"]) and "other pictures" in data["notes"][0]


def test_the_names_and_likenesses_it_gives_are_understood_again(matching: Callable[..., Matching]) -> None:
    data = shown(matching(MatchConfig()), MatchConfig())
    edit, photo = data["edited"][1], data["photos"][0]
    counts = "/".join(map(str, data["counts"]))
    text = f"faces={counts}, {edit['name']}={photo['name']} ({edit['likeness'][0]:.2f})"
    found = matching(MatchConfig(pairs=text))
    (pair,) = found.pairs.pairs  # nobody is left for the other face
    assert found.pairs.notes == () and pair.chosen
    assert pair.edited is found.edited.faces[1] and pair.original is found.originals.faces[0]


def test_pictures_with_several_faces_are_named_before_the_dot(make_face: MakeFace) -> None:
    photos = Faces((make_face(80, 60, embedding=ANNA), make_face(220, 60, embedding=BEN),
                    make_face(80, 60, embedding=CARO, frame=1)), 2, (200, 300))
    found = Matching(photos, photos, match(photos, photos, MatchConfig()))
    data = shown(found, MatchConfig())
    assert [photo["name"] for photo in data["photos"]] == ["1.1", "1.2", "2.1"]
    assert [photo["label"] for photo in data["photos"]] == ["face 1 of photo 1", "face 2 of photo 1", "photo 2"]


def test_a_crowd_is_cut_off_and_counted(make_face: MakeFace, monkeypatch: pytest.MonkeyPatch) -> None:
    crowd = Faces(tuple(make_face(80, 60, embedding=ANNA, frame=i) for i in range(5)), 5, (200, 300))
    monkeypatch.setattr(face_map, "MOST_FACES", 3)
    data = shown(Matching(crowd, crowd, match(crowd, crowd, MatchConfig())), MatchConfig())
    assert len(data["edited"]) == len(data["photos"]) == 3 and data["counts"] == [5, 5]
    assert all(pair["edited"] < 3 and max(pair["photos"]) < 3 for pair in data["matched"])
