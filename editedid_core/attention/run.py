"""The gates at work in one sampling run: what happens at one attention call.

Nothing here asks the device for a value: all that depends on masks is found once a token grid in main memory, and
only the rows and tokens that a gate acts on are computed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor

from .blocks import Layer
from .gates import Attend, Keys, agreement, along, move_towards, shared_attention
from .record import FeatureRecord, SourceFeatures, in_half_precision
from .regions import Regions
from .settings import Plan
from .tokens import RegionTokens, TokenSets, find_tokens

ORIGINAL, EDITED = 0, 1


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
    """State of one run; the sampler moves `rows`, `step` and `sigma` along before each evaluation.

    `rows`: names of the batch's rows: sources only (record), target only (replay) or all three; `face_share` in
    [0, 1]: what pose leaves of the gates' strength in the face; `others`: features of further photos of the person,
    whose face keys join the original's in the detail gate.
    """

    plan: Plan
    regions: Regions
    record: FeatureRecord
    latent_size: tuple[int, int]
    rows: tuple[str, ...] = ()
    step: int = 0
    sigma: float = 0.0
    face_share: float = 1.0
    others: tuple[FeatureRecord, ...] = ()
    tokens: dict[tuple[tuple[int, int], int, torch.device], TokenSets] = field(default_factory=dict)

    def edit(self, call: AttentionCall, attend: Attend, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """The attention output of this call with the gates applied to the target row."""
        out = attend(q, k, v)
        if call.rows != len(self.rows) or not self.plan.wants(call.layer, call.sigma):
            return out
        tokens = self._tokens(call, out.device)
        if tokens.empty:
            return out
        if "target" not in self.rows:
            if not self.record.overflowed:
                features = self._features(call, call.recorded_chunk, out, k, v, tokens)
                self.record.put(self.step, call.layer, features.each(in_half_precision))
            return out
        result = None
        for chunk in range(call.chunks):
            sources = (self._features(call, chunk, out, k, v, tokens) if "original" in self.rows
                       else self.record.get(self.step, call.layer))
            if sources is None:
                continue
            if result is None:
                result = out.clone()  # another pack's attention may still hold what it returned
            row = chunk * call.rows + self.rows.index("target")
            target = slice(row, row + 1)
            if self.plan.structure.at(call.layer, call.sigma):
                self._structure(call, result[target], out[target], sources, tokens)
            if self.plan.detail.at(call.layer, call.sigma):
                self._detail(call, partial(attend, row=row), result[target], out[target],
                             (q[target], k[target], v[target]), sources, tokens)
        return out if result is None else result

    def _tokens(self, call: AttentionCall, device: torch.device) -> TokenSets:
        key = (call.grid, call.start, device)
        if key not in self.tokens:
            self.tokens[key] = find_tokens(self.regions, call.grid, call.start, device)
        return self.tokens[key]

    def _features(self, call: AttentionCall, chunk: int, out: Tensor, k: Tensor, v: Tensor,
                  tokens: TokenSets) -> SourceFeatures:
        """Copies of what the gates read of the two source rows."""
        structure = self.plan.structure.at(call.layer, call.sigma)
        detail = self.plan.detail.at(call.layer, call.sigma)
        from_original = structure and self.plan.donor == "original"
        compared = detail and self.plan.agreement is not None
        face, element = tokens.face, tokens.element

        def cut(wanted: bool, t: Tensor, source: int, positions: Tensor, axis: int) -> Tensor | None:
            row = chunk * call.rows + source
            there = wanted and len(positions) and source < call.rows
            return t[row : row + 1].index_select(axis, positions) if there else None

        return SourceFeatures(
            cut(from_original or compared, out, ORIGINAL, face.positions, call.out_axis),
            cut(structure and not from_original, out, EDITED, face.positions, call.out_axis),
            cut(structure, out, EDITED, element.positions, call.out_axis),
            cut(detail, k, ORIGINAL, face.keys, call.axis),
            cut(detail, v, ORIGINAL, face.keys, call.axis),
            cut(detail, k, EDITED, element.keys, call.axis),
            cut(detail, v, EDITED, element.keys, call.axis),
        )

    def _structure(self, call: AttentionCall, result: Tensor, own: Tensor, sources: SourceFeatures,
                   tokens: TokenSets) -> None:
        """S3 = W1 S1 + W2 S2 + (1 - W1 - W2) S3 (EditedID, attentional gating), into `result`."""
        axis, strength = call.out_axis, self.plan.structure.strength
        donor = sources.original_face if self.plan.donor == "original" else sources.edited_face
        for region, given, judged in ((tokens.face, donor, True), (tokens.element, sources.edited_element, False)):
            if given is None:
                continue
            before = own.index_select(axis, region.positions)
            share = region.share(strength * self.face_share if judged else strength, torch.float32)
            if judged and self.plan.agreement is not None:
                share = share * agreement(before, given, self.plan.agreement, self.plan.sharpness, axis)
            result.index_add_(axis, region.positions, move_towards(before, given, share, axis))

    def _detail(self, call: AttentionCall, attend: Attend, result: Tensor, own: Tensor,
                target: tuple[Tensor, Tensor, Tensor], sources: SourceFeatures, tokens: TokenSets) -> None:
        """Face queries also see the original's face keys, element queries the edit's element keys."""
        from_original = _keys(sources.face_keys, sources.face_values)
        for record in self.others:
            more = record.get(self.step, call.layer)
            from_original += [] if more is None else _keys(more.face_keys, more.face_values)
        from_edited = _keys(sources.element_keys, sources.element_values)
        strength = self.plan.detail.strength
        regions: tuple[tuple[RegionTokens, list[Keys], list[Keys], bool], ...] = (
            (tokens.face, from_original, from_edited, True), (tokens.element, from_edited, from_original, False))
        for region, allowed, other, judged in regions:
            if not len(region.positions) or not (allowed or other):
                continue
            answer = self._answer(call, attend, target, region.positions, allowed, other)
            if answer is None:
                continue
            current = result.index_select(call.out_axis, region.positions)
            if judged and self.plan.agreement is not None and sources.original_face is not None:
                structured = self.plan.structure.at(call.layer, call.sigma)
                before = own.index_select(call.out_axis, region.positions) if structured else current
                like = agreement(before, sources.original_face, self.plan.agreement, self.plan.sharpness, call.out_axis)
                share = (like * region.share(strength * self.face_share, torch.float32)).to(current.dtype)
            else:
                share = region.share(strength * self.face_share if judged else strength, current.dtype)
            weight = along(share, call.out_axis, current.ndim)
            result.index_copy_(call.out_axis, region.positions, torch.lerp(current, answer, weight))

    def _answer(self, call: AttentionCall, attend: Attend, target: tuple[Tensor, Tensor, Tensor], queries: Tensor,
                allowed: list[Keys], other: list[Keys]) -> Tensor | None:
        """Outputs of the queries beside the allowed keys, or as far as they are not divided beside all; None
        where there are no keys beside their own."""
        attend = partial(attend, queries=queries)
        divide = self.plan.divide.strength if self.plan.divide.at(call.layer, call.sigma) else 0.0
        if not other:
            divide = 1.0  # nothing to be kept apart from
        if divide >= 1.0:
            return shared_attention(attend, *target, allowed, queries, call.axis) if allowed else None
        both = shared_attention(attend, *target, [*allowed, *other], queries, call.axis)
        if divide <= 0.0:
            return both
        return torch.lerp(both, shared_attention(attend, *target, allowed, queries, call.axis), divide)


def _keys(keys: Tensor | None, values: Tensor | None) -> list[Keys]:
    return [] if keys is None or values is None else [(keys, values)]
