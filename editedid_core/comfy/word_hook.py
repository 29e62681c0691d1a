"""Puts the paper's cross-attention replacement on a model for one run: UNets, rows original, edited, target."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import comfy.patcher_extension
import torch
from torch import Tensor

from ..engines.edited_id.attention.words import PromptWords, replace_maps
from ..engines.edited_id.presets import WordSources
from .model_families import find_family
from .model_profile import network_of
from .prompt_tokens import WORDS_KEY

KEY = "editedid_words"
_OVERRIDE = "optimized_attention_override"
ROWS = 3


@dataclass(eq=False)
class _Forward:
    """One model call: which chunk of the batch holds the prompt, and whether cross-attention comes next."""

    words: PromptWords
    chunk: int
    chunks: int
    cross_attention_next: bool = False


def install_words(model: Any, positive: Any, sources: WordSources = "both") -> None:
    """Add the hook to a clone that lives for one run, when the prompt carries marked words.

    `sources`: "original" leaves out the words whose maps would come from the edited picture.

    Raises ValueError for models without cross-attention over the prompt.
    """
    words = positive[0][1].get(WORDS_KEY) if positive else None
    if words is None:
        return
    if sources == "original":
        words = replace(words, element=())
    family = find_family(network_of(model))
    if family is None or family.located != "patch":  # a UNet's calls are known from its patches
        raise ValueError(
            "positive: marked words act in a UNet's cross-attention and this model is a transformer; "
            "connect CLIP Text Encode in the place of Prompt Words."
        )

    def apply_model(executor: Any, x: Tensor, t: Tensor, c_concat: Any, c_crossattn: Any, control: Any,
                    transformer_options: dict[str, Any], **kwargs: Any) -> Any:
        order = transformer_options.get("cond_or_uncond", [0])
        if 0 in order and x.shape[0] == ROWS * len(order):
            transformer_options = transformer_options.copy()
            transformer_options[KEY] = _Forward(words, order.index(0), len(order))
            transformer_options[_OVERRIDE] = _override(transformer_options.get(_OVERRIDE))
        return executor(x, t, c_concat, c_crossattn, control, transformer_options, **kwargs)

    model.add_wrapper_with_key(comfy.patcher_extension.WrappersMP.APPLY_MODEL, KEY, apply_model)
    model.set_model_attn2_patch(_cross_attention_begins)
    model.set_model_attn2_output_patch(_cross_attention_ended)


def _cross_attention_begins(n: Tensor, context: Tensor, value: Tensor, extra_options: dict[str, Any],
                            ) -> tuple[Tensor, Tensor, Tensor]:
    if KEY in extra_options:
        extra_options[KEY].cross_attention_next = True
    return n, context, value


def _cross_attention_ended(out: Tensor, extra_options: dict[str, Any]) -> Tensor:
    """Where another pack replaces cross-attention, the next call seen would otherwise be taken for it."""
    if KEY in extra_options:
        extra_options[KEY].cross_attention_next = False
    return out


def _override(before: Any) -> Any:
    # python state is read here: a compiled graph would bake in the first call's
    @torch.compiler.disable
    def override(func: Any, q: Tensor, k: Tensor, v: Tensor, heads: int, *args: Any, **kwargs: Any) -> Tensor:
        inputs = (q, k, v, heads, *args)
        out = func(*inputs, **kwargs) if before is None else before(func, *inputs, **kwargs)
        forward = (kwargs.get("transformer_options") or {}).get(KEY)
        if forward is None or not forward.cross_attention_next:
            return out
        first = forward.chunk * ROWS
        queries, keys, values = (_heads(t[first : first + ROWS], heads) for t in (q, k, v))
        scale = kwargs.get("scale") or queries.shape[-1] ** -0.5
        change = replace_maps(queries, keys, values, forward.words, scale)
        target = slice(first + ROWS - 1, first + ROWS)
        result = out.clone()
        result[target] += change.transpose(1, 2).flatten(2)
        return result

    return override


def _heads(t: Tensor, heads: int) -> Tensor:
    """(rows, n, heads * D) -> (rows, heads, n, D)."""
    return t.unflatten(-1, (heads, -1)).transpose(1, 2)
