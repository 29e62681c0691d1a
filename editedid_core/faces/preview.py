"""Pictures that show the user the faces that were found. They are for viewing only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from ..geometry.affine import apply, crop_frame, pixel_grid, scale_of
from ..geometry.resample import resample
from ..pictures import to_bytes, to_rgb
from ..records import Face, Faces
from ..ticks import Tick, nothing

_LARGEST = 1024
_THUMBNAIL = 96
_COLOURS = ((94, 196, 255), (255, 170, 80), (140, 220, 120), (230, 120, 200), (250, 230, 110))


def numbered_boxes(image: torch.Tensor, faces: Faces, tick: Tick = nothing) -> torch.Tensor:
    """The pictures (B, H, W, C) with a numbered box and the five points on each face.

    Numbers start at 1 in each picture and follow the order of the faces. tick: called for each picture. Returns (B, h,
    w, 3) float32, at most 1024 pixels on the longer side.
    """
    scale = min(1.0, _LARGEST / max(image.shape[1:3]))
    size = (max(1, round(image.shape[2] * scale)), max(1, round(image.shape[1] * scale)))
    pictures = []
    for frame in range(image.shape[0]):
        tick()
        picture = Image.fromarray(to_bytes(image[frame])).resize(size, Image.Resampling.BOX, reducing_gap=2.0)
        _draw(picture, faces.in_frame(frame), scale)
        pictures.append(torch.from_numpy(np.array(picture, dtype=np.float32) / 255))
    return torch.stack(pictures)


def thumbnail(image: torch.Tensor, face: Face) -> NDArray[np.uint8]:
    """The face upright, (96, 96, 3) uint8. image: (B, H, W, C), the pictures in which it was found."""
    frame = crop_frame(face.points, _THUMBNAIL)
    positions = apply(frame, pixel_grid(_THUMBNAIL, _THUMBNAIL))
    return to_bytes(resample(to_rgb(image[face.frame].detach()).cpu(), positions, scale_of(frame), "border"))


def with_thumbnails(image: torch.Tensor, faces: Faces, tick: Tick = nothing) -> Faces:
    """The faces with their thumbnails. tick: called for each face."""
    shown = []
    for face in faces.faces:
        tick()
        shown.append(replace(face, thumbnail=thumbnail(image, face)))
    return replace(faces, faces=tuple(shown))


def side_by_side(pictures: Sequence[torch.Tensor], height: int = 512) -> torch.Tensor:
    """The first picture of each batch (B, H, W, 3), scaled to one height, in a row: (1, height, W, 3)."""
    columns = []
    for batch in pictures:
        picture = Image.fromarray(to_bytes(batch[0]))
        width = max(1, round(picture.width * height / picture.height))
        scaled = picture.resize((min(width, 4 * height), height), Image.Resampling.BICUBIC)
        columns.append(np.array(scaled, dtype=np.float32) / 255)
    return torch.from_numpy(np.concatenate(columns, axis=1))[None]


def _draw(picture: Image.Image, faces: Sequence[Face], scale: float) -> None:
    draw = ImageDraw.Draw(picture)
    width = max(1, round(max(picture.size) / 300))
    for number, face in enumerate(faces, start=1):
        colour = _COLOURS[(number - 1) % len(_COLOURS)]
        x0, y0, x1, y1 = (float(v) * scale for v in face.box)
        draw.rectangle((x0, y0, max(x0, x1), max(y0, y1)), outline=colour, width=width)
        for x, y in face.points * scale:
            draw.ellipse((x - width, y - width, x + width, y + width), fill=colour)
        size = max(10, round((y1 - y0) / 5))
        label = f"{number}"
        top = max(0.0, y0 - 1.2 * size)  # above the box, where it hides no eye
        draw.rectangle((x0, top, x0 + size * (0.5 + 0.6 * len(label)), top + 1.2 * size), fill=colour)
        draw.text((x0 + 0.25 * size, top + 0.1 * size), label, fill=(20, 20, 24), font_size=size)
