"""Robustness: ``python run.py bench robustness``, how the joint rate falls as the task gets harder.

One curve for each difficulty, everything else as the seeds have it; Restore Identity's default beside a relit paste.
Finished figures are kept, so that a broken-off run goes on.
"""
from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .. import portraits
from . import plot, section, table, trial
from .conditions import COVERS, Condition
from .own import add_own_checkpoint, own_checkpoint
from .quality import MODELS
from .variants import Variant

DOCUMENT = trial.ROOT / "docs" / "ROBUSTNESS.md"
RIVAL = "relit_paste"
BROKEN = 0.5
"""A curve is broken where the joint rate is under this share of its best point."""

HEAD = """# Robustness: where it breaks

Made by `python run.py bench robustness --family unet` and `--family dit`, on the lab's tiny models and drawn people;
what is found here is claimed for them only. Each curve makes one thing harder and leaves the rest as it is. *Joint
rate*: the share of faces restored whole ([METHOD §8](METHOD.md)). *Recovery*: how much of the lost identity the
recogniser that nothing was tuned on finds again. *Kept the edit*: the guard refused, or no face was found, so that the
edit's face came back. *Warned*: the node's report says beforehand that the photo or the face is a hard one. The relit
paste, without diffusion, is there to tell a hard task from a weak method. Bands are 95 % bootstrap intervals over
triples.
"""


@dataclass(frozen=True)
class Curve:
    """One difficulty. `points`: label and condition of each point, easiest first."""

    key: str
    title: str
    axis: str
    points: tuple[tuple[str, Condition], ...]


CURVES = (
    Curve("landmarks", "Landmarks that are off", "error of each landmark, % of the eye distance",
          tuple((f"{100 * noise:.0f}", Condition(noise=noise)) for noise in (0.0, 0.01, 0.02, 0.03, 0.04, 0.05))),
    Curve("yaw", "Head turned to the side", "degrees between photo and edit",
          tuple((f"{yaw}", Condition(yaw=float(yaw))) for yaw in (0, 10, 20, 30, 40))),
    Curve("pitch", "Head turned up or down", "degrees between photo and edit",
          tuple((f"{pitch}", Condition(pitch=float(pitch))) for pitch in (0, 5, 10, 15, 20))),
    Curve("size", "Small faces", "distance of the eyes in pixels",
          tuple((f"{eyes}", Condition(eyes=eyes)) for eyes in (48, 32, 24, 16, 12, 8))),
    Curve("cover", "Covered faces", "what covers the face in the edit",
          tuple((cover, Condition(cover=cover)) for cover in COVERS)),
    Curve("drift", "Drift", "identity distance; strangers are about 1.4 apart",
          tuple((f"{drift}", Condition(drift=drift)) for drift in (0.3, 0.6, 0.9, 1.2, 1.5))),
)


def own(curve: Curve) -> list[Variant]:
    """The default at each point."""
    return [Variant("default", condition=condition) for _, condition in curve.points]


def rivals(curve: Curve) -> list[Variant]:
    """The relit paste at each point."""
    return [Variant(RIVAL, condition=condition, rival=RIVAL) for _, condition in curve.points]


def report(curves: list[Curve], results: dict[str, list[trial.Result]], task: trial.Plan, picture: str) -> str:
    """The section of one family: the picture, then a table and its reading for each curve."""
    lines = [f"{len(task.seeds)} triples for each point.", "", f"![Joint rate over each difficulty]({picture})"]
    for curve in curves:
        lines += ["", f"### {curve.title}", "",
                  f"| {curve.axis} | joint rate | recovery | landmarks | light | kept the edit | warned | relit paste: "
                  "joint rate | recovery |", "|" + "---|" * 9]
        for (label, _), default, rival in zip(curve.points, own(curve), rivals(curve)):
            mine, other = results[task.key(default)], results[task.key(rival)]
            cells = [label, _spread(mine, "joint_rate"), _spread(mine, "recovery_b"),
                     trial.cell(mine, "landmark_error", 3), trial.cell(mine, "light_error", 4),
                     trial.cell(mine, "given_up", 2), trial.cell(mine, "warned", 2),
                     trial.cell(other, "joint_rate", 2), trial.cell(other, "recovery_b", 2)]
            lines.append("| " + " | ".join(cells) + " |")
        lines += ["", _reading(curve, results, task)]
    return "\n".join(lines)


def _spread(results: list[trial.Result], measure: str) -> str:
    mean, low, high = table.interval(trial.values(results, measure))
    return "-" if np.isnan(mean) else f"{mean:.2f} ({low:.2f} to {high:.2f})"


def _reading(curve: Curve, results: dict[str, list[trial.Result]], task: trial.Plan) -> str:
    """Where the joint rate falls under half of the curve's best, and whether the node warns there."""
    rows = [(label, results[task.key(default)]) for (label, _), default in zip(curve.points, own(curve))]
    rates = [float(trial.values(found, "joint_rate").mean()) for _, found in rows]
    best = max(rates)
    broken = [(label, found) for (label, found), rate in zip(rows, rates) if rate < BROKEN * best]
    if best == 0:
        return "No face is restored whole anywhere on this curve."
    if not broken:
        return f"It does not break on this range: the joint rate stays between {min(rates):.2f} and {best:.2f}."
    warned = float(np.mean([trial.values(found, "warned").mean() for _, found in broken]))
    return (f"It breaks at {', '.join(label for label, _ in broken)}, where the joint rate is under half of the best "
            f"({best:.2f}); the node warns on {warned:.0%} of these faces.")


def _panels(curves: list[Curve], results: dict[str, list[trial.Result]], task: trial.Plan) -> list[plot.Panel]:
    panels = []
    for curve in curves:
        lines = []
        for name, line in (("default", own(curve)), ("relit paste", rivals(curve))):
            found = [table.interval(trial.values(results[task.key(v)], "joint_rate")) for v in line]
            lines.append(plot.Line(name, tuple(found)))
        panels.append(plot.Panel(curve.title, curve.axis, tuple(label for label, _ in curve.points), tuple(lines)))
    return panels


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="bench robustness", description=__doc__)
    parser.add_argument("--family", choices=("unet", "dit"), default="unet")
    parser.add_argument("--split", choices=("tune", "held-out"), default="tune")
    parser.add_argument("--n", type=int, default=24, help="number of triples")
    parser.add_argument("--only", action="append", choices=[curve.key for curve in CURVES],
                        help="only this curve (may be given more than once); the table is then printed and not written")
    parser.add_argument("--models", type=Path, default=MODELS, help="the lab's models")
    parser.add_argument("--workers", type=int, default=2, help="processes of one thread each")
    parser.add_argument("--cache", type=Path, default=trial.CACHE, help="where finished figures are kept")
    parser.add_argument("--document", type=Path, default=DOCUMENT, help="the Markdown file to write into")
    add_own_checkpoint(parser)
    options = parser.parse_args(arguments)
    curves = [curve for curve in CURVES if not options.only or curve.key in options.only]
    wanted = [variant for curve in curves for variant in (*own(curve), *rivals(curve))]
    seeds = portraits.triple_split(options.split, options.n)
    task = trial.plan(options.family, options.models, seeds, wanted, options.cache,
                      own_checkpoint(options, parser))
    results = trial.run(task, options.workers)
    picture = options.document.with_name(f"robustness_{options.family}.svg")
    text = report(curves, results, task, picture.name)
    if options.only or options.checkpoint:
        print(text)
        return
    plot.write(_panels(curves, results, task), picture)
    section.write(options.document, HEAD, options.family, section.TITLES[options.family], text)
    print(f"Written to {options.document} and {picture}")
