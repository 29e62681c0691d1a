"""Gradients through a loaded ComfyUI model, inside the host's inference mode, without changing the model.

The host runs nodes under `torch.inference_mode`, and weights made there cannot be kept for a backward pass. It also
casts, moves and patches weights on the way into each layer. The last station of that way is a layer's own list of
weight functions: a copy made there is an ordinary tensor, on the right device, in the right type, and safe from the
transfer buffers that the next layer writes into.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import comfy.model_management
import torch
from comfy.ldm.modules.attention import attention_pytorch

_LISTS = ("weight_function", "bias_function")
_OVERRIDE = "optimized_attention_override"


@contextmanager
def differentiable(net: torch.nn.Module) -> Iterator[None]:
    """While it is open, autograd works through `net`; afterwards every layer is as it was.

    Only inputs get gradients, never weights. Costs a copy of each layer's weights for as long as a graph holds it.
    """
    with ExitStack() as restore:
        for module in net.modules():
            _copy_on_use(module, restore)
        management = comfy.model_management
        if hasattr(management, "in_training"):  # some families have faster layers that autograd cannot follow
            restore.callback(setattr, management, "in_training", management.in_training)
            management.in_training = True
        restore.enter_context(torch.inference_mode(False))
        restore.enter_context(torch.enable_grad())
        if not hasattr(net, "input_blocks"):  # transformers add in place; watching for it doubles a small UNet's time
            restore.enter_context(torch.autograd.graph.allow_mutation_on_saved_tensors())
        yield


def _copy_on_use(module: torch.nn.Module, restore: ExitStack) -> None:
    if all(hasattr(module, name) for name in _LISTS):
        for name in _LISTS:
            if name in module.__dict__:
                restore.callback(setattr, module, name, module.__dict__[name])
            else:
                restore.callback(delattr, module, name)  # the class's own empty list shows again
            setattr(module, name, [*getattr(module, name), torch.clone])
        return
    # parameters and buffers that a layer uses directly
    stores: tuple[dict[str, Any], ...] = (module._parameters, module._buffers)
    for store in stores:
        for name, tensor in store.items():
            if tensor is None or not tensor.is_inference():
                continue
            restore.callback(store.__setitem__, name, tensor)
            with torch.inference_mode(False):
                copy = tensor.clone()
                store[name] = torch.nn.Parameter(copy, False) if store is module._parameters else copy


def with_plain_attention(model_options: dict[str, Any]) -> dict[str, Any]:
    """Model options in which attention runs on PyTorch's own kernel, which has a backward pass; others may not."""
    options = {**model_options, "transformer_options": dict(model_options.get("transformer_options", {}))}
    before = options["transformer_options"].get(_OVERRIDE)

    def override(func: Any, *args: Any, **kwargs: Any) -> torch.Tensor:
        return attention_pytorch(*args, **kwargs) if before is None else before(attention_pytorch, *args, **kwargs)

    options["transformer_options"][_OVERRIDE] = override
    return options
