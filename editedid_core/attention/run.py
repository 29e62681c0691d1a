"""The gates at work in one sampling run: what happens at one attention call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from .blocks import Layer
from .gates import agreement, along, blend_outputs, shared_attention
from .record import FeatureRecord, SourceFeatures
from .regions import Regions
from .settings import Plan

Attend = Callable[[Tensor, Tensor, Tensor], Tensor]
ORIGINAL, EDITED = 0, 1
SEEN = 0.5
"""A source token is offered as a key where its region weighs at least this."""


@dataclass(frozen=True)
class AttentionCall:
    """One located self-attention call.

    `grid`: (height, width) of the image tokens, which start at `start` on the token axis; `axis`: token
    axis of q, k, v (1, or 2 when heads come first); `out_axis`: of the output; `chunks` of `rows` rows make
    up the batch (positive and negative conditioning); `recorded_chunk`: the chunk of the positive one.
    """

    layer: Layer
    sigma: float
    grid: tuple[int, int]
    start: int
    axis: int
    out_axis: int
    chunks: int
    rows: int
    recorded_chunk: int = 0


@dataclass(eq=False)
class AttentionRun:
    """State of one run; the sampler moves `rows` and `step` along before each evaluation.

    `rows`: names of the batch's rows: sources only (record), target only (replay) or all three.
    """

    plan: Plan
    regions: Regions
    record: FeatureRecord
    latent_size: tuple[int, int]
    rows: tuple[str, ...] = ()
    step: int = 0
    weights: dict[tuple[int, int], tuple[Tensor, Tensor]] = field(default_factory=dict)

    def edit(self, call: AttentionCall, attend: Attend, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """The attention output of this call with the gates applied to the target row."""
        out = attend(q, k, v)
        if call.rows != len(self.rows) or not self.plan.wants(call.layer, call.sigma):
            return out
        if "target" not in self.rows:
            self.record.put(self.step, call.layer, self._features(call, call.recorded_chunk, out, k, v, True))
            return out
        result = out.clone()
        for chunk in range(call.chunks):
            sources = self.record.get(self.step, call.layer)
            if "original" in self.rows:
                sources = self._features(call, chunk, out, k, v, False)
            if sources is None:
                continue
            row = chunk * call.rows + self.rows.index("target")
            target = slice(row, row + 1)
            n = call.grid[0] * call.grid[1]
            image = result[target].narrow(call.out_axis, call.start, n)
            image.copy_(self._gated(call, attend, image.clone(), q[target], k[target], v[target], sources))
        return result

    def _features(self, call: AttentionCall, chunk: int, out: Tensor, k: Tensor, v: Tensor,
                  keep: bool) -> SourceFeatures:
        """Image tokens of the two source rows; copied when they must outlive the evaluation."""
        first = chunk * call.rows

        def cut(t: Tensor, axis: int) -> Tensor:
            part = t[first : first + 2].narrow(axis, call.start, call.grid[0] * call.grid[1])
            return part.clone() if keep else part

        shared = self.plan.detail.at(call.layer, call.sigma)
        return SourceFeatures(
            cut(out, call.out_axis),
            cut(k, call.axis) if shared else None,
            cut(v, call.axis) if shared else None,
        )

    def _gated(self, call: AttentionCall, attend: Attend, own: Tensor, q: Tensor, k: Tensor, v: Tensor,
               sources: SourceFeatures) -> Tensor:
        """The target's image tokens after the structure gate and the detail gate."""
        w1, w2 = self._weights(call.grid, own)
        result = own
        if self.plan.structure.at(call.layer, call.sigma) and sources.outputs is not None:
            donors = sources.outputs.to(own)
            face = donors[ORIGINAL:EDITED] if self.plan.donor == "original" else donors[EDITED:]
            strength = self.plan.structure.strength
            open1 = strength * self._agreement(own, face, call.out_axis)
            result = blend_outputs(result, face, donors[EDITED:], w1 * open1, w2 * strength, call.out_axis)
        if self.plan.detail.at(call.layer, call.sigma) and sources.keys is not None:
            result = self._detail(call, attend, result, own, q, k, v, sources, w1, w2)
        return result

    def _detail(self, call: AttentionCall, attend: Attend, result: Tensor, own: Tensor, q: Tensor, k: Tensor,
                v: Tensor, sources: SourceFeatures, w1: Tensor, w2: Tensor) -> Tensor:
        """Face queries also see the original's face keys, element queries the edit's element keys."""
        assert sources.keys is not None and sources.values is not None and sources.outputs is not None
        face, element = (w1 >= SEEN).nonzero()[:, 0], (w2 >= SEEN).nonzero()[:, 0]
        from_original = self._keys(sources, ORIGINAL, face, call.axis)
        from_edited = self._keys(sources, EDITED, element, call.axis)
        divide = self.plan.divide.strength if self.plan.divide.at(call.layer, call.sigma) else 0.0
        opened = self._agreement(own, sources.outputs[ORIGINAL:EDITED].to(own), call.out_axis)
        for weight, keys in ((w1 * opened, from_original), (w2, from_edited)):
            queries = (weight > 0).nonzero()[:, 0]
            if len(queries) == 0:
                continue
            index = queries + call.start
            answer = shared_attention(attend, q, k, v, [keys], index, call.axis) if divide > 0 else 0.0
            if divide < 1:
                both = shared_attention(attend, q, k, v, [from_original, from_edited], index, call.axis)
                answer = both + divide * (answer - both)
            current = result.index_select(call.out_axis, queries)
            share = along(self.plan.detail.strength * weight[queries], call.out_axis, current.ndim)
            result = result.index_copy(call.out_axis, queries, current + share * (answer - current))
        return result

    @staticmethod
    def _keys(sources: SourceFeatures, row: int, tokens: Tensor, axis: int) -> tuple[Tensor, Tensor]:
        assert sources.keys is not None and sources.values is not None
        pick = slice(row, row + 1)
        return (sources.keys[pick].index_select(axis, tokens.to(sources.keys.device)),
                sources.values[pick].index_select(axis, tokens.to(sources.values.device)))

    def _agreement(self, own: Tensor, donor: Tensor, axis: int) -> Tensor:
        if self.plan.agreement is None:
            return torch.ones(own.shape[axis], device=own.device, dtype=own.dtype)
        return agreement(own, donor, self.plan.agreement, self.plan.sharpness, axis)

    def _weights(self, grid: tuple[int, int], like: Tensor) -> tuple[Tensor, Tensor]:
        if grid not in self.weights:
            self.weights[grid] = self.regions.on_grid(*grid, like)
        w1, w2 = self.weights[grid]
        return w1.to(like), w2.to(like)
