"""How much a run does where nobody says: what each kind of model wants, once, and where that comes from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Wanted:
    """What one kind of model wants.

    `kind`: its name for users; `strength` in (0, 1] and `freedom` in [0, 1]: as in `SampleSettings`; `structure`,
    `detail` in [0, 1]: as in `Entangle`; `own_share`: share of a distilled model's own steps that are run, from which
    its strength follows (`noise_grid.strength_of_own`), 0 for others; `why`: where the numbers come from.
    """

    kind: str
    why: str
    strength: float = 0.5
    freedom: float = 0.3
    structure: float = 0.5
    detail: float = 1.0
    own_share: float = 0.0


SMALL = Wanted("small", "measured on the lab's models: more of it costs likeness, less changes nothing")
"""docs/ABLATION.md (drawn people, 2026-10) and docs/QUALITY.md (rendered people, three sizes, 2026-11)."""

LARGE = Wanted("large", "by practice: about the noise of a denoise of a third, the careful end of common face "
               "detailers; not measured at full size")
"""Practice: of the two common face detailers one starts at a denoise of 0.5 and one at 0.4, users go down to 0.35; on
usual schedules these are a strength of 0.6, 0.55 and 0.52 (docs/FAMILIES.md). In the lab three sizes of a model gained
no likeness by more strength or freedom, and the larger ones lost more (docs/QUALITY.md), so size alone is no reason for
other numbers. Gates: without them full freedom loses 0.02 to 0.07 of recovery (docs/ABLATION.md)."""

DISTILLED = Wanted("distilled", "by practice: half of its own steps, as a maker of few-step models has it; freedom and "
                   "gates as for large models", own_share=0.5)
"""The model card runs half of the steps on a picture and says that at least one must be left (docs/FAMILIES.md). At
strength 0.5 most models of four steps would run one, because their levels are even in time and lie high in lambda. Each
gate acts on a third of the steps or more."""
