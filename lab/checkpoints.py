"""The lab's two checkpoints: their file names and the crops that they were trained on."""
from dataclasses import dataclass

FILES = {"unet": "unet_lab.safetensors", "dit": "dit_lab.safetensors"}
"""By model family, the file in the host's models/checkpoints."""

CROPS = {"unet": 128, "dit": 256}
"""By model family, the side of a face crop in pixels."""


@dataclass(frozen=True)
class Checkpoint:
    """A file in the host's models/checkpoints, and the side of the face crops that its model wants, in pixels."""

    file: str
    crop: int


def of_the_lab(family: str) -> Checkpoint:
    """The lab's own of a family, "unet" or "dit"."""
    return Checkpoint(FILES[family], CROPS[family])
