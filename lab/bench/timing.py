"""Times of runs in turn, A B B A …, so that a machine that gets slower slows all of them."""
from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping

import torch


def seconds(work: Callable[[], object], device: torch.device) -> float:
    """One run: wall-clock seconds on a graphics card, processor seconds on the CPU, where others run as well."""
    if device.type != "cuda":
        start = time.process_time()
        work()
        return time.process_time() - start
    torch.cuda.synchronize(device)
    start = time.perf_counter()
    work()
    torch.cuda.synchronize(device)
    return time.perf_counter() - start


def in_turn(runs: Mapping[str, Callable[[], object]], times: int, device: torch.device,
            warm_up: int = 1) -> dict[str, list[float]]:
    """Seconds of every run, `times` each, after runs that are not counted; the order turns round each time."""
    for _ in range(warm_up):
        for work in runs.values():
            work()
    found: dict[str, list[float]] = {name: [] for name in runs}
    for i in range(times):
        for name in list(runs)[:: 1 if i % 2 == 0 else -1]:
            found[name].append(seconds(runs[name], device))
    return found


def ratio(first: list[float], second: list[float]) -> float:
    """Median of the ratios of runs made at about the same time."""
    return statistics.median(a / b for a, b in zip(first, second, strict=True))
