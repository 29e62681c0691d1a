"""The sample pictures that come with the pack: rendered people, a photo and a drifted edit of each.

    python -m lab.samples    # writes samples/photo_N.jpg and samples/edit_N.jpg; two minutes on a CPU

Each edit keeps the pose, adds something, changes clothes, light and place, and its face drifts to another person's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from lab.people3d import World
from lab.people3d.edits import jittered, original_scenes
from lab.people3d.expressions import expression
from lab.people3d.people import people_of
from lab.people3d.scenes import HATS, LIGHTS, Scenes
from lab.people3d.triples import drift

FOLDER = Path(__file__).resolve().parents[1] / "samples"
SIDE = 512
MARKED = 0.55
"""Of the people's features, see `people_of`."""

Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Sample:
    """A person and what the edit changes. seed: a person of no split, on whom nothing was trained, tuned or measured.
    share: how far the face drifts. edit: fields of the edited scene."""

    seed: int
    share: float
    shirt: Colour
    edit: dict[str, Any] = field(default_factory=dict)


def light(name: str, turn: float, height: float, size: float, key: Colour, sky: Colour, rim: Colour) -> dict[str, Any]:
    """Fields of a light. turn, height: degrees, of the key light to the viewer's right and above the eyes."""
    across = math.cos(math.radians(height))
    towards = (math.sin(math.radians(turn)) * across, math.sin(math.radians(height)),
               math.cos(math.radians(turn)) * across)
    ground = tuple(0.6 * level for level in sky)
    back = (-towards[0], 0.45, -abs(towards[2]))
    return {"light": LIGHTS.index(name), "key_direction": towards, "key_size": size, "key_colour": key, "sky": sky,
            "ground": ground, "fill_direction": (-math.copysign(0.93, turn), 0.17, 0.34), "fill_colour": (0.25,) * 3,
            "rim_direction": back, "rim_colour": rim}


WINDOW = light("window", 38, 28, 0.6, (1.45, 1.42, 1.4), (0.34, 0.35, 0.37), (0.3, 0.3, 0.3))
EVENING = light("sun", -42, 24, 0.3, (2.1, 1.65, 1.1), (0.36, 0.36, 0.42), (1.1, 0.8, 0.45))
LAMP = light("room", 48, 30, 0.4, (1.6, 1.35, 1.0), (0.30, 0.28, 0.26), (0.5, 0.4, 0.3))
STUDIO = light("studio", -30, 32, 0.5, (1.6, 1.55, 1.5), (0.34, 0.34, 0.36), (0.9, 0.9, 1.0))
PHOTO = {"yaw": -9.0, "pitch": 0.0, "roll": -2.0, "azimuth": 0.0, "elevation": 2.0, "distance": 13.0,
         "gaze": (5.0, 0.0), "frame": 0.17, "shift": (0.0, -0.03), "glasses": False, "clothes": 0, "pattern": 0,
         "grain": 0.004, "soft": 0.15, "warmth": 0.0, "exposure": 0.05, "contrast": 1.03, "saturation": 1.0,
         "messy": 0.5, "length": 0.95}
EDIT = {"yaw": -3.0, "clothes": 0, "blur": 0.9}

SAMPLES = (
    Sample(30_000_350, 0.9, (0.10, 0.16, 0.22), EVENING | {
        "hat": HATS.index("fedora"), "hat_colour": (0.10, 0.045, 0.02), "hat_tilt": 3.0, "warmth": 0.05,
        "cloth_colour": (0.42, 0.33, 0.22), "backdrop": 357}),
    Sample(30_000_445, 0.9, (0.20, 0.20, 0.20), LAMP | {
        "glasses": True, "sunglasses": False, "rim_square": 0.7, "rim_thick": 0.014, "rim_paint": (0.012, 0.011, 0.011),
        "cloth_colour": (0.04, 0.07, 0.05), "backdrop": 12}),
    Sample(30_000_488, 0.9, (0.30, 0.06, 0.05), STUDIO | {
        "scarf": True, "scarf_colour": (0.45, 0.25, 0.04), "cloth_colour": (0.05, 0.05, 0.06), "backdrop": 31}),
)


def write(side: int = SIDE) -> None:
    """Render the people and write their pictures."""
    world = World(samples=3, children=24)
    FOLDER.mkdir(exist_ok=True)
    for number, sample in enumerate(SAMPLES, start=1):
        for name, picture in zip(("photo", "edit"), pair(world, sample, side)):
            picture.save(FOLDER / f"{name}_{number}.jpg", quality=92, subsampling=0)


def pair(world: World, sample: Sample, side: int) -> tuple[Image.Image, Image.Image]:
    """The photo and the edit of a sample, `side` pixels wide and high."""
    person = people_of([sample.seed], MARKED)
    plain = original_scenes(person, torch.Generator().manual_seed(2 * sample.seed))
    first = _changed(plain, PHOTO | WINDOW | {"cloth_colour": sample.shirt, "units": expression("soft smile", 0.9)})
    second = _changed(first, EDIT | {"units": expression("smile", 0.7)} | sample.edit)
    third = jittered(second, torch.Generator().manual_seed(sample.seed))
    other = drift(person, [sample.seed], torch.tensor([sample.share]))
    return _image(world.draw(person, first, side).pictures[0]), _image(world.draw(other, third, side).pictures[0])


def _changed(scenes: Scenes, fields: dict[str, Any]) -> Scenes:
    """One scene with other values, numbers or tuples."""
    old = {name: scenes.values[name] for name in fields}
    return scenes.replace(**{name: torch.as_tensor(value).to(old[name].dtype).reshape(old[name].shape)
                             for name, value in fields.items()})


def _image(picture: Tensor) -> Image.Image:
    return Image.fromarray((picture.permute(1, 2, 0).clamp(0, 1) * 255).round().byte().numpy())


if __name__ == "__main__":
    write()
