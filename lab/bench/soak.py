"""The soak: ``python run.py bench soak``. 500 small restorations in one process; memory and time must stay where they
are after the 20th.
"""
from __future__ import annotations

import argparse
import gc
import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
import torch

from . import bare_host, runs, sizes
from .timing import seconds

MIB = 2**20
SETTLED = 20


@dataclass(frozen=True)
class Soak:
    """Memory of the process and of the card after the 20th restoration and at the end, and medians of the times of
    the first and the last quarter."""

    restorations: int
    resident_mib: float
    resident_mib_end: float
    resident_growth: float
    device_mib: float
    device_mib_end: float
    seconds_first: float
    seconds_last: float
    time_growth: float


def soak(subject: sizes.Subject, number: int) -> Soak:
    """Restore the same face `number` times."""
    device = subject.model.load_device
    gated = runs.gated(subject.model)
    times, resident, on_device = [], [], []
    for i in range(number):
        times.append(seconds(lambda: runs.ours(subject, gated), device))
        if i + 1 in (SETTLED, number):
            gc.collect()
            resident.append(psutil.Process().memory_info().rss / MIB)
            on_device.append(torch.cuda.memory_reserved(device) / MIB if device.type == "cuda" else 0.0)
    quarter = number // 4
    first, last = statistics.median(times[:quarter]), statistics.median(times[-quarter:])
    return Soak(number, resident[0], resident[-1], resident[-1] / resident[0], on_device[0], on_device[-1], first,
                last, last / first)


def main(arguments: Sequence[str]) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="bench soak", description=__doc__)
    parser.add_argument("--number", type=int, default=500)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures here")
    parser.add_argument("--gpu", action="store_true", help="use the graphics card")
    options = parser.parse_args(arguments)
    device = bare_host.start(options.gpu)
    dtype = torch.float16 if options.gpu else torch.float32
    found = soak(sizes.make(sizes.tiny(sizes.SIZES["sd15"]), device, dtype), options.number)
    print(f"On {bare_host.machine(device)}: " + ", ".join(f"{k} {v:.4g}" for k, v in asdict(found).items()))
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps({"machine": bare_host.machine(device), **asdict(found)}, indent=1),
                                encoding="utf-8")
