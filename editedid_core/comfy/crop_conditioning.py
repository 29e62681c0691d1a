"""A prompt told in the edit's own coordinates, brought to those of one face's crop.

What ControlNets, areas, masks and boxes say about the whole picture is cut by the crop's own map, as the picture is,
before the crop is sampled; hints and masks are bent, too, where the face was brought to the person's shape. What
cannot be cut is left out, and said.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..geometry.affine import apply, inverse_affine, places_under, scale_of
from ..geometry.resample import resample
from ..geometry.thin_plate import Bend
from ..records import FaceCrop

AREA_PIXELS = 8
"""Pixels of one unit of an area or a box: the host's nodes divide by this, whatever the VAE."""

_LEFT_OUT = {"concat_latent_image": "An inpainting picture", "concat_mask": "An inpainting mask"}
"""Keys of the host's prompts that are told in the whole picture's latent pixels."""

Conditioning = list[list[Any]]
Note = Callable[[str], None]
"""Takes a sentence for the user."""


def log(sentence: str) -> None:
    """A note to the log alone."""
    logging.warning("EditedID: %s", sentence)


def crop_conditioning(conditioning: Conditioning | None, place: FaceCrop | None, cells: tuple[int, int],
                      bent: Bend | None = None, note: Note = log) -> Conditioning | None:
    """The host's conditioning of the whole edit as it is for one crop; the given one is left as it was.

    `place`: where the crop lies in the edit; None gives the conditioning back. `cells`: height and width of the crop's
    latent. `bent`: the map by which the face was brought to the person's shape. `note`: told what cannot be cut and is
    left out. Entries whose area or mask does not reach the crop are left out; where none is left the result is None, an
    empty conditioning.
    """
    if conditioning is None or place is None:
        return conditioning
    crop = CropMap(place, cells, bent, note)
    kept = [[tokens, options] for tokens, given in conditioning if (options := crop.options(given)) is not None]
    return _or_none(kept, note)


def within(conditioning: Conditioning | None, cells: tuple[int, int]) -> Conditioning | None:
    """A conditioning told in a crop's own coordinates, without the entries whose area begins beyond the latent of
    `cells` (height, width): the host's sampler would cut a picture of no size."""
    if conditioning is None:
        return None
    kept = [entry for entry in conditioning if _begins_within(entry[1].get("area"), cells)]
    return conditioning if len(kept) == len(conditioning) else _or_none(kept, log)


def _begins_within(area: Any, cells: tuple[int, int]) -> bool:
    if area is None:
        return True
    shares = area[0] == "percentage"
    return all((round(at * size) if shares else at) < size for at, size in zip(area[-2:], cells))


def _or_none(kept: Conditioning, note: Note) -> Conditioning | None:
    if not kept:
        note("No part of the prompt reaches this face; it is sampled without one.")
    return kept or None


