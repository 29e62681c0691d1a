"""The one mechanism that reaches attention on UNet and transformer models (DESIGN.md).

A keyed APPLY_MODEL wrapper makes a context for each forward and sets the attention override there,
chaining whatever stands in that slot at that moment. Nothing outlives the forward.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import comfy.patcher_extension
import torch
import torch.nn.functional as F
from torch import Tensor

from ..attention.blocks import Layer
from ..attention.run import AttentionCall, AttentionRun
from .model_info import is_unet

KEY = "editedid"
_OVERRIDE = "optimized_attention_override"
_UNET_PARTS = {"input": "down", "middle": "mid", "output": "up"}


@dataclass(eq=False)
class _Forward:
    """Where image tokens lie in this forward, and which attention call comes next."""

    net: Any
    size: tuple[int, int]
    chunks: int
    rows: int
    recorded_chunk: int
    sigma: float
    references: int
    self_attention_next: bool = False
    joint_calls: int = 0
    refiner_calls: int = field(default=0)

    def locate(self, q: Tensor, k: Tensor, options: dict[str, Any], heads_first: bool, out_heads_first: bool,
               ) -> AttentionCall | None:
        """The call as the core sees it, or None when it is not self-attention over image tokens."""
        axis = 2 if heads_first else 1
        found = self._unet(q, axis, options) if is_unet(self.net) else self._transformer(q, k, axis, options)
        if found is None or q.shape[0] != self.chunks * self.rows:
            return None
        layer, grid, start = found
        return AttentionCall(layer, self.sigma, grid, start, axis, 2 if out_heads_first else 1, self.chunks,
                             self.rows, self.recorded_chunk)

    def _unet(self, q: Tensor, axis: int, options: dict[str, Any]) -> tuple[Layer, tuple[int, int], int] | None:
        # told by the attn1 patch: by shape, 77 text tokens and a 7x11 grid could not be told apart
        mine, self.self_attention_next = self.self_attention_next, False
        if not mine or "block" not in options:
            return None
        name, number = options["block"][:2]
        height, width = options["activations_shape"][-2:]
        if q.shape[axis] != height * width:  # another pack merged or tiled the tokens
            return None
        return Layer(_UNET_PARTS[name], number, options.get("block_index", 0)), (height, width), 0

    def _transformer(self, q: Tensor, k: Tensor, axis: int,
                     options: dict[str, Any]) -> tuple[Layer, tuple[int, int], int] | None:
        net = self.net
        patch = getattr(net, "patch_size", 2)
        patch = patch if isinstance(patch, int) else patch[-1]
        grid = (-(-self.size[0] // patch), -(-self.size[1] // patch))
        n, tokens = grid[0] * grid[1], q.shape[axis]
        context_refiners = len(getattr(net, "context_refiner", ()))
        refiners = context_refiners + len(getattr(net, "noise_refiner", ()))
        if self.refiner_calls < refiners:
            self.refiner_calls += 1
            return None
        if tokens != k.shape[axis] or tokens < n:
            return None
        multiple = getattr(net, "pad_tokens_multiple", None)
        tail = (-n) % multiple if multiple else 0
        if tokens == n and self.joint_calls and hasattr(net, "joint_blocks"):
            return Layer("double", self.joint_calls - 1, 1), grid, 0  # SD3.5's second, image-only attention
        start = tokens - n - tail - self.references
        if start < 0:
            return None
        ordinal, self.joint_calls = self.joint_calls, self.joint_calls + 1
        doubles = len(getattr(net, "double_blocks", ())) if hasattr(net, "single_blocks") else ordinal + 1
        layer = Layer("double", ordinal) if ordinal < doubles else Layer("single", ordinal - doubles)
        if "block_index" in options and options.get("block_type") in ("double", "single"):
            layer = Layer(options["block_type"], options["block_index"])  # survives packs that skip blocks
        return layer, grid, start


def install(model: Any, run: AttentionRun | None, counter: Callable[[int], None]) -> None:
    """Add the hook to a clone that lives for one sampling run.

    `run` None only counts: `counter` gets the number of samples of each model evaluation.
    """

    def apply_model(executor: Any, x: Tensor, t: Tensor, c_concat: Any, c_crossattn: Any, control: Any,
                    transformer_options: dict[str, Any], **kwargs: Any) -> Any:
        counter(x.shape[0])
        if run is not None:
            transformer_options = transformer_options.copy()
            net = executor.class_obj.diffusion_model
            transformer_options[KEY] = _forward(net, x, transformer_options, kwargs, run)
            transformer_options[_OVERRIDE] = _override(run, transformer_options.get(_OVERRIDE))
        return executor(x, t, c_concat, c_crossattn, control, transformer_options, **kwargs)

    wrappers = comfy.patcher_extension.WrappersMP
    model.add_wrapper_with_key(wrappers.APPLY_MODEL, KEY, apply_model)
    model.add_wrapper_with_key(wrappers.PREPARE_SAMPLING, KEY, _reserve_three_rows)
    if run is not None and is_unet(model.model.diffusion_model):
        model.set_model_attn1_patch(_mark_self_attention)


def _reserve_three_rows(executor: Any, model: Any, noise_shape: Any, conds: Any, *args: Any, **kwargs: Any) -> Any:
    """The host estimates memory from the latent it was given; the run evaluates up to three rows."""
    return executor(model, [3, *noise_shape[1:]], conds, *args, **kwargs)


def _mark_self_attention(q: Tensor, context: Tensor, value: Tensor, extra_options: dict[str, Any],
                         ) -> tuple[Tensor, Tensor, Tensor]:
    if KEY in extra_options:
        extra_options[KEY].self_attention_next = True
    return q, context, value


def _forward(net: Any, x: Tensor, options: dict[str, Any], kwargs: dict[str, Any], run: AttentionRun) -> _Forward:
    order = options.get("cond_or_uncond", [0])
    chunks = max(1, len(order))
    rows = x.shape[0] // chunks
    references = kwargs.get("ref_latents") or ()
    patch = getattr(net, "patch_size", 2)
    patch = patch if isinstance(patch, int) else patch[-1]
    # models with refiners put reference tokens before the picture, the others behind it
    behind = 0 if hasattr(net, "noise_refiner") else sum(
        -(-r.shape[-2] // patch) * -(-r.shape[-1] // patch) for r in references
    )
    whole = tuple(x.shape[-2:]) == run.latent_size
    sigma = float(options["sigmas"].flatten()[0])
    # an area conditioning runs on a spatial crop, where the regions do not hold: rows 0 matches no run
    return _Forward(net, (x.shape[-2], x.shape[-1]), chunks, rows if whole else 0,
                    order.index(0) if 0 in order else 0, sigma, behind)


def _override(run: AttentionRun, before: Any) -> Any:
    # python state is read here: a compiled graph would bake in the first step's
    @torch.compiler.disable
    def override(func: Any, q: Tensor, k: Tensor, v: Tensor, heads: int, mask: Tensor | None = None,
                 attn_precision: Any = None, skip_reshape: bool = False, skip_output_reshape: bool = False,
                 **kwargs: Any) -> Tensor:
        def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            args = (q, k, v, heads)
            options = dict(mask=_widen(mask, k.shape[2 if skip_reshape else 1]), attn_precision=attn_precision,
                           skip_reshape=skip_reshape, skip_output_reshape=skip_output_reshape, **kwargs)
            return func(*args, **options) if before is None else before(func, *args, **options)

        options = kwargs.get("transformer_options") or {}
        forward = options.get(KEY)
        call = forward.locate(q, k, options, skip_reshape, skip_output_reshape) if forward is not None else None
        return attend(q, k, v) if call is None else run.edit(call, attend, q, k, v)

    return override


def _widen(mask: Tensor | None, keys: int) -> Tensor | None:
    """Let added keys be seen under a mask made for fewer."""
    if mask is None or mask.shape[-1] >= keys:
        return mask
    return F.pad(mask, (0, keys - mask.shape[-1]), value=True if mask.dtype == torch.bool else 0.0)
