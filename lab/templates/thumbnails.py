"""Thumbnails of the templates and the picture of the help pages: photo, edit and result of the sample people.

    python -m lab.templates.thumbnails    # needs dlib; a minute on a CPU
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from editedid_core.config import SMALL_FACE, RestoreConfig
from editedid_core.engines.composite import CompositeEngine
from editedid_core.engines.protocol import Engine
from editedid_core.engines.super_resolution.engine import SuperResolutionEngine
from editedid_core.faces.analyzers.registry import load_analyzer
from editedid_core.restore.runner import restore
from lab.samples import FOLDER, SEEDS

from .cases import cases

ROOT = Path(__file__).resolve().parents[2]
SIDE = 256
CAPTIONS = ("photo", "edit", "restored, no model")
OF_SMALL = ("a few pixels", "photo", "restored, no model")


def panels(person: int) -> list[Image.Image]:
    """Photo, edit and result of a sample person, restored without a model."""
    photo, edit = samples(person)
    return [photo, edit, restored(photo, edit, CompositeEngine(), RestoreConfig())]


def small_panels(person: int) -> list[Image.Image]:
    """The edit with a sixteenth of its pixels a side, photo and result, without a model."""
    photo, edit = samples(person)
    few = edit.resize((edit.width // 16, edit.height // 16), Image.Resampling.BOX)
    small = few.resize(edit.size, Image.Resampling.BICUBIC)
    return [small, photo, restored(photo, small, SuperResolutionEngine(SMALL_FACE.super_resolution), SMALL_FACE)]


def samples(person: int) -> tuple[Image.Image, Image.Image]:
    """Photo and edit."""
    photo, edit = (Image.open(FOLDER / f"{name}_{person}.jpg").convert("RGB") for name in ("photo", "edit"))
    return photo, edit


def restored(photo: Image.Image, edit: Image.Image, engine: Engine, config: RestoreConfig) -> Image.Image:
    original, edited = (torch.from_numpy(np.asarray(one, dtype=np.float32) / 255)[None] for one in (photo, edit))
    done = restore(original, edited, load_analyzer("dlib", {}, "auto"), engine, config)
    return Image.fromarray(np.rint(done.image[0].clamp(0, 1).numpy() * 255).astype(np.uint8))


def row(pictures: list[Image.Image], words: str = "", captions: tuple[str, ...] = CAPTIONS) -> Image.Image:
    """The three in a row with captions; `words` under them."""
    sheet = Image.new("RGB", (SIDE * len(pictures), SIDE + (44 if words else 0)), (24, 26, 30))
    draw = ImageDraw.Draw(sheet)
    for column, (picture, caption) in enumerate(zip(pictures, captions)):
        sheet.paste(picture.resize((SIDE, SIDE), Image.Resampling.LANCZOS), (column * SIDE, 0))
        draw.rectangle((column * SIDE, SIDE - 26, column * SIDE + 10 + 9 * len(caption), SIDE), fill=(24, 26, 30))
        draw.text((column * SIDE + 5, SIDE - 23), caption, (235, 237, 240), ImageFont.load_default(size=16))
    draw.text((10, SIDE + 10), words, (255, 205, 60), ImageFont.load_default(size=22))
    return sheet


def main() -> None:
    """Write them anew."""
    people = [panels(number) for number in range(1, len(SEEDS) + 1)]
    row(people[0]).save(ROOT / "web" / "samples.jpg", quality=88)
    for number, case in enumerate(cases()):
        words = case.name.split(" (")[0]
        small = case.name.startswith("Small face")
        thumbnail = row(small_panels(1), words, OF_SMALL) if small else row(people[number % len(people)], words)
        thumbnail.save(ROOT / "example_workflows" / f"{case.name}.jpg", quality=85)


if __name__ == "__main__":
    main()
