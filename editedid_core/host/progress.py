"""Progress and interruption, as the host does them."""

from __future__ import annotations

from collections.abc import Callable

import comfy.model_management
import comfy.utils


def step_counter(total: int) -> Callable[[], None]:
    """A function to call after each of `total` steps: moves the progress bar, and stops where the user said so."""
    bar = comfy.utils.ProgressBar(total)

    def step() -> None:
        comfy.model_management.throw_exception_if_processing_interrupted()
        bar.update(1)

    return step
