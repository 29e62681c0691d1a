"""Progress and interruption, as the host does them."""

from __future__ import annotations

from collections.abc import Callable

import comfy.model_management
import comfy.utils
import torch
from comfy_execution.utils import get_executing_context
from PIL import Image

from ..pictures import to_bytes
from ..ticks import Say

PROGRESS_EVENT = "editedid.progress"
"""The message that web/js/result.js listens to."""

PARTS = 1000
"""Of a bar."""


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


def own_bar() -> Say:
    """A progress bar for a node whose work is one run."""
    bar = comfy.utils.ProgressBar(PARTS)

    def say(words: str, done: float) -> None:
        bar.update_absolute(round(PARTS * done))

    return say


def step_callback(say: Say) -> Callable[[int, torch.Tensor, torch.Tensor, int], None]:
    """The host's callback of a run. It shows no latents: their colours are not those of the picture."""

    def callback(step: int, denoised: torch.Tensor, x: torch.Tensor, total: int) -> None:
        say("sampling", (step + 1) / total)

    return callback


class RunProgress:
    """One bar over a whole run, and on the node what is being done, in words. It never goes back."""

    def __init__(self) -> None:
        context = get_executing_context()
        self._node = None if context is None else context.node_id
        self._bar = comfy.utils.ProgressBar(PARTS)
        self._words, self._done = "", 0.0

    def __call__(self, words: str, done: float) -> None:
        """Say it, and stop where the user said so."""
        stop_if_asked()
        self._done = max(self._done, done)
        self._bar.update_absolute(round(PARTS * self._done))
        if words != self._words and self._node is not None:
            from server import PromptServer  # the host has opened it by now; importing the pack must not

            server = PromptServer.instance
            server.send_sync(PROGRESS_EVENT, {"node": self._node, "text": words}, server.client_id)
        self._words = words


def show_result(images: torch.Tensor) -> None:
    """Make the first of `images` (B, H, W, C) in [0, 1] the node's last preview.

    The front end keeps showing the last preview of a run instead of the node's own picture, so that one has to be it.
    """
    comfy.utils.ProgressBar(1).update_absolute(1, 1, ("PNG", Image.fromarray(to_bytes(images[0])), None))
