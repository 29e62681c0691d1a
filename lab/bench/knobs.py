"""What every input of every node does: ``python run.py bench knobs``, the largest change of the output in 8-bit levels.

Each input goes over its range (all options of a list, the ends of a number's range and points between, an optional
socket with and without) from the shipped defaults, in the mode and on the pictures where it has a meaning. What is no
picture is judged by what the rest of the graph makes of it; a text or a record that differs counts as 255. An input
that changes nothing would be a lie on the node: it is printed, and the command fails.
"""
from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .knob_faces import FACE_NODES
from .knob_models import MODEL_NODES
from .knob_small_faces import SMALL_FACE_NODES
from .knob_world import LEFT_OUT, Seen, Subject, Trial, World, defaults
from .quality import MODELS

SUBJECTS = {**FACE_NODES, **MODEL_NODES, **SMALL_FACE_NODES}
"""What makes the subject of a node, by the node's id; each takes the world."""

MOST = 255.0
NOTHING = 0.005
"""Levels that are shown as 0.00 count as none."""
MANY = 9
"""Numbers in a list beyond which those at its ends and between are tried, as of a range."""
WEAK = 1.0
"""Levels under which no pixel of an 8-bit picture need change."""

Levels = dict[str, float]


def difference(first: Seen, second: Seen) -> float:
    """Largest difference of two outcomes in 8-bit levels; MOST where a text or the size of a picture differs."""
    if len(first) != len(second):
        return MOST
    most = 0.0
    for one, other in zip(first, second):
        if not isinstance(one, Tensor) or not isinstance(other, Tensor):
            most = max(most, MOST if one != other else 0.0)
        elif one.shape != other.shape:
            return MOST
        elif one.numel():
            most = max(most, MOST * float((one.float() - other.float()).abs().max()))
    return most


def points(entry: Any) -> tuple[Any, ...]:
    """The values that an input of a schema is tried at, the ends of its range first."""
    options = getattr(entry, "options", None)
    if options:
        numbers = [one for one in options if one.replace(".", "").isdigit()]
        if len(numbers) <= MANY:
            return tuple(options)
        few = [numbers[round(share * (len(numbers) - 1))] for share in (1, 0, 0.25, 0.5, 0.75)]
        return *few, *(one for one in options if one not in numbers)
    if isinstance(getattr(entry, "default", None), bool):
        return True, False
    low, high = getattr(entry, "min", None), getattr(entry, "max", None)
    if low is None or high is None:
        raise ValueError(f"{entry.id}: say in its node's subject what it is tried at.")
    between = [low + share * (high - low) for share in (0.25, 0.5, 0.75)]
    return high, low, *(round(v) if isinstance(low, int) else v for v in between)


class Bench:
    """One node in the world. `quick`: an input is done with at its first change, and is known to act."""

    def __init__(self, world: World, kind: str, quick: bool = False) -> None:
        self.node, self.quick = world.methods.host.node(kind), quick
        self.subject: Subject = SUBJECTS[kind](world)
        self.entries = self.node.define_schema().inputs
        self._standard: list[tuple[Any, Mapping[str, Any], Seen]] = []

    def levels(self, only: Sequence[str] = ()) -> Levels:
        """By input, the largest change of the output over its range."""
        return {entry.id: self._levels(entry) for entry in self.entries if not only or entry.id in only}

    def repeated(self) -> float:
        """The change from calling the node twice with the same inputs: everything else is measured against none."""
        given = {**defaults(self.node), **self.subject.sockets}
        return difference(*(self._outcome(Trial(), given) for _ in range(2)))

    def _levels(self, entry: Any) -> float:
        trial = self.subject.trials.get(entry.id, Trial())
        given = {**defaults(self.node), **self.subject.sockets, **trial.given}
        standard = self._known(trial, given)
        most = 0.0
        for value in trial.values if trial.values is not None else points(entry):
            if value is given.get(entry.id, LEFT_OUT):
                continue
            most = max(most, difference(standard, self._outcome(trial, {**given, entry.id: value})))
            if self.quick and most >= NOTHING:
                break
        return round(most, 2)

    def _known(self, trial: Trial, given: Mapping[str, Any]) -> Seen:
        """The outcome at the standard inputs, of which many trials share one."""
        for look, inputs, seen in self._standard:
            if look is trial.look and inputs.keys() == given.keys() and all(inputs[k] is given[k] for k in given):
                return seen
        seen = self._outcome(trial, given)
        self._standard.append((trial.look, given, seen))
        return seen

    def _outcome(self, trial: Trial, given: Mapping[str, Any]) -> Seen:
        inputs = {name: value for name, value in given.items() if value is not LEFT_OUT}
        with torch.inference_mode():
            try:
                return (trial.look or self.subject.look)(self.node.execute(**inputs).result)
            except ValueError as error:
                if not trial.may_fail:
                    raise
                return [str(error)]


