"""Geometry by one analyzer, identity by another: the mesh finds faces, dlib or insightface recognises them. Where both
are installed the one gives the identity and the other a second opinion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ...records import Face, FloatArray
from .protocol import FaceAnalyzer, find_each


@runtime_checkable
class FaceRecogniser(Protocol):
    """Recognises a face that something else has found."""

    @property
    def name(self) -> str:
        """Backend and weights in a few words, as shown to the user."""

    @property
    def licence(self) -> str:
        """Licence of the weights in one sentence."""

    def embed(self, image: NDArray[np.uint8], face: Face) -> FloatArray:
        """The embedding (D,) of length 1 of a face of a picture (H, W, 3) uint8 RGB."""


Seen = tuple[NDArray[np.uint8], Face]
"""A picture (H, W, 3) uint8 RGB, and a face in it."""


@runtime_checkable
class EmbedsTogether(Protocol):
    """A recogniser that embeds several faces in less time than one after another."""

    def embed_each(self, faces: Sequence[Seen]) -> list[FloatArray]:
        """What FaceRecogniser.embed gives for each of the faces."""


class ComposedAnalyzer:
    """FaceAnalyzer that finds faces with `geometry` and recognises them with `identity`. second: gives the embedding of
    the guard's second opinion, or None."""

    def __init__(self, geometry: FaceAnalyzer, identity: FaceRecogniser, second: FaceRecogniser | None = None) -> None:
        self._geometry, self._identity, self._second = geometry, identity, second

    @property
    def name(self) -> str:
        both = f"{self._geometry.name} + {self._identity.name}"
        return both if self._second is None else f"{both}, second opinion {self._second.name}"

    @property
    def licence(self) -> str:
        both = f"{self._geometry.licence}; {self._identity.licence}"
        return both if self._second is None else f"{both}; {self._second.licence}"

    def find(self, image: NDArray[np.uint8], threshold: float = 0.5) -> list[Face]:
        """See FaceAnalyzer.find."""
        return self.find_each([image], threshold)[0]

    def find_each(self, images: Sequence[NDArray[np.uint8]], threshold: float = 0.5) -> list[list[Face]]:
        """See FindsTogether.find_each."""
        found = find_each(self._geometry, images, threshold)
        known = iter(self.recognised([(image, face) for image, some in zip(images, found) for face in some]))
        return [[next(known) for _ in some] for some in found]

    def recognised(self, faces: Sequence[Seen]) -> list[Face]:
        """The faces with what the recognisers make of each in its picture."""
        first = _embeddings(self._identity, faces)
        second = [None] * len(faces) if self._second is None else _embeddings(self._second, faces)
        return [replace(face, embedding=one, second=other) for (_, face), one, other in zip(faces, first, second)]

    def embed(self, image: NDArray[np.uint8], face: Face) -> FloatArray:
        """See FaceRecogniser.embed."""
        return self._identity.embed(image, face)


def _embeddings(recogniser: FaceRecogniser, faces: Sequence[Seen]) -> list[FloatArray]:
    if isinstance(recogniser, EmbedsTogether):
        return recogniser.embed_each(faces)
    return [recogniser.embed(image, face) for image, face in faces]
