"""What one run of EditedID depends on."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal, get_args

from .inversion import InversionKind
from .mixing import Mixing
from .noise_grid import SIGMA_FLOOR
from .presets import PAPER_PRESETS, WordSources
from .wanted import LARGE, Wanted

Mode = Literal["auto", "replay", "lock-step", "paper", "paper 6 steps", "paper 50 steps", "paper, official code"]
MODES: tuple[Mode, ...] = get_args(Mode)

NULL_TEXT_RATE = 0.01
"""Adam's rate at the first step, that of null-text inversion; it falls to half over the run."""


@dataclass(frozen=True)
class SampleSettings:
    """A run's settings.

    `steps`: of a whole denoising run; `strength` in (0, 1]: the share of it, in lambda, that is done again, None for
    what the model wants (wanted.py); `solver_window`: positions between which DPM-Solver++ steps are taken, 0 the
    run's noisiest level, 1 the clean picture; `sigma_floor`: rho of the known noise both pictures start with;
    `freedom` in [0, 1]: how far the model may leave the two pictures inside the face (at its rim it is always free),
    None for what the model wants; `null_text`: updates of each null-text embedding in a guided run of the paper, at
    `null_text_rate`; 0 for none; `pose`: how far pose and expression of the two faces differ, in eye distances
    (`faces.similarity.pose_distance`).

    For comparison: `inversion`: how the pictures are carried up; `hold_surroundings`: keep the edit outside the masks
    at every step (else it is only pasted back); `recompute_sources`: record no features, evaluate the sources beside
    the target; `references`: show the original and the edit to a model that takes reference pictures; `word_sources`:
    where the maps of marked words come from in the paper's run.
    """

    mode: Mode = "auto"
    steps: int = 10
    strength: float | None = None
    mixing: Mixing = field(default_factory=Mixing)
    solver_window: tuple[float, float] = (0.0, 1.0)
    cfg: float = 1.0
    noise_seed: int = 0
    sigma_floor: float = SIGMA_FLOOR
    null_text: int = 10
    null_text_rate: float = NULL_TEXT_RATE
    pose: float = 0.0
    freedom: float | None = None
    inversion: InversionKind = "velocity reuse"
    hold_surroundings: bool = True
    recompute_sources: bool = False
    references: bool = True
    word_sources: WordSources = "both"

    @property
    def share(self) -> float:
        """`strength` as a number; where nothing is set, what most models want."""
        return LARGE.strength if self.strength is None else self.strength

    @property
    def leash(self) -> float:
        """`freedom` as a number; where nothing is set, what most models want."""
        return LARGE.freedom if self.freedom is None else self.freedom

    def as_wanted(self, by: Wanted) -> SampleSettings:
        """The same with what the model wants where nothing is set."""
        return replace(self, strength=by.strength if self.strength is None else self.strength,
                       freedom=by.freedom if self.freedom is None else self.freedom)

    def resolved(self) -> SampleSettings:
        """The same with a preset's numbers where `mode` names one."""
        if self.mode not in PAPER_PRESETS:
            return self
        preset = PAPER_PRESETS[self.mode]
        return replace(self, steps=preset.steps, strength=1.0, mixing=preset.mixing, cfg=preset.cfg,
                       solver_window=preset.solver_window, null_text=preset.null_text,
                       word_sources=preset.word_sources)
