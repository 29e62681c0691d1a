"""What the stages around the diffusion cost: ``python run.py bench around FOLDER``, on photographs.

Portraits of 12 megapixels and a group of 14, restored without a diffusion model on one thread, in processor time. With
``--against`` another checkout of the repository does the same in turn (A B B A …), each in a process of its own.
"""
from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..photos.analyzers import mesh_file
from ..photos.folder import ready_triples
from . import around_scenes

ROOT = Path(__file__).resolve().parents[2]
RUN = Path(__file__).with_name("around_run.py")


@dataclass
class Subject:
    """One version of the pack, and what its process answered about each scene."""

    name: str
    process: subprocess.Popen[str]
    answers: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def run(self, kind: str, scene: Path, profile: bool = False) -> dict[str, Any]:
        """Restore a scene and keep the answer."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(f"{scene}\t{'profile' if profile else ''}\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.name}: the run failed; its words stand above.")
        answer: dict[str, Any] = json.loads(line)
        self.answers.setdefault(kind, []).append(answer)
        return answer


def main(arguments: Sequence[str]) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="run.py bench around", description=__doc__)
    parser.add_argument("folder", type=Path, help="with triples/ and triples.json, as of bench photos")
    parser.add_argument("--against", type=Path, metavar="DIR", help="another checkout, run in turn with this one")
    parser.add_argument("--portraits", type=int, default=3, help="people whose portraits are restored in turn")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each scene")
    parser.add_argument("--only", choices=("portrait", "group"))
    parser.add_argument("--profile", action="store_true", help="run each scene once and show where the time goes")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures here")
    parser.add_argument("--gpu", action="store_true", help=argparse.SUPPRESS)  # run.py passes it on
    options = parser.parse_args(arguments)
    mesh = mesh_file()
    if mesh is None:
        raise SystemExit("The face mesh is not here: run `python run.py weights`.")
    triples = around_scenes.one_each([one for one in ready_triples(options.folder) if one.group == "photo"])
    if len(triples) < around_scenes.PEOPLE:
        raise SystemExit(f"{options.folder} has triples of {len(triples)} people of the kind photo; "
                         f"{around_scenes.PEOPLE} are needed.")
    trees = {"this": ROOT} | ({"other": options.against.resolve()} if options.against else {})
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        scenes = [("portrait", around_scenes.portrait(one, folder)) for one in triples[:options.portraits]
                  if options.only != "group"]
        if options.only != "portrait":
            scenes.append(("group", around_scenes.group(triples[:around_scenes.PEOPLE], folder)))
        subjects = [Subject(name, _started(tree, mesh)) for name, tree in trees.items()]
        try:
            _measure(subjects, scenes, 1 if options.profile else options.repeats, options.profile)
        finally:
            for subject in subjects:
                subject.process.kill()
                subject.process.wait()
    figures = {subject.name: {kind: _summary(kept) for kind, kept in subject.answers.items()} for subject in subjects}
    print(table(figures))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")


def _started(tree: Path, mesh: Path) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, str(RUN), str(tree), str(mesh)], stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, text=True)


def _measure(subjects: list[Subject], scenes: list[tuple[str, Path]], repeats: int, profile: bool) -> None:
    """Every scene `repeats` times by every subject in turn, after one run of each that does not count."""
    for subject in subjects:
        for scene in dict(reversed(scenes)).values():
            subject.run("first", scene)
        del subject.answers["first"]
    for i in range(repeats):
        for kind, scene in scenes:
            for subject in subjects[:: 1 if i % 2 == 0 else -1]:
                found = subject.run(kind, scene, profile)
                print(f"{subject.name}: {kind} {found['seconds']:.2f} s", flush=True)


def _summary(answers: list[dict[str, Any]]) -> dict[str, Any]:
    """Means over scenes and runs; the largest memory."""
    stages = {name: statistics.mean(one["stages"][name] for one in answers) for name in answers[0]["stages"]}
    memory = [one["mib"] for one in answers if one["mib"] is not None]
    return {"seconds": statistics.mean(one["seconds"] for one in answers), **stages,
            "mib": max(memory, default=None), "faces": answers[0]["faces"],
            "accepted": statistics.mean(one["accepted"] for one in answers), "runs": len(answers)}


def table(figures: dict[str, dict[str, dict[str, Any]]]) -> str:
    """A Markdown table, a row for each scene and version."""
    names = list(next(iter(next(iter(figures.values())).values())))
    rows = [("scene", "version", *(name.replace("_", " ") for name in names)), ("---",) * (len(names) + 2)]
    rows += [(kind, version, *("" if found[name] is None else f"{found[name]:.4g}" for name in names))
             for version, kinds in figures.items() for kind, found in kinds.items()]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)
