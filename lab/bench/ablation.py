"""The ablation: ``python run.py bench ablation``, every choice of METHOD §3 to §6 switched one at a time.

Each row differs from Restore Identity's default, whatever that is at the time, in the one thing that its name says,
on the same triples of the tune split. Finished figures are kept, so that a broken-off run goes on.
"""
from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from .. import portraits
from . import section, table, trial
from .own import add_own_checkpoint, own_checkpoint
from .quality import MODELS
from .variants import Group, Variant, groups

DOCUMENT = trial.ROOT / "docs" / "ABLATION.md"
COLUMNS = (("landmark_error", 3), ("light_error", 4), ("seam_error", 4), ("realism_error", 3), ("element_error", 4),
           ("evaluations", 0), ("seconds", 1))
FEWEST = 10
"""Triples from which a reading is written."""
LEAST = 0.005
"""A mean difference that a table shows as 0.00 is none, however narrow its interval."""

HEAD = """# Ablation: what each choice does

Made by `python run.py bench ablation --family unet` and `--family dit`, on the lab's tiny models and drawn people
(tune split); what is found here is claimed for them only. On a checkpoint of your own:
`python run.py bench --comfyui PATH ablation --checkpoint NAME --crop-size 512`, with `--family dit` where it is a
transformer.

Every row is Restore Identity's default with one thing changed, on the same triples. *Joint rate*: the share of faces
restored whole ([METHOD §8](METHOD.md)). *Recovery*: how much of the lost identity the recogniser that nothing was
tuned on finds again. The differences are to the default on the same triples, with their 95 % bootstrap interval over
triples; a row is called better or worse only where that interval leaves out zero and the difference does not show as
0.00. With more than a hundred rows, a few of those will be chance. *Inert*: another configuration with the same figures
to the last digit, so that the choice did nothing at all.
"""


def report(chosen: list[Group], results: dict[str, list[trial.Result]], task: trial.Plan) -> str:
    """The section of one family: a table and its reading for each group."""
    base = results[task.key(Variant("default"))]
    joint, gained = (table.interval(trial.values(base, measure)) for measure in ("joint_rate", "recovery_b"))
    lines = [f"{len(task.seeds)} triples. Default: joint rate {joint[0]:.2f} ({joint[1]:.2f} to {joint[2]:.2f}), "
             f"recovery {gained[0]:.2f} ({gained[1]:.2f} to {gained[2]:.2f}), "
             f"{trial.cell(base, 'evaluations', 0)} sample-evaluations a face.", ""]
    for group in chosen:
        lines += [f"### {group.title}", "", group.about, ""]
        lines += _table(group, results, task) + ["", _reading(group, results, task), ""]
    return "\n".join(lines)


def _table(group: Group, results: dict[str, list[trial.Result]], task: trial.Plan) -> list[str]:
    names = ("landmarks", "light", "seam", "realism", "elements", "evaluations", "seconds")
    head = ("variant", "joint rate", "difference", "recovery", "difference", *names)
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for variant in _with_default(group):
        found, base = results[task.key(variant)], results[task.key(variant.reference)]
        problem = next((result.problem for result in found if result.problem), "")
        if problem:
            lines.append(f"| {variant.name} | not run: {problem} |" + " |" * (len(head) - 2))
            continue
        cells = [variant.name]
        for measure in ("joint_rate", "recovery_b"):
            cells += [trial.cell(found, measure, 2), _difference(variant, found, base, measure)]
        cells += [trial.cell(found, measure, digits) for measure, digits in COLUMNS]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def _with_default(group: Group) -> list[Variant]:
    """The group's rows under the default's own, unless the group lists it itself."""
    listed = any(variant == variant.reference or variant.name.startswith("default") for variant in group.variants)
    return [*([] if listed else [Variant("default")]), *group.variants]


def _same(found: list[trial.Result], base: list[trial.Result]) -> bool:
    """Whether two rows have the same figures on every triple, but for the seconds they took."""
    def timeless(results: list[trial.Result]) -> list[dict[str, float | None]]:  # None: NaN is not equal to itself
        return [{name: None if np.isnan(value) else value for name, value in result.figures.items()
                 if name != "seconds"} for result in results]

    return timeless(found) == timeless(base)


