"""Gives the person's skin tone back where an edit made their skin lighter, darker or of another hue (**ours**,
METHOD §6).

Tone and light both multiply the light that skin reflects. Their effect on a face tells them apart: another light comes
from another side and changes the shading; another tone changes the whole face alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ..geometry.affine import Matrix, apply, compose, crop_frame, face_to_face, inverse_affine, pixel_grid, scale_of
from ..geometry.axes import face_axes
from ..geometry.resample import blur, resample
from ..geometry.window import covered_window, sample_mask, strips, write_window
from ..masks.outline import face_mask, fill
from ..masks.parts import face_parts, features_mask
from ..pictures import check_found_in, check_pictures, checked_element_mask, to_rgb
from ..records import FacePair, FacePairs
from ..ticks import Tick, nothing
from .relight import to_linear, to_srgb

_SIDE = 384  # pixels of the frame in which a face with its neck is looked at
_WIDER = 1.7  # times the side of a face's crop
_FLOOR = 0.003  # linear light; keeps logarithms finite in black
_LARGEST = 1.4  # logarithm of the largest change of tone
_LEAST = 0.02  # logarithm; smaller changes are not seen

# Set on drawn people, 2026-11
_SAME_SHADING, _OTHER_SHADING = 0.15, 0.3
"""Spread of the logarithm of two faces' ratio of light: up to the first they stand in one light, from the second on in
another."""
_GREY = 0.1  # logarithm of red over blue; below, skin has no colour: a black and white picture
_ALIKE = 0.07  # logarithm; changes this close count as the same, besides a tenth of the change
_LEAST_SHARE = 0.15  # of the surroundings that changed like the face; from here on the whole picture changed

# Lengths in eye distances, set on drawn people, 2026-11
_SHADING = 0.15  # standard deviation of the low-pass in which shading is compared
_AROUND = 0.35  # ears, beside the face from the eyes down
_ABOVE = 0.6  # forehead and scalp
_STRICTER = 2.0  # times the distance of colours there, because hair of a similar hue may be there
_NECK = (0.85, 1.3)  # half width, and height below the chin
_HOLES = 0.2  # width of things that are not skin and change along: nostrils, brows, a frame of glasses
_SKIN_EDGE = 0.03  # edge of the skin
_FADE = 0.1  # edge of the region that is searched for skin

OTHER_LIGHT = ("The face stands in another light than in the photo, or one of the two is black and white, so that its "
               "skin tone is uncertain: the edit's tone is kept.")

UNSURE = 0.5
"""Certainty below which the user is warned."""
Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Toned:
    """`image` (B, H, W, C): the edit with its persons' skin tones; `mask` (B, H, W) in [0, 1]: where it changed,
    exactly 0 elsewhere; `certainty`: for every pair, how certain it is that the tone changed and not the light, 0
    (nothing was changed) to 1.
    """

    image: torch.Tensor
    mask: torch.Tensor
    certainty: tuple[float, ...]


def retone_faces(original_image: torch.Tensor, edited_image: torch.Tensor, pairs: FacePairs,
                 strength: float = 1.0, element_mask: torch.Tensor | None = None, tick: Tick = nothing) -> Toned:
    """Give the skin of every edited face, its ears and its neck the tone that it has in the photo, in the edit's light.

    original_image, edited_image: (B, H, W, C), (B', H', W', C'), in which the faces of `pairs` were found. strength: 0
    leaves everything, 1 goes all the way. element_mask: (B' or 1, H', W') in [0, 1], what of the edit must stay, or
    None. tick: called for each pair. A face whose shading tells of another light keeps its tone, and so does one whose
    surroundings changed just as it did, or where one of the two is black and white. Raises ValueError for other
    pictures than those.
    """
    check_pictures(original_image, "original_image")
    check_pictures(edited_image, "edited_image")
    kept = torch.zeros(()).expand(1, *edited_image.shape[1:3])
    if element_mask is not None:
        kept = checked_element_mask(element_mask, edited_image)
    mask = torch.zeros(()).expand(edited_image.shape[:3])  # takes memory when a tone changes
    image, found = edited_image, []
    for pair in pairs.pairs:
        tick()
        check_found_in(pair.original, original_image, "original_image")
        check_found_in(pair.edited, edited_image, "edited_image")
        if strength <= 0 or edited_image.shape[-1] < 3:
            found.append(0.0)
            continue
        frame = _frame(pair)
        edit = _cut(edited_image[pair.edited.frame], frame)
        photo = _cut(original_image[pair.original.frame],
                     compose(face_to_face(pair.edited.points, pair.original.points), frame))
        places = _places(pair, frame)
        change, certainty = tone_change(photo, edit, *places)
        found.append(certainty)
        change = np.clip(change, -_LARGEST, _LARGEST) * certainty * strength
        if np.abs(change).max() < _LEAST:
            continue
        if image is edited_image:
            image, mask = image.clone(), torch.zeros(mask.shape)
        skin = skin_mask(edit, *places)
        where = pair.edited.frame
        _multiply(image[where], mask[where], kept[where % len(kept)], skin, frame, change)
    return Toned(image, mask, tuple(found))


def tone_change(photo: torch.Tensor, edit: torch.Tensor, points: Array, dense: Array | None) -> tuple[Array, float]:
    """Logarithm of the photo's skin tone over the edit's, (3,) in linear RGB, and how sure it is, 0 to 1.

    photo, edit: (S, S, 3), aligned, each with the face and what surrounds it. points (5, 2), dense (K, 2): of the edit,
    in pixels of S.
    """
    size = edit.shape[0]
    unit = face_axes(points)[3]
    face = face_mask(points, dense, size)
    weight = (face * (1 - features_mask(points, size)).clamp(0, 1)).numpy().astype(np.float64)
    skin = weight > 0.6
    if skin.sum() < 16:
        return np.zeros(3), 0.0
    light = [to_linear(x.clamp(0, 1)).double() for x in (photo, edit)]
    w = torch.from_numpy(weight)[None, None]
    near = blur(w, _SHADING * unit) + 1e-3
    low = [(blur(x.permute(2, 0, 1)[None] * w, _SHADING * unit) / near)[0].permute(1, 2, 0).numpy() for x in light]
    ratio = np.log(low[0] + _FLOOR) - np.log(low[1] + _FLOOR)
    change = np.median(ratio[skin], axis=0)
    spread = float(ratio.mean(-1)[skin].std())
    certainty = float(np.clip((_OTHER_SHADING - spread) / (_OTHER_SHADING - _SAME_SHADING), 0, 1))
    logs = [np.log(x[skin] + _FLOOR) for x in low]
    if min(abs(float(np.median(x[:, 0] - x[:, 2]))) for x in logs) < _GREY:
        certainty = 0.0
    beside = blur(face[None, None], 0.1 * unit)[0, 0].numpy() < 0.01
    fine = [blur(x.permute(2, 0, 1)[None], 0.02 * size)[0].permute(1, 2, 0).numpy() for x in light]
    around = (np.log(fine[0] + _FLOOR) - np.log(fine[1] + _FLOOR))[beside]
    near_enough = _ALIKE + 0.1 * np.abs(change).max()
    like_the_face, unchanged = (float((np.abs(around - r).max(-1) < near_enough).mean()) for r in (change, 0.0))
    if like_the_face > max(_LEAST_SHARE, 2 * unchanged):
        certainty = 0.0  # the whole picture became darker, or warmer: light
    return change, certainty


def skin_mask(picture: torch.Tensor, points: Array, dense: Array | None) -> torch.Tensor:
    """The skin of a face with its ears and neck, and what lies small within it; (S, S) float32 in [0, 1].

    picture: (S, S, 3) with the face's surroundings. Skin is what has the colour of the cheeks, lit more or less, is
    connected with them and lies around the face or below the chin.
    """
    from scipy import ndimage

    size = picture.shape[0]
    middle, right, below, unit = face_axes(points)
    face = face_mask(points, dense, size)
    spots = face_parts(points, size).together()
    cheeks = ((face > 0.8) & (spots < 0.3)).numpy()
    if cheeks.sum() < 16:
        return torch.zeros(size, size)
    outline = np.argwhere((face > 0.5).numpy())[:, ::-1] - middle
    chin = middle + below * float((outline @ below).max())
    half, height = unit * _NECK[0], unit * _NECK[1]
    corners = [chin + x * half * right + y * below for x, y in ((-1, -0.4 * unit), (1, -0.4 * unit), (1, height),
                                                               (-1, height))]
    wide, wider = (ndimage.maximum_filter(face.numpy(), 2 * round(d * unit) + 1) for d in (_AROUND, _ABOVE))
    above = (pixel_grid(size, size) - middle) @ below < -0.25 * unit
    grown = torch.from_numpy(np.where(above, wider, wide))
    region = blur(torch.maximum(fill(np.array(corners), size), grown)[None, None], _FADE * unit)[0, 0]

    likely = _likelihood(picture, cheeks, np.where(above & (face < 0.5).numpy(), _STRICTER, 1.0))
    radius = round(_HOLES * unit / 2)
    disk = np.hypot(*np.mgrid[-radius:radius + 1, -radius:radius + 1]) <= radius
    likely = np.maximum(ndimage.grey_closing(likely, footprint=disk), (spots * face).numpy())
    pieces, _ = ndimage.label((likely > 0.3) & (region.numpy() > 0.02))
    own = np.bincount(pieces[cheeks & (pieces > 0)], minlength=2)
    likely = np.where(pieces == own.argmax(), likely, 0) if own.sum() else np.zeros_like(likely)
    return blur(torch.from_numpy(likely.astype(np.float32))[None, None], _SKIN_EDGE * unit)[0, 0] * region


def _likelihood(picture: torch.Tensor, cheeks: NDArray[np.bool_], strict: Array) -> Array:
    """How much each pixel's colour is the cheeks', (S, S) in [0, 1]: hue within their own spread (Mahalanobis, 1936),
    lightness within what shading makes of skin. strict: (S, S), what each distance is multiplied by."""
    logs = np.log(to_linear(picture.clamp(0, 1)).numpy().astype(np.float64).clip(2e-3))
    light, hue = logs.mean(-1), np.stack([logs[..., 0] - logs[..., 1], logs[..., 2] - logs[..., 1]], -1)
    off = hue - np.median(hue[cheeks], axis=0)
    taken = cheeks
    for _ in range(3):  # without the hair and the frames that lie over the cheeks
        spread = np.cov(off[taken].T) + 0.03**2 * np.eye(2)
        distance = np.einsum("...i,ij,...j", off, np.linalg.inv(spread), off)
        inner = cheeks & (distance < 9)
        taken = inner if inner.sum() >= 16 else taken
    usual = float(np.median(light[cheeks]))
    darker, brighter = np.minimum(light - usual + 0.7, 0), np.maximum(light - usual - 0.4, 0)
    distance = strict * (distance + 4 * (darker / 0.3) ** 2 + 4 * (brighter / 0.3) ** 2)
    return 1 / (1 + np.exp(np.clip((distance - 12) / 2.5, -50, 50)))


def _frame(pair: FacePair) -> Matrix:
    """From pixels of a square of `_SIDE` around the edited face to the picture's."""
    frame = crop_frame(pair.edited.points, _SIDE)
    middle = (_SIDE - 1) / 2
    wider = np.array([[_WIDER, 0, middle * (1 - _WIDER)], [0, _WIDER, middle * (1 - _WIDER)]])
    return compose(frame, wider)


def _places(pair: FacePair, frame: Matrix) -> tuple[Array, Array | None]:
    """The edited face's points (5, 2) and dense landmarks in the frame."""
    back = inverse_affine(frame)
    return apply(back, pair.edited.points), None if pair.edited.dense is None else apply(back, pair.edited.dense)


def _cut(picture: torch.Tensor, frame: Matrix) -> torch.Tensor:
    clean = to_rgb(picture.detach()).cpu().float().nan_to_num(0.0)
    return resample(clean, apply(frame, pixel_grid(_SIDE, _SIDE)), scale_of(frame), padding="border").clamp(0, 1)


def _multiply(picture: torch.Tensor, mask: torch.Tensor, kept: torch.Tensor, skin: torch.Tensor, frame: Matrix,
              change: Array) -> None:
    """Multiply the light of a picture (H, W, C) by exp(`change`) where the frame's `skin` (S, S) lies, in place, and
    note in `mask` (H, W) where; not where `kept` (H, W) is 1."""
    window = covered_window(frame, skin, (picture.shape[0], picture.shape[1]))
    if window is None:
        return
    for strip in strips(window):
        x0, y0, x1, y1 = strip
        weight = sample_mask(skin, inverse_affine(frame), strip) * (1 - kept[y0:y1, x0:x1])
        weight = torch.where(weight > 1 / 256, weight, torch.zeros_like(weight))
        before = picture[y0:y1, x0:x1, :3].to("cpu", torch.float32).nan_to_num(0.0)
        factor = torch.exp(weight[..., None] * torch.from_numpy(change).float())
        after = to_srgb((to_linear(before.clamp(0, 1)) * factor).clamp(0, 1))
        write_window(picture, strip, after, weight > 0)
        part = mask[y0:y1, x0:x1]
        part.copy_(torch.maximum(part, weight))
