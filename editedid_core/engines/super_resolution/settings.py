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


@dataclass(frozen=True)
class TokenFit:
    """How a person's tokens are fitted on a frozen model.

    `tokens`: how many; `updates`: steps of the optimiser; `draws`: noise levels that one update looks at; `rate`: of an
    update, in sizes of a word's numbers, falling to a tenth of it; `surroundings`: what a place beside the face counts
    against one in it, 0 to 1; `checks`: how often the tokens are measured on the same draws, of which the best are
    kept; `noise_seed`: of the draws and of the start. Rate and number of updates were tried on a small network alone
    (2026-11); no full-size model has been fitted.
    """

    tokens: int = 4
    updates: int = 200
    draws: int = 2
    rate: float = 0.1
    surroundings: float = 0.1
    checks: int = 8
    noise_seed: int = 0