class CropMap:
    """The way from the edit's coordinates to one crop's, as of `crop_conditioning`."""

    def __init__(self, place: FaceCrop, cells: tuple[int, int], bent: Bend | None, note: Note = log) -> None:
        self._note = note
        self._frame, self._size, self._to_image = place.frame, place.size, place.to_image
        self._edit = place.pair.edited.image_size
        self._cells = cells
        at = places_under(self._to_image, self._size, self._size)
        self._at: NDArray[np.floating] = at if bent is None else at + bent.of(at.astype(np.float64))

    def options(self, given: dict[str, Any]) -> dict[str, Any] | None:
        """The options of one entry of a conditioning, or None where it does not reach the crop."""
        options = dict(given)
        for key, what in _LEFT_OUT.items():
            if options.pop(key, None) is not None:
                self._note(f"{what} of the whole picture cannot be cut to a face and is left out.")
        if options.get("mask") is not None:
            mask = options["mask"]
            options["mask"] = self.mask(mask[None] if mask.ndim == 2 else mask)
            if not bool(options["mask"].any()):
                return None
        if options.get("area") is not None and not self._area(options):
            return None
        if options.get("gligen") is not None:
            options["gligen"] = self._boxes(options["gligen"], given.get("area"), options.get("area"))
            if options["gligen"] is None:
                del options["gligen"]
        if options.get("control") is not None:
            options["control"] = self._control(options["control"])
            if options["control"] is None:
                del options["control"]
        return options

    def _area(self, options: dict[str, Any]) -> bool:
        """Replace the area by its part of the crop; False where there is none. A turned crop gets a mask instead, for
        an area is level."""
        y, x, height, width = self._area_pixels(options.pop("area"))
        corners = self._corners(y, x, height, width)
        low, high = np.rint(corners[0]), np.rint(corners[2])
        if np.abs(corners[[1, 3]] - [[high[0], low[1]], [low[0], high[1]]]).max() > 0.5 + 1e-6:
            return self._turned_area(options, (x - 0.5, y - 0.5, x + width - 0.5, y + height - 0.5))
        limits = np.array([self._cells[1], self._cells[0]])
        x0, y0 = (int(v) for v in np.clip(low, 0, limits))
        x1, y1 = (int(v) for v in np.clip(high, 0, limits))
        if x1 <= x0 or y1 <= y0:
            return False
        if (y1 - y0, x1 - x0) != self._cells:
            options["area"] = (y1 - y0, x1 - x0, y0, x0)
        return True

    def _turned_area(self, options: dict[str, Any], sides: tuple[float, float, float, float]) -> bool:
        left, top, right, bottom = sides
        at = self._at
        inside = (at[..., 0] >= left) & (at[..., 0] <= right) & (at[..., 1] >= top) & (at[..., 1] <= bottom)
        if not inside.all():
            mask = torch.from_numpy(inside.astype(np.float32))[None]
            options["mask"] = mask * options["mask"] if options.get("mask") is not None else mask
        return bool(inside.any())

    def _area_pixels(self, area: Any) -> tuple[float, float, float, float]:
        """y, x, height, width in pixels of the edit; an area of a video has its time before them."""
        shares = area[0] == "percentage"
        values = [float(v) for v in (area[1:] if shares else area)]
        half = len(values) // 2
        (height, width), (y, x) = values[half - 2:half], values[-2:]
        unit_y, unit_x = self._edit if shares else (AREA_PIXELS, AREA_PIXELS)
        return y * unit_y, x * unit_x, height * unit_y, width * unit_x

    def _corners(self, y: float, x: float, height: float, width: float) -> NDArray[np.float64]:
        """The corners (4, 2) of a rectangle of the edit in cells of the crop, clockwise from the upper left."""
        left, top, right, bottom = x - 0.5, y - 0.5, x + width - 0.5, y + height - 0.5
        corners = apply(inverse_affine(self._to_image), [[left, top], [right, top], [right, bottom], [left, bottom]])
        return (corners + 0.5) / np.array([self._size / self._cells[1], self._size / self._cells[0]])

    def _boxes(self, gligen: Any, area: Any, cut_area: Any) -> Any:
        """GLIGEN's boxes as far as they reach the crop, of a turned one what holds them; None where none does.

        The host counts the boxes of a prompt that has an area, before and after it was cut, from the area's corner.
        """
        try:
            kind, network, boxes = gligen
            if kind != "position":
                return gligen
            top, left = (0.0, 0.0) if area is None else self._area_pixels(area)[:2]
            height, width, y0, x0 = cut_area or (*self._cells, 0, 0)
            kept = []
            for text, *sides in boxes:
                box_height, box_width, y, x = (AREA_PIXELS * float(side) for side in sides)
                corners = self._corners(top + y, left + x, box_height, box_width) - [x0, y0]
                low, high = (np.clip(at, 0, [width, height]).tolist() for at in (corners.min(0), corners.max(0)))
                if min(high[0] - low[0], high[1] - low[1]) >= 1:  # less than a cell cannot be seen
                    kept.append((text, high[1] - low[1], high[0] - low[0], low[1], low[0]))
        except (TypeError, ValueError):  # another pack's
            self._note("Boxes of the whole picture cannot be cut to a face and are left out.")
            return None
        return (kind, network, kept) if kept else None

    def _control(self, control: Any) -> Any:
        """A chain of the host's ControlNets, each with its hint cut; None where nothing is left of it."""
        before = getattr(control, "previous_controlnet", None)
        before = None if before is None else self._control(before)
        hint = getattr(control, "cond_hint_original", None)
        if not isinstance(hint, Tensor) or hint.ndim != 4:
            self._note(f"{type(control).__name__} keeps its hint where it cannot be cut to a face, and is left out.")
            return before
        copy = control.copy()
        copy.cond_hint_original = self.picture(hint)
        copy.extra_concat_orig = [one if min(one.shape[-2:]) <= 1 else self.mask(one[:, 0])[:, None]
                                  for one in getattr(control, "extra_concat_orig", ())]
        copy.set_previous_controlnet(before)
        return copy

    def picture(self, hint: Tensor) -> Tensor:
        """(B, C, H, W) to (1, C, S, S), as the edit itself is cut."""
        one = hint[self._frame % hint.shape[0]].movedim(0, -1).float().cpu()
        positions, step = self._positions(one.shape[:2], centred=True)
        return resample(one, positions, step).movedim(-1, 0)[None].to(hint.dtype)

    def mask(self, mask: Tensor) -> Tensor:
        """(B, H, W) to (1, S, S), nothing beyond the picture, as masks on the edit are cut."""
        one = mask[self._frame % mask.shape[0]][..., None].float().cpu()
        positions, step = self._positions(one.shape[:2], centred=False)
        return resample(one, positions, step, padding="zeros", mode="bilinear")[..., 0][None]

    def _positions(self, size: Any, centred: bool) -> tuple[NDArray[np.floating], float]:
        """Where the crop's pixels lie in a picture of `size`, which the host would stretch over the edit: a hint as
        large as covers it (`centred`), a mask side by side. Also the step between them."""
        ratio = np.array([size[1] / self._edit[1], size[0] / self._edit[0]])
        offset = np.zeros(2)
        if centred and ratio[0] != ratio[1]:
            ratio = np.full(2, ratio.min())
            offset = (np.array([size[1], size[0]]) - ratio * [self._edit[1], self._edit[0]]) / 2
        at = self._at
        step = scale_of(self._to_image) * float(np.sqrt(ratio.prod()))
        return (at if (ratio == 1).all() and not offset.any() else (at + 0.5) * ratio + offset - 0.5), step
