"""How much of something as a choice: what the model wants, a word, or a number."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from comfy_api.latest import io

from ..editedid_core.comfy.linked import wrong_link
from .sizes import AUTO

WORDS: Mapping[str, float] = {"a little": 0.25, "half": 0.5, "a lot": 0.75, "all": 1.0}
"""Strengths that have a word."""
STEP = 0.05


def amount_input(name: str, tooltip: str, least: float = 0.0, words: bool = False, auto: str = "what the model wants",
                 **settings: Any) -> io.Combo.Input:
    """A choice from `least` to 1: auto first, then words where the amount has them, then numbers."""
    numbers = [f"{STEP * i:.2g}" for i in range(math.ceil(least / STEP), round(1 / STEP) + 1)]
    return io.Combo.Input(name, options=[AUTO, *(WORDS if words else ()), *numbers], default=AUTO,
                          tooltip=f"{tooltip} auto: {auto}.", **settings)


def chosen_amount(value: Any, name: str, least: float = 0.0) -> float | None:
    """The number, None for auto. Older workflows and the API give any number between the choices.

    Raises ValueError, naming the input, for anything that is no amount from `least` to 1.
    """
    if value is None or value == AUTO:
        return None
    try:
        amount = math.nan if isinstance(value, bool) else float(WORDS.get(value, value))
    except (TypeError, ValueError):
        amount = math.nan
    if not least <= amount <= 1.0:
        raise ValueError(f"{name} is {value!r}: choose {AUTO} or a number from {least:g} to 1.")
    return amount


def amount_fault(node: Any, input_types: Mapping[str, Any] | None, least: Mapping[str, float],
                 values: Sequence[Any]) -> bool | str:
    """What a node's `validate_inputs` answers for such choices; those that come from another node are not known yet.

    `input_types`: of what is linked, which the host leaves to a node that asks for it, so that a number may be linked
    to a choice; `least`: of each of these inputs; `values`: of each.
    """
    types = {one.id: one.get_io_type() for one in node.define_schema().inputs}
    if fault := wrong_link(types, input_types or {}, least):
        return fault
    try:
        for (name, smallest), value in zip(least.items(), values):
            chosen_amount(value, name, smallest)
    except ValueError as error:
        return str(error)
    return True
