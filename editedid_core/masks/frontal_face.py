"""A face on the frontal grid, ready to be measured: brightness, roughness, named places."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from ..geometry.frontal import FrontalGrid, frontal_grid
from ..geometry.mean_mesh import mean_mesh

_LUMA = np.array([0.3, 0.59, 0.11], dtype=np.float32)
# Scales of what is seen, not calibrated
_DARKEST = 0.03  # added before the logarithm: noise in the shadows counts for little
_COARSE = 12.0  # grid pixels: light and shade of the whole face lie above this
_FINE = 2.2  # grid pixels: hairs and pores lie below this


@dataclass(frozen=True, eq=False)
class FrontalFace:
    """All (SIDE, SIDE) but the colours.

    colours: (SIDE, SIDE, 3) in [0, 1]. light: log of the brightness. contrast: light without what is coarse.
    texture: light's fine part. inside: where the face is.
    """

    grid: FrontalGrid
    colours: NDArray[np.float32]
    light: NDArray[np.float32]
    contrast: NDArray[np.float32]
    texture: NDArray[np.float32]
    inside: NDArray[np.bool_]

    def place(self, *landmarks: int) -> NDArray[np.float64]:
        """Where the middle of some landmarks lies on the grid, (2,) pixels."""
        return self.grid.at(mean_mesh().points[list(landmarks), :2].mean(0))


def frontal_face(image: NDArray[np.uint8], mesh: NDArray[np.floating]) -> FrontalFace:
    """The face of a picture (H, W, 3) uint8 whose mesh (478, 3) is known."""
    grid = frontal_grid()
    colours = grid.texture(image, mesh)
    light = np.log(_DARKEST + colours @ _LUMA).astype(np.float32)
    return FrontalFace(
        grid, colours, light, light - gaussian_filter(light, _COARSE), light - gaussian_filter(light, _FINE),
        grid.inside,
    )
