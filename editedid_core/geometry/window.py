"""Windows of a picture: the part that a crop's mask covers, in strips that need little memory."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from .affine import Matrix, apply, places_under, scale_of
from .resample import resample

_STRIP = 512  # rows


def covered_window(to_image: Matrix, mask: torch.Tensor, image_size: tuple[int, int],
                   ) -> tuple[int, int, int, int] | None:
    """The window x0, y0, x1, y1 (ends excluded) of the picture that holds a crop's mask (S, S) where it is above 0.

    None when the mask is empty or lies outside the picture.
    """
    rows, columns = (torch.nonzero(mask.amax(axis)).flatten() for axis in (1, 0))
    if len(rows) == 0:
        return None
    top, bottom, left, right = int(rows[0]) - 1, int(rows[-1]) + 1, int(columns[0]) - 1, int(columns[-1]) + 1
    corners = apply(to_image, [[left, top], [right, top], [left, bottom], [right, bottom]])
    x0, y0 = (max(0, int(v)) for v in np.floor(corners.min(0)))
    x1, y1 = (min(int(end), int(v) + 1) for end, v in zip(image_size[::-1], np.ceil(corners.max(0))))
    return (x0, y0, x1, y1) if x1 > x0 and y1 > y0 else None


def strips(window: tuple[int, int, int, int]) -> Iterator[tuple[int, int, int, int]]:
    """The window in parts of `_STRIP` rows to be worked on one at a time, so that an 8k picture needs little memory."""
    x0, y0, x1, y1 = window
    for top in range(y0, y1, _STRIP):
        yield x0, top, x1, min(y1, top + _STRIP)


def write_window(picture: torch.Tensor, window: tuple[int, int, int, int], values: torch.Tensor,
                 where: torch.Tensor) -> None:
    """Write into a window of a picture (H, W, C), in place; pixels outside `where` stay the same, bit for bit.

    values: (h, w, 3) float32; a grey picture takes their mean, an alpha channel stays. where: (h, w) bool.
    """
    x0, y0, x1, y1 = window
    channels = 1 if picture.shape[-1] == 1 else 3
    place = picture[y0:y1, x0:x1, :channels]
    fresh = values.mean(-1, keepdim=True) if channels == 1 else values
    place.copy_(torch.where(where.to(place.device)[..., None], fresh.to(place), place))


def sample_mask(mask: torch.Tensor, from_image: Matrix, window: tuple[int, int, int, int]) -> torch.Tensor:
    """A crop's mask in a window of the picture, (h, w) float32; exactly 0 outside the crop."""
    x0, y0, x1, y1 = window
    positions = places_under(from_image, y1 - y0, x1 - x0, x0, y0)
    return resample(mask[..., None], positions, scale_of(from_image), padding="zeros", mode="bilinear")[..., 0]
