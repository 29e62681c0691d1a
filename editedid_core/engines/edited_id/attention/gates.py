"""The two gates as tensor functions on chosen tokens (METHOD §5). Token axis and layout are the caller's."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Attend = Callable[..., Tensor]
"""attend(q, k, v): the host's attention. Where only one row of the batch or some queries of it are given, the keyword
arguments `row` and `queries` say which, for the model's own attention mask."""
Keys = tuple[Tensor, Tensor]
"""Keys and values of some tokens, both (1, ...) with the tokens on the same axis as the target's."""

_SHORTEST = 1e-8
"""Length below which a vector is taken for no shorter, so that its cosine is defined."""


def along(weights: Tensor, axis: int, ndim: int) -> Tensor:
    """Reshape (n,) weights so that they broadcast along `axis` of a tensor with `ndim` axes."""
    shape = [1] * ndim
    shape[axis] = -1
    return weights.view(shape)


def agreement(target: Tensor, donor: Tensor, threshold: float, sharpness: float, axis: int) -> Tensor:
    """Per-token gate sigmoid(k * (cos(O_t, O_s) - c0)), (n,) float32 (**ours**).

    Both tensors (1, ...) with the tokens on `axis`; heads are folded into the cosine. It closes where pose
    or occlusion differ so much that a transfer would be wrong.
    """
    tokens = target.shape[axis]
    if axis != 1:
        target, donor = (t.movedim(axis, 1) for t in (target, donor))
    # both at once: on a fast card the time goes into starting operators; half precision would overflow in the squares
    both = torch.cat([target, donor.to(target.dtype)]).reshape(2, tokens, -1).float()
    both = both / torch.linalg.vector_norm(both, dim=-1, keepdim=True).clamp_min_(_SHORTEST)
    cosine = (both[0] * both[1]).sum(-1)
    return torch.sigmoid(sharpness * (cosine - threshold if threshold else cosine))


def move_towards(target: Tensor, donor: Tensor, share: Tensor, axis: int) -> Tensor:
    """What `target` changes by when each token takes `share` (n,) of `donor`: share * (donor - target)."""
    return along(share, axis, target.ndim).to(target.dtype) * (donor.to(target.dtype) - target)


def shared_attention(attend: Attend, q: Tensor, k: Tensor, v: Tensor, extra: Sequence[Keys], queries: Tensor,
                     axis: int) -> Tensor:
    """Outputs of the chosen queries that see their own keys and the extra ones, tokens on `axis` of q.

    `q`, `k`, `v`: (1, ...) of the target, all tokens; `extra`: source keys and values, already cut to the tokens
    to be seen; `queries`: positions along `axis`. Only these rows are computed, through the host's own attention.
    """
    keys = torch.cat([k, *(e[0].to(k.dtype) for e in extra)], axis)
    values = torch.cat([v, *(e[1].to(v.dtype) for e in extra)], axis)
    return attend(q.index_select(axis, queries), keys, values)
