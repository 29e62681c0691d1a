"""The memory benchmark: ``python run.py bench memory``. Peaks beyond the weights, counted at full size in fp16.

lab/bench/count.py says how they are counted; ``bench gpu`` measures the same on a graphics card. With ``--run`` the
processor really computes FLUX at 1024 px with few blocks, beside its count (4 GiB of memory, six minutes of a core).
"""
from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from . import bare_host, count, memory_run, sizes, speed


def table(found: Sequence[count.Memory]) -> str:
    """A Markdown table in MiB, a row for each model."""
    head = ("model", "side", "mode", "weights", "plain", "ours", "extra", "of it recorded", "evaluated again",
            "published", "its null-text", "ratio", "with weights", "and null-text")
    rows = [(m.name, f"{m.side} px", m.mode, *(f"{v:.0f}" for v in (m.weights, m.plain, m.ours, m.extra, m.record,
             m.lock_step, m.published, m.null_text)), *(f"{v:.1f}" for v in (
             m.memory_ratio_published_50, m.memory_ratio_with_weights, m.memory_ratio_null_text_with_weights)))
            for m in found]
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, ("---",) * len(head), *rows))


def main(arguments: Sequence[str]) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="bench memory", description=__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures here")
    parser.add_argument("--models", nargs="+", default=list(sizes.SIZES), choices=sizes.SIZES)
    parser.add_argument("--no-times", action="store_true", help="leave out the times of a small model")
    parser.add_argument("--run", action="store_true", help="really compute FLUX at 1024 px with few blocks as well")
    options = parser.parse_args(arguments)
    device = bare_host.start(False)
    found = [count.Memory.of(sizes.SIZES[name]) for name in options.models]
    print("MiB beyond the weights, fp16, by count:\n\n" + table(found), flush=True)
    network = count.Network.of(sizes.SIZES["sd15"])
    steps = {n: network.ours(steps=n).mib for n in (5, 10, 20, 40)}
    sides = {side: count.Network.of(sizes.SIZES["sd15"].at(side)).ours().mib for side in (256, 512, 768, 1024)}
    for what, grown in (("steps", steps), ("side", sides)):
        print(f"\nsd15 by {what}: " + ", ".join(f"{n}: {mib:.0f} MiB" for n, mib in grown.items()), flush=True)
    figures: dict[str, Any] = {**asdict(found[0]), "models": [asdict(m) for m in found], "steps": steps,
                               "sides": sides}
    if not options.no_times:
        figures = {**asdict(speed.measure(sizes.lab("lab-dit", speed.MODELS), 3, None, 6)), **figures,
                   "machine": bare_host.machine(device), "times_of": "lab-dit"}
    if options.run:
        computed = memory_run.run()
        print(f"\nFLUX, {memory_run.FEW_BLOCKS.side} px, few blocks, bf16, by count and computed:\n"
              + memory_run.table(computed), flush=True)
        replay = count.Network.of(sizes.SIZES["flux"]).ours("replay")
        print(f"replay with all blocks, by count: {replay.mib:.0f}, of it recorded {replay.record_mib:.0f} MiB")
        figures["run"] = {**{side: asdict(p) for side, p in computed.items()}, "replay": asdict(replay)}
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")