def untried(world: World) -> list[str]:
    """Inputs that no subject says how to try and that have no range, and trials of inputs that no node has."""
    wrong = []
    for kind in SUBJECTS:
        bench = Bench(world, kind)
        trials, entries = bench.subject.trials, {entry.id: entry for entry in bench.entries}
        wrong += [f"{kind}.{name}: no such input" for name in trials.keys() - entries.keys()]
        for name, entry in entries.items():
            if trials.get(name, Trial()).values is None:
                try:
                    points(entry)
                except ValueError as error:
                    wrong.append(f"{kind}.{error}")
    return wrong


def run(world: World, nodes: Sequence[str]) -> Iterator[tuple[str, Levels, float]]:
    """For each node, its levels by input and the change of a repeated call."""
    for kind in nodes:
        started = time.monotonic()
        bench = Bench(world, kind)
        repeated, levels = round(bench.repeated(), 2), bench.levels()
        print(f"  {kind}: {len(levels)} inputs, {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
        yield kind, levels, repeated


def table(found: Mapping[str, Levels]) -> str:
    """A line for each node; what hardly acts has a star."""
    return "\n".join(f"{kind}: " + ", ".join(f"{name} {value:.2f}{'*' if value < WEAK else ''}"
                                             for name, value in levels.items()) for kind, levels in found.items())


def dead(found: Mapping[str, Levels]) -> list[str]:
    """Inputs that change nothing."""
    return [f"{kind}.{name}" for kind, levels in found.items() for name, value in levels.items() if value < NOTHING]


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="bench knobs", description=__doc__)
    parser.add_argument("--family", choices=("unet", "dit"), default="unet")
    parser.add_argument("--node", action="append", choices=tuple(SUBJECTS), help="only this node; may be given again")
    parser.add_argument("--json", type=Path,
                        help="write the figures here after each node, beside those of other nodes that are in the file")
    parser.add_argument("--models", type=Path, default=MODELS, help="the lab's models")
    options = parser.parse_args(arguments)
    os.environ.setdefault("TQDM_DISABLE", "1")
    os.environ.pop("EDITEDID_FACE_PACK", None)  # an operator's choice would stand in the place of "auto"
    content: dict[str, Any] = {"family": options.family, "nodes": {}, "repeated": {}}
    if options.json and options.json.is_file():
        known = json.loads(options.json.read_text(encoding="utf-8"))
        content = known if known["family"] == options.family else content
    found: dict[str, Levels] = content["nodes"]
    for kind, levels, repeated in run(World.open(options.family, options.models), options.node or tuple(SUBJECTS)):
        found[kind], content["repeated"][kind] = levels, repeated
        if options.json:
            options.json.parent.mkdir(parents=True, exist_ok=True)
            options.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    print(table(found))
    print(f"* under {WEAK:.0f} level. The same call twice: at most {max(content['repeated'].values()):.2f} levels.")
    if dead(found):
        sys.exit(f"Inputs that change nothing: {', '.join(dead(found))}")
