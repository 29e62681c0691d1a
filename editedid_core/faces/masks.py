"""Soft masks of a face, in its crop and in its picture. METHOD §5-6."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw

from .align import Matrix, apply, crop_frame, invert, pixel_grid, scale_of
from .record import Face
from .warp import blur, sample

_SUPERSAMPLE = 4
_STRIP = 512  # rows

# Distance of a face's outline from its middle in eye distances, by the angle from straight up: the 20th percentile of
# landmark outlines of 100 photographed people (Labeled Faces in the Wild) and of 300 drawn portraits
AVERAGE_OUTLINE = (
    (0, 15, 30, 45, 60, 75, 90, 105, 120, 135, 150, 165, 180),
    (1.22, 1.22, 1.20, 1.17, 1.10, 1.00, 0.96, 0.95, 0.95, 0.97, 1.01, 1.06, 1.08),
)


def face_mask(points: ArrayLike, dense: ArrayLike | None, size: int, softness: float = 0.02) -> torch.Tensor:
    """Soft mask of a face: 1 inside, falling to exactly 0 at its outline, never beyond it.

    points: (5, 2) in crop pixels. dense: (K, 2) dense landmarks in crop pixels, or None; with them the outline is their
    convex hull with a modest forehead, without them an average face's. softness: width of the edge in parts of S.
    Returns (size, size) float32.
    """
    p = np.asarray(points, dtype=np.float64)
    outline = _average_outline(p) if dense is None else hull_with_forehead(p, np.asarray(dense, dtype=np.float64))
    return soft_inside(fill(outline, size), softness * size)


def fill(outline: NDArray[np.float64], size: int) -> torch.Tensor:
    """(size, size) float32 coverage of a polygon (K, 2) in crop pixels, with smooth edges."""
    k = _SUPERSAMPLE
    image = Image.new("L", (size * k, size * k))
    corners = [((x + 0.5) * k - 0.5, (y + 0.5) * k - 0.5) for x, y in outline]
    ImageDraw.Draw(image).polygon(corners, fill=255)
    fine = torch.from_numpy(np.array(image, dtype=np.float32) / 255)[None, None]
    return F.avg_pool2d(fine, k)[0, 0]


def soft_inside(mask: torch.Tensor, width: float) -> torch.Tensor:
    """The mask with an edge `width` pixels wide that lies inside it: 0 stays exactly 0.

    mask: (..., H, W) in [0, 1]. A blurred mask is 0.5 on a straight edge: twice the excess over 0.5 starts at 0 there.
    """
    if width <= 0:
        return mask
    flat = mask.reshape(-1, 1, *mask.shape[-2:])
    inner = (2 * blur(flat, width / 2) - 1).clamp(0, 1).reshape(mask.shape)
    return torch.where(mask > 0, inner * mask, torch.zeros_like(mask))


def face_axes(p: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], float]:
    """Middle of the eyes, unit vectors to the right and down in the face, and the face's unit of length.

    The unit is the eye distance of a frontal face, about 0.9 of eyes to mouth; the larger of the two, so that a turned
    head, whose eyes come together, keeps its size.
    """
    eyes = p[:2].mean(0)
    down = p[3:5].mean(0) - eyes
    linear = crop_frame(p, 2)[:, :2]
    right = linear[:, 0] / np.hypot(*linear[:, 0])
    below = np.array([-right[1], right[0]])
    return eyes, right, below, float(max(np.hypot(*(p[1] - p[0])), 0.9 * np.hypot(*down)))


def face_centre(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """The middle of a face's outline (2,), from its five points (5, 2)."""
    eyes, right, below, unit = face_axes(p)
    # the nose moves to the side to which the head is turned, and the visible cheek with it the other way
    turn = float((p[2] - eyes) @ right) / unit
    return eyes + unit * (0.58 * below - 0.35 * turn * right)


def _average_outline(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Outline that stays inside four of five faces with these five points."""
    _, right, below, unit = face_axes(p)
    centre = face_centre(p)
    angles = np.linspace(-math.pi, math.pi, 72, endpoint=False)
    # from straight up (0 degrees) over the side (90) to straight down (180), the same on both sides
    from_up = np.abs((np.degrees(angles) + 270) % 360 - 180)
    radii = unit * np.interp(from_up, *AVERAGE_OUTLINE)[:, None]
    return centre + radii * (np.cos(angles)[:, None] * right + np.sin(angles)[:, None] * below)


def hull_with_forehead(p: NDArray[np.float64], dense: NDArray[np.float64]) -> NDArray[np.float64]:
    """Convex hull of dense landmarks and of a forehead that rises half as far over the brows as hair would allow."""
    from scipy.spatial import ConvexHull

    eyes, right, below, unit = face_axes(p)
    across = (dense - eyes) @ right
    low, high = float(across.min()), float(across.max())
    middle, half = (low + high) / 2, 0.88 * (high - low) / 2
    arc = np.linspace(0.15 * math.pi, 0.85 * math.pi, 15)
    forehead = eyes + (middle + half * np.cos(arc))[:, None] * right - (0.72 * unit * np.sin(arc))[:, None] * below
    everything = np.concatenate([dense, forehead])
    return everything[ConvexHull(everything).vertices]


def face_mask_in_picture(face: Face, size: int = 256) -> torch.Tensor:
    """The face's mask in its whole picture, (H, W) float32."""
    height, width = face.image_size
    frame = crop_frame(face.points, size)
    inverse = invert(frame)
    dense = None if face.dense is None else apply(inverse, face.dense)
    mask = face_mask(apply(inverse, face.points), dense, size)
    picture = torch.zeros(height, width)
    window = covered_window(frame, mask, (height, width))
    if window is not None:
        x0, y0, x1, y1 = window
        picture[y0:y1, x0:x1] = sample_mask(mask, inverse, window)
    return picture


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


def checked_element_mask(mask: torch.Tensor, edited_image: torch.Tensor) -> torch.Tensor:
    """A mask drawn on the edit, (1 or B, H, W) float32 in [0, 1] on the CPU. ValueError where it does not fit."""
    m = mask[None] if mask.ndim == 2 else mask
    expected = tuple(edited_image.shape[1:3])
    if m.ndim != 3 or tuple(m.shape[1:]) != expected or m.shape[0] not in (1, edited_image.shape[0]):
        raise ValueError(
            f"element_mask is {tuple(mask.shape)}, edited_image needs 1 or {edited_image.shape[0]} masks of {expected} "
            "pixels (height, width): draw the mask on the edited picture, or resize it."
        )
    return m.detach().to("cpu", torch.float32).nan_to_num(0.0).clamp(0, 1)


def strips(window: tuple[int, int, int, int]) -> Iterator[tuple[int, int, int, int]]:
    """The window in parts of `_STRIP` rows to be worked on one at a time, so that an 8k picture needs little memory."""
    x0, y0, x1, y1 = window
    for top in range(y0, y1, _STRIP):
        yield x0, top, x1, min(y1, top + _STRIP)


def sample_mask(mask: torch.Tensor, from_image: Matrix, window: tuple[int, int, int, int]) -> torch.Tensor:
    """A crop's mask in a window of the picture, (h, w) float32; exactly 0 outside the crop."""
    x0, y0, x1, y1 = window
    positions = apply(from_image, pixel_grid(y1 - y0, x1 - x0, x0, y0))
    return sample(mask[..., None], positions, scale_of(from_image), padding="zeros", mode="bilinear")[..., 0]
