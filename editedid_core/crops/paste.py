"""Puts restored crops back. Every pixel outside their masks stays the edited picture's, bit for bit. METHOD §6."""

from __future__ import annotations

import torch

from ..appearance.relight import relight
from ..geometry.affine import inverse_affine, pixel_grid, places_under, scale_of
from ..geometry.resample import resample
from ..geometry.window import covered_window, sample_mask, strips, write_window
from ..masks.outline import soft_inside
from ..pictures import check_pictures, require_finite, to_rgb
from ..records import FaceCrop, PasteRecord
from ..ticks import Tick, nothing

_LEAST_WEIGHT = 1 / 1024  # far below a step of 8 bits; smaller weights would change bits and nothing visible


def paste(edited_image: torch.Tensor, crops: torch.Tensor, record: PasteRecord, feather: float = 0.03,
          colour: float = 0.0, tick: Tick = nothing, changed: torch.Tensor | None = None) -> torch.Tensor:
    """Write crops into the picture they were cut from.

    edited_image: (B, H, W, C), any floating type; alpha channels stay. crops: (N, S', S', 3) in [0, 1], row
    for row those of `record`, at any size. feather: width of the soft edge in parts of the crop's side, inward.
    colour: how far the crop's low frequencies are brought to the edited picture's, 0 to 1. tick: called for each crop.
    changed: (frames, H, W) float32, into which is written what paste_mask() would give, in place, or None.
    Returns a new picture of the same type; edited_image itself when there is no crop. Pixels whose mask is 0 are
    bit-identical. Raises ValueError when the inputs do not belong together.
    """
    check_cropped(edited_image, record)
    if not record.crops:
        return edited_image
    if crops.shape[0] != len(record.crops):
        raise ValueError(
            f"crops holds {crops.shape[0]} pictures for {len(record.crops)} faces of paste: connect all crops of Crop "
            "Face Pairs, in their order."
        )
    if crops.ndim != 4 or crops.shape[1] != crops.shape[2] or crops.shape[-1] not in (1, 3, 4):
        raise ValueError(f"crops must be square pictures (N, S, S, 3), got {tuple(crops.shape)}.")
    result = edited_image.clone()
    masks = soft_inside(record.masks.float().cpu(), feather * record.masks.shape[-1])
    for crop, picture, mask in zip(record.crops, crops, masks):
        tick()
        restored = to_rgb(picture.detach()).to("cpu", torch.float32)
        require_finite(restored, "crops: a restored crop", "lower the strength, or use a VAE in fp32")
        where = None if changed is None else changed[crop.frame]
        _paste_one(result[crop.frame], restored.clamp(0, 1), crop, mask, colour, where)
    return result


def check_cropped(edited_image: torch.Tensor, record: PasteRecord) -> None:
    """Raise ValueError unless `edited_image` (B, H, W, C) has the size and the number of those that were cropped."""
    check_pictures(edited_image, "edited_image")
    frames, size = edited_image.shape[0], (edited_image.shape[1], edited_image.shape[2])
    if size != tuple(record.image_size) or frames < record.frames:
        raise ValueError(
            f"edited_image has {frames} pictures of {size} pixels (height, width), the paste record was made for "
            f"{record.frames} of {tuple(record.image_size)}: connect the picture that was cropped."
        )


def as_pasted(edited: torch.Tensor, restored: torch.Tensor, mask: torch.Tensor, feather: float,
              colour: float) -> torch.Tensor:
    """The crop as paste() would write it, (S, S, 3), without going through the picture.

    edited, restored: (S, S, 3) in [0, 1]. mask: (S, S), one of the record's. feather, colour: as of paste().
    """
    if colour > 0:
        restored = relight(restored, edited, mask, strength=colour)
    soft = soft_inside(mask.float().cpu(), feather * mask.shape[-1])[..., None].to(restored)
    return torch.lerp(edited.to(restored), restored, soft.expand_as(restored))


def _paste_one(target: torch.Tensor, restored: torch.Tensor, crop: FaceCrop, mask: torch.Tensor, colour: float,
               changed: torch.Tensor | None) -> None:
    """Blend one crop (S', S', 3) into one picture (H, W, C), in place, strip by strip of the window that holds it."""
    window = covered_window(crop.to_image, mask, (target.shape[0], target.shape[1]))
    if window is None:
        return
    if colour > 0:
        positions = places_under(crop.to_image, crop.size, crop.size)
        cut = resample(to_rgb(target).cpu(), positions, scale_of(crop.to_image))
        restored = relight(_resized(restored, crop.size), cut, mask, strength=colour)
    for strip in strips(window):
        alpha = _paste_strip(target, restored, crop, mask, strip)
        if changed is not None:
            _note(changed, strip, alpha)


def _paste_strip(target: torch.Tensor, restored: torch.Tensor, crop: FaceCrop, mask: torch.Tensor,
                 window: tuple[int, int, int, int]) -> torch.Tensor:
    """Returns the weight of the crop in the window, (h, w)."""
    x0, y0, x1, y1 = window
    from_image, zoom = inverse_affine(crop.to_image), restored.shape[0] / crop.size
    positions, step = places_under(from_image, y1 - y0, x1 - x0, x0, y0), scale_of(from_image)
    alpha = resample(mask[..., None], positions, step, padding="zeros", mode="bilinear")
    below = to_rgb(target[y0:y1, x0:x1]).to("cpu", torch.float32)
    if zoom != 1:
        positions = (positions + 0.5) * zoom - 0.5
    above = resample(restored, positions, step * zoom, padding="border").clamp_(0, 1)
    write_window(target, window, below + alpha * (above - below), alpha[..., 0] > _LEAST_WEIGHT)
    return alpha[..., 0]


def _note(changed: torch.Tensor, window: tuple[int, int, int, int], alpha: torch.Tensor) -> None:
    """Write a crop's weight (h, w) into a window of a picture's mask (H, W), in place, where paste() changes it."""
    x0, y0, x1, y1 = window
    place = changed[y0:y1, x0:x1]
    place.copy_(torch.maximum(place, torch.where(alpha > _LEAST_WEIGHT, alpha, torch.zeros_like(alpha))))


def _resized(picture: torch.Tensor, size: int) -> torch.Tensor:
    """(S', S', 3) to (size, size, 3)."""
    if picture.shape[0] == size:
        return picture
    zoom = picture.shape[0] / size
    return resample(picture, (pixel_grid(size, size) + 0.5) * zoom - 0.5, zoom, padding="border")


def paste_mask(record: PasteRecord, feather: float = 0.03) -> torch.Tensor:
    """(frames, H, W) float32: where paste() with this feather may change the pictures; exactly 0 elsewhere."""
    result = torch.zeros(record.frames, *record.image_size)
    masks = soft_inside(record.masks.float().cpu(), feather * record.masks.shape[-1])
    for crop, mask in zip(record.crops, masks):
        window = covered_window(crop.to_image, mask, record.image_size)
        if window is None:
            continue
        for strip in strips(window):
            _note(result[crop.frame], strip, sample_mask(mask, inverse_affine(crop.to_image), strip))
    return result
