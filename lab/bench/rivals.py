"""The simple rivals, done as well as their users would do them: pastes, blends and a Poisson paste.

Each takes a Case, what a user has: two pictures and the detector's points in both. None sees the truth.
"""
from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse
from scipy.sparse.linalg import spsolve

from editedid_core.geometry.affine import face_to_face, inverse_affine

Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Case:
    """Original photo and edited (drifted) picture, float32 (H, W, 3) in [0, 1], and the five points found in each."""

    original: Array
    edited: Array
    original_points: Array
    edited_points: Array
    seed: int

    @property
    def eyes(self) -> float:
        """Eye distance in the edited picture in pixels."""
        return float(np.linalg.norm(self.edited_points[1] - self.edited_points[0]))


def face_mask(points: Array, shape: tuple[int, ...], feather: float = 0.12, grow: float = 1.0) -> Array:
    """Ellipse from the brows to the chin, (H, W) in [0, 1], fading inward over ``feather`` eye distances."""
    eyes, mouth = points[:2].mean(0), points[3:].mean(0)
    across, down = points[1] - points[0], mouth - eyes
    unit = max(float(np.hypot(*across)), 0.9 * float(np.hypot(*down)))
    direction = across / np.hypot(*across)
    middle = eyes + 0.45 * down
    y, x = np.mgrid[:shape[0], :shape[1]].astype(np.float32)
    u = (x - middle[0]) * direction[0] + (y - middle[1]) * direction[1]
    v = (y - middle[1]) * direction[0] - (x - middle[0]) * direction[1]
    inside = (1 - np.hypot(u / (0.98 * unit * grow), v / (1.25 * unit * grow))) * unit
    return np.clip(inside / max(feather * unit, 1e-3), 0, 1).astype(np.float32)


def warped(case: Case) -> Array:
    """The original photo moved onto the edited face by a similarity of the five points."""
    to_original = inverse_affine(face_to_face(case.original_points, case.edited_points))
    height, width = case.edited.shape[:2]
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    moved = cv2.warpAffine(case.original, to_original, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.clip(moved, 0, 1)


def laid(case: Case, layer: Array, strength: float = 1.0) -> Array:
    """``layer`` over the edited picture through the feathered mask; outside the mask not a bit changes."""
    mask = face_mask(case.edited_points, case.edited.shape)[..., None] * np.float32(strength)
    return np.where(mask > 0, case.edited + mask * (layer - case.edited), case.edited).astype(np.float32)


def drifted(case: Case) -> Array:
    return case.edited


def paste(case: Case) -> Array:
    return laid(case, warped(case))


def colour_paste(case: Case) -> Array:
    """Mean and spread of each Lab channel in the face taken from the edited picture (Reinhard et al. 2001)."""
    inside = face_mask(case.edited_points, case.edited.shape) > 0.5
    layer, edited = (cv2.cvtColor(picture, cv2.COLOR_RGB2LAB) for picture in (warped(case), case.edited))
    spread = edited[inside].std(0) / np.maximum(layer[inside].std(0), 1e-3)
    matched = (layer - layer[inside].mean(0)) * np.clip(spread, 0.5, 2.0) + edited[inside].mean(0)
    return laid(case, np.clip(cv2.cvtColor(matched.astype(np.float32), cv2.COLOR_LAB2RGB), 0, 1))


def relit(case: Case, reach: float = 0.25) -> Array:
    """The warped original under the edited face's light: the ratio of the two low-passed faces."""
    layer = warped(case)
    mask = face_mask(case.edited_points, case.edited.shape)[..., None] + np.float32(1e-3)
    sigma = (reach * case.eyes, reach * case.eyes, 0)
    share = ndimage.gaussian_filter(mask, sigma)
    goal, own = (ndimage.gaussian_filter(picture * mask, sigma) / share for picture in (case.edited, layer))
    return np.clip(layer * (goal + 0.02) / (own + 0.02), 0, 1).astype(np.float32)


def relit_paste(case: Case) -> Array:
    return laid(case, relit(case))


def blend_60(case: Case) -> Array:
    """60 % of the relit paste over the drifted picture: near the truth in every pixel measure, and a ghost."""
    return laid(case, relit(case), 0.6)


def poisson(case: Case) -> Array:
    """The original's gradients in the mask, the edited picture's colours on its border (Perez et al. 2003, eq. 7).

    The mask is smaller than the pastes': a border that leaves the face lets the background's colours in.
    """
    inside = face_mask(case.edited_points, case.edited.shape, grow=0.8) > 0
    inside[[0, -1]] = inside[:, [0, -1]] = False
    layer = warped(case)
    number = np.full(inside.shape, -1)
    count = int(inside.sum())
    number[inside] = np.arange(count)
    rows, columns = np.nonzero(inside)
    right = np.zeros((count, 3))
    entries = [(np.arange(count), np.arange(count), np.full(count, 4.0))]
    for down, across in ((0, 1), (0, -1), (1, 0), (-1, 0)):
        near = rows + down, columns + across
        right += layer[rows, columns] - layer[near]
        free = number[near] >= 0
        right[~free] += case.edited[near][~free]
        entries.append((np.arange(count)[free], number[near][free], np.full(int(free.sum()), -1.0)))
    i, j, value = (np.concatenate(part) for part in zip(*entries))
    solution = spsolve(sparse.csc_matrix((value, (i, j)), (count, count)), right)
    out = case.edited.copy()
    out[inside] = np.clip(solution, 0, 1)
    return out


PIXEL_RIVALS = {
    "drifted": drifted, "paste": paste, "colour_paste": colour_paste, "relit_paste": relit_paste, "blend_60": blend_60,
    "poisson": poisson,
}
