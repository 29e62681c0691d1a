"""The one mechanism that reaches attention on UNet and transformer models (DESIGN.md).

A keyed APPLY_MODEL wrapper makes a context for each forward and sets the attention override there,
chaining whatever stands in that slot at that moment. Nothing outlives the forward.
"""
from __future__ import annotations

import math
import sys
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any

import comfy.patcher_extension
import torch
import torch.nn.functional as F
from torch import Tensor

from ..engines.edited_id.attention.blocks import Layer
from ..engines.edited_id.attention.run import AttentionCall, AttentionRun
from ..engines.edited_id.attention.settings import Half
from .model_families import Call, follow, patch_size, require_family

KEY = "editedid"
_OVERRIDE = "optimized_attention_override"
_EAGER = ContextVar("eager", default=False)  # whether this thread samples with compiled graphs switched off
_UNET_PARTS = {"input": "down", "middle": "mid", "output": "up"}

CallSite = tuple[Layer, Call]
_Place = tuple[Layer, tuple[int, int], int, int]
"""Layer, grid, and where the image tokens start among queries and among keys."""


class _Map:
    """Where a network's attention calls and image tokens are; made once a run from its row in the table."""

    def __init__(self, network: Any) -> None:
        self.network = getattr(network, "_orig_mod", network)
        self.family = require_family(self.network)
        self.patch = patch_size(self.family, self.network) if self.family.located != "patch" else 1
        self.multiple = follow(self.network, self.family.padded) if self.family.padded else None
        self.calls = {b.part: b.calls for b in self.family.blocks if b.part}
        self.only_part = next(iter(self.calls)) if len(self.calls) == 1 else ""

    def grid(self, height: int, width: int) -> tuple[int, int]:
        """Image tokens of a latent of this size, down and across."""
        return -(-height // self.patch), -(-width // self.patch)

    def order(self, references: bool) -> list[CallSite | None]:
        """The attention calls of one forward in order; None for those in which no gate acts."""
        return [
            (Layer(blocks.part, number, i), kind) if blocks.part else None
            for blocks in self.family.blocks if references or not blocks.with_references
            for number in range(len(getattr(self.network, blocks.attribute)))
            for i, kind in enumerate(blocks.calls)
        ]


@dataclass(eq=False)
class _Forward:
    """Which attention call of this forward comes next, and where the image tokens lie in it.

    `size`: of the latent; `halves`: which half of the batch each chunk of `rows` rows is; `references`: tokens of the
    reference pictures, as counted here; `text`: of the prompt; `order`: the calls to come, for networks whose calls are
    known by their order; `projected`: the call whose output is on its way through the output projection; `seen`:
    whether any call was located.
    """

    map: _Map
    size: tuple[int, int]
    halves: tuple[Half, ...]
    rows: int
    references: int
    text: int
    order: list[CallSite | None]
    projected: AttentionCall | None = None
    self_attention_next: bool = False
    block: tuple[str, int] | None = None
    calls: int = 0
    seen: bool = False

    def locate(self, q: Tensor, k: Tensor, options: dict[str, Any], heads_first: bool, out_heads_first: bool,
               ) -> AttentionCall | None:
        """The call as the core sees it, or None when it is not self-attention over image tokens."""
        axis = 2 if heads_first else 1
        told_by_patch = self.map.family.located == "patch"
        found = self._unet(q, axis, options) if told_by_patch else self._transformer(q, k, axis, options)
        if found is None or q.shape[0] != len(self.halves) * self.rows:
            return None
        self.seen = True
        layer, grid, start, keys_start = found
        return AttentionCall(layer, grid, start, keys_start, axis, 2 if out_heads_first else 1, self.rows, self.halves,
                             projection_follows=told_by_patch)

    def _unet(self, q: Tensor, axis: int, options: dict[str, Any]) -> _Place | None:
        # known from the attn1 patch: 77 text tokens and a 7x11 grid have the same shape
        mine, self.self_attention_next = self.self_attention_next, False
        if not mine or "block" not in options:
            return None
        name, number = options["block"][:2]
        height, width = options["activations_shape"][-2:]
        if q.shape[axis] != height * width:  # another pack merged or tiled the tokens
            return None
        return Layer(_UNET_PARTS[name], number, options.get("block_index", 0)), (height, width), 0, 0

    def _transformer(self, q: Tensor, k: Tensor, axis: int, options: dict[str, Any]) -> _Place | None:
        grid = self.map.grid(*self.size)
        n, tokens = grid[0] * grid[1], q.shape[axis]
        place = self._numbered(options) if self.map.family.located == "numbers" else self._next(tokens == n)
        if place is None or place[1] == "other":
            return None
        layer, kind = place
        if kind == "image asks":
            before = self.text + self.references
            # a reference of this size has as many queries, and sees less; which call it is tells nothing, because a
            # model that keeps the keys of text and references makes the other calls in its first step alone
            return (replace(layer, call=0), grid, 0, before) if (tokens, k.shape[axis]) == (n, before + n) else None
        if tokens != k.shape[axis]:
            return None
        if kind == "image only" or self.map.family.image == "first":
            return (layer, grid, 0, 0) if tokens >= n else None
        tail = (-n) % self.map.multiple if self.map.multiple else 0
        start = tokens - n - tail - self._behind(options)
        return (layer, grid, start, start) if start >= 0 else None

    def _numbered(self, options: dict[str, Any]) -> CallSite | None:
        """The place by the host's own block number; calls before the first number are no image calls."""
        part = options.get("block_type", self.map.only_part)
        if "block_index" not in options or part not in self.map.calls:
            return None
        block = (part, options["block_index"])
        self.calls = self.calls + 1 if block == self.block else 0
        self.block, kinds = block, self.map.calls[part]
        return Layer(*block, self.calls), kinds[min(self.calls, len(kinds) - 1)]

    def _next(self, only_image: bool) -> CallSite | None:
        """The place by order; a second call without text is there in some blocks and not in others."""
        while self.calls < len(self.order):
            place = self.order[self.calls]
            self.calls += 1
            if place is None or place[1] != "image only" or only_image:
                return place
        return None

    def _behind(self, options: dict[str, Any]) -> int:
        if self.map.family.references == "apart":
            return 0
        announced = options.get("reference_image_num_tokens")
        if announced is not None:
            return announced if isinstance(announced, int) else sum(announced)
        return self.references if self.map.family.references == "behind" else 0


def install(model: Any, run: AttentionRun | None, counter: Callable[[int], None]) -> None:
    """Add the hook to a clone that lives for one sampling run.

    `run` None only counts: `counter` gets the number of samples of each model evaluation.
    """
    token_map = _Map(model.get_model_object("diffusion_model")) if run is not None else None

    def apply_model(executor: Any, x: Tensor, t: Tensor, c_concat: Any, c_crossattn: Any, control: Any,
                    transformer_options: dict[str, Any], *more: Any, **kwargs: Any) -> Any:
        counter(x.shape[0])
        if run is None or token_map is None:
            return executor(x, t, c_concat, c_crossattn, control, transformer_options, *more, **kwargs)
        options = dict(transformer_options or {})
        text = 0 if c_crossattn is None else c_crossattn.shape[1]
        options[KEY] = forward = _forward(token_map, x, text, options, kwargs, run)
        options[_OVERRIDE] = _override(run, options.get(_OVERRIDE))
        answer = executor(x, t, c_concat, c_crossattn, control, options, *more, **kwargs)
        if forward.rows and not forward.seen:
            run.unreached += 1
        return answer

    wrappers = comfy.patcher_extension.WrappersMP
    model.add_wrapper_with_key(wrappers.APPLY_MODEL, KEY, apply_model)
    model.add_wrapper_with_key(wrappers.PREPARE_SAMPLING, KEY, _reserve_three_rows)
    if run is not None:
        model.add_wrapper_with_key(wrappers.OUTER_SAMPLE, KEY, _uncompiled)
    if token_map is not None and run is not None and token_map.family.located == "patch":
        model.set_model_attn1_patch(_self_attention_begins)
        model.set_model_attn1_output_patch(_self_attention_ended(run))


def _reserve_three_rows(executor: Any, model: Any, noise_shape: Any, conds: Any, *args: Any, **kwargs: Any) -> Any:
    """The host estimates memory from the latent it was given; the run evaluates up to three rows."""
    return executor(model, [3, *noise_shape[1:]], conds, *args, **kwargs)


def _uncompiled(executor: Any, *args: Any, **kwargs: Any) -> Any:
    """Run the sampling without compiled graphs.

    Compile nodes drop all guards on the transformer options: a graph made with the gates would fail without them,
    and one made without them would leave them out.
    """
    set_stance = getattr(torch.compiler, "set_stance", None)  # PyTorch 2.6
    if set_stance is None or "torch._dynamo" not in sys.modules:  # nothing was compiled; importing it takes seconds
        return executor(*args, **kwargs)
    with set_stance("force_eager"):
        before = _EAGER.set(True)
        try:
            return executor(*args, **kwargs)
        finally:
            _EAGER.reset(before)


def _self_attention_begins(q: Tensor, context: Tensor, value: Tensor, extra_options: dict[str, Any],
                           ) -> tuple[Tensor, Tensor, Tensor]:
    if KEY in extra_options:
        extra_options[KEY].self_attention_next = True
    return q, context, value


def _self_attention_ended(run: AttentionRun) -> Callable[[Tensor, dict[str, Any]], Tensor]:
    def ended(out: Tensor, extra_options: dict[str, Any]) -> Tensor:
        forward = extra_options.get(KEY)
        if forward is None:
            return out
        # where another pack replaces self-attention, the next call seen would otherwise be taken for it
        forward.self_attention_next = False
        call, forward.projected = forward.projected, None
        height, width = (0, 0) if call is None else call.grid
        if call is None or out.shape[:2] != (len(call.halves) * call.rows, height * width):
            return out
        return run.edit_projected(call, out)

    return ended


def _forward(token_map: _Map, x: Tensor, text: int, options: dict[str, Any], kwargs: dict[str, Any],
             run: AttentionRun) -> _Forward:
    family = token_map.family
    for name in family.unmapped:
        if kwargs.get(name) is not None:
            raise ValueError(
                f"positive: {family.name} cannot be gated while the conditioning brings '{name}'; disconnect the node "
                "that adds it."
            )
    order = options.get("cond_or_uncond") or [0]
    halves: tuple[Half, ...] = tuple("positive" if kind == 0 else "negative" for kind in order)
    rows = x.shape[0] // len(halves)
    references = kwargs.get("ref_latents") or ()
    shown = sum(math.prod(token_map.grid(r.shape[-2], r.shape[-1])) for r in references)
    whole = tuple(x.shape[-2:]) == run.latent_size
    calls = token_map.order(bool(references)) if family.located == "order" else []
    # an area conditioning runs on a spatial crop, where the regions do not hold: rows 0 matches no run
    return _Forward(token_map, (x.shape[-2], x.shape[-1]), halves, rows if whole else 0, shown, text, calls)


def _override(run: AttentionRun, before: Any) -> Any:
    def override(func: Any, q: Tensor, k: Tensor, v: Tensor, heads: int, mask: Tensor | None = None,
                 attn_precision: Any = None, skip_reshape: bool = False, skip_output_reshape: bool = False,
                 *more: Any, **kwargs: Any) -> Tensor:
        q, k, v = (_plain(t) for t in (q, k, v))

        def attend(q: Tensor, k: Tensor, v: Tensor, row: int | None = None, queries: Tensor | None = None) -> Tensor:
            own = _narrow(mask, row, queries, k.shape[2 if skip_reshape else 1])
            if more:  # what a newer host adds behind
                args: tuple[Any, ...] = (q, k, v, heads, own, attn_precision, skip_reshape, skip_output_reshape, *more)
                options = kwargs
            else:
                args = (q, k, v, heads)
                options = dict(mask=own, attn_precision=attn_precision, skip_reshape=skip_reshape,
                               skip_output_reshape=skip_output_reshape, **kwargs)
            return func(*args, **options) if before is None else before(func, *args, **options)

        options = kwargs.get("transformer_options") or {}
        forward = options.get(KEY)
        call = forward.locate(q, k, options, skip_reshape, skip_output_reshape) if forward is not None else None
        if forward is None or call is None:
            return attend(q, k, v)
        forward.projected = call if call.projection_follows else None
        return run.edit(call, attend, q, k, v)

    # python state is read here: a compiled graph would bake in the first step's. Its guard costs every call some time
    return override if _EAGER.get() else torch.compiler.disable(override)


def _plain(given: Any) -> Tensor:
    """The tensor in the containers in which newer hosts hand queries, keys and values over."""
    return given if isinstance(given, Tensor) or not hasattr(given, "take") else given.take()


def _narrow(mask: Tensor | None, row: int | None, queries: Tensor | None, keys: int) -> Tensor | None:
    """The mask for one row and some queries, which lets keys be seen that were added behind its own.

    Masks are (B, ..., queries or 1, keys), with any number of axes between, and one row may stand for all.
    """
    if mask is None:
        return mask
    if row is not None and mask.ndim > 2 and mask.shape[0] > 1:
        mask = mask[row : row + 1]
    if queries is not None and mask.shape[-2] > 1:
        mask = mask.index_select(-2, queries)
    missing = keys - mask.shape[-1]
    if missing <= 0:
        return mask
    return F.pad(mask, (0, missing), value=True if mask.dtype == torch.bool else 0.0)
