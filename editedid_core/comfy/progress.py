"""Progress and interruption, as the host does them."""

from __future__ import annotations

from collections.abc import Callable

import comfy.model_management
import comfy.utils
import torch
from PIL import Image

from ..pictures import to_bytes


def stop_if_asked() -> None:
    """Raise the host's interruption where its user cancelled the run."""
    comfy.model_management.throw_exception_if_processing_interrupted()


def step_counter(total: int) -> Callable[[], None]:
    """A function to call after each of `total` steps: moves the progress bar, and stops where the user said so."""
    bar = comfy.utils.ProgressBar(total)

    def step() -> None:
        stop_if_asked()
        bar.update(1)

    return step


def show_result(images: torch.Tensor) -> None:
    """Make the first of `images` (B, H, W, C) in [0, 1] the node's last preview.

    The front end keeps showing the last preview of a run instead of the node's own picture, so that one has to be it.
    """
    comfy.utils.ProgressBar(1).update_absolute(1, 1, ("PNG", Image.fromarray(to_bytes(images[0])), None))
