"""The speed benchmark: ``python run.py bench speed``. Ratios from one run; docs/SPEED.md explains the columns.

Ours against the plain model doing the same evaluations in the same batches, a patched model with nothing to act on
against the plain one, and ours against the published pattern of 50 and of 6 steps.
"""
from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from . import bare_host, count, published, runs, sizes
from .timing import in_turn, ratio, seconds

MODELS = Path(__file__).resolve().parent.parent / "models"
MOST_EVALUATIONS = {"unet": 24, "transformer": 16}
"""Sample-evaluations that a face may cost by default (issue: every model family, at full speed)."""


@dataclass(frozen=True)
class Speed:
    """Figures of one model at one size; times in seconds, processor time on the CPU and wall clock on a card.

    `published_steps`: steps of the published pattern that ran; where they are fewer than 50 and 6, the times of those
    are so many times a step's.
    """

    name: str
    side: int
    mode: str
    steps: int
    evaluations: int
    within_count: bool
    seconds_ours: float
    seconds_plain: float
    overhead_vs_plain: float
    idle_patch_overhead: float
    speedup_vs_published_50: float
    speedup_vs_published_6: float
    published_steps: int
    repeats: int


def measure(subject: sizes.Subject, repeats: int, steps: int | None = None, published_steps: int = 50) -> Speed:
    """All ratios of one model. `steps`: of ours, where the default's take too long; its evaluations count as they
    would by default."""
    device = subject.model.load_device
    gated = runs.gated(subject.model)
    fewer = {} if steps is None else {"steps": steps}
    first = runs.ours(subject, gated, **fewer)
    evaluations = first.evaluations * runs.levels() // runs.levels(**fewer)
    same = runs.batches(subject, gated, **fewer)
    found = in_turn({"ours": lambda: runs.ours(subject, gated, **fewer), "plain": lambda: runs.plain(subject, same)},
                    repeats, device)
    idle = in_turn({"patched": lambda: runs.stock(subject, gated), "plain": lambda: runs.stock(subject, subject.model)},
                   max(repeats, 3), device)
    a_face = statistics.median(found["ours"]) * evaluations / first.evaluations
    short = min(6, published_steps)
    six = seconds(lambda: published.run(subject, short), device) * 6 / short
    fifty = seconds(lambda: published.run(subject, published_steps), device) * 50 / published_steps
    return Speed(
        subject.name, subject.face.shape[-1], first.mode, runs.settings(**fewer).steps, evaluations,
        evaluations <= MOST_EVALUATIONS["unet" if runs.is_unet(subject.model) else "transformer"],
        statistics.median(found["ours"]), statistics.median(found["plain"]), ratio(found["ours"], found["plain"]),
        ratio(idle["patched"], idle["plain"]), fifty / a_face, six / a_face, published_steps, repeats,
    )


def growth(subject: sizes.Subject, repeats: int) -> dict[str, dict[str, float]]:
    """How a restoration's time grows, as ratios to the default: with steps, and with faces, which go one by one."""
    device = subject.model.load_device
    gated = runs.gated(subject.model)
    default = runs.settings().steps

    def work(steps: int, faces: int) -> None:
        for _ in range(faces):
            runs.ours(subject, gated, steps=steps)

    variants = {"default": (default, 1), "steps": (2 * default, 1), "faces": (default, 3)}
    times = in_turn({name: lambda v=v: work(*v) for name, v in variants.items()}, repeats, device)
    return {
        "steps": {str(default): 1.0, str(2 * default): ratio(times["steps"], times["default"])},
        "faces": {"1": 1.0, "3": ratio(times["faces"], times["default"])},
    }


def by_side(at: Callable[[int], sizes.Subject], sides: Sequence[int], repeats: int) -> dict[str, float]:
    """How time grows with the side of the crop, as ratios to the first."""
    models = {side: at(side) for side in sides}
    gated = {side: runs.gated(s.model) for side, s in models.items()}
    times = in_turn({str(side): lambda side=side: runs.ours(models[side], gated[side]) for side in sides}, repeats,
                    models[sides[0]].model.load_device)
    return {side: ratio(t, times[str(sides[0])]) for side, t in times.items()}


def table(found: Sequence[Speed]) -> str:
    """A Markdown table of all ratios, a row for each model."""
    head = ("model", "side", "mode", "evaluations", "to plain", "idle patch", "faster than 50 steps", "than 6 steps")
    rows = [(f.name, f"{f.side} px", f.mode, f"{f.evaluations}{'' if f.within_count else ' (too many)'}",
             f"{f.overhead_vs_plain:.3f}", f"{f.idle_patch_overhead:.3f}",
             f"{f.speedup_vs_published_50:.1f}{'' if f.published_steps >= 50 else '*'}",
             f"{f.speedup_vs_published_6:.1f}{'' if f.published_steps >= 6 else '*'}") for f in found]
    lines = ["| " + " | ".join(row) + " |" for row in (head, ("---",) * len(head), *rows)]
    if any(f.published_steps < 50 for f in found):
        lines.append("\n\\* so many times a step: fewer steps of the same pattern ran.")
    return "\n".join(lines)


def _subjects(names: Sequence[str], device: torch.device,
              side: int | None) -> Iterator[tuple[sizes.Subject, int | None, int]]:
    """(model, steps of ours, steps of the published pattern); on the CPU full-size models run few of both."""
    gpu = device.type == "cuda"
    for name in names:
        if name.startswith("lab"):
            yield sizes.lab(name, MODELS), None, 50
        else:
            size = sizes.SIZES[name]
            size = size if gpu and side is None else size.at(side or 256)
            made = sizes.make(size, device, torch.float16 if gpu else torch.float32)
            yield (made, None, 50) if gpu else (made, 3, 1)


def main(arguments: Sequence[str]) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="bench speed", description=__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures here")
    parser.add_argument("--models", nargs="+", default=["lab-unet", "lab-dit", "sd15"],
                        choices=["lab-unet", "lab-dit", *sizes.SIZES], help="default: the lab's two and SD 1.5")
    parser.add_argument("--repeats", type=int, default=7, help="runs of each, in turn (full-size models on the CPU: 3)")
    parser.add_argument("--side", type=int, help="side of the crop for full-size models (CPU default 256 px)")
    parser.add_argument("--gpu", action="store_true", help="use the graphics card")
    options = parser.parse_args(arguments)
    device = bare_host.start(options.gpu)
    print(f"On {bare_host.machine(device)}; ratios of runs in turn, {options.repeats} of each.", flush=True)
    found = []
    for subject, steps, published_steps in _subjects(options.models, device, options.side):
        repeats = min(3, options.repeats) if steps is not None else options.repeats
        found.append(measure(subject, repeats, steps, published_steps))
        print(table(found[-1:]), flush=True)
    grown = growth(sizes.lab("lab-unet", MODELS), 2)
    grown["side"] = by_side(lambda side: sizes.lab("lab-unet", MODELS, side), (128, 192, 256), 2)
    print("\n" + table(found))
    for what, ratios in grown.items():
        print(f"{what}: " + ", ".join(f"{n}: {r:.2f}" for n, r in ratios.items()))
    if options.json:
        # the last model speaks for the benchmark
        counts = count.Memory.of(sizes.SIZES["sd15"]).memory_ratio_published_50
        figures = {"machine": bare_host.machine(device), **asdict(found[-1]), "memory_ratio_published_50": counts,
                   "models": [asdict(f) for f in found], "growth": grown}
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")
