"""``python run.py bench photos FOLDER``: a face restored on photographs, measured against truth, judges and rivals."""
from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from ..bench.own import own_checkpoint
from . import folder, foreign_judges, opening, sheet, table
from .analyzers import LAB, OWN, mesh_file, open_analyzer
from .arguments import make_parser, methods_of
from .evaluate import Evaluation, Plan, start, work
from .gaze import NO_BEARD, NO_MESH, open_mesh
from .judge_check import separation
from .landmarks import landmarks_for
from .methods import Methods, largest
from .records import GROUPS, Example, load
from .rows import Row, rows
from .sheet_rows import sheet_row
from .store import KeptAnalyzer, Store
from .triples import made_triples


def main(arguments: Sequence[str]) -> None:
    """Run the benchmark with command-line arguments."""
    parser = make_parser()
    options = parser.parse_args(arguments)
    if options.install_judges:
        for line in foreign_judges.install(options.cache / opening.FOLDER):
            print(f"Installed {line}, to measure with only.")
        if options.folder is None:
            return
    if options.folder is None or not options.folder.is_dir():
        parser.error("say which folder holds the photographs (people/, triples/, edits/)")
    try:
        if options.sheet:
            sheet.check_place(options.sheet)
        plan = _plan(options, parser)
        if options.check_judges:
            _check_judges(options, plan)
            return
        _measure(options, plan)
    except (ValueError, RuntimeError) as problem:
        sys.exit(str(problem))


def _plan(options: argparse.Namespace, parser: argparse.ArgumentParser) -> Plan:
    checkpoint = own_checkpoint(options, parser)
    judges, words = options.judge, ""
    if not judges:
        judges, words = opening.usual_judges(options.cache, options.analyzer)
        print(words)
    if options.analyzer not in (LAB, OWN) and mesh_file() is None:
        print("The face mesh's weights are not at hand, so that the photo is laid on five points only: fetch them with "
              "python run.py weights.")
    return Plan(methods_of(options, checkpoint is not None), options.analyzer, tuple(judges), options.cache, checkpoint,
                options.family)


def _examples(options: argparse.Namespace, plan: Plan) -> tuple[list[Example], set[str]]:
    """What is to be measured, and the people of the whole folder that are to tune on."""
    found = folder.ready_triples(options.folder)
    people = folder.people(options.folder)
    if people and (options.make or not found):
        analyzer = KeptAnalyzer(open_analyzer(plan.analyzer), Store(plan.cache))
        found = made_triples(people, analyzer, landmarks_for(analyzer), Store(plan.cache), options.seed)
    found += folder.edits(options.folder)
    tune = folder.tune_people(found)
    if options.only:
        unknown = set(options.only.split(",")) - set(GROUPS)
        if unknown:
            raise ValueError(f"There is no group {', '.join(sorted(unknown))}; there are {', '.join(GROUPS)}.")
        found = [one for one in found if one.group in options.only.split(",")]
    if options.half:
        found = [one for one in found if (one.person in tune) == (options.half == "tune")]
    if options.examples:
        found = [one for one in found if one.name in options.examples.split(",")]
    if not found:
        raise ValueError(f"{options.folder} holds nothing to restore: people/NAME/*.jpg, triples/ or edits/.")
    return found, tune


def _measure(options: argparse.Namespace, plan: Plan) -> None:
    examples, tune = _examples(options, plan)
    evaluations = list(_evaluated(examples, plan, options.workers))
    judges = [opening.open_judge(name, plan.cache) for name in plan.judges]
    found = rows(evaluations, plan.judges, [judge.centred for judge in judges])
    print(table.text(table.summary(found, len(judges)), found, plan.judges))
    parts = table.halves(found, tune)
    if options.halves:
        for title, part in zip(("half to tune on", "other half"), parts):
            print(f"\n== {title}" + table.text(table.summary(part, len(judges)), part, plan.judges))
    for one in evaluations:
        if one.problem:
            print(f"{one.example.name}: {one.problem}; only whether it was accepted counts")
    if options.json:
        _write(options.json, found, parts, plan)
    if options.sheet:
        analyzer = KeptAnalyzer(open_analyzer(plan.analyzer), Store(plan.cache))
        methods = Methods(analyzer, plan.checkpoint, plan.family)
        for file in sheet.draw([sheet_row(one, found, plan, methods) for one in evaluations], options.sheet):
            print(f"Wrote {file}")


def _evaluated(examples: Sequence[Example], plan: Plan, workers: int) -> Iterator[Evaluation]:
    def told(found: Iterable[Evaluation]) -> Iterator[Evaluation]:
        for number, one in enumerate(found, start=1):
            print(f"{number}/{len(examples)} {one.example.name}", file=sys.stderr, flush=True)
            yield one

    if workers <= 1:
        start(plan)
        yield from told(map(work, examples))
        return
    with ProcessPoolExecutor(workers, get_context("spawn"), start, (plan,)) as pool:
        yield from told(pool.map(work, examples))


def _write(file: Path, found: Sequence[Row], parts: tuple[list[Row], list[Row]], plan: Plan) -> None:
    content: dict[str, Any] = {
        "groups": table.summary(found, len(plan.judges)),
        "halves": dict(zip(("tune", "other"), (table.summary(part, len(plan.judges)) for part in parts))),
        "judges": list(plan.judges),
        "methods": {method.name: method.rival or dict(method.options) for method in plan.methods},
        "not_measured": {"beard": NO_BEARD} | ({} if open_mesh() else {"gaze": NO_MESH}),
        "rows": list(found),
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content, indent=1), encoding="utf-8")


def _check_judges(options: argparse.Namespace, plan: Plan) -> None:
    analyzer = KeptAnalyzer(open_analyzer(plan.analyzer), Store(plan.cache))
    judges = [opening.open_judge(name, plan.cache) for name in plan.judges]
    names: list[str] = []
    seen: list[list[np.ndarray]] = [[] for _ in judges]
    for person, files in folder.people(options.folder).items():
        for photo in map(load, files):
            face = largest(analyzer.find(photo))
            if face is not None:
                names.append(person)
                for found, judge in zip(seen, judges):
                    found.append(judge.embed(photo, face.points))
    for name, judge, found in zip(plan.judges, judges, seen):
        said = separation(np.stack(found), names, judge.centred)
        print(f"{name}: {said.photos} photos, one person {said.same:.2f}, two {said.different:.2f}, area under the "
              f"curve {said.auc:.4f}, {said.found:.3f} found at 1 % false")
