"""What every face analyzer offers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ...records import Face


class FaceAnalyzer(Protocol):
    """Finds and recognises faces. Holds its networks, never pictures or results."""

    @property
    def name(self) -> str:
        """Backend and weights in a few words, as shown to the user."""

    @property
    def licence(self) -> str:
        """Licence of the weights in one sentence."""

    def find(self, image: NDArray[np.uint8], threshold: float = 0.5) -> list[Face]:
        """All faces of one upright picture.

        image: (H, W, 3) uint8 RGB, at least 1 by 1 pixel. threshold: least score, 0 to 1.
        Returns faces with frame 0, with embeddings of length 1, in no particular order; empty when there is none.
        """


@runtime_checkable
class FindsTogether(Protocol):
    """An analyzer that finds the faces of several pictures in less time than one after another."""

    def find_each(self, images: Sequence[NDArray[np.uint8]], threshold: float = 0.5) -> list[list[Face]]:
        """What FaceAnalyzer.find gives for each of the pictures."""


def find_each(analyzer: FaceAnalyzer, images: Sequence[NDArray[np.uint8]], threshold: float = 0.5) -> list[list[Face]]:
    """The faces of each picture (H, W, 3) uint8, all at once where the analyzer can."""
    if isinstance(analyzer, FindsTogether):
        return analyzer.find_each(images, threshold)
    return [analyzer.find(image, threshold) for image in images]
