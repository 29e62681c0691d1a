"""The paper's settings under their names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .attention.settings import Entangle
from .mixing import Mixing

PAPER = "paper"
"""The paper's run with the user's own numbers and gates."""

WordSources = Literal["both", "original"]
"""Where the maps of marked words come from: each from its own picture, or the face's words from the original alone."""


@dataclass(frozen=True)
class PaperPreset:
    """Everything that the paper's run depends on; `gates` act unless the model carries ID Entanglement.

    From the paper: the 6 and the 50 steps, `init_weight` (0 to 0.1), forced last steps, DDIM near the noise and
    DPM-Solver++ near the picture, hard masks on self-attention outputs of down and mid blocks over a window of steps.
    From the official code: 50 steps, guidance 7.5, down blocks only, outputs after the projection, the half without the
    prompt only, bilinear masks, equal overlap weights, words from the original only.
    **Ours**, since neither gives a number: `final_steps`, `solver_window`, the gates' window, ten null-text updates,
    and for the paper's text equal overlap weights and the guidance that Stable Diffusion 1.5 is used with.
    """

    steps: int
    mixing: Mixing
    solver_window: tuple[float, float] = (0.5, 1.0)
    cfg: float = 7.5
    null_text: int = 10
    gates: Entangle = Entangle(structure=1.0, detail=0.0, donor="original", structure_window=(0.0, 0.8),
                               structure_blocks="auto", agreement=None, overlap=0.5)
    word_sources: WordSources = "both"


_OFFICIAL_GATES = Entangle(structure=1.0, detail=0.0, donor="original", structure_window=(0.0, 0.8),
                           structure_blocks="early", agreement=None, overlap=0.5, masks="bilinear hard",
                           gated_half="negative", after_projection=True)

PAPER_PRESETS = {
    "paper 6 steps": PaperPreset(6, Mixing(init_weight=0.05, final_steps=1)),
    "paper 50 steps": PaperPreset(50, Mixing(init_weight=0.05, final_steps=10)),
    "paper, official code": PaperPreset(50, Mixing(init_weight=0.05, final_steps=10), gates=_OFFICIAL_GATES,
                                        word_sources="original"),
}


def is_paper(mode: str) -> bool:
    """Whether a mode is the paper's run, by preset or with the user's numbers."""
    return mode == PAPER or mode in PAPER_PRESETS
