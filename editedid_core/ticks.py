"""The tick: what every loop over faces or pictures calls once a unit of work. And how a run says how far it is."""

from __future__ import annotations

from collections.abc import Callable

Tick = Callable[[], None]
"""Called once for each unit of work, to move a progress bar and to stop where the user said so."""

Say = Callable[[str, float], None]
"""Called with what is being done, in words, and how much of the work is behind, 0 to 1."""


def nothing() -> None:
    """A tick that does nothing."""


def silent(words: str, done: float) -> None:
    """A run that says nothing."""


def within(say: Say, start: float, end: float, prefix: str = "") -> Say:
    """`say` for a part of the work, from `start` to `end` of the whole; `prefix` stands before its words."""

    def part(words: str, done: float) -> None:
        say(prefix + words, start + (end - start) * min(max(done, 0.0), 1.0))

    return part
