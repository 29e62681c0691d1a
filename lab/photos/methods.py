"""The one place that calls the pack: what each method makes of an example.

Rivals know what a user has: the photo, the edit and the detector's points. The pack runs without a diffusion model,
with the photo's crop and the edit's joined through its own masks (the composite), or with a checkpoint in the host.
"""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

import numpy as np
import torch

from editedid_core.config import RestoreConfig
from editedid_core.engines.composite import CompositeEngine
from editedid_core.faces.analyzers.protocol import FaceAnalyzer
from editedid_core.faces.similarity import face_similarity
from editedid_core.records import Face
from editedid_core.restore.runner import restore

from ..bench.rivals import PIXEL_RIVALS, Case
from ..checkpoints import Checkpoint
from .records import Picture, as_bytes, as_float

RIVALS = {"aligned paste": "paste", "relit paste": "relit_paste", "60 % blend": "blend_60", "poisson": "poisson"}
"""Rows of the table, and the pixel rivals of `lab.bench.rivals` behind them."""

ENGINES = ("EditedID",)
"""Engines that a checkpoint is run with, a row each."""


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


def option_names(config: object = None, parent: str = "") -> list[str]:
    """What `--set` and `--variant` know: the paths of the configuration."""
    found = []
    whole = RestoreConfig() if config is None else config
    for entry in fields(whole):  # type: ignore[arg-type]
        value = getattr(whole, entry.name)
        path = f"{parent}{entry.name}"
        found += option_names(value, f"{path}.") if is_dataclass(value) else [path]
    return found


def default_of(name: str) -> Any:
    """The pack's own value of an option."""
    return RestoreConfig().value(name)


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
        faces = self.analyzer.find(edited)
        for photo in originals:
            there = largest(self.analyzer.find(photo))
            here = likest(faces, there)
            if here is not None and there is not None:
                return Case(as_float(photo), as_float(edited), there.points, here.points, 0)
        return None

    def _with_checkpoint(self, originals: list[Picture], edited: Picture, options: dict[str, Any]) -> Made:
        from ..bench.diffusion import DiffusionMethods
        from ..bench.quality import MODELS

        if self._host is None:
            self._host = DiffusionMethods(self.family, MODELS, checkpoint=self.checkpoint)
        photos = [as_float(photo) for photo in one_size(originals)]
        picture, report = self._host.restore(photos, as_float(edited), options, self.analyzer)
        faces: list[dict[str, Any]] = report.get("faces", [])
        return Made(as_bytes(picture), _all(bool(face["accepted"]) for face in faces),
                    tuple(face["note"] for face in faces), tuple(w for face in faces for w in face["warnings"]))


def composite(originals: list[Picture], edited: Picture, analyzer: FaceAnalyzer, options: dict[str, Any]) -> Made:
    """Restore Identity without a diffusion model."""
    photos = torch.from_numpy(np.stack([as_float(photo) for photo in one_size(originals)]))
    config = RestoreConfig().changed({"engine": "composite", "find.no_face": "pass through", **options})
    done = restore(photos, torch.from_numpy(as_float(edited))[None], analyzer, CompositeEngine(), config)
    return Made(as_bytes(done.image[0].numpy()), _all(face.accepted for face in done.faces),
                tuple(face.note for face in done.faces), tuple(w for face in done.faces for w in face.warnings))


def largest(faces: list[Face]) -> Face | None:
    """The face that a portrait is about."""
    return max(faces, key=lambda face: face.size, default=None)


def likest(faces: list[Face], photo: Face | None) -> Face | None:
    """Of an edit's faces the one most like the photo's, and of equal ones the largest: beside a person others may
    stand. The largest where nothing was recognised."""
    if photo is None or photo.embedding is None or any(face.embedding is None for face in faces):
        return largest(faces)
    return max(faces, key=lambda face: (face_similarity(face, photo), face.size), default=None)


def one_size(pictures: list[Picture]) -> list[Picture]:
    """Photos padded with black at the right and below to one size, as a batch needs them."""
    height, width = (max(picture.shape[axis] for picture in pictures) for axis in (0, 1))
    return [np.pad(p, ((0, height - p.shape[0]), (0, width - p.shape[1]), (0, 0))) for p in pictures]


def _all(verdicts: Any) -> bool:
    found = list(verdicts)
    return bool(found) and all(found)
