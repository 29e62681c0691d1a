"""Smooth maps between landmarks, and an edit's faces brought to the person's shape with them (**ours**, METHOD §6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from .align import pixel_grid
from .detect import check_found_in, check_pictures, to_rgb
from .landmarks import as_68, five_of_68
from .masks import strips
from .record import Face, FacePair, FacePairs
from .shape import person_in_pose
from .warp import sample

# All lengths are in eye distances.
_HOLD = 0.24  # from the landmarks' hull to where everything stands still
_FADE = 0.16  # beyond it, what is left of the map fades to exactly nothing
_NODE = 0.07  # between the places at which a map is worked out
_STIFFNESS = 0.05  # how far the map may pass a landmark by, which a detector misses by as much
_RING = 48  # places along the hull that are held
_LEAST_AREA = 0.1  # what a pixel may shrink to: less would fold the picture
_BETWEEN = 3  # parts of a node's side in which folds are looked for: a cubic overshoots between its nodes
_STILL = 0.02  # pixels; moving less is not seen

_LEADING = np.r_[0:17, 27:68]  # brows follow: led by their landmarks they would bend a frame of glasses

Points = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Bend:
    """A smooth map: `nodes` (h, w, 2) displacements in pixels at `corner` + `step` · (column, row); zero elsewhere."""

    nodes: Points
    corner: Points
    step: float

    def window(self, height: int, width: int) -> tuple[int, int, int, int]:
        """x0, y0, x1, y1 (ends excluded) of the part of a picture in which the map is not zero."""
        rows, columns = self.nodes.shape[:2]
        x0, y0 = np.maximum(np.ceil(self.corner), 0).astype(int)
        x1, y1 = np.floor(self.corner + self.step * np.array([columns - 1, rows - 1])).astype(int) + 1
        return int(x0), int(y0), int(max(x0, min(x1, width))), int(max(y0, min(y1, height)))

    def at(self, window: tuple[int, int, int, int]) -> Points:
        """(h, w, 2) displacement of every pixel of a window, in pixels."""
        x0, y0, x1, y1 = window
        return self.of(pixel_grid(y1 - y0, x1 - x0, x0, y0))

    def of(self, places: Points) -> Points:
        """(h, w, 2) displacement at places (h, w, 2), in pixels."""
        places = (places - self.corner) / self.step
        extent = np.array([self.nodes.shape[1] - 1, self.nodes.shape[0] - 1])
        grid = torch.from_numpy((2 * places / extent - 1).astype(np.float32))[None]
        nodes = torch.from_numpy(self.nodes.astype(np.float32)).permute(2, 0, 1)[None]
        found = F.grid_sample(nodes, grid, mode="bicubic", padding_mode="zeros", align_corners=True)
        return found[0].permute(1, 2, 0).double().numpy()


def bend(here: Points, there: Points) -> Bend:
    """The smoothest map (thin plate spline, Bookstein 1989) whose displacement at `here` leads to `there`, (68, 2) each
    in one picture's pixels. It ends 0.4 eye distances outside their hull; a map that would fold is weakened until it
    does not.
    """
    from scipy.interpolate import RBFInterpolator
    from scipy.spatial import ConvexHull

    five = five_of_68(here)
    down = five[3:].mean(0) - five[:2].mean(0)
    # a profile's eyes come together: its height then tells its size
    unit = max(float(np.linalg.norm(five[1] - five[0])), 0.5 * float(np.linalg.norm(down)), 1.0)
    both = np.concatenate([here, there])
    outline = _resampled(both[ConvexHull(both).vertices], _RING)
    outward = outline - both.mean(0)
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    held = [outline + d * unit * outward for d in (_HOLD, _HOLD + _FADE, _HOLD + 3 * _FADE)]
    led = here[_LEADING]
    places = np.concatenate([led, *held])
    moves = np.concatenate([there[_LEADING] - led, np.zeros((len(places) - len(led), 2))])
    step = _NODE * unit
    low, high = held[1].min(0) - step, held[1].max(0) + step
    columns, rows = (np.ceil((high - low) / step).astype(int) + 1).tolist()
    nodes = low + step * pixel_grid(rows, columns)
    spline = RBFInterpolator(places / unit, moves, kernel="thin_plate_spline", smoothing=_STIFFNESS)
    field = spline(nodes.reshape(-1, 2) / unit).reshape(rows, columns, 2)
    fade = np.clip(_depth(nodes, held[1]) / (_FADE * unit), 0, 1)
    field *= (fade * fade * (3 - 2 * fade))[..., None]
    while _least_area(field / step) < _LEAST_AREA:
        field *= 0.8
    return Bend(field, low, step)


@dataclass(frozen=True, eq=False)
class Reshaped:
    """`image` (B, H, W, C): the edit with its faces in their persons' shapes; `pairs`: the same pairs with the edited
    faces' landmarks moved along; `mask` (B, H, W) in [0, 1]: where the picture changed, exactly 0 elsewhere; `bends`:
    the map of each pair, None where the face stayed as it was."""

    image: torch.Tensor
    pairs: FacePairs
    mask: torch.Tensor
    bends: tuple[Bend | None, ...]

    def moved(self, mask: torch.Tensor) -> torch.Tensor:
        """A mask drawn on the edit, (B or 1, H, W) or (H, W), moved along with the faces: (B, H, W). A mask of another
        size comes back as it is, for whoever checks it."""
        flat = mask[None] if mask.ndim == 2 else mask
        if flat.ndim != 3 or flat.shape[1:] != self.image.shape[1:3] or flat.shape[0] not in (1, self.image.shape[0]):
            return mask
        result = flat.expand(self.image.shape[0], -1, -1).clone()
        for pair, how in zip(self.pairs.pairs, self.bends):
            if how is not None:
                _move(result[pair.edited.frame][..., None], torch.zeros_like(self.mask[0]), how)
        return result


def reshape_faces(edited_image: torch.Tensor, pairs: FacePairs, strength: float | Sequence[float] = 1.0) -> Reshaped:
    """Move the features and the outline of every edited face to where the person has them, in the edit's own pose and
    with its expression. METHOD §6.

    edited_image: (B, H, W, C), in which the faces of `pairs` were found. strength: 0 leaves everything, 1 goes all the
    way; one for all pairs, or one for each. Faces without dense landmarks in both pictures stay as they are, and so
    does every pixel further than 0.4 eye distances from a face, bit for bit. Raises ValueError for another picture than
    that.
    """
    check_pictures(edited_image, "edited_image")
    mask = torch.zeros(edited_image.shape[:3])
    image, moved, bends = edited_image, [], list[Bend | None]()
    shares = [strength] * len(pairs.pairs) if isinstance(strength, (int, float)) else strength
    for pair, share in zip(pairs.pairs, shares, strict=True):
        check_found_in(pair.edited, edited_image, "edited_image")
        photo, edit = as_68(pair.original.dense), as_68(pair.edited.dense)
        if share <= 0 or photo is None or edit is None:
            moved.append(pair)
            bends.append(None)
            continue
        wanted = edit + share * (person_in_pose(photo, edit) - edit)
        image = image.clone() if image is edited_image else image
        how = bend(wanted, edit)
        _move(image[pair.edited.frame], mask[pair.edited.frame], how)
        moved.append(replace(pair, edited=_moved_face(pair, edit, wanted, how), shaped=True))
        bends.append(how)
    return Reshaped(image, replace(pairs, pairs=tuple(moved)), mask, tuple(bends))


def _moved_face(pair: FacePair, edit: Points, wanted: Points, how: Bend) -> Face:
    """The face with its landmarks where a map really takes them, which is not quite where they are wanted."""
    moved = wanted
    for _ in range(3):  # the place p from which the map leads to the edit's landmark: p + how(p) = edit
        moved = edit - how.of(moved[None])[0]
    shift = five_of_68(moved) - five_of_68(edit)
    return replace(pair.edited, points=(pair.edited.points + shift).astype(np.float32), dense=moved.astype(np.float32))


def _move(picture: torch.Tensor, mask: torch.Tensor, how: Bend) -> None:
    """Apply a map to a picture (H, W, C) in place, and note in `mask` (H, W) where."""
    x0, y0, x1, y1 = how.window(picture.shape[0], picture.shape[1])
    if x1 <= x0:
        return
    channels = 1 if picture.shape[-1] == 1 else 3
    # a copy in single precision, of the window only
    before = to_rgb(picture[y0:y1, x0:x1]).to("cpu", torch.float32).nan_to_num(0.0)
    for window in strips((x0, y0, x1, y1)):
        _, top, _, bottom = window
        displacement = how.at(window)
        positions = pixel_grid(bottom - top, x1 - x0, 0, top - y0) + displacement
        after = sample(before, positions, 1.0, padding="border")
        length = torch.from_numpy(np.linalg.norm(displacement, axis=-1).astype(np.float32))
        place = picture[top:bottom, x0:x1, :channels]
        after = (after.mean(-1, keepdim=True) if channels == 1 else after).to(place)
        place.copy_(torch.where((length > _STILL).to(place.device)[..., None], after, place))
        part = mask[top:bottom, x0:x1]
        part.copy_(torch.maximum(part, torch.where(length > _STILL, (2 * length).clamp(max=1), torch.zeros(()))))


def _resampled(corners: Points, count: int) -> Points:
    """`count` places evenly along a closed polygon (K, 2)."""
    closed = np.concatenate([corners, corners[:1]])
    along = np.r_[0, np.cumsum(np.linalg.norm(np.diff(closed, axis=0), axis=1))]
    wanted = np.linspace(0, along[-1], count, endpoint=False)
    return np.stack([np.interp(wanted, along, closed[:, i]) for i in (0, 1)], -1)


def _depth(places: Points, ring: Points) -> Points:
    """How far inside the convex hull of `ring` (K, 2) each of (..., 2) places lies; 0 outside."""
    from scipy.spatial import ConvexHull

    planes = ConvexHull(ring).equations  # n x + d <= 0 inside
    return np.maximum(-(places @ planes[:, :2].T + planes[:, 2]).max(-1), 0)


def _least_area(field: Points) -> float:
    """The smallest area, in parts of itself, that anything in a map (h, w, 2) of nodes a distance of 1 apart takes."""
    height, width = (_BETWEEN * (n - 1) + 1 for n in field.shape[:2])
    nodes = torch.from_numpy(field).permute(2, 0, 1)[None]
    fine = F.interpolate(nodes, size=(height, width), mode="bicubic", align_corners=True)[0].permute(1, 2, 0).numpy()
    down, across = (_BETWEEN * np.diff(fine, axis=axis) for axis in (0, 1))
    down, across = down[:, :-1], across[:-1]
    return float(((1 + across[..., 0]) * (1 + down[..., 1]) - across[..., 1] * down[..., 0]).min())
