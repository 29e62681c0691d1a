"""The tick: what every loop over faces or pictures calls once a unit of work."""

from __future__ import annotations

from collections.abc import Callable

Tick = Callable[[], None]
"""Called once for each unit of work, to move a progress bar and to stop where the user said so."""


def nothing() -> None:
    """A tick that does nothing."""
