"""What flows through the benchmark on photographs: pictures to restore, and what became of them."""
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

Picture = NDArray[np.uint8]
"""(H, W, 3) sRGB."""
Array = NDArray[np.float32]

GROUPS = ("photo", "kept", "small", "edits", "easy", "hard")
"""`photo`: the edit shows another photo of the person; `kept`: the same photo relit and shifted; `small`: `photo` with
small faces; `edits`: real edits, of which no truth is known; `easy`, `hard`: the two halves of rendered people
(`lab/people3d/split.py`)."""


@dataclass(frozen=True)
class Example:
    """One picture to restore.

    originals: files of photos of the person. edited: file of the drifted picture. ideal: file of the truth, or None.
    held_out: further photos of the person, which no method sees. person: examples of one person belong together.
    """

    name: str
    group: str
    person: str
    originals: tuple[Path, ...]
    edited: Path
    ideal: Path | None = None
    held_out: tuple[Path, ...] = ()


def load(file: Path) -> Picture:
    """A picture, upright as its camera meant it."""
    with Image.open(file) as image:
        return np.array(ImageOps.exif_transpose(image).convert("RGB"))


def as_float(picture: Picture) -> Array:
    """uint8 to float32 in [0, 1]."""
    return picture.astype(np.float32) / np.float32(255)


def as_bytes(picture: Array) -> Picture:
    """[0, 1] to uint8, rounded."""
    return (np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8)
