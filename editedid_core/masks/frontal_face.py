"""A face on the frontal grid, ready to be measured: brightness, roughness, named places."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, gaussian_filter

from ..geometry.frontal import FrontalGrid, frontal_grid
from ..geometry.mean_mesh import mean_mesh
from ..geometry.resample import blur

_LUMA = np.array([0.3, 0.59, 0.11], dtype=np.float32)
# Scales of what is seen, not calibrated
_DARKEST = 0.03  # added before the logarithm: noise in the shadows counts for little
_COARSE = 12.0  # grid pixels: light and shade of the whole face lie above this
_FINE = 2.2  # grid pixels: hairs and pores lie below this
_NEIGHBOURS = 2.5  # grid pixels of which roughness is a mean
_BARE = 0.2  # share of a face that is smooth, however it is dressed
_DEEP = 0.22  # eye distances from the outline, where a face is skin
_FLOOR = 0.006  # roughness of the smoothest skin, in log light


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

    @cached_property
    def roughness(self) -> NDArray[np.float64]:
        """How much fine structure the face has around each place, in parts of what its bare skin has."""
        inside = self.inside.astype(np.float64)
        fine = (self.light - gaussian_filter(self.light * inside, _FINE) / _share_inside(_FINE)) * inside
        around = gaussian_filter(fine**2 * inside, _NEIGHBOURS) / _share_inside(_NEIGHBOURS)
        rough = np.sqrt(np.maximum(around, 0))
        return np.asarray(rough / (np.quantile(rough[from_outline() > _DEEP], _BARE) + _FLOOR))

    def place(self, *landmarks: int) -> NDArray[np.float64]:
        """Where the middle of some landmarks lies on the grid, (2,) pixels."""
        return self.grid.at(mean_mesh().points[list(landmarks), :2].mean(0))


def frontal_face(image: NDArray[np.uint8], mesh: NDArray[np.floating]) -> FrontalFace:
    """The face of a picture (H, W, 3) uint8 whose mesh (478, 3) is known."""
    grid = frontal_grid()
    colours = grid.texture(image, mesh)
    light = np.log(_DARKEST + colours @ _LUMA).astype(np.float32)
    coarse = blur(torch.from_numpy(light)[None, None], _COARSE)[0, 0].numpy()
    return FrontalFace(grid, colours, light, light - coarse, light - gaussian_filter(light, _FINE), grid.inside)


@lru_cache(maxsize=2)
def _share_inside(width: float) -> NDArray[np.float64]:
    """How much of the places around each one lie in the face: means are taken over it alone, so that its outline is no
    structure."""
    return np.asarray(np.maximum(gaussian_filter(frontal_grid().inside.astype(np.float64), width), 1e-3))


@lru_cache(maxsize=1)
def from_outline() -> NDArray[np.float64]:
    """How far each place of the face lies from its outline, (SIDE, SIDE) eye distances; 0 outside."""
    grid = frontal_grid()
    return np.asarray(distance_transform_edt(grid.inside) / grid.pixels)
