"""Which blocks a gate should act on, found by experiment (**ours**; METHOD §5, last paragraph).

The gate acts in every block of the model; then one block (or a few neighbours) is left out at a time, and what that
changes is what the gate does there. No model and no picture is known here: a callable restores and measures.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from .blocks import NO_BLOCKS, Available, describe, parse_blocks

FORMAT = "editedid-blocks-1"
GateName = Literal["structure", "detail"]
GATES: tuple[GateName, ...] = ("structure", "detail")

IDENTITY_UNIT = 0.05
STRUCTURE_UNIT = 0.01
LIGHT_UNIT = 0.005
ELEMENTS_UNIT = 0.005
"""What counts the same in a score: so much likeness (cosine) against so much damage, which is about what METHOD §8
allows: landmarks in eye distances, light and elements in sRGB."""

LEAST_SCORE = 0.05
"""Blocks that score less are not chosen."""


@dataclass(frozen=True)
class Measured:
    """Restored faces, on average. `identity`: cosine to the original photo; the others against the edit: `structure`,
    mean distance of the five points in eye distances; `light`, difference of the low-passed faces without the change of
    tone that they have in common; `elements`, difference in what covers the face, both in [0, 1]."""

    identity: float
    structure: float
    light: float
    elements: float


@dataclass(frozen=True)
class BlockEffect:
    """What a gate does in some blocks: the figures with them minus the figures without. `score`: good minus harm, in
    the units above; between +- LEAST_SCORE it does nothing worth its time."""

    gate: GateName
    blocks: str
    identity: float
    structure: float
    light: float
    elements: float
    score: float


@dataclass(frozen=True)
class Probe:
    """A finished probe. `model`: its name; `blocks`: all of its blocks, as `describe` writes them; `faces`: how many
    were used; `effects`: best first; the two lists are what ID Entanglement takes."""

    model: str
    blocks: str
    faces: int
    effects: tuple[BlockEffect, ...]
    structure_blocks: str
    detail_blocks: str

    def to_json(self) -> str:
        """The file that ID Entanglement's block inputs take by name."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=1) + "\n"

    def text(self) -> str:
        """What the user reads: the two choices, and a line for each block, best first."""
        lines = [f"structure_blocks: {self.structure_blocks}", f"detail_blocks: {self.detail_blocks}", ""]
        for effect in self.effects:
            lines.append(f"{effect.gate:9} {effect.blocks:12} score {effect.score:+.2f}"
                         f"  identity {effect.identity:+.4f}"
                         f"  landmarks {effect.structure:+.4f}  light {effect.light:+.4f}"
                         f"  elements {effect.elements:+.4f}")
        for gate in GATES:
            own = [effect for effect in self.effects if effect.gate == gate]
            if own and not any((e.identity, e.structure, e.light, e.elements) != (0, 0, 0, 0) for e in own):
                lines.append(f"The {gate} gate did nothing in this run, whatever was left out: give `strength` and "
                             f"`freedom` more, or its window in ID Entanglement an earlier start and a later end.")
        return "\n".join(lines)


def probe_blocks(model: str, available: Available, gates: Sequence[GateName], current: tuple[str, str], faces: int,
                 measure: Callable[[str, str], Measured], together: int = 1) -> Probe:
    """Leave blocks out one after the other and rank them.

    gates: which to probe; the other keeps its list. current: the structure and the detail gate's lists as they are
    set. measure: (structure list, detail list) -> figures of the restored faces. together: neighbouring blocks that
    are left out at once (fewer runs on large models). Takes 1 + blocks / together runs a gate.
    """
    names = [f"{part}.{number}" for part, numbers in available.items() for number in numbers]
    chunks = [names[first : first + together] for first in range(0, len(names), together)]
    lists = dict(zip(GATES, current))
    effects: list[BlockEffect] = []
    chosen = dict(lists)
    for gate in gates:
        def run(blocks: list[str], gate: GateName = gate) -> Measured:
            given = lists | {gate: ", ".join(blocks) or NO_BLOCKS}
            return measure(given["structure"], given["detail"])

        whole = run(names)
        found = [_effect(gate, chunk, whole, run([name for name in names if name not in chunk])) for chunk in chunks]
        best = [effect for effect in found if effect.score >= LEAST_SCORE]
        chosen[gate] = ", ".join(effect.blocks for effect in best) or NO_BLOCKS
        effects += sorted(found, key=lambda effect: -effect.score)
    return Probe(model, describe(available), faces, tuple(effects), chosen["structure"], chosen["detail"])


def read_choice(content: str, gate: GateName, available: Available, name: str) -> str:
    """The list for a gate out of a probe's file, checked against the model.

    Raises ValueError, naming the input `name`, for a file that is no probe's or another model's.
    """
    try:
        found = json.loads(content)
    except ValueError as error:
        raise ValueError(f"{name}: the file is not JSON; choose one that Layer Probe saved.") from error
    choice = found.get(f"{gate}_blocks") if isinstance(found, dict) else None
    if not isinstance(choice, str) or found.get("format") != FORMAT:
        raise ValueError(f"{name}: the file is not a block choice; choose one that Layer Probe saved.")
    if found.get("blocks") != describe(available):
        raise ValueError(
            f"{name}: the file was made for another model ({found.get('model')}), whose blocks are "
            f"{found.get('blocks')}; this one has {describe(available)}. Run Layer Probe on this model."
        )
    parse_blocks(choice, available, name=name)
    return choice


def _effect(gate: GateName, blocks: list[str], whole: Measured, without: Measured) -> BlockEffect:
    gain = whole.identity - without.identity
    structure, light, elements = (getattr(whole, name) - getattr(without, name)
                                  for name in ("structure", "light", "elements"))
    harm = (structure / STRUCTURE_UNIT + light / LIGHT_UNIT + elements / ELEMENTS_UNIT) / 3
    return BlockEffect(gate, ", ".join(blocks), gain, structure, light, elements, gain / IDENTITY_UNIT - harm)
