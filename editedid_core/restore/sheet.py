"""The report as a picture: edit and result side by side, the faces numbered, a line about each."""

from __future__ import annotations

import textwrap

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from ..pictures import to_bytes
from ..ticks import Tick, nothing
from .report import Box, Restoration

SIDE = 640
"""Longest side of a panel in pixels."""

COLOURS = ((255, 205, 60), (90, 200, 255), (140, 225, 120), (255, 140, 190), (255, 160, 90))
GAP, LINE, PAPER, INK = 12, 22, (24, 26, 30), (235, 237, 240)


def result_sheets(edited: Tensor, done: Restoration, tick: Tick = nothing) -> list[NDArray[np.uint8]]:
    """One sheet (h, w, 3) for each picture of `edited` (B, H, W, C), all of one size. tick: called for each picture."""
    scale = min(1.0, SIDE / max(edited.shape[1:3]))
    size = (max(1, round(edited.shape[2] * scale)), max(1, round(edited.shape[1] * scale)))
    width = max(2 * size[0] + 3 * GAP, 480)
    lines = [[row for line in _lines(done, frame) for row in _rows(line, width)] for frame in range(edited.shape[0])]
    height = size[1] + 3 * GAP + LINE * (1 + max(map(len, lines)))
    sheets = []
    for i, rows in enumerate(lines):
        tick()
        sheet = Image.new("RGB", (width, height), PAPER)
        _draw(sheet, (edited[i], done.image[i]), size, scale, _marks(done, i), rows)
        sheets.append(np.asarray(sheet))
    return sheets


def _lines(done: Restoration, frame: int) -> list[str]:
    """The lines about one picture, without its number."""
    told = {face.number: face.line() for face in done.faces if face.frame == frame}
    told.update({one.number: one.note for one in done.left_alone if one.frame == frame})
    return [f"Face {number}: {line}" for number, line in sorted(told.items())] or ["No face was found."]


def _marks(done: Restoration, frame: int) -> list[tuple[int, Box]]:
    alone = [(one.number, one.box) for one in done.left_alone if one.frame == frame]
    return [(face.number, face.box) for face in done.faces if face.frame == frame] + alone


def _rows(line: str, width: int) -> list[str]:
    """A line broken to the sheet's width; the font has no arrow."""
    return textwrap.wrap(line.replace("\u2192", "to"), max(20, (width - 2 * GAP) // 8), subsequent_indent="    ")


def _draw(sheet: Image.Image, pictures: tuple[Tensor, Tensor], size: tuple[int, int], scale: float,
          marks: list[tuple[int, Box]], rows: list[str]) -> None:
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=15)
    for column, (picture, title) in enumerate(zip(pictures, ("before", "after"))):
        left, top = GAP + column * (size[0] + GAP), GAP + LINE
        draw.text((left, GAP / 2), title, INK, font)
        sheet.paste(Image.fromarray(to_bytes(picture)).resize(size, Image.Resampling.LANCZOS), (left, top))
        for number, box in marks:
            _mark(draw, number, [v * scale for v in box], left, top)
    for i, row in enumerate(rows):
        draw.text((GAP, size[1] + 2 * GAP + LINE * (1 + i)), row, INK, font)


def _mark(draw: ImageDraw.ImageDraw, number: int, box: list[float], left: int, top: int) -> None:
    x0, y0, x1, y1 = box
    colour = COLOURS[(number - 1) % len(COLOURS)]
    draw.rectangle((left + x0, top + y0, left + max(x0, x1), top + max(y0, y1)), outline=colour, width=2)
    draw.rectangle((left + x0, top + y0, left + x0 + 20, top + y0 + 20), fill=colour)
    draw.text((left + x0 + 6, top + y0 + 2), f"{number}", (20, 20, 24), ImageFont.load_default(size=14))
