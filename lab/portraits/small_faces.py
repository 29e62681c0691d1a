"""Small faces of people whose photos are at hand: what a super-resolution starts from, with its right answer."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from .identity import younger
from .render import Portrait, render
from .scene import Scene, crop_scene
from .triples import triple_identity

PHOTOS = 5
GALLERY = 3
"""Further photos that only judges see: likeness to a photo that was used would favour pasting it."""


@dataclass(frozen=True)
class Damage:
    """What happened to a small picture: `noise`, its standard deviation in [0, 1]; `jpeg`: its quality, 0 for none."""

    noise: float = 2 / 255
    jpeg: int = 90


KNOWN = Damage()
"""A camera's grain and a well-kept file."""


@dataclass(frozen=True, eq=False)
class SmallFace:
    """`truth`: the person as they were; `small` float32 (S, S, 3): the same, reduced by `factor`, damaged, enlarged
    again; `photos`: bare pictures of the person in other scenes; `gallery`: more of them, for judges alone."""

    truth: Portrait
    small: np.ndarray
    photos: tuple[Portrait, ...]
    gallery: tuple[Portrait, ...]
    factor: int
    damage: Damage
    seed: int


def childhood_photo(seed: int, size: int = 128) -> Portrait:
    """A bare picture of a seed's person as a child."""
    return render(younger(triple_identity(seed)), _bare(np.random.default_rng((seed, 9))), size)


def make_small_face(seed: int, factor: int, damage: Damage = KNOWN, size: int = 128, photos: int = PHOTOS,
                    gallery: int = GALLERY) -> SmallFace:
    """The small face of a seed, in the framing of a box drawn by hand (shifted by up to 4 %, turned by up to 6
    degrees). `factor`: 1 to 32, divides `size`. Seeds are those of the triples' splits, and so are their people.

    Raises ValueError for a factor that does not divide the size.
    """
    if factor < 1 or size % factor:
        raise ValueError(f"factor must divide the size {size}, got {factor}")
    person = triple_identity(seed)
    truth = render(person, crop_scene(np.random.default_rng((seed, 5))), size)
    small = enlarged(damaged(reduced(truth.image, factor), damage, np.random.default_rng((seed, 6, factor))), size)
    shots = [render(person, _bare(np.random.default_rng((seed, 7, k))), size) for k in range(photos + gallery)]
    return SmallFace(truth, small, tuple(shots[:photos]), tuple(shots[photos:]), factor, damage, seed)


def reduced(picture: np.ndarray, factor: int) -> np.ndarray:
    """(H, W, 3) averaged over squares of `factor` pixels."""
    height, width = picture.shape[0] // factor, picture.shape[1] // factor
    cells = picture[:height * factor, :width * factor].reshape(height, factor, width, factor, 3)
    return cells.mean((1, 3))


def damaged(picture: np.ndarray, damage: Damage, rng: np.random.Generator) -> np.ndarray:
    """A picture (h, w, 3) with noise, saved and opened again."""
    noisy = np.clip(picture + rng.normal(0.0, damage.noise, picture.shape), 0, 1)
    if not damage.jpeg:
        return noisy.astype(np.float32)
    stream = io.BytesIO()
    Image.fromarray(np.round(noisy * 255).astype(np.uint8)).save(stream, "JPEG", quality=damage.jpeg, subsampling=0)
    return np.asarray(Image.open(stream), np.float32) / 255


def enlarged(picture: np.ndarray, size: int, how: Image.Resampling = Image.Resampling.BICUBIC) -> np.ndarray:
    """(h, w, 3) at `size` by `size` pixels."""
    planes = [Image.fromarray(np.ascontiguousarray(picture[..., c], np.float32)).resize((size, size), how)
              for c in range(3)]
    return np.clip(np.stack([np.asarray(plane) for plane in planes], -1), 0.0, 1.0).astype(np.float32)


def _bare(rng: np.random.Generator) -> Scene:
    return replace(crop_scene(rng), hat="", glasses="", earrings="", hand="", scarf=False)
