"""What the count of memory is worth: FLUX at 1024 px with few blocks, counted and really computed on the processor.

The few blocks are of full width, and in lock-step memory beyond the weights does not grow with their number, nor with
the steps. Each side runs in a process of its own, whose high-water mark also holds what happens inside operators.
"""
from __future__ import annotations

import importlib
import multiprocessing
import time
from collections.abc import Callable
from dataclasses import dataclass

import psutil
import torch

from . import bare_host, runs
from .count import META, MIB, Count, Network
from .sizes import SIZES, Size

FEW_BLOCKS = SIZES["flux"].reduced(depth=1, depth_single_blocks=2)
STEPS = 4
"""Of ours: two noise levels."""
SIDES: dict[str, Callable[[Network], Count]] = {
    "plain": lambda network: network.plain(),
    "ours": lambda network: network.ours(steps=STEPS),
}


@dataclass(frozen=True)
class Peak:
    """MiB beyond the weights at the highest point: `counted` without contents, `living` tensors of a real run, and
    by how much its process grew (`resident`); `seconds`: processor time of the run."""

    counted: float
    living: float
    resident: float
    seconds: float

    def beyond(self, other: Peak) -> Peak:
        """What this side needs more than the other."""
        return Peak(self.counted - other.counted, self.living - other.living, self.resident - other.resident,
                    self.seconds - other.seconds)


def peak(side: str, size: Size) -> Peak:
    """One of SIDES in this process, where no run of this size came before it."""
    counted, real = (Network.of(size, torch.bfloat16, device) for device in (META, torch.device("cpu")))
    for network in (counted, real):
        network.levels = runs.levels(steps=STEPS)
    before, start = psutil.Process().memory_info().rss, time.process_time()
    living = SIDES[side](real).mib
    seconds = time.process_time() - start
    return Peak(SIDES[side](counted).mib, living, (_most_resident() - before) / MIB, seconds)


def run(size: Size = FEW_BLOCKS) -> dict[str, Peak]:
    """Both sides, and `extra`: ours beyond the plain model."""
    found = {}
    for side in SIDES:
        with multiprocessing.get_context("spawn").Pool(1) as fresh:
            found[side] = fresh.apply(_started, (side, size))
    return {**found, "extra": found["ours"].beyond(found["plain"])}


def table(found: dict[str, Peak]) -> str:
    """A line for each side."""
    return "\n".join(f"{name}: counted {p.counted:.0f}, tensors in the run {p.living:.0f}, process "
                     f"{p.resident:.0f} MiB ({p.seconds:.0f} s)" for name, p in found.items())


def _started(side: str, size: Size) -> Peak:
    bare_host.start(False)
    return peak(side, size)


def _most_resident() -> int:
    """Bytes of this process's high-water mark."""
    if psutil.WINDOWS:
        return psutil.Process().memory_info().peak_wset
    resource = importlib.import_module("resource")  # not on Windows
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if psutil.MACOS else most * 1024
