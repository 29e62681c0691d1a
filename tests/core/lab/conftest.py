"""Drawn portraits in the place of photographs, for the tests of `lab.photos`."""
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lab import portraits
from lab.photos.landmarks import Points
from lab.photos.measures import Scene, scene
from lab.photos.records import Picture, as_bytes

UNSEEN = 47_000_000


class Drawn:
    """Landmarks of drawn portraits, as they were drawn: those of the one nearest to the place."""

    def __init__(self, *shots: portraits.Portrait) -> None:
        self._shots = shots

    def find(self, picture: Picture, near: Points) -> Points:
        nearest = min(self._shots, key=lambda shot: float(np.abs(shot.landmarks - near).mean()))
        return nearest.dense.astype(np.float64)


@pytest.fixture(scope="session")
def drawn_scene() -> Callable[[portraits.Triple], Scene]:
    """What the measures know of a drawn triple."""
    return _scene


def _scene(triple: portraits.Triple) -> Scene:
    shots = triple.original, triple.drifted, triple.ideal
    places = [value for shot in shots for value in (as_bytes(shot.image), shot.landmarks)]
    return scene(*places, Drawn(*shots))  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def write_people() -> Callable[[Path, int, int], None]:
    """Writes people/NAME/*.png: so many drawn people, so many pictures of each."""
    return _write_people


def _write_people(folder: Path, people: int, photos: int, size: int = 256) -> None:
    for number in range(people):
        rng = np.random.default_rng((UNSEEN, number))
        who = portraits.sample_identity(rng)
        place = folder / "people" / f"p{number:02d}"
        place.mkdir(parents=True)
        for shot in range(photos):
            picture = portraits.render(who, portraits.crop_scene(rng), size)
            Image.fromarray(as_bytes(picture.image)).save(place / f"{shot:02d}.png")
