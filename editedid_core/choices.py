"""Checks inputs that must be one of a few words. A linked or missing choice can arrive as any value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T", bound=str)


def one_of(value: object, options: Sequence[T], name: str) -> T:
    """`value` as one of `options`. Raises ValueError, naming the input `name` and the options, for anything else."""
    for option in options:
        if value == option:
            return option
    raise ValueError(f"{name} is {value!r}: choose one of {', '.join(options)}.")
