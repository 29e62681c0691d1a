"""Pictures for `bench around`, from triples of photographs: portraits of 12 megapixels, and a group of 14.

The portraits are triples made larger, since no large photographs are at hand: what the stages do with a face depends on
its size and on what differs, not on how fine its pores are.
"""
from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from ..photos.records import Example, Picture, load

PIXELS = 12_000_000
PEOPLE, COLUMNS, CELL = 14, 7, 640
"""People of the group, how many stand side by side, and pixels of each one's part of the picture."""


def one_each(triples: Sequence[Example]) -> list[Example]:
    """The first triple of each person."""
    found: dict[str, Example] = {}
    for triple in triples:
        found.setdefault(triple.person, triple)
    return list(found.values())


def portrait(triple: Example, folder: Path) -> Path:
    """A file of a scene: original and edit (1, H, W, 3) uint8 of PIXELS each."""
    pictures = []
    for file in (triple.originals[0], triple.edited):
        picture = Image.fromarray(load(file))
        scale = (PIXELS / (picture.width * picture.height)) ** 0.5
        larger = picture.resize((round(scale * picture.width), round(scale * picture.height)), Image.Resampling.BICUBIC)
        pictures.append(np.asarray(larger)[None])
    return _write(folder / f"{triple.name}.npz", *pictures)


def group(triples: Sequence[Example], folder: Path) -> Path:
    """A file of a scene: a photo of each person (PEOPLE, CELL, CELL, 3) uint8, and one picture of all edits."""
    photos = np.stack([_cell(load(triple.originals[0])) for triple in triples])
    rows = [np.concatenate([_cell(load(triple.edited)) for triple in triples[first:first + COLUMNS]], 1)
            for first in range(0, len(triples), COLUMNS)]
    width = max(row.shape[1] for row in rows)
    whole = [np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0))) for row in rows]
    return _write(folder / "group.npz", photos, np.concatenate(whole)[None])


def _cell(picture: Picture) -> Picture:
    """A picture in the middle of a grey square of CELL pixels, made smaller where it is larger."""
    image = Image.fromarray(picture)
    image.thumbnail((CELL, CELL), Image.Resampling.LANCZOS)
    square = Image.new("RGB", (CELL, CELL), (127, 127, 127))
    square.paste(image, ((CELL - image.width) // 2, (CELL - image.height) // 2))
    return np.asarray(square)


def _write(file: Path, original: Picture, edited: Picture) -> Path:
    np.savez(file, original=original, edited=edited)
    return file
