"""All figures of a graphics card in one command: ``python run.py bench gpu --gpu --out DIR`` (under 4 minutes).

All parts run in one process, since importing the host takes long, and each writes its JSON as it goes. Where one ends
the process, another goes on with the parts behind it. Weights are random and made on the card. ``--tiny`` runs the same
code on small models, also on the CPU.
"""
from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

PARTS = {"sd15": 45, "sdxl": 55, "flux": 35, "extras": 45, "compile": 30}
"""Parts in the order of their worth, and seconds after which each starts nothing new; the next have what one leaves."""
GRACE = 15
"""Seconds that a section under way has when the time is over."""
LEAST = 20
"""Seconds below which no process is started."""


def main(arguments: Sequence[str]) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="bench gpu", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the JSON files")
    parser.add_argument("--tiny", action="store_true", help="small models, to try the script")
    parser.add_argument("--gpu", action="store_true", help="use the graphics card")
    parser.add_argument("--seconds", type=float, default=sum(PARTS.values()), help="stop after about this time")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    for part in options.only:
        (options.out / f"{part}.json").unlink(missing_ok=True)
    start, waiting = time.monotonic(), list(options.only)
    switches = [name for name, on in (("--tiny", options.tiny), ("--gpu", options.gpu)) if on]
    while waiting:
        left = options.seconds - (time.monotonic() - start)
        if left < LEAST:
            print(f"{', '.join(waiting)}: no time left", flush=True)
            break
        command = [sys.executable, "-m", "lab.bench.gpu_part", *waiting, "--out", str(options.out),
                   "--seconds", str(left), *switches]
        try:
            ended = f"ended with status {subprocess.run(command, timeout=left + GRACE).returncode}"
        except subprocess.TimeoutExpired:
            ended = "stopped after its time"
        begun = [part for part in waiting if (options.out / f"{part}.json").exists()]
        names = ", ".join(begun) or waiting[0]
        print(f"{names}: {ended}, {time.monotonic() - start:.0f} s since the start", flush=True)
        waiting = waiting[max(1, len(begun)):]
    found = {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in sorted(options.out.glob("*.json"))
             if file.stem in PARTS}
    (options.out / "all.json").write_text(json.dumps(found, indent=1), encoding="utf-8")
    print("\n".join(summary(found)), flush=True)


def summary(found: dict[str, dict[str, Any]]) -> list[str]:
    """A line for each figure, nested names joined by dots."""
    lines = []

    def walk(name: str, value: Any) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                walk(f"{name}.{key}", inner)
        else:
            lines.append(f"{name} = {value:.4g}" if isinstance(value, float) else f"{name} = {value}")

    for part, figures in found.items():
        walk(part, figures)
    return lines
