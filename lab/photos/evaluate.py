"""One example through all methods and all measures; what a worker process does."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from editedid_core.geometry.landmarks import five_of_68
from editedid_core.records import Face

from ..checkpoints import Checkpoint
from .analyzers import open_analyzer
from .gaze import gaze, gaze_error, open_mesh
from .judges import Judge
from .landmarks import Landmarks, landmarks_for
from .making import digest, make
from .measures import Scene, measure, scene
from .methods import Made, Method, Methods, largest, likest
from .opening import open_judge
from .records import Example, Picture, load
from .store import KeptAnalyzer, Store, code, key

MEASURED_BY = tuple(f"lab/photos/{name}.py" for name in ("measures", "ghost", "flow", "landmarks", "morph", "gaze"))

Embeddings = dict[str, list[float]]
"""By judge."""


@dataclass(frozen=True)
class Plan:
    """What is to be done with every example. analyzer, judges: as the command line names them."""

    methods: tuple[Method, ...]
    analyzer: str
    judges: tuple[str, ...]
    cache: Path
    checkpoint: Checkpoint | None = None
    family: str = "unet"


@dataclass(frozen=True, eq=False)
class Seen:
    """A picture's figures and what the judges see in it. Empty where nothing could be measured."""

    figures: dict[str, Any] = field(default_factory=dict)
    embeddings: Embeddings = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Evaluation:
    """All of an example. `problem`: why nothing was measured, else "". `frame` (2, 3): crop to the edit's pixels."""

    example: Example
    outputs: dict[str, Seen]
    original: Seen
    ideal: Seen | None
    held_out: list[Seen]
    frame: NDArray[np.float64] | None
    problem: str = ""


class Evaluator:
    """Analyzer, judges and methods of a plan, opened once a process."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.store = Store(plan.cache)
        self.analyzer = KeptAnalyzer(open_analyzer(plan.analyzer), self.store)
        self.methods = Methods(self.analyzer, plan.checkpoint, plan.family)
        self.landmarks: Landmarks = landmarks_for(self.analyzer)
        self.judges: list[Judge] = [open_judge(name, plan.cache) for name in plan.judges]
        self.mesh = open_mesh()

    def evaluate(self, example: Example) -> Evaluation:
        """Every method's output, measured."""
        edited = load(example.edited)
        made = {method.name: make(example, method, self.methods, self.store) for method in self.plan.methods}
        photo, face = self._photo(example)
        here = likest(self.analyzer.find(edited), face)
        ideal = None if example.ideal is None else load(example.ideal)
        there = None if ideal is None else likest(self.analyzer.find(ideal), face) or here
        if photo is None or face is None or here is None:
            which = "photo" if photo is None else "edit"
            outputs = {name: Seen(_verdict(one)) for name, one in made.items()}
            return Evaluation(example, outputs, Seen(), None, [], None, f"no face was found in the {which}")
        points = None if there is None else there.points.astype(np.float64)
        five = face.points.astype(np.float64)
        around = scene(photo, five, edited, here.points.astype(np.float64), ideal, points, self.landmarks)
        goal = gaze(edited if ideal is None else ideal, five_of_68(around.dense), self.mesh)
        outputs = {name: self._seen(one, around, goal, name, example) for name, one in made.items()}
        truth = None if ideal is None else self._seen(Made(ideal, None), around, goal, "ideal", example)
        held_out = [self._face(load(file)) for file in example.held_out]
        original = Seen({}, self._embeddings(photo, five))
        return Evaluation(example, outputs, original, truth, [one for one in held_out if one.embeddings], around.frame)

    def _photo(self, example: Example) -> tuple[Picture | None, Face | None]:
        """The first photo with a face, and its largest face."""
        for file in example.originals:
            photo = load(file)
            face = largest(self.analyzer.find(photo))
            if face is not None:
                return photo, face
        return None, None

    def _face(self, photo: Picture) -> Seen:
        face = largest(self.analyzer.find(photo))
        return Seen() if face is None else Seen({}, self._embeddings(photo, face.points))

    def _seen(self, made: Made, around: Scene, goal: Any, name: str, example: Example) -> Seen:
        is_edit = made.accepted is None and name == "edit"

        def figures() -> dict[str, Any]:
            found = measure(made.picture, around, self.landmarks, is_edit)
            near = np.array(found["points"])
            return found | {"gaze": gaze_error(gaze(made.picture, near, self.mesh), goal), "beard": None}

        pictures = [load(file) for file in (*example.originals, example.edited, *filter(None, [example.ideal]))]
        face = around.frame.round(3).tolist()  # of several faces, which one is measured
        place = key(made.picture, *pictures, face, self.analyzer.name, is_edit, self.mesh is not None,
                    code(*MEASURED_BY))
        values = self.store.figures("measured", place, figures)
        return Seen(values | _verdict(made), self._embeddings(made.picture, np.array(values["points"])))

    def _embeddings(self, picture: Picture, points: NDArray[Any]) -> Embeddings:
        found = {}
        for judge, name in zip(self.judges, self.plan.judges):
            place = key(name, digest(picture), np.asarray(points, np.float32).round(2), code("lab/photos/judges.py"))
            found[name] = self.store.figures(
                "judged", place, lambda judge=judge: [float(v) for v in judge.embed(picture, points)])
        return found


def _verdict(made: Made) -> dict[str, Any]:
    return {"accepted": made.accepted, "notes": list(made.notes), "warnings": list(made.warnings)}


_evaluator: Evaluator | None = None


def start(plan: Plan) -> None:
    """Initializer of a worker process."""
    global _evaluator
    import cv2
    import torch

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    _evaluator = Evaluator(plan)


def work(example: Example) -> Evaluation:
    """One example in a process that `start` has prepared."""
    assert _evaluator is not None
    return _evaluator.evaluate(example)


def centre(evaluations: Sequence[Evaluation], judge: str) -> NDArray[np.float64]:
    """Mean embedding of all photos, each once, for judges whose embeddings all point one way."""
    photos = [seen for one in evaluations for seen in (one.original, *one.held_out) if seen.embeddings]
    return np.unique(np.array([seen.embeddings[judge] for seen in photos]), axis=0).mean(0)
