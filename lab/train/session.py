"""One training run: its budget, its clock, its saved state. Shared by every script of this package."""
from __future__ import annotations

import argparse
import os
import time
from dataclasses import dataclass, field
from pathlib import Path

import torch


@dataclass(frozen=True)
class Budget:
    """How long to train: seconds of training, optimiser steps, or whichever ends first. The schedule follows it.

    Only a budget in steps is reproducible to the last digit; one in seconds depends on the machine.
    """

    seconds: float | None
    steps: int | None

    def progress(self, seconds: float, steps: int) -> float:
        """Share of the budget used, 0 to 1."""
        shares = [0.0]
        if self.seconds:
            shares.append(seconds / self.seconds)
        if self.steps:
            shares.append(steps / self.steps)
        return min(1.0, max(shares))


@dataclass
class Clock:
    """Steps done and seconds trained, over all the resumed parts of a run."""

    steps: int = 0
    seconds: float = 0.0
    _last: float = field(default=0.0, repr=False)

    def start(self) -> None:
        """Begin to count; time before this call (compiling, loading) is free."""
        self._last = time.monotonic()

    def tick(self) -> None:
        """Count one finished step."""
        now = time.monotonic()
        self.seconds += now - self._last
        self._last = now
        self.steps += 1

    def pause(self) -> None:
        """Leave out the time since the last tick (saving, validating)."""
        self._last = time.monotonic()


def add_budget_options(parser: argparse.ArgumentParser, seconds: float) -> None:
    """Options every training command has."""
    parser.add_argument("--out", type=Path, required=True, help="folder for the run's state and result")
    parser.add_argument("--cache", type=Path, required=True, help="folder made by lab.train.dataset")
    parser.add_argument("--seconds", type=float, default=seconds, help=f"training time, default {seconds:.0f}")
    parser.add_argument("--steps", type=int, default=None, help="stop after so many steps (reproducible)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads of this process")
    parser.add_argument("--compile", action="store_true", help="torch.compile; needs a C++ compiler on a CPU")
    parser.add_argument("--fresh", action="store_true", help="start again instead of resuming what --out holds")


def prepare(threads: int, seed: int) -> None:
    """Set the number of CPU threads and seed torch."""
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    torch.backends.cudnn.benchmark = True
    torch.set_float32_matmul_precision("high")
    torch._dynamo.config.suppress_errors = True  # what can't be compiled runs as it is


def step_seed(seed: int, step: int) -> int:
    """The seed of one step: a resumed run draws what the unbroken run would have drawn."""
    return (seed * 1_000_003 + step) % (2**63)


def save_atomically(state: dict, path: Path) -> None:
    """torch.save that never leaves half a file behind."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    torch.save(state, part)
    os.replace(part, path)
