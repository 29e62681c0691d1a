"""What one super-resolution of a face depends on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Surroundings = Literal["redraw", "keep"]
SURROUNDINGS: tuple[Surroundings, ...] = get_args(Surroundings)

Photos = Literal["best", "mean"]


@dataclass(frozen=True)
class SuperResolution:
    """A run's settings.

    `scale`: pixels of the picture that one true pixel covers, 1 to 64, 0 to measure it; `trust`: how much of the small
    face is kept, 0 its coarsest light, 1 all that it holds, None by its measured damage; `identity`: how firmly the
    face holds to the photos while the model runs, 0 to 1; `surroundings`: whether the model draws hair and neck anew or
    they stay; `photos`: the photo that explains the face best, or the mean of those that do; `steps`: of a whole
    denoising run; `strength` in (0, 1]: the share of it, in lambda, that is done again; `consistent_until`: position
    until which the surroundings are held to the colours of the small picture, 0 the run's noisiest level.
    """

    scale: float = 0.0
    trust: float | None = None
    identity: float = 0.7
    surroundings: Surroundings = "redraw"
    photos: Photos = "best"
    steps: int = 13
    strength: float = 0.75
    consistent_until: float = 0.58
    noise_seed: int = 0
