"""What an inversion leaves behind: the states of the sources at every noise level."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from torch import Tensor


class Rows(Enum):
    """Which pictures the rows of one model evaluation hold, in order."""

    SOURCES = ("original", "edited")
    OTHER = ("original",)  # a further photo of the person, by itself
    TARGET = ("target",)
    ALL = ("original", "edited", "target")


class Denoise(Protocol):
    """The model: x (R, C, ..., h, w) at `sigma` -> denoised x0 of the same shape.

    `rows` names the rows and `step` the step of the noise grid, 1 to N, so that gates know where in the run they are
    and source features can be recorded and found again.
    """

    def __call__(self, x: Tensor, sigma: float, rows: Rows, step: int) -> Tensor: ...


@dataclass(frozen=True, eq=False)
class SourceLevel:
    """Both sources at one noise level, each tensor (2, C, ..., h, w): row 0 original, row 1 edited.

    `state` is what the model was evaluated at, `denoised` its answer there.
    """

    state: Tensor
    denoised: Tensor


@dataclass(frozen=True, eq=False)
class Trajectory:
    """The inversion of both sources: `clean` (2, C, ..., h, w), one level for each rho above the floor, and `top`, the
    state in which it ends."""

    clean: Tensor
    levels: tuple[SourceLevel, ...]
    top: Tensor
