"""The records that the stages pass on. Each face is found once; no later stage searches for it again.

Coordinates: pixels, x to the right, y down; the centre of the top-left pixel is (0, 0).
The five points, in order: the eye at the left of the picture, the eye at its right, tip of the nose, the corner of
the mouth at the left of the picture, the corner at its right (for a face that is upright).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch


FloatArray = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Face:
    """One face, found once.

    box: (4,) float32 x1, y1, x2, y2 in pixels; it may reach over the border of the picture.
    points: (5, 2) float32, the five points in the order above.
    score: how sure the detector is, 0 to 1.
    embedding: (D,) float32 of length 1, or None if the face was not recognised.
    dense: (K, 2) float32 dense landmarks, or None. K tells the layout: 68 (iBUG), 106 (insightface), 478 (MediaPipe).
    frame: index of the picture in its batch.
    image_size: (height, width) of that picture.
    mesh: (478, 3) float32 MediaPipe's points, irises last, x and y in pixels, depth in pixels too and towards the
    camera negative; None where another analyzer found the face. Its jaw is another contour than that of dense
    landmarks of other analyzers: never carry it over between them.
    second: (D',) float32 of length 1, the embedding by another recogniser, for the guard; None where there is none.
    """

    box: FloatArray
    points: FloatArray
    score: float
    embedding: FloatArray | None
    dense: FloatArray | None
    frame: int
    image_size: tuple[int, int]
    mesh: FloatArray | None = None
    thumbnail: NDArray[np.uint8] | None = None
    second: FloatArray | None = None

    @property
    def centre(self) -> FloatArray:
        """(2,) float32 middle of the box."""
        return np.asarray((self.box[:2] + self.box[2:]) / 2, dtype=np.float32)

    @property
    def size(self) -> float:
        """Shorter side of the box in pixels."""
        return float(min(self.box[2] - self.box[0], self.box[3] - self.box[1]))


@dataclass(frozen=True, eq=False)
class Faces:
    """All faces of a batch of pictures, in the chosen order (frame by frame).

    frames: number of pictures in the batch. image_size: (height, width) of each of them. notes: sentences on how they
    were found.
    """

    faces: tuple[Face, ...]
    frames: int
    image_size: tuple[int, int]
    notes: tuple[str, ...] = ()

    def in_frame(self, frame: int) -> tuple[Face, ...]:
        """The faces of one picture of the batch, in order."""
        return tuple(face for face in self.faces if face.frame == frame)

    def number(self, face: Face) -> int:
        """The face's number in its picture, counted from 1; a face whose points were placed anew keeps its number."""
        return next(i for i, other in enumerate(self.in_frame(face.frame), start=1)
                    if other is face or np.array_equal(other.box, face.box))

    def label(self, face: Face) -> str:
        """The face's number in its picture, counted from 1, with the picture's number where there are several."""
        number = self.number(face)
        return f"face {number}" if self.frames == 1 else f"face {number} of picture {face.frame + 1}"


@dataclass(frozen=True, eq=False)
class Placement:
    """How a face that is too small to be found was laid out by its photos. spread: uncertainty of its points, one
    standard deviation in eye distances. explained: share of its contrast that the best photo explains, up to 1; a
    stranger's photo explains less. margin: how much speaks for the face being the photos' person; below 0 it looks like
    somebody else's; None where its pixels do not tell, or no recogniser looked."""

    spread: float
    explained: float
    margin: float | None = None


@dataclass(frozen=True, eq=False)
class Rival:
    """A face that could stand in a pair nearly as well: of another person, or another face of the edit. likeness:
    cosine to the other side of the pair."""

    face: Face
    likeness: float


@dataclass(frozen=True, eq=False)
class FacePair:
    """A face of the edited picture and the same person in the original.

    similarity: cosine in [-1, 1] of the edited face to the mean of the photos, or None if an embedding is missing.
    originals: all photos of that person, best first; originals[0] is original.
    shaped: whether the edited face has taken the person's shape (reshape.py), so that the two
    faces' landmarks differ only in pose and expression. found: the edited face before it was shaped, if it was.
    placement: how the photos explain the edited face, in a super-resolution alone.
    chosen: whether the user named this pair. rival: who makes the pair doubtful, or None.
    """

    original: Face
    edited: Face
    similarity: float | None
    originals: tuple[Face, ...]
    shaped: bool = False
    found: Face | None = None
    placement: Placement | None = None
    chosen: bool = False
    rival: Rival | None = None

    @property
    def as_found(self) -> Face:
        """The edited face as it was found, before it was shaped."""
        return self.edited if self.found is None else self.found


@dataclass(frozen=True, eq=False)
class FacePairs:
    """The result of matching, in the order of the edited faces. Later stages leave unmatched faces alone.

    refused: pairs that were given up because the two are too unlike; their faces are also in the unmatched ones.
    skipped: faces of the edit that the user wants left alone, likewise. notes: sentences about choices that do not fit.
    """

    pairs: tuple[FacePair, ...]
    unmatched_original: tuple[Face, ...]
    unmatched_edited: tuple[Face, ...]
    refused: tuple[FacePair, ...] = ()
    skipped: tuple[Face, ...] = ()
    notes: tuple[str, ...] = ()

    def report(self, originals: Faces, edited: Faces) -> str:
        """A line for the user per pair and per face left alone; numbers are those of the detection previews."""
        lines = []
        for pair in self.pairs:
            score = "by place" if pair.similarity is None else f"similarity {pair.similarity:.3f}"
            photos = "" if len(pair.originals) == 1 else f", {len(pair.originals)} photos"
            names = f"Edited {edited.label(pair.edited)} is original {originals.label(pair.original)}"
            chosen = ", as chosen" if pair.chosen else ""
            lines.append(f"{names} ({score}{photos}{chosen}){_doubt(pair, originals, edited)}")
        unlike = {id(pair.edited): pair for pair in self.refused}
        for face in self.unmatched_edited:
            other = unlike.get(id(face))
            none = "left alone, as chosen" if face in self.skipped else "no partner, left alone"
            why = none if other is None else (
                f"left alone, likely another person than original {originals.label(other.original)}" +
                ("" if other.similarity is None else f" (similarity {other.similarity:.3f})"))
            lines.append(f"Edited {edited.label(face)}: {why}")
        lines += [f"Original {originals.label(face)}: no partner, not used" for face in self.unmatched_original]
        lines += self.notes
        return "\n".join(lines) or "No faces to match"


def _doubt(pair: FacePair, originals: Faces, edited: Faces) -> str:
    """What makes a pair doubtful, in words; empty where nothing does."""
    if pair.rival is None:
        return ""
    side, faces = ("edited", edited) if pair.rival.face in edited.faces else ("original", originals)
    return f"; doubtful: {side} {faces.label(pair.rival.face)} is as like ({pair.rival.likeness:.3f})"


@dataclass(frozen=True, eq=False)
class Matching:
    """Who is who, with all faces that were found. people: of frames of one sequence, the same with one face a person,
    as if one picture held everybody; the faces have thumbnails."""

    originals: Faces
    edited: Faces
    pairs: FacePairs
    people: Matching | None = None


@dataclass(frozen=True, eq=False)
class FaceCrop:
    """Where one upright square crop lies in the edited picture.

    to_image: (2, 3) float64, takes crop pixels to pixels of the edited picture (a similarity).
    to_original: (2, 3) float64, takes crop pixels to pixels of the original photo (the global part of the warp).
    size: side of the crop in pixels. frame: index of the edited picture in its batch. glasses: whether the edited face
    wears some; False where the faces were not read. photo: (z, z, 3), the original as it lies in the crop, z at most
    256, for the guard to tell ghosts by; None where it does not lie on the edit's mesh.
    """

    pair: FacePair
    to_image: NDArray[np.float64]
    to_original: NDArray[np.float64]
    size: int
    frame: int
    glasses: bool = False
    photo: torch.Tensor | None = None


@dataclass(frozen=True, eq=False)
class PasteRecord:
    """Everything that paste() needs to put crops back.

    masks: (N, S, S) float32 in [0, 1], which parts of each crop may be written. image_size: (height, width). frames:
    pictures.
    """

    crops: tuple[FaceCrop, ...]
    masks: torch.Tensor
    image_size: tuple[int, int]
    frames: int


@dataclass(frozen=True, eq=False)
class CropResult:
    """Crops of N pairs, upright, S by S pixels, row for row the same person.

    original: (N, S, S, 3) the original photo warped onto the edited face. edited: (N, S, S, 3).
    face_mask: (N, S, S) soft, 1 on the face; it includes elements that lie over the face.
    element_mask: (N, S, S) soft, 1 where something that belongs to the edit covers or touches the face.
    """

    original: torch.Tensor
    edited: torch.Tensor
    face_mask: torch.Tensor
    element_mask: torch.Tensor
    record: PasteRecord


@dataclass(frozen=True, eq=False)
class Identity:
    """A person as tokens of a prompt, fitted on their photos.

    name: of the embedding file. vectors: by text encoder, (K, width) float32, its inputs. context: the host's
    conditioning of the prompt that they were fitted in, which a model takes as it is.
    """

    name: str
    vectors: Mapping[str, torch.Tensor]
    context: list[list[Any]]
