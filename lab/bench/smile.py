"""``python run.py bench smile FOLDER``: what *keep the new smile* keeps of the mouth, and what it gives back.

FOLDER holds triples, as for ``bench photos``. The pack runs without a diffusion model. Recovery is that of the *rest*:
all pictures get the truth's mouth before a recogniser sees them, so that nobody is judged by the mouth that stays.
"""
from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from editedid_core.masks.part_weights import PRESETS

from ..photos import folder, opening
from ..photos.analyzers import open_analyzer
from ..photos.judges import Judge
from ..photos.landmarks import Landmarks, Points, landmarks_for
from ..photos.methods import composite, largest, likest
from ..photos.morph import face_unit
from ..photos.records import Array, Example, Picture, as_bytes, as_float, load
from ..photos.store import DEFAULT, KeptAnalyzer, Store, code, key

PRESET = "keep the new smile"
LIPS = slice(48, 60)
"""The outer lips among the 68 landmarks."""
AROUND, SOFT = 0.12, 0.04
"""How far the mouth reaches beyond the lips, and how soft its border is, in parts of the face."""
METHODS: Mapping[str, Mapping[str, Any]] = {"default": {}, PRESET: {
    f"parts.{name}": weight for name, weight in vars(PRESETS[PRESET]).items() if weight is not None}}

Row = dict[str, dict[str, Any]]
"""What was measured of an example, by method; edit and truth are methods too."""


def main(arguments: Sequence[str]) -> None:
    """Run the benchmark with command-line arguments."""
    parser = argparse.ArgumentParser(prog="run.py bench smile", description="What 'keep the new smile' keeps.")
    parser.add_argument("folder", type=Path, help="triples/NN/ with triples.json; lab/people3d/splits/tune holds some")
    parser.add_argument("--only", help="only these groups: photo,kept,small,easy,hard")
    parser.add_argument("--n", type=int, help="about so many, spread evenly")
    parser.add_argument("--cache", type=Path, default=DEFAULT, metavar="DIR", help="as of bench photos")
    parser.add_argument("--gpu", action="store_true", help=argparse.SUPPRESS)  # run.py passes it on
    options = parser.parse_args(arguments)
    examples = folder.ready_triples(options.folder)
    tune = folder.tune_people(examples)
    examples = [one for one in examples if options.only is None or one.group in options.only.split(",")]
    examples = examples[::max(1, len(examples) // (options.n or len(examples)))]
    bench = Bench(options.cache)
    rows = {one.name: row for one in examples if (row := bench.row(one)) is not None}
    halves = {"all": set(rows), "half to tune on": {one.name for one in examples if one.person in tune}}
    halves["other half"] = halves["all"] - halves["half to tune on"]
    for title, names in halves.items():
        print(f"\n{title}\n" + "\n".join(table([row for name, row in rows.items() if name in names], bench.judges)))


class Bench:
    """Analyzer, judges and cache, opened once."""

    def __init__(self, cache: Path) -> None:
        torch.set_num_threads(1)
        self.store = Store(cache)
        self.analyzer = KeptAnalyzer(open_analyzer("dlib"), self.store)
        self.landmarks: Landmarks = landmarks_for(self.analyzer)
        self.names = opening.usual_judges(cache, "dlib")[0][:2]
        self.judges: list[Judge] = [opening.open_judge(name, cache) for name in self.names]

    def row(self, example: Example) -> Row | None:
        """What every method does with an example; None where a face is not found."""
        files = (*example.originals, example.edited, *filter(None, [example.ideal]), *example.held_out)
        place = key(self.names, sorted(METHODS), [key(file.read_bytes()) for file in files],
                    code("lab/bench/smile.py", "editedid_core"))
        return self.store.figures("smile", place, lambda: self._measured(example))

    def _measured(self, example: Example) -> Row | None:
        assert example.ideal is not None
        photo, edit, ideal = load(example.originals[0]), load(example.edited), load(example.ideal)
        face = largest(self.analyzer.find(photo))
        there, here = (likest(self.analyzer.find(one), face) for one in (ideal, edit))
        if face is None or there is None or here is None:
            return None
        known = [(one, found) for one in map(load, example.held_out) if (found := largest(self.analyzer.find(one)))]
        person = [np.mean([judge.embed(one, found.points) for one, found in known or [(photo, face)]], 0)
                  for judge in self.judges]
        truth = self.landmarks.find(ideal, there.points.astype(np.float64))
        made: dict[str, tuple[Picture, bool | None]] = {"edit": (edit, None), "truth": (ideal, None)}
        for name, options in METHODS.items():
            with torch.inference_mode():
                done = composite([photo], edit, self.analyzer, dict(options))
            made[name] = done.picture, done.accepted
        mouth = mouth_of(truth, ideal.shape)
        row: Row = {}
        for name, (picture, accepted) in made.items():
            five = there.points.astype(np.float64)
            dense = truth if name == "truth" else self.landmarks.find(picture, five)
            rest = as_bytes(as_float(picture) * (1 - mouth) + as_float(ideal) * mouth)
            row[name] = {
                "accepted": accepted,
                "mouth": float(np.linalg.norm(dense[LIPS] - truth[LIPS], axis=1).mean() / face_unit(truth)),
                **{kind: [float(judge.embed(seen, five) @ one / np.linalg.norm(one))
                          for judge, one in zip(self.judges, person)]
                   for kind, seen in (("whole", picture), ("rest", rest))},
            }
        return row


def mouth_of(dense: Points, shape: tuple[int, ...]) -> Array:
    """The lips and a little around them, (H, W, 1) in [0, 1]. dense: (68, 2)."""
    mask, unit = np.zeros(shape[:2], np.float32), face_unit(dense)
    cv2.fillPoly(mask, [cv2.convexHull(np.round(dense[LIPS]).astype(np.int32))], 1.0)
    reach = 2 * max(1, int(AROUND * unit)) + 1
    grown = cv2.dilate(mask, np.ones((reach, reach), np.uint8))
    return np.asarray(cv2.GaussianBlur(grown, (0, 0), max(SOFT * unit, 0.8)))[..., None]


def table(rows: Sequence[Row], judges: Sequence[Judge]) -> list[str]:
    """A line for each method: the mouth's error against the edit's, and the recovery of the rest and the whole face."""
    if not rows:
        return ["nothing was measured"]
    names = " / ".join(judge.name for judge in judges)
    lines = [f"{len(rows)} triples; judges {names}; mouth: error over the edit's"]
    edit = np.mean([row["edit"]["mouth"] for row in rows])
    for name in METHODS:
        mouth = np.mean([row[name]["mouth"] for row in rows]) / edit
        accepted = np.mean([bool(row[name]["accepted"]) for row in rows])
        shares = {kind: " / ".join(f"{recovery(rows, name, kind, i):.2f}" for i in range(len(judges)))
                  for kind in ("rest", "whole")}
        lines.append(f"{name:20} mouth {mouth:.2f}  rest {shares['rest']}  whole {shares['whole']}  "
                     f"accepted {accepted:.2f}")
    return lines


def recovery(rows: Sequence[Row], name: str, kind: str, judge: int) -> float:
    """Share of the lost likeness that came back, all examples together."""
    lost, back = (sum(row[one][kind][judge] - row["edit"][kind][judge] for row in rows) for one in ("truth", name))
    return back / lost
