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

    `rows` names the rows and `step` the level's index in the schedule, so that source features can be
    recorded and found again.
    """

    def __call__(self, x: Tensor, sigma: float, rows: Rows, step: int) -> Tensor: ...


@dataclass(frozen=True, eq=False)
class SourceLevel:
    """Both sources at one noise level, each tensor (2, C, ..., h, w): row 0 original, row 1 edited.

    `state` is the trajectory, `shift` what was added to it when the model was evaluated (zero unless the
    inversion predicted the state), `denoised` the model's answer there.
    """

    state: Tensor
    shift: Tensor
    denoised: Tensor


@dataclass(frozen=True, eq=False)
class Trajectory:
    """The inversion of both sources: `clean` (2, C, ..., h, w) and one level for each rho above the anchor."""

    clean: Tensor
    levels: tuple[SourceLevel, ...]
