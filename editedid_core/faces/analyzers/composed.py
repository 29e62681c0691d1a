"""Geometry by one analyzer, identity by another: the mesh finds faces, dlib or insightface recognises them. Where both
are installed the one gives the identity and the other a second opinion."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ...records import Face, FloatArray
from .protocol import FaceAnalyzer


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
        return [self.recognised(image, face) for face in self._geometry.find(image, threshold)]

    def recognised(self, image: NDArray[np.uint8], face: Face) -> Face:
        """The face with what the recognisers make of it in a picture (H, W, 3) uint8 RGB."""
        return replace(face, embedding=self._identity.embed(image, face),
                       second=None if self._second is None else self._second.embed(image, face))

    def embed(self, image: NDArray[np.uint8], face: Face) -> FloatArray:
        """See FaceRecogniser.embed."""
        return self._identity.embed(image, face)
