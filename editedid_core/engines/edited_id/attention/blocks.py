"""Which attention blocks a gate acts on: parsing and validating a user's list."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Available = Mapping[str, Sequence[int]]
"""Parts of a model and the block numbers in each that hold self-attention, in order of execution."""

UNET_PARTS = ("down", "mid", "up")
_ITEM = re.compile(r"^([a-z]+)(?:\.(\d+)(?:-(\d+))?)?$")


@dataclass(frozen=True)
class Layer:
    """One attention layer: part (`down`, `mid`, `up`, `double`, `single`), block number, call in the block."""

    part: str
    block: int
    call: int = 0


@dataclass(frozen=True)
class BlockChoice:
    """A validated set of (part, block) pairs."""

    blocks: frozenset[tuple[str, int]]

    def __contains__(self, layer: object) -> bool:
        return isinstance(layer, Layer) and (layer.part, layer.block) in self.blocks


NO_BLOCKS = "none"
EARLY_BLOCKS = "early"
"""The down blocks of a UNet, the first half of a transformer."""
NOWHERE = BlockChoice(frozenset())
"""The choice that NO_BLOCKS names: a gate that acts nowhere."""


def parse_blocks(text: str, available: Available, auto: BlockChoice = NOWHERE, name: str = "blocks") -> BlockChoice:
    """Read a list such as `down, mid, up.1-3` or `double.0-18`; `auto` or nothing gives `auto`, `none` no block,
    `early` the down blocks of a UNet or the first half of a transformer.

    Raises ValueError naming the input `name`, the item that does not exist and what the model has.
    """
    items = [item.strip().lower() for item in text.split(",") if item.strip()]
    if not items or items == ["auto"]:
        return auto
    if items == [NO_BLOCKS]:
        return NOWHERE
    if items == [EARLY_BLOCKS]:
        return _early(available)
    chosen: set[tuple[str, int]] = set()
    for item in items:
        match = _ITEM.match(item)
        part = match.group(1) if match else ""
        if match is None or part not in available:
            raise ValueError(f"{name}: '{item}' is not a part of this model; use {describe(available)}, or auto.")
        first, last = match.group(2), match.group(3) or match.group(2)
        wanted = {b for b in available[part] if first is None or int(first) <= b <= int(last)}
        if not wanted:
            raise ValueError(f"{name}: '{item}' names no attention block of this model; it has {describe(available)}.")
        chosen |= {(part, b) for b in wanted}
    return BlockChoice(frozenset(chosen))


def describe(available: Available) -> str:
    """Readable list of a model's blocks, e.g. `down.1,2,4 mid.0 up.3-11`."""
    return " ".join(f"{part}.{','.join(map(str, numbers))}" for part, numbers in available.items() if numbers)


def structure_blocks(available: Available) -> BlockChoice:
    """Where structure lives: down and mid blocks of a UNet (paper), the first half of a transformer (**ours**)."""
    order = _in_order(available)
    if "down" in available:
        return BlockChoice(frozenset(b for b in order if b[0] != "up"))
    return BlockChoice(frozenset(order[: (len(order) + 1) // 2]))


def detail_blocks(available: Available) -> BlockChoice:
    """Where detail lives: up blocks of a UNet, the second half of a transformer (**ours**)."""
    order = _in_order(available)
    if "down" in available:
        return BlockChoice(frozenset(b for b in order if b[0] == "up"))
    return BlockChoice(frozenset(order[len(order) // 2 :]))


def _early(available: Available) -> BlockChoice:
    order = _in_order(available)
    if "down" in available:
        return BlockChoice(frozenset(b for b in order if b[0] == "down"))
    return structure_blocks(available)


def _in_order(available: Available) -> list[tuple[str, int]]:
    return [(part, number) for part, numbers in available.items() for number in numbers]
