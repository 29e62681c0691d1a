"""Where the two aligned pictures of a face show different things. METHOD §4."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike

from ..geometry.resample import blur
from .elements import LARGEST, resized, smaller
from .part_weights import part_regions
from .parts import FaceParts

_AROUND = 0.03  # standard deviation of the neighbourhood in which two pictures are compared
_DISAGREES = 0.042  # least mean difference that counts as disagreement, in parts of a colour channel's range
_APART = 0.25  # share of a feature that disagrees; above it all of the feature stays the edit's


# Around a place of the skin, mean difference up to which it is wholly the photo's, and the photo's least share, however
# much they differ. Photographs (13 pairs in another pose, half of the people of docs/PHOTOGRAPHS.md), 2026-11: PSNR
# rises by 0.36 dB in the mean and by 1.3 dB at most, recovery falls by 0.02, and no whole face is lost; at 0.03 and 0.3
# PSNR rises by 0.55 dB and recovery falls by 0.09.
_SKIN_AROUND = 0.05
_SKIN_DIFFERS = 0.04
_LEAST_SKIN = 0.4


def disagreement(original: torch.Tensor, edited: torch.Tensor, face: torch.Tensor, features: torch.Tensor,
                 strength: float = 1.0) -> torch.Tensor:
    """Where the two aligned pictures show different things of any kind: (S, S) float32 in [0, 1]. METHOD §4.

    original, edited: (Z, Z, 3), the original in the edit's light, Z at least S: fine structure counts, but where it
    differs is coarse. Open mouth against closed, a shadow, a curl, an eye behind dark glasses: mixing the two there
    makes ghosts. face: (S, S). features: (S, S), features that differ because the identity does; three times as much
    is allowed there. strength: 0 gives none, 1 the normal sensitivity.
    """
    if strength <= 0:
        return torch.zeros(face.shape)
    difference = (original - edited).abs_().mean(-1)
    difference = resized(difference[..., None], face.shape[0])[..., 0] if face.shape != difference.shape else difference
    difference = blur(difference[None, None], _AROUND * face.shape[0])[0, 0]
    # a picture that is coarser or noisier than the other differs from it everywhere
    ordinary = float(difference[face > 0.5].median()) if bool((face > 0.5).any()) else 0.0
    low = max(_DISAGREES, ordinary) / strength * (1 + 2 * features)
    d = ((difference - low) / (0.67 * low)).clamp(0, 1)
    return d * d * (3 - 2 * d)


def unlike_skin(original: torch.Tensor, edited: torch.Tensor, face: torch.Tensor, points: ArrayLike) -> torch.Tensor:
    """How much of the skin stays the edit's, (S, S) in [0, 1): the more the two pictures differ around it, the more.

    original, edited: (S, S, 3), the original in the edit's light. Hard shadows, shine and creases of the photo's own
    moment differ, while pores and tone hardly do. Skin is soft, so that a part of each makes no ghost; features stay
    whole. face: (S, S). points: (5, 2) in crop pixels. A mask acts twice, in the engine and in the paste, so the root
    of the share goes into it.
    """
    size, places = edited.shape[0], np.asarray(points, dtype=np.float64)
    if size > LARGEST:
        small = [smaller(x) for x in (original, edited, face[..., None])]
        found = unlike_skin(small[0], small[1], small[2][..., 0], (places + 0.5) * (LARGEST / size) - 0.5)
        return resized(found[..., None], size)[..., 0]
    regions = part_regions(places, face)
    difference = (original - edited).abs().mean(-1) * face
    around = blur(torch.stack([difference, face])[:, None], _SKIN_AROUND * size)
    share = _SKIN_DIFFERS / (around[0, 0] / around[1, 0].clamp(min=0.05)).clamp(min=1e-4)
    return (regions["skin"] + regions["outline"]) * (1 - share.clamp(_LEAST_SKIN, 1).sqrt())


def whole_features(mask: torch.Tensor, parts: FaceParts, hair: torch.Tensor) -> torch.Tensor:
    """The mask (S, S) with each feature of a face wholly in it or wholly out, and both eyes alike: an eye with one
    half from each picture would match neither person. hair: (S, S), the lower face where it carries a beard, which goes
    with the mouth; 0 for a bare one.
    """
    for together in ((parts.left_eye, parts.right_eye), (parts.nose,), (parts.mouth, hair)):
        most = max(_share(mask, part) for part in together)
        whole = torch.stack(together).amax(0)
        mask = torch.maximum(mask, whole) if most > _APART else mask * (1 - whole)
    return mask


def _share(mask: torch.Tensor, part: torch.Tensor) -> float:
    """How much of a part a mask covers, 0 to 1; 0 where the part lies beside the crop."""
    inside = part > 0.5
    return float(mask[inside].mean()) if bool(inside.any()) else 0.0
