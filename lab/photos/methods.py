"""The one place that calls the pack: what each method makes of an example.

Rivals know what a user has: the photo, the edit and the detector's points. The pack runs without a diffusion model,
with the photo's crop and the edit's joined through its own masks (the composite), or with a checkpoint in the host.
"""
from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import torch

import editedid_core.faces.elements as elements
from editedid_core import pipeline
from editedid_core.faces import Face, FaceAnalyzer

from ..bench.rivals import PIXEL_RIVALS, Case
from ..checkpoints import Checkpoint
from .records import Picture, as_bytes, as_float

RIVALS = {"aligned paste": "paste", "relit paste": "relit_paste", "60 % blend": "blend_60", "poisson": "poisson"}
"""Rows of the table, and the pixel rivals of `lab.bench.rivals` behind them."""

ENGINES = ("EditedID",)
"""Engines that a checkpoint is run with, a row each."""

CONSTANTS = {"bridge_threshold": 0.0, "retry_shape": 0.5}
"""What `--set` can change although it is no option of the pack's yet, with what the pack does now.

bridge_threshold: least difference across the bridge of the nose that makes a pair of glasses; retry_shape: the share
of the new shape that is tried where the guard refuses all of it.
"""


@dataclass(frozen=True)
class Method:
    """One row. rival: name of a pixel rival, or "edit"; else the pack with `options`, and with `engine` on a
    checkpoint instead of the composite."""

    name: str
    rival: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    engine: str | None = None

    @property
    def ours(self) -> bool:
        return self.rival is None


@dataclass(frozen=True, eq=False)
class Made:
    """What a method made. `accepted`: whether the guard let every face pass; None where nothing judged it."""

    picture: Picture
    accepted: bool | None
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def option_names() -> list[str]:
    """What `--set` and `--variant` know."""
    return sorted({entry.name for entry in fields(pipeline.RestoreOptions)} | set(CONSTANTS))


def default_of(name: str) -> Any:
    """The pack's own value of an option."""
    return CONSTANTS[name] if name in CONSTANTS else getattr(pipeline.RestoreOptions(), name)


class Methods:
    """Runs methods with one analyzer; a checkpoint and the host are opened when they are first needed."""

    def __init__(self, analyzer: FaceAnalyzer, checkpoint: Checkpoint | None = None, family: str = "unet") -> None:
        self.analyzer = analyzer
        self.checkpoint = checkpoint
        self.family = family
        self._host: Any = None

    def run(self, method: Method, originals: list[Picture], edited: Picture) -> Made:
        """The method's picture, of the edited picture's size."""
        if method.rival == "edit":
            return Made(edited, None)
        if method.rival is not None:
            case = self._case(originals, edited)
            return Made(edited if case is None else as_bytes(PIXEL_RIVALS[method.rival](case)), None)
        with torch.inference_mode():
            if method.engine is not None:
                return self._with_checkpoint(originals, edited, dict(method.options))
            return composite(originals, edited, self.analyzer, dict(method.options))

    def _case(self, originals: list[Picture], edited: Picture) -> Case | None:
        here = largest(self.analyzer.find(edited))
        for photo in originals:
            there = largest(self.analyzer.find(photo))
            if here is not None and there is not None:
                return Case(as_float(photo), as_float(edited), there.points, here.points, 0)
        return None

    def _with_checkpoint(self, originals: list[Picture], edited: Picture, options: dict[str, Any]) -> Made:
        from ..bench.diffusion import DiffusionMethods
        from ..bench.quality import MODELS

        if self._host is None:
            self._host = DiffusionMethods(self.family, MODELS, checkpoint=self.checkpoint)
        with _constants(options) as rest:
            photos = [as_float(photo) for photo in one_size(originals)]
            picture, report = self._host.restore(photos, as_float(edited), rest, self.analyzer)
        faces: list[dict[str, Any]] = report.get("faces", [])
        return Made(as_bytes(picture), _all(bool(face["accepted"]) for face in faces),
                    tuple(face["note"] for face in faces), tuple(w for face in faces for w in face["warnings"]))


def composite(originals: list[Picture], edited: Picture, analyzer: FaceAnalyzer, options: dict[str, Any]) -> Made:
    """Restore Identity's stages with the two crops joined through their masks in place of the diffusion."""

    def same(crop: torch.Tensor) -> torch.Tensor:
        return crop.clone()

    def sample(original: torch.Tensor, edit: torch.Tensor, face: torch.Tensor, covered: torch.Tensor, pose: float,
               drift: float, more: torch.Tensor | None) -> pipeline.Sampled:
        weight = (face * (1 - covered))[None, ..., None].to(edit)
        return pipeline.Sampled(torch.lerp(edit, original, weight.expand_as(edit)), 0, "composite")

    photos = torch.from_numpy(np.stack([as_float(photo) for photo in one_size(originals)]))
    with _constants(options) as rest:
        chosen = pipeline.RestoreOptions(**{"no_face": "pass through", **rest})
        done = pipeline.restore(photos, torch.from_numpy(as_float(edited))[None], analyzer, same, sample, same, chosen)
    return Made(as_bytes(done.image[0].numpy()), _all(face.accepted for face in done.faces),
                tuple(face.note for face in done.faces), tuple(w for face in done.faces for w in face.warnings))


@contextmanager
def _constants(options: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The pack with CONSTANTS as `options` want them; yields the options that are the pack's own."""
    kept, across = pipeline.MILDER, elements._across_the_bridge
    least = float(options.get("bridge_threshold", CONSTANTS["bridge_threshold"]))

    def strong_enough(difference: torch.Tensor, points: np.ndarray) -> float:
        value = across(difference, points)
        return value if value > least else 0.0

    pipeline.MILDER = float(options.get("retry_shape", kept))
    elements._across_the_bridge = strong_enough
    try:
        yield {name: value for name, value in options.items() if name not in CONSTANTS}
    finally:
        pipeline.MILDER, elements._across_the_bridge = kept, across


def largest(faces: list[Face]) -> Face | None:
    """The face that a portrait is about."""
    return max(faces, key=lambda face: face.size, default=None)


def one_size(pictures: list[Picture]) -> list[Picture]:
    """Photos padded with black at the right and below to one size, as a batch needs them."""
    height, width = (max(picture.shape[axis] for picture in pictures) for axis in (0, 1))
    return [np.pad(p, ((0, height - p.shape[0]), (0, width - p.shape[1]), (0, 0))) for p in pictures]


def _all(verdicts: Any) -> bool:
    found = list(verdicts)
    return bool(found) and all(found)
