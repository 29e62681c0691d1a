"""Smooth maps between landmarks, and an edit's faces brought to the person's shape with them (**ours**, METHOD §6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from ..pictures import check_found_in, check_pictures, to_rgb
from ..records import Face, FacePair, FacePairs
from ..ticks import Tick, nothing
from .affine import pixel_grid
from .face_model import known, person_in_pose
from .landmarks import as_68, five_of_68
from .resample import resample
from .thin_plate import Bend, Points, bend
from .window import strips, write_window

_STILL = 0.02  # pixels; moving less is not seen


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
        size comes back unchanged; a later check refuses it."""
        flat = mask[None] if mask.ndim == 2 else mask
        if flat.ndim != 3 or flat.shape[1:] != self.image.shape[1:3] or flat.shape[0] not in (1, self.image.shape[0]):
            return mask
        result = flat.expand(self.image.shape[0], -1, -1).clone()
        for pair, how in zip(self.pairs.pairs, self.bends):
            if how is not None:
                _move(result[pair.edited.frame][..., None], torch.zeros_like(self.mask[0]), how)
        return result


def reshape_faces(edited_image: torch.Tensor, pairs: FacePairs, strength: float | Sequence[float] = 1.0,
                  tick: Tick = nothing) -> Reshaped:
    """Move the features and the outline of every edited face to where the person has them, in the edit's own pose and
    with its expression. METHOD §6.

    edited_image: (B, H, W, C), in which the faces of `pairs` were found. strength: 0 leaves everything, 1 goes as far
    as the shape model knows the two faces; one for all pairs, or one for each. tick: called for each pair. Faces
    without dense landmarks in both pictures and faces that the model does not know, as those of photographs, stay as
    they are, and so does every pixel further than 0.4 eye distances from a face, bit for bit. Raises ValueError for
    another picture than that.
    """
    check_pictures(edited_image, "edited_image")
    mask = torch.zeros(()).expand(edited_image.shape[:3])  # takes memory when something moves
    image, moved, bends = edited_image, [], list[Bend | None]()
    shares = [strength] * len(pairs.pairs) if isinstance(strength, (int, float)) else strength
    for pair, share in zip(pairs.pairs, shares, strict=True):
        tick()
        check_found_in(pair.edited, edited_image, "edited_image")
        photo, edit = as_68(pair.original.dense), as_68(pair.edited.dense)
        if photo is not None and edit is not None and share > 0:
            share *= known(photo, edit)
        if share <= 0 or photo is None or edit is None:
            moved.append(pair)
            bends.append(None)
            continue
        wanted = edit + share * (person_in_pose(photo, edit) - edit)
        if image is edited_image:
            image, mask = image.clone(), torch.zeros(mask.shape)
        how = bend(wanted, edit)
        _move(image[pair.edited.frame], mask[pair.edited.frame], how)
        moved.append(replace(pair, edited=_moved_face(pair, edit, wanted, how), shaped=True, found=pair.as_found))
        bends.append(how)
    return Reshaped(image, replace(pairs, pairs=tuple(moved)), mask, tuple(bends))


def _moved_face(pair: FacePair, edit: Points, wanted: Points, how: Bend) -> Face:
    """The face with its landmarks where a map really takes them, close to where they are wanted."""
    moved = _moved_points(edit, wanted, how)
    shift = five_of_68(moved) - five_of_68(edit)
    mesh = pair.edited.mesh
    if mesh is not None:
        flat = _moved_points(mesh[:, :2].astype(np.float64), mesh[:, :2].astype(np.float64), how)
        mesh = np.column_stack([flat, mesh[:, 2]]).astype(np.float32)
    return replace(pair.edited, points=(pair.edited.points + shift).astype(np.float32), dense=moved.astype(np.float32),
                   mesh=mesh)


def _moved_points(points: Points, first: Points, how: Bend) -> Points:
    """Places p from which the map leads to the points: p + how(p) = points. first: a guess."""
    places = first
    for _ in range(3):
        places = points - how.of(places[None])[0]
    return places


def _move(picture: torch.Tensor, mask: torch.Tensor, how: Bend) -> None:
    """Apply a map to a picture (H, W, C) in place, and mark the changed pixels in `mask` (H, W)."""
    x0, y0, x1, y1 = how.window(picture.shape[0], picture.shape[1])
    if x1 <= x0:
        return
    # a copy in single precision, of the window only
    before = to_rgb(picture[y0:y1, x0:x1]).to("cpu", torch.float32).nan_to_num(0.0)
    for window in strips((x0, y0, x1, y1)):
        _, top, _, bottom = window
        displacement = how.at(window)
        positions = pixel_grid(bottom - top, x1 - x0, 0, top - y0) + displacement
        after = resample(before, positions, 1.0, padding="border")
        length = torch.from_numpy(np.linalg.norm(displacement, axis=-1).astype(np.float32))
        write_window(picture, window, after, length > _STILL)
        part = mask[top:bottom, x0:x1]
        part.copy_(torch.maximum(part, torch.where(length > _STILL, (2 * length).clamp(max=1), torch.zeros(()))))
