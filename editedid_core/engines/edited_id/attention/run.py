"""The gates at work in one sampling run: what happens at one attention call.

Nothing here asks the device for a value: all that depends on masks is found once a token grid in main memory, and
only the rows and tokens that a gate acts on are computed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial

import torch
from torch import Tensor

from .blocks import Layer
from .gates import Attend, Keys, agreement, along, move_towards, shared_attention
from .record import FeatureRecord, SourceFeatures, in_half_precision
from .regions import Regions
from .settings import Gate, Half, Plan
from .tokens import RegionTokens, TokenSets, find_tokens

ORIGINAL, EDITED = 0, 1


@dataclass(frozen=True)
class AttentionCall:
    """One located self-attention call.

    `grid`: (height, width) of the image tokens, which start at `start` on the token axis of queries and outputs and at
    `keys_start` on that of keys and values; `axis`: token axis of q, k, v (1, or 2 when heads come first); `out_axis`:
    of the output; `rows`: pictures in each half of the
    batch; `halves`: which half each chunk of so many rows is; `projection_follows`: the output comes by once more after
    its projection (`edit_projected`).
    """

    layer: Layer
    grid: tuple[int, int]
    start: int
    keys_start: int
    axis: int
    out_axis: int
    rows: int
    halves: tuple[Half, ...] = ("positive",)
    projection_follows: bool = False


@dataclass(eq=False)
class AttentionRun:
    """State of one run; the sampler moves `rows`, `step` and `position` along before each evaluation.

    `rows`: names of the batch's rows: sources only (record), target only (replay) or all three; `position`: of the step
    in the run, 0 at its noisiest level, 1 at the clean picture; `face_share` in [0, 1]: what pose leaves of the gates'
    strength in the face; `unreached`: evaluations in which no attention call came by; `others`: features of further
    photos of the person, whose face keys join the original's in the detail gate.
    """

    plan: Plan
    regions: Regions
    record: FeatureRecord
    latent_size: tuple[int, int]
    rows: tuple[str, ...] = ()
    step: int = 0
    position: float = 0.0
    face_share: float = 1.0
    others: tuple[FeatureRecord, ...] = ()
    unreached: int = 0
    tokens: dict[tuple[tuple[int, int], int, int, torch.device], TokenSets] = field(default_factory=dict)

    def edit(self, call: AttentionCall, attend: Attend, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """The attention output of this call with the gates applied to the target row."""
        out = attend(q, k, v)
        gates = self._structure_at(call, False), self._at(self.plan.detail, call)
        tokens = self._tokens_for(call, out.device) if any(gates) else None
        if tokens is None:
            return out
        features = partial(self._features, call, out=out, k=k, v=v, tokens=tokens, structure=gates[0], detail=gates[1])
        if "target" not in self.rows:
            self._record(call, features, False)
            return out
        result = None
        for row, sources in self._gated(call, features, False):
            result = out.clone() if result is None else result
            changed, own = _row(result, row), _row(out, row)
            if gates[0]:
                self._structure(call.out_axis, changed, own, sources, tokens)
            if gates[1]:
                target = _row(q, row), _row(k, row), _row(v, row)
                self._detail(call, partial(attend, row=row), changed, own, target, sources, tokens)
        return out if result is None else result

    def edit_projected(self, call: AttentionCall, out: Tensor) -> Tensor:
        """The same output after its projection, (batch, tokens, channels), with the structure gate where it is to act
        there; comes after `edit`."""
        tokens = self._tokens_for(call, out.device) if self._structure_at(call, True) else None
        if tokens is None:
            return out
        call = replace(call, axis=1, out_axis=1)
        features = partial(self._features, call, out=out, k=out, v=out, tokens=tokens, structure=True, detail=False)
        if "target" not in self.rows:
            self._record(call, features, True)
            return out
        result = None
        for row, sources in self._gated(call, features, True):
            result = out.clone() if result is None else result
            self._structure(1, _row(result, row), _row(out, row), sources, tokens)
        return out if result is None else result

    def _at(self, gate: Gate, call: AttentionCall) -> bool:
        return call.rows == len(self.rows) and gate.at(call.layer, self.position)

    def _structure_at(self, call: AttentionCall, projected: bool) -> bool:
        """Whether the structure gate acts on this call, before or after the output projection."""
        after = self.plan.after_projection and call.projection_follows
        return after == projected and self._at(self.plan.structure, call)

    def _record(self, call: AttentionCall, features: Callable[[int], SourceFeatures], projected: bool) -> None:
        # a half without the prompt is of no use: the target that is replayed has the prompt
        if "positive" in call.halves and not self.record.overflowed:
            found = features(call.halves.index("positive"))
            self.record.put(self.step, call.layer, found.each(in_half_precision), projected)

    def _gated(self, call: AttentionCall, features: Callable[[int], SourceFeatures],
               projected: bool) -> Iterator[tuple[int, SourceFeatures]]:
        """Of each half in which gates act, the target's row and its sources, from the same batch or the record."""
        for chunk, half in enumerate(call.halves):
            if not self.plan.gates(half):
                continue
            sources = (features(chunk) if "original" in self.rows
                       else self.record.get(self.step, call.layer, projected))
            if sources is not None:
                yield chunk * call.rows + self.rows.index("target"), sources

    def _tokens_for(self, call: AttentionCall, device: torch.device) -> TokenSets | None:
        tokens = self._tokens(call, device)
        return None if tokens.empty else tokens

    def _tokens(self, call: AttentionCall, device: torch.device) -> TokenSets:
        key = (call.grid, call.start, call.keys_start, device)
        if key not in self.tokens:
            self.tokens[key] = find_tokens(self.regions, *key)
        return self.tokens[key]

    def _features(self, call: AttentionCall, chunk: int, out: Tensor, k: Tensor, v: Tensor, tokens: TokenSets,
                  structure: bool, detail: bool) -> SourceFeatures:
        """Copies of what the gates that act here read of the two source rows."""
        from_original = structure and self.plan.donor == "original"
        compared = detail and self.plan.agreement is not None
        face, element = tokens.face, tokens.element

        def cut(wanted: bool, t: Tensor, source: int, positions: Tensor, axis: int) -> Tensor | None:
            row = chunk * call.rows + source
            there = wanted and len(positions) and source < call.rows
            return _row(t, row).index_select(axis, positions) if there else None

        return SourceFeatures(
            cut(from_original or compared, out, ORIGINAL, face.positions, call.out_axis),
            cut(structure and not from_original, out, EDITED, face.positions, call.out_axis),
            cut(structure, out, EDITED, element.positions, call.out_axis),
            cut(detail, k, ORIGINAL, face.keys, call.axis),
            cut(detail, v, ORIGINAL, face.keys, call.axis),
            cut(detail, k, EDITED, element.keys, call.axis),
            cut(detail, v, EDITED, element.keys, call.axis),
        )

    def _structure(self, axis: int, result: Tensor, own: Tensor, sources: SourceFeatures, tokens: TokenSets) -> None:
        """S3 = W1 S1 + W2 S2 + (1 - W1 - W2) S3 (EditedID, attentional gating), into `result`."""
        strength = self.plan.structure.strength
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
                structured = self._structure_at(call, False)
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
        divide = self.plan.divide.strength if self.plan.divide.at(call.layer, self.position) else 0.0
        if not other:
            divide = 1.0  # nothing to be kept apart from
        if divide >= 1.0:
            return shared_attention(attend, *target, allowed, queries, call.axis) if allowed else None
        both = shared_attention(attend, *target, [*allowed, *other], queries, call.axis)
        if divide <= 0.0:
            return both
        return torch.lerp(both, shared_attention(attend, *target, allowed, queries, call.axis), divide)


def _row(t: Tensor, row: int) -> Tensor:
    """One row of a batch, (1, ...); a batch of one as it is."""
    return t if t.shape[0] == 1 else t[row : row + 1]


def _keys(keys: Tensor | None, values: Tensor | None) -> list[Keys]:
    return [] if keys is None or values is None else [(keys, values)]
