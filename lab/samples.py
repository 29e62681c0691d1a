"""The sample pictures that come with the pack: rendered people, a photo and a drifted edit of each.

    python -m lab.samples    # writes samples/photo_N.jpg and samples/edit_N.jpg; some minutes on a CPU
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image
from torch import Tensor

from lab.people3d import World
from lab.people3d.triples import make_triples

FOLDER = Path(__file__).resolve().parents[1] / "samples"
SEEDS = (30_000_101, 30_000_103, 30_000_107)
"""People of no split: nothing was trained, tuned or measured on them."""
KINDS = ("accessory", "light", "light")
SIDE = 384


def write() -> None:
    """Render the three people and write their pictures."""
    made = make_triples(World(), SEEDS, SIDE, truth=False, kinds=KINDS, drifts=["large"] * len(SEEDS))
    FOLDER.mkdir(exist_ok=True)
    for name, drawn in (("photo", made.original), ("edit", made.drifted)):
        for number, picture in enumerate(drawn.pictures, start=1):
            _image(picture).save(FOLDER / f"{name}_{number}.jpg", quality=93, subsampling=0)


def _image(picture: Tensor) -> Image.Image:
    return Image.fromarray((picture.permute(1, 2, 0).clamp(0, 1) * 255).round().byte().numpy())


if __name__ == "__main__":
    write()
