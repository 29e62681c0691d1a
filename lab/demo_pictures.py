"""The people of the demo: a rendered pair, and drawn ones for the lab's own models in a host's input folder.

    python -m lab.demo_pictures FOLDER

They show people that no model of the lab was trained on. ComfyUI's Load Image finds the drawn ones by their names.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image

from lab.portraits import Triple, group_picture, make_triple
from lab.portraits.small_faces import make_small_face

DEMO_SEED = 30_000_000
"""Seeds from here on are people of no split: nothing was trained, tuned or measured on them."""
SAMPLES = Path(__file__).resolve().parents[1] / "samples"
GROUP = DEMO_SEED + 1
PEOPLE = 3
SMALL = DEMO_SEED + 2


def default_triple() -> Triple:
    """The drawn pair with its truth: a new hat, another light, and a face that drifted far."""
    return make_triple(DEMO_SEED + 5, kind="everything", drift="large")


def triple_pictures() -> tuple[Image.Image, Image.Image]:
    """The drawn pair: the original photo and the edit in which its face drifted."""
    triple = default_triple()
    return _picture(triple.original.image), _picture(triple.drifted.image)


def sample_pictures(number: int = 1) -> tuple[Image.Image, Image.Image]:
    """The photo and the edit of a rendered person; numbers are 1 to 3."""
    photo, edit = (Image.open(SAMPLES / f"{name}_{number}.jpg").convert("RGB") for name in ("photo", "edit"))
    return photo, edit


def write_pictures(folder: Path) -> None:
    """Write the pair, a group of three with a photo of each, and a small face with two photos; pictures that are there
    are left alone."""
    original, edited = triple_pictures()
    group = group_picture(GROUP, PEOPLE, drift="medium")
    pictures = {"original": original, "edited": edited, "group": _picture(group.edited.image)}
    for number, photo in enumerate(group.originals, start=1):
        assert photo is not None  # no stranger was asked for
        pictures[f"person_{number}"] = _picture(photo.image)
    small = make_small_face(SMALL, 16, photos=2, gallery=0)
    pictures["small"] = _picture(small.small)
    pictures |= {f"photo_{number}": _picture(shot.image) for number, shot in enumerate(small.photos, start=1)}
    folder.mkdir(parents=True, exist_ok=True)
    for name, picture in pictures.items():
        file = folder / f"editedid_{name}.png"
        if not file.exists():
            picture.save(file)


def _picture(image: np.ndarray) -> Image.Image:
    return Image.fromarray(np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8))


if __name__ == "__main__":
    write_pictures(Path(sys.argv[1]))
