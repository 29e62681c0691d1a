"""Thumbnails of the templates, the pictures of the help pages and of README: photo, edit and result of the samples.

    python -m lab.templates.thumbnails    # needs dlib and the face mesh (run.py weights); a minute on a CPU
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
from editedid_core.restore.report import Restoration
from editedid_core.restore.runner import restore
from lab.demo import before_after
from lab.demo_pictures import sample_pictures
from lab.photos.analyzers import open_analyzer
from lab.samples import SAMPLES

from .cases import cases

ROOT = Path(__file__).resolve().parents[2]
SIDE = 256
CAPTIONS = ("photo", "edit", "restored, no model")
OF_SMALL = ("a few pixels", "photo", "restored, no model")


def panels(person: int) -> list[Image.Image]:
    """Photo, edit and result of a sample person, restored without a model."""
    photo, edit = sample_pictures(person)
    return [photo, edit, picture_of(restored(photo, edit, CompositeEngine(), RestoreConfig()))]


def small_panels(person: int) -> list[Image.Image]:
    """The edit with a sixteenth of its pixels a side, photo and result, without a model."""
    photo, edit = sample_pictures(person)
    few = edit.resize((edit.width // 16, edit.height // 16), Image.Resampling.BOX)
    small = few.resize(edit.size, Image.Resampling.BICUBIC)
    done = restored(photo, small, SuperResolutionEngine(SMALL_FACE.super_resolution), SMALL_FACE)
    return [small, photo, picture_of(done)]


def of_readme() -> Image.Image:
    """The demo's own sheet of the first sample."""
    photo, edit = sample_pictures()
    done = restored(photo, edit, CompositeEngine(), RestoreConfig())
    return before_after(photo, edit, picture_of(done), {"faces": [face.as_data() for face in done.faces]})


def restored(photo: Image.Image, edit: Image.Image, engine: Engine, config: RestoreConfig) -> Restoration:
    original, edited = (torch.from_numpy(np.asarray(one, dtype=np.float32) / 255)[None] for one in (photo, edit))
    return restore(original, edited, open_analyzer("dlib"), engine, config)


def picture_of(done: Restoration) -> Image.Image:
    """The restored picture."""
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
    of_readme().save(ROOT / "docs" / "before_after.png", optimize=True)
    people = [panels(number) for number in range(1, len(SAMPLES) + 1)]
    row(people[0]).save(ROOT / "web" / "samples.jpg", quality=88)
    for number, case in enumerate(cases()):
        words = case.name.split(" (")[0]
        small = case.name.startswith("Small face")
        thumbnail = row(small_panels(1), words, OF_SMALL) if small else row(people[number % len(people)], words)
        thumbnail.save(ROOT / "example_workflows" / f"{case.name}.jpg", quality=85)


if __name__ == "__main__":
    main()
