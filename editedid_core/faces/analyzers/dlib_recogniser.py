"""dlib's recogniser alone, about landmarks that something else has found.

Its 68-point landmark model, whose training data excludes commercial use, is not needed then. On 101 photographs of 24
people same and different people are told apart as well as with it (AUC .9994 and .9995), with embeddings that agree to
a cosine of .99; measured 2026-11.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...geometry.affine import apply, crop_frame, scale_of
from ...geometry.landmarks import as_68
from ...records import Face, FloatArray
from .dlib_backend import ELSEWHERE, INSTALL, dlib_available, open_recogniser
from .dlib_mean import centred
from .dlib_network import SIDE
from .face_window import reduced
from .faults import AnalyzerError, in_words
from .licences import DLIB_RECOGNISER

_AT_ONCE = 16  # faces in one pass of the network
_SIDE = 320  # pixels of the crop from which the network's picture is cut


class DlibRecogniser:
    """FaceRecogniser over dlib's ResNet, 128 numbers; calibrated as DlibAnalyzer, so their scores compare."""

    def __init__(self) -> None:
        if not dlib_available():
            raise AnalyzerError(f"The face recogniser dlib is not installed: run `{INSTALL}` in ComfyUI's Python.")
        import dlib

        self._dlib = dlib
        self._network = open_recogniser()

    @property
    def name(self) -> str:
        return "dlib"

    @property
    def licence(self) -> str:
        return f"{DLIB_RECOGNISER.vendor}: {DLIB_RECOGNISER.terms}"

    def embed(self, image: NDArray[np.uint8], face: Face) -> FloatArray:
        """See FaceRecogniser.embed. Raises AnalyzerError for a face without dense landmarks of a known layout."""
        return self.embed_each([(image, face)])[0]

    def embed_each(self, faces: Sequence[tuple[NDArray[np.uint8], Face]]) -> list[FloatArray]:
        """See EmbedsTogether.embed_each. Raises as embed() does."""
        found: list[FloatArray] = []
        for first in range(0, len(faces), _AT_ONCE):
            chips = [self._chip(image, face) for image, face in faces[first:first + _AT_ONCE]]
            both = np.stack([view for chip in chips for view in (chip, chip[:, ::-1])])
            with in_words("The face recogniser dlib", "recognising a face", "the CPU", ELSEWHERE):
                descriptors = self._network.describe(both)
            found += [centred(descriptors[2 * i:2 * i + 2]) for i in range(len(chips))]
        return found

    def _chip(self, image: NDArray[np.uint8], face: Face) -> NDArray[np.uint8]:
        """The face as the network takes it."""
        dense = as_68(face.dense)
        if dense is None:
            raise AnalyzerError("dlib recognises a face by its dense landmarks: find it with the face mesh.")
        part, (points,) = reduced_around(image, face.points, dense)
        dlib = self._dlib
        box = dlib.rectangle(0, 0, part.shape[1] - 1, part.shape[0] - 1)
        parts = [dlib.point(round(x), round(y)) for x, y in points]
        chip: NDArray[np.uint8] = dlib.get_face_chip(part, dlib.full_object_detection(box, parts), size=SIDE)
        return chip


def reduced_around(image: NDArray[np.uint8], five: NDArray[np.floating], *points: NDArray[np.floating]
                   ) -> tuple[NDArray[np.uint8], list[NDArray[np.float64]]]:
    """The part of a picture that holds a face, made smaller while a crop of 320 pixels loses nothing by it.

    five: (5, 2), the face's points in the picture. Returns the part and each of `points` (K, 2) in its pixels.
    """
    frame = crop_frame(five, _SIDE)
    middle, side = apply(frame, np.full(2, (_SIDE - 1) / 2)), scale_of(frame) * _SIDE
    low = np.clip(np.floor(middle - side), 0, [image.shape[1] - 1, image.shape[0] - 1]).astype(int)
    high = np.maximum(np.ceil(middle + side).astype(int) + 1, low + 1)
    part = image[low[1]:high[1], low[0]:high[0]]
    factor = max(1, int(scale_of(frame)))
    factor = 1 if min(part.shape[:2]) < factor else factor
    part = reduced(part, factor) if factor > 1 else np.ascontiguousarray(part)
    return part, [(np.asarray(p, dtype=np.float64) - low + 0.5) / factor - 0.5 for p in points]
