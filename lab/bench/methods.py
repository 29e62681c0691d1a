"""Every method of the quality benchmark by name: the pixel rivals here, the others through the host's own nodes."""
from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from ..checkpoints import Checkpoint
from .diffusion import DIFFUSION, DiffusionMethods
from .rivals import PIXEL_RIVALS, Case

NAMES = (*PIXEL_RIVALS, *DIFFUSION)
"""All methods, in the order of the table."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a method made of a case, and what it cost: network sample-evaluations, seconds, megabytes at the peak."""

    picture: NDArray[np.float32]
    evaluations: int
    seconds: float
    peak_mb: float


@dataclass(eq=False)
class Methods:
    """Runs methods by name. The host and the models are opened when the first diffusion method asks for them.

    checkpoint, analyzer, prompt: as of `DiffusionMethods`; the lab's own where None."""

    family: str
    models: Path
    checkpoint: Checkpoint | None = None
    analyzer: Any = None
    prompt: Any = None

    def run(self, name: str, case: Case) -> Outcome:
        if name in PIXEL_RIVALS:
            with _Peak() as peak:
                started = time.perf_counter()
                picture = PIXEL_RIVALS[name](case)
                seconds = time.perf_counter() - started
            return Outcome(picture, 0, seconds, peak.megabytes)
        self.diffusion.evaluations = 0
        with _Peak() as peak:
            started = time.perf_counter()
            picture = self.diffusion.run(name, case)
            seconds = time.perf_counter() - started
        return Outcome(picture, self.diffusion.evaluations, seconds, peak.megabytes)

    @cached_property
    def diffusion(self) -> DiffusionMethods:
        """Those in the host."""
        return DiffusionMethods(self.family, self.models, checkpoint=self.checkpoint, analyzer=self.analyzer,
                                prompt=self.prompt)


class _Peak:
    """Most memory this process takes beyond what it held before, in MB, looked at fifty times a second."""

    def __enter__(self) -> _Peak:
        self._process = psutil.Process()
        self._before = self._most = self._process.memory_info().rss
        self._done = threading.Event()
        self._watch = threading.Thread(target=self._look, daemon=True)
        self._watch.start()
        return self

    def _look(self) -> None:
        while not self._done.wait(0.02):
            self._most = max(self._most, self._process.memory_info().rss)

    def __exit__(self, *error: object) -> None:
        self._done.set()
        self._watch.join()
        self._most = max(self._most, self._process.memory_info().rss)

    @property
    def megabytes(self) -> float:
        return (self._most - self._before) / 2**20
