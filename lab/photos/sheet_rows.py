"""What a contact sheet shows of an example."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from editedid_core.geometry.affine import crop_frame

from . import sheet
from .evaluate import Evaluation, Plan
from .ghost import SIDE
from .making import make
from .measures import cut
from .methods import Methods, largest
from .records import Picture, as_bytes, as_float, load
from .rows import Row
from .store import Store
from .whole import verdict

Frame = NDArray[Any]


def sheet_row(one: Evaluation, found: Sequence[Row], plan: Plan, methods: Methods) -> tuple[str, dict[str, sheet.Cell]]:
    """Title and cells of an evaluated example: photo, every method, truth."""
    example, store = one.example, Store(plan.cache)
    photo = load(example.originals[0])
    face = largest(methods.analyzer.find(photo))
    frame = None if face is None else crop_frame(face.points, sheet.SIDE)
    cells = {"photo": sheet.Cell(_crop(photo, frame))}
    around = None if one.frame is None else _resized_frame(one.frame)
    for method in plan.methods:
        row = next(r for r in found if r["name"] == example.name and r["method"] == method.name)
        picture = make(example, method, methods, store).picture
        cells[method.name] = sheet.Cell(_crop(picture, around), _words(row))
    if example.ideal is not None:
        cells["truth"] = sheet.Cell(_crop(load(example.ideal), around))
    return f"{example.name}, {example.group}, {example.person}", cells


def _resized_frame(frame: Frame) -> Frame:
    """A measured crop's frame for a crop of the sheet's size."""
    scale = SIDE / sheet.SIDE
    return np.column_stack([frame[:, :2] * scale, frame[:, 2] + frame[:, :2] @ np.full(2, (scale - 1) / 2)])


def _crop(picture: Picture, frame: Frame | None) -> Picture:
    return picture if frame is None else as_bytes(cut(as_float(picture), frame, sheet.SIDE))


def _words(row: Row) -> tuple[str, ...]:
    gains = [row.get(name) for name in ("recovery_1", "recovery_2")]
    if gains[0] is None:
        gains = [row.get(name) for name in ("gain_1", "gain_2")]
    shown = " ".join("–" if gain is None else f"{gain:+.2f}" for gain in gains)
    ghosts = "" if row.get("ghosts") is None else f" ghost {row['ghosts']:.2f}"
    pixels = "" if row.get("psnr") is None else f" lm {row['landmarks']:.3f} {row['psnr']:.1f} dB"
    accepted = None if row["accepted"] is None else bool(row["accepted"])
    return verdict(row["failures"], accepted), f"{shown}{pixels}{ghosts}"