def _difference(variant: Variant, found: list[trial.Result], base: list[trial.Result], measure: str) -> str:
    if _same(found, base):
        return "as the default" if variant.is_reference else "inert"
    mean, low, high = table.difference(trial.values(found, measure), trial.values(base, measure))
    return "-" if np.isnan(mean) else f"{mean:+.2f} ({low:+.2f} to {high:+.2f})"


def _reading(group: Group, results: dict[str, list[trial.Result]], task: trial.Plan) -> str:
    """Which rows differ for sure, in plain words."""
    if len(task.seeds) < FEWEST:
        return f"(Under {FEWEST} triples nothing is read from a table.)"
    better: list[str] = []
    worse: list[str] = []
    alike: list[str] = []
    inert: list[str] = []
    open_: list[str] = []
    for variant in group.variants:
        found, base = results[task.key(variant)], results[task.key(variant.reference)]
        if variant.name.startswith("default") or any(result.problem for result in found):
            continue
        if _same(found, base):
            (alike if variant.is_reference else inert).append(variant.name)
            continue
        signs = {measure: _sign(found, base, measure) for measure in ("joint_rate", "recovery_b")}
        what = " and ".join({"joint_rate": "whole", "recovery_b": "recovery"}[m] for m, s in signs.items() if s)
        if signs["joint_rate"] * signs["recovery_b"] < 0:
            open_.append(f"{variant.name} (restored whole {'more' if signs['joint_rate'] > 0 else 'less'} often, "
                         f"recovery {'higher' if signs['recovery_b'] > 0 else 'lower'})")
        elif any(signs.values()):
            (better if sum(signs.values()) > 0 else worse).append(f"{variant.name} ({what})")
        else:
            open_.append(variant.name)
    parts = [(better, "Better than the default"), (worse, "Worse"), (open_, "No clear difference, or a trade"),
             (alike, "The default itself"), (inert, "Inert")]
    return " ".join(f"{title}: {'; '.join(names)}." for names, title in parts if names)


def _sign(found: list[trial.Result], base: list[trial.Result], measure: str) -> int:
    mean, low, high = table.difference(trial.values(found, measure), trial.values(base, measure))
    return 0 if abs(mean) < LEAST else 1 if low > 0 else -1 if high < 0 else 0


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="bench ablation", description=__doc__)
    parser.add_argument("--family", choices=("unet", "dit"), default="unet")
    parser.add_argument("--split", choices=("tune", "held-out"), default="tune")
    parser.add_argument("--n", type=int, default=24, help="number of triples")
    parser.add_argument("--only", action="append", metavar="NAME", help="a group's key or a row's name; may be given "
                        "more than once; the table is then printed and not written")
    parser.add_argument("--list", action="store_true", help="print the groups and their rows, and run nothing")
    parser.add_argument("--models", type=Path, default=MODELS, help="the lab's models")
    parser.add_argument("--workers", type=int, default=2, help="processes of one thread each")
    parser.add_argument("--cache", type=Path, default=trial.CACHE, help="where finished figures are kept")
    parser.add_argument("--document", type=Path, default=DOCUMENT, help="the Markdown file to write into")
    add_own_checkpoint(parser)
    options = parser.parse_args(arguments)
    everything = groups(options.family)
    if options.list:
        for group in everything:
            print(f"{group.key}: {group.title}\n  " + "\n  ".join(variant.name for variant in group.variants))
        return
    chosen = _chosen(list(everything), options.only or [], parser)
    variants = [Variant("default"), *(variant for group in chosen for variant in group.variants)]
    seeds = portraits.triple_split(options.split, options.n)
    task = trial.plan(options.family, options.models, seeds, variants, options.cache,
                      own_checkpoint(options, parser))
    text = report(chosen, trial.run(task, options.workers), task)
    if options.only or options.checkpoint:
        print(text)
        return
    section.write(options.document, HEAD, options.family, section.TITLES[options.family], text)
    print(f"Written to {options.document}")


def _chosen(everything: list[Group], only: list[str], parser: argparse.ArgumentParser) -> list[Group]:
    """The groups and rows that were asked for; all of them where nothing was."""
    if not only:
        return everything
    names = {group.key for group in everything} | {v.name for group in everything for v in group.variants}
    unknown = [name for name in only if name not in names]
    if unknown:
        parser.error(f"nothing is called {unknown[0]!r}: --list shows the names")
    found = []
    for group in everything:
        rows = group.variants if group.key in only else tuple(v for v in group.variants if v.name in only)
        if rows:
            found.append(Group(group.key, group.title, group.about, rows))
    return found
