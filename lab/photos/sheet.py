"""Contact sheets: photo, edit, every method and the truth, side by side, with what was found about each."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from .records import Picture
from .store import ROOT

SIDE = 300
LABEL = 16
LINES = 2
PER_PAGE = 10


@dataclass(frozen=True, eq=False)
class Cell:
    """A crop (S, S, 3), and up to two lines under it."""

    picture: Picture
    lines: tuple[str, ...] = ()


def check_place(file: Path) -> None:
    """ValueError for a place in the repository: pictures of people must not get into it."""
    place = file.resolve()
    if place.is_relative_to(ROOT) and not place.is_relative_to(ROOT / ".run"):
        raise ValueError(f"{file} lies in the repository: a sheet shows people, write it elsewhere.")


def draw(rows: Sequence[tuple[str, Mapping[str, Cell]]], file: Path) -> list[Path]:
    """One row an example, ``(title, {column: cell})``, `PER_PAGE` rows a page; returns the files written."""
    check_place(file)
    file.parent.mkdir(parents=True, exist_ok=True)
    pages = [rows[first:first + PER_PAGE] for first in range(0, len(rows), PER_PAGE)]
    written = []
    for number, page in enumerate(pages, start=1):
        place = file if len(pages) == 1 else file.with_stem(f"{file.stem}_{number:02d}")
        _page(page).save(place, quality=92)
        written.append(place)
    return written


def _page(rows: Sequence[tuple[str, Mapping[str, Cell]]]) -> Image.Image:
    columns = list(dict.fromkeys(name for _, cells in rows for name in cells))
    height = SIDE + (LINES + 1) * LABEL
    page = Image.new("RGB", (SIDE * len(columns), LABEL + height * len(rows)), "white")
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(12)
    for place, name in enumerate(columns):
        pen.text((place * SIDE + 3, 1), name, "black", font)
    for row, (title, cells) in enumerate(rows):
        top = LABEL + row * height
        pen.text((3, top + 1), title, "black", font)
        for place, name in enumerate(columns):
            cell = cells.get(name)
            if cell is None:
                continue
            page.paste(_fitted(cell.picture), (place * SIDE, top + LABEL))
            for line, words in enumerate(cell.lines[:LINES]):
                pen.text((place * SIDE + 3, top + LABEL + SIDE + line * LABEL), words, "black", font)
    return page


def _fitted(picture: Picture) -> Image.Image:
    image = Image.fromarray(np.ascontiguousarray(picture))
    share = SIDE / max(image.size)
    size = max(1, round(image.width * share)), max(1, round(image.height * share))
    return image.resize(size, Image.Resampling.LANCZOS)
