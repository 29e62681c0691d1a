"""What a ComfyUI model is: its noise space, its attention blocks, its latent, a conditioning without a text encoder."""

from __future__ import annotations

from typing import Any

import comfy.model_sampling
import torch
from torch import Tensor

from ..attention.blocks import Available
from ..diffusion.space import NoiseSpace

_TRANSFORMER_LISTS = {
    "joint_blocks": "double",
    "double_blocks": "double",
    "transformer_blocks": "double",
    "layers": "double",
    "single_blocks": "single",
}


def noise_space(model: Any) -> NoiseSpace:
    """The noise space of a MODEL (ModelPatcher), object patches included."""
    sampling = model.get_model_object("model_sampling")
    if isinstance(sampling, comfy.model_sampling.CONST):
        return NoiseSpace(flow=True)
    if isinstance(sampling, comfy.model_sampling.EPS):  # V_PREDICTION and EDM derive from it
        return NoiseSpace(flow=False)
    raise ValueError(
        f"model: its noise schedule ({type(sampling).__name__}) is neither eps, v nor rectified flow; "
        "use a Stable Diffusion, SD3, FLUX, Qwen-Image or Lumina model."
    )


def is_unet(diffusion_model: Any) -> bool:
    return hasattr(diffusion_model, "input_blocks")


def attention_blocks(model: Any) -> Available:
    """Parts and block numbers of the model that hold self-attention; block numbers are the host's own."""
    net = model.model.diffusion_model
    if is_unet(net):
        return {
            "down": _unet_numbers(net.input_blocks),
            "mid": _unet_numbers([net.middle_block] if net.middle_block is not None else []),
            "up": _unet_numbers(net.output_blocks),
        }
    found: dict[str, range] = {}
    for attribute, part in _TRANSFORMER_LISTS.items():
        if hasattr(net, attribute):
            found[part] = range(len(getattr(net, attribute)))
    if not found:
        raise ValueError(
            f"model: {type(net).__name__} has no attention blocks that this pack knows; use an SD, SDXL, SD3, "
            "FLUX, Chroma, Qwen-Image, Lumina or Z-Image model."
        )
    return found


def _unet_numbers(blocks: Any) -> list[int]:
    return [i for i, block in enumerate(blocks) if any(hasattr(part, "transformer_blocks") for part in block)]


def check_latent(model: Any, latent: Tensor, name: str) -> None:
    """Raise one sentence when a latent cannot belong to the model or holds no picture."""
    fmt = model.model.latent_format
    if latent.shape[0] == 0:
        raise ValueError(f"{name}: the latent batch is empty; connect at least one face crop.")
    if latent.shape[1] != fmt.latent_channels:
        raise ValueError(
            f"{name}: the latent has {latent.shape[1]} channels but this model works on {fmt.latent_channels}; "
            "encode it with the VAE that belongs to the model."
        )
    if latent.ndim == 5 and latent.shape[2] != 1:
        raise ValueError(f"{name}: this is a video latent of {latent.shape[2]} frames; encode single pictures.")
    if latent.ndim == 5 and fmt.latent_dimensions != 3:
        raise ValueError(f"{name}: this is a video latent, the model takes pictures; encode with the model's VAE.")
    if not torch.isfinite(latent).all():
        raise ValueError(
            f"{name}: the latent holds NaN or infinite values; check the VAE (try fp32 VAE) and the picture."
        )


def empty_conditioning(model: Any) -> list[list[Any]]:
    """A conditioning of zeros in the model's own widths: no text encoder needed.

    Works for models trained or tuned to take an empty text; others want a real (empty) prompt.
    """
    config = model.model.model_config.unet_config
    net = model.model.diffusion_model
    extra: dict[str, Any] = {}
    pooled = config.get("adm_in_channels") or config.get("vec_in_dim")
    if is_unet(net):
        tokens, width = 77, config.get("context_dim")
        if pooled:
            extra["pooled_output"] = torch.zeros(1, 1280)  # the host appends the size embedding itself
    else:
        embedder = config.get("context_embedder_config", {}).get("params", {})
        tokens = 1
        width = (embedder.get("in_features") or config.get("context_in_dim") or config.get("joint_attention_dim")
                 or config.get("cap_feat_dim"))
        if pooled:
            extra["pooled_output"] = torch.zeros(1, pooled)
        if config.get("cap_feat_dim"):
            extra["num_tokens"] = tokens
            extra["attention_mask"] = torch.ones(1, tokens, dtype=torch.long)
    if not width:
        raise ValueError("positive: this model needs a conditioning; connect a CLIP Text Encode with an empty prompt.")
    return [[torch.zeros(1, tokens, width), extra]]
