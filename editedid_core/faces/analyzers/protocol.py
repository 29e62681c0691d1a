"""What every face analyzer offers."""

from __future__ import annotations

from typing import Protocol

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
