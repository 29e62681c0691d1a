"""The two gates as tensor functions (METHOD §5). Token axis and layout are the caller's."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

Attend = Callable[[Tensor, Tensor, Tensor], Tensor]


def along(weights: Tensor, axis: int, ndim: int) -> Tensor:
    """Reshape (n,) weights so that they broadcast along `axis` of a tensor with `ndim` axes."""
    shape = [1] * ndim
    shape[axis] = -1
    return weights.view(shape)


def agreement(target: Tensor, donor: Tensor, threshold: float, sharpness: float, axis: int) -> Tensor:
    """Per-token gate sigmoid(k * (cos(O_t, O_s) - c0)), (n,) (**ours**).

    Both tensors (1, ...) with the tokens on `axis`; heads are folded into the cosine. It closes where pose
    or occlusion differ so much that a transfer would be wrong.
    """
    a, b = (t.float().movedim(axis, 1).flatten(2)[0] for t in (target, donor))
    return torch.sigmoid(sharpness * (F.cosine_similarity(a, b, dim=-1) - threshold)).to(target.dtype)


def blend_outputs(target: Tensor, face: Tensor, element: Tensor, w1: Tensor, w2: Tensor, axis: int) -> Tensor:
    """S3 = W1 S1 + W2 S2 + (1 - W1 - W2) S3 (EditedID, attentional gating); w1, w2: (n,)."""
    w1, w2 = along(w1, axis, target.ndim), along(w2, axis, target.ndim)
    return target + w1 * (face - target) + w2 * (element - target)


def shared_attention(attend: Attend, q: Tensor, k: Tensor, v: Tensor, extra: list[tuple[Tensor, Tensor]],
                     queries: Tensor, axis: int) -> Tensor:
    """Outputs of the chosen queries that see their own keys and the extra ones, tokens on `axis` of q.

    `q`, `k`, `v`: (1, ...) of the target, all tokens; `extra`: source (keys, values) pairs, already cut to
    the tokens to be seen; `queries`: indices along `axis`.
    """
    keys = torch.cat([k, *(e[0].to(k) for e in extra)], axis)
    values = torch.cat([v, *(e[1].to(v) for e in extra)], axis)
    return attend(q.index_select(axis, queries), keys, values)
