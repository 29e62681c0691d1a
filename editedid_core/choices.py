"""Checks plain values of inputs: a linked or missing one can arrive as anything, whatever its widget allows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Real
from typing import TypeVar

T = TypeVar("T", bound=str)
_SHOWN = 80
"""Characters of a wrong value in its sentence."""


def one_of(value: object, options: Sequence[T], name: str) -> T:
    """`value` as one of `options`. Raises ValueError, naming the input `name` and the options, for anything else."""
    for option in options:
        if isinstance(value, str) and value == option:
            return option
    raise ValueError(f"{name} is {shown(value)}: choose one of {', '.join(options)}.")


def number_in(value: object, low: float, high: float, whole: bool, name: str) -> float:
    """`value` as a number between `low` and `high`; an int where it is to be `whole`. Raises ValueError, naming the
    input `name` and what it takes, for anything else."""
    number = float(value) if isinstance(value, Real) else math.nan
    if low <= number <= high and not (whole and number % 1):
        return int(number) if whole else number
    kind = "a whole number" if whole else "a number"
    raise ValueError(f"{name} is {shown(value)}: give {kind} from {low:g} to {high:g}.")


def shown(value: object) -> str:
    """A wrong value as its sentence names it: short, on one line."""
    words = " ".join(repr(value).split())
    return words if len(words) <= _SHOWN else words[:_SHOWN] + "..."
