"""A person keeps a number through a sequence, gaps are filled, and places are smoothed."""

from collections.abc import Callable

import numpy as np

from editedid_core.faces.track import track_faces, tracked
from editedid_core.records import Face, Faces

MakeFace = Callable[..., Face]
ANNA, BEN = [1, 0, 0, 0], [0, 1, 0, 0]


def sequence(*faces: Face, frames: int) -> Faces:
    return Faces(tuple(sorted(faces, key=lambda face: (face.frame, face.centre[0]))), frames, (200, 300))


def test_people_who_pass_each_other_keep_their_numbers(make_face: MakeFace) -> None:
    """Anna walks to the right, Ben to the left: by place in the picture they change over."""
    faces = [make_face(60 + 16 * t, 80, 20, embedding=ANNA, frame=t) for t in range(12)]
    faces += [make_face(240 - 16 * t, 80, 20, embedding=BEN, frame=t) for t in range(12)]
    anna, ben = track_faces(sequence(*faces, frames=12), 0.0, 0)
    assert [len(anna.faces), len(ben.faces)] == [12, 12]
    assert all(int(np.argmax(face.embedding)) == 0 for face in anna.faces)
    assert [face.frame for face in ben.faces] == list(range(12))


def test_a_face_that_was_missed_is_put_between_its_neighbours(make_face: MakeFace) -> None:
    faces = [make_face(80 + 4 * t, 80, 20, embedding=ANNA, frame=t) for t in (0, 1, 4, 5)]
    (track,) = track_faces(sequence(*faces, frames=6), 0.0, 2)
    assert [face.frame for face in track.faces] == list(range(6))
    np.testing.assert_allclose(track.faces[3].points, make_face(92, 80, 20).points, atol=1e-4)
    assert len(tracked(sequence(*faces, frames=6), [track]).in_frame(2)) == 1
    assert len(track_faces(sequence(*faces, frames=6), 0.0, 1)) == 2


def test_a_cut_begins_a_new_person(make_face: MakeFace) -> None:
    faces = [make_face(80 if t < 3 else 220, 80, 20, embedding=ANNA if t < 3 else BEN, frame=t) for t in range(6)]
    first, second = track_faces(sequence(*faces, frames=6), 0.0, 3)
    assert (first.number, second.number) == (1, 2) and len(first.faces) == len(second.faces) == 3


def test_trembling_is_smoothed_and_steady_motion_is_kept(make_face: MakeFace) -> None:
    rng = np.random.default_rng(0)
    true = [make_face(80 + 5 * t, 80, 20, frame=t) for t in range(16)]
    shaken = [make_face(80 + 5 * t + x, 80 + y, 20, frame=t) for t, (x, y) in enumerate(rng.normal(0, 1, (16, 2)))]
    (same,), (steady,) = (track_faces(sequence(*faces, frames=16), 1.5, 0) for faces in (true, shaken))
    for face, one in zip(true, same.faces):
        np.testing.assert_allclose(one.points, face.points, atol=1e-3)

    def off(faces: tuple[Face, ...]) -> float:
        moved = [one.points.mean(0) - face.points.mean(0) for face, one in zip(true, faces)]
        return float(np.std(np.diff(moved, axis=0)))

    assert off(steady.faces) < 0.4 * off(tuple(shaken))
