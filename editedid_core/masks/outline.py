"""Soft masks of a face, in its crop and in its picture. METHOD §5-6."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw

from ..geometry.affine import apply, crop_frame, inverse_affine
from ..geometry.axes import face_axes, face_centre
from ..geometry.resample import blur
from ..geometry.window import covered_window, sample_mask
from ..records import Face, Faces
from ..ticks import Tick, nothing

_SUPERSAMPLE = 4

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
    k, result = _SUPERSAMPLE, torch.zeros(size, size)
    image = Image.new("L", (size * k, size * k))
    corners = [((x + 0.5) * k - 0.5, (y + 0.5) * k - 0.5) for x, y in outline]
    ImageDraw.Draw(image).polygon(corners, fill=255)
    box = image.getbbox()
    if box is not None:  # only what is covered is averaged
        x0, y0, x1, y1 = box[0] // k, box[1] // k, -(-box[2] // k), -(-box[3] // k)
        fine = np.array(image.crop((x0 * k, y0 * k, x1 * k, y1 * k)), dtype=np.float32) / 255
        result[y0:y1, x0:x1] = F.avg_pool2d(torch.from_numpy(fine)[None, None], k)[0, 0]
    return result


def soft_inside(mask: torch.Tensor, width: float) -> torch.Tensor:
    """The mask with an edge `width` pixels wide that lies inside it: 0 stays exactly 0.

    mask: (..., H, W) in [0, 1]. A blurred mask is 0.5 on a straight edge: twice the excess over 0.5 starts at 0 there.
    """
    if width <= 0:
        return mask
    flat = mask.reshape(-1, 1, *mask.shape[-2:])
    # a little more than twice, so that rounding leaves a whole 1 inside
    inner = ((2 + 1e-6) * blur(flat, width / 2) - 1).clamp(0, 1).reshape(mask.shape)
    return torch.where(mask > 0, inner * mask, torch.zeros_like(mask))


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
    inverse = inverse_affine(frame)
    dense = None if face.dense is None else apply(inverse, face.dense)
    mask = face_mask(apply(inverse, face.points), dense, size)
    picture = torch.zeros(height, width)
    window = covered_window(frame, mask, (height, width))
    if window is not None:
        x0, y0, x1, y1 = window
        picture[y0:y1, x0:x1] = sample_mask(mask, inverse, window)
    return picture


def faces_mask(faces: Faces, tick: Tick = nothing) -> torch.Tensor:
    """(frames, H, W) float32: soft masks of all faces of each picture together. tick: called for each face."""
    masks = torch.zeros(faces.frames, *faces.image_size)
    for face in faces.faces:
        tick()
        masks[face.frame] = torch.maximum(masks[face.frame], face_mask_in_picture(face))
    return masks
