"""What the two attention nodes configure, and the same resolved for one model.

Windows are positions in the run: 0 is its noisiest level, 1 the clean picture.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

from ..noise_grid import Window
from ..wanted import LARGE, Wanted
from .blocks import Available, BlockChoice, Layer, detail_blocks, parse_blocks, structure_blocks
from .regions import MaskKind

Donor = Literal["edited", "original"]
DONORS: tuple[Donor, ...] = get_args(Donor)
Half = Literal["positive", "negative"]
"""A half of a guided batch: with the prompt, or with the negative prompt."""
GatedHalf = Literal["both", "positive", "negative"]


@dataclass(frozen=True)
class Disentangle:
    """Which source keys a query may see (METHOD §5).

    With `strength` 1, face queries never see the edit's element keys and element queries never see the
    original's; between 0 and 1 the result is blended with the undivided one. `start`, `end`: window, as positions in
    the run.
    """

    strength: float = 1.0
    start: float = 0.0
    end: float = 1.0


@dataclass(frozen=True)
class Entangle:
    """Structure and detail gates of the original into the target (METHOD §5).

    `structure`, `detail` in [0, 1]: strengths, None for what the model wants (wanted.py); `donor`: whose attention
    outputs fill the face in the structure gate (the original brings its shape and its light, the edit keeps its own
    light); windows as in `Disentangle`; `blocks`: lists for the two gates, see `parse_blocks`; `agreement` in [-1,
    1]: cosine of target and donor outputs at which a gate is half open, None for always open; `sharpness` of it;
    `overlap` in [0, 1], hard masks only: weight a of the face where its mask and the elements' overlap, b = 1 - a
    goes to the elements; `pose`: pose distance in eye distances at which the face's share in both gates is halved,
    None for the same share in any pose.

    For comparison: `masks`: how masks come to a token grid; `gated_half`: which half of a guided batch the gates act
    on; `after_projection`: blend outputs after the attention's output projection, where the model is a UNet; `boost`:
    factors of the face's and the elements' weights.
    """

    structure: float | None = None
    detail: float | None = None
    donor: Donor = "edited"
    structure_window: tuple[float, float] = (0.0, 0.5)
    detail_window: tuple[float, float] = (0.2, 1.0)
    structure_blocks: str = "auto"
    detail_blocks: str = "auto"
    agreement: float | None = 0.0
    sharpness: float = 10.0
    overlap: float = 0.5
    pose: float | None = None
    masks: MaskKind = "soft"
    gated_half: GatedHalf = "both"
    after_projection: bool = False
    boost: tuple[float, float] = (1.0, 1.0)

    @property
    def strengths(self) -> tuple[float, float]:
        """Of the structure and the detail gate; where nothing is set, what most models want."""
        return (LARGE.structure if self.structure is None else self.structure,
                LARGE.detail if self.detail is None else self.detail)

    def as_wanted(self, by: Wanted) -> Entangle:
        """The same with what the model wants where nothing is set."""
        return replace(self, structure=by.structure if self.structure is None else self.structure,
                       detail=by.detail if self.detail is None else self.detail)

    def face_share(self, pose_distance: float) -> float:
        """1 / (1 + (d / pose)^2), the face's share in the gates at a pose distance d >= 0 (**ours**)."""
        return 1.0 if self.pose is None else 1.0 / (1.0 + (pose_distance / self.pose) ** 2)


@dataclass(frozen=True)
class Gate:
    """One gate resolved for a model: strength, the positions between which it acts, and its blocks."""

    strength: float
    start: float
    end: float
    blocks: BlockChoice

    def at(self, layer: Layer, position: float) -> bool:
        """Whether the gate acts on this layer at this position in the run."""
        return self.strength > 0 and self.start <= position <= self.end and layer in self.blocks


@dataclass(frozen=True)
class Plan:
    """The gates of one run. `divide`: the disentangle strength over its own window, as a gate on all blocks; the rest
    as in `Entangle`."""

    structure: Gate
    detail: Gate
    divide: Gate
    donor: Donor
    agreement: float | None
    sharpness: float
    gated_half: GatedHalf = "both"
    after_projection: bool = False

    @property
    def windows(self) -> tuple[Window, ...]:
        """Where each gate that acts is open."""
        gates = self.structure, self.detail, self.divide
        return tuple(Window(gate.start, gate.end) for gate in gates if gate.strength > 0 and gate.blocks.blocks)

    def wants(self, layer: Layer, position: float) -> bool:
        """Whether any gate needs source features of this layer at this position."""
        return self.structure.at(layer, position) or self.detail.at(layer, position)

    def gates(self, half: Half) -> bool:
        """Whether the gates act on this half of a guided batch."""
        return self.gated_half in ("both", half)


def make_plan(entangle: Entangle, disentangle: Disentangle, available: Available) -> Plan:
    """Resolve block lists for one model; raises ValueError for blocks it does not have."""
    everywhere = BlockChoice(frozenset((p, b) for p, numbers in available.items() for b in numbers))
    structure = parse_blocks(entangle.structure_blocks, available, structure_blocks(available), "structure_blocks")
    detail = parse_blocks(entangle.detail_blocks, available, detail_blocks(available), "detail_blocks")
    of_structure, of_detail = entangle.strengths
    return Plan(
        Gate(of_structure, *entangle.structure_window, structure),
        Gate(of_detail, *entangle.detail_window, detail),
        Gate(disentangle.strength, disentangle.start, disentangle.end, everywhere),
        entangle.donor, entangle.agreement, entangle.sharpness, entangle.gated_half, entangle.after_projection,
    )
