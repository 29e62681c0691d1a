"""All figures of a graphics card in one command: ``python run.py bench gpu --out DIR`` (under 8 minutes on an H200).

Each part runs in a process of its own, so that one that fails takes no other with it, and writes its JSON as it goes.
Weights are random and made on the card. ``--tiny`` runs the same code on small models, also on the CPU.
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

PARTS = {"sd15": 80, "sdxl": 100, "flux": 70, "extras": 90, "compile": 80}
"""Parts in the order of their worth, and seconds after which each starts nothing new; 1.4 times as much stops it."""


def main(arguments: Sequence[str]) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="bench gpu", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the JSON files")
    parser.add_argument("--tiny", action="store_true", help="small models, to try the script")
    parser.add_argument("--gpu", action="store_true", help="use the graphics card")
    parser.add_argument("--seconds", type=float, default=340, help="stop after about this time")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    for part in options.only:
        left = options.seconds - (time.monotonic() - start)
        if left < 20:
            print(f"{part}: no time left", flush=True)
            continue
        allowed = min(left, PARTS[part])
        switches = [name for name, on in (("--tiny", options.tiny), ("--gpu", options.gpu)) if on]
        command = [sys.executable, "-m", "lab.bench.gpu_part", part, "--out", str(options.out),
                   "--seconds", str(allowed), *switches]
        try:
            code = subprocess.run(command, timeout=1.4 * allowed).returncode
            print(f"{part}: {'done' if code == 0 else f'ended with status {code}'}, "
                  f"{time.monotonic() - start:.0f} s since the start", flush=True)
        except subprocess.TimeoutExpired:
            print(f"{part}: stopped after its time", flush=True)
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
