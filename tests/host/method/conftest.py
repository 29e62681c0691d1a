"""Any model family at toy size inside the real host, with random weights, and how to run the pack on it."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch

from lab.inprocess import Host

UNET = dict(image_size=32, in_channels=4, out_channels=4, model_channels=64, num_res_blocks=[1, 1],
            channel_mult=[1, 2], transformer_depth=[1, 1], transformer_depth_output=[1, 1, 1, 1],
            transformer_depth_middle=1, context_dim=16, use_spatial_transformer=True, legacy=False,
            use_temporal_attention=False, use_temporal_resblock=False, num_heads=4)
SD3 = dict(in_channels=16, out_channels=16, patch_size=2, depth=2, input_size=None, adm_in_channels=16,
           num_patches=1024, pos_embed_max_size=32, pos_embed_scaling_factor=None, x_block_self_attn_layers=[],
           context_embedder_config={"target": "torch.nn.Linear", "params": {"in_features": 16, "out_features": 128}})
FLUX = dict(image_model="flux", in_channels=16, out_channels=16, vec_in_dim=16, context_in_dim=16, hidden_size=64,
            mlp_ratio=2.0, num_heads=2, depth=2, depth_single_blocks=2, axes_dim=[8, 12, 12], theta=10000,
            patch_size=2, qkv_bias=True, guidance_embed=True, txt_ids_dims=[])
QWEN = dict(image_model="qwen_image", patch_size=2, in_channels=64, out_channels=16, num_layers=2,
            attention_head_dim=32, num_attention_heads=2, joint_attention_dim=16, axes_dims_rope=(8, 12, 12))
ZIMAGE = dict(image_model="lumina2", patch_size=2, in_channels=16, dim=256, cap_feat_dim=16, n_layers=2, qk_norm=True,
              n_heads=8, n_kv_heads=8, axes_dims=[8, 12, 12], axes_lens=[300, 512, 512], rope_theta=256.0,
              ffn_dim_multiplier=8 / 3, z_image_modulation=True, time_scale=1000.0, pad_tokens_multiple=32)
FAMILIES = {
    "sd15": ("SD15", dict(UNET, use_linear_in_transformer=False, adm_in_channels=None)),
    "sdxl": ("SDXL", dict(UNET, use_linear_in_transformer=True, adm_in_channels=2816,
                          num_classes="sequential")),
    "sd3": ("SD3", SD3),
    "sd35m": ("SD3", dict(SD3, x_block_self_attn_layers=[0], qk_norm="rms")),
    "flux": ("Flux", FLUX),
    "qwen": ("QwenImage", QWEN),
    "zimage": ("ZImage", ZIMAGE),
}


@pytest.fixture(scope="session")
def tiny_model(host: Host) -> Callable[[str], Any]:
    """kind -> a fresh MODEL of that family; its last layer is damped so that inversion means something."""

    def make(kind: str) -> Any:
        supported = importlib.import_module("comfy.supported_models")
        patcher = importlib.import_module("comfy.model_patcher")
        family, config = FAMILIES[kind]
        model_config = getattr(supported, family)(dict(config))
        model_config.set_inference_dtype(torch.float32, None)
        model = model_config.get_model({}, "", device=None)
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for key, p in model.diffusion_model.named_parameters():
                if p.ndim >= 2:
                    p.copy_(torch.randn(p.shape, generator=generator) / math.sqrt(p[0].numel()))
                else:
                    p.fill_(0.0 if key.endswith("bias") else 1.0)
                if key in ("out.2.weight", "final_layer.linear.weight", "proj_out.weight"):
                    p.mul_(0.2)  # random weights would make the trajectory chaotic, which trained ones do not
            for name, b in model.diffusion_model.named_buffers():
                if name == "pos_embed":  # the host leaves it unset until weights are loaded
                    b.copy_(torch.randn(b.shape, generator=generator) * 0.1)
        cpu = torch.device("cpu")
        return patcher.ModelPatcher(model, load_device=cpu, offload_device=cpu)

    return make


@pytest.fixture(scope="session")
def latents() -> Callable[[str], tuple[torch.Tensor, torch.Tensor]]:
    """kind -> two random latents of 8 x 12."""

    def make(kind: str) -> tuple[torch.Tensor, torch.Tensor]:
        generator = torch.Generator().manual_seed(3)
        channels = 4 if kind in ("sd15", "sdxl") else 16
        shape = (1, channels, *((1,) if kind == "qwen" else ()), 8, 12)
        return torch.randn(shape, generator=generator), torch.randn(shape, generator=generator)

    return make


@pytest.fixture(scope="session")
def conditioning() -> Callable[..., list[Any]]:
    """A random prompt of 7 tokens for a kind, as a text encoder would give it."""

    def make(kind: str, seed: int = 1, tokens: int = 7) -> list[Any]:
        generator = torch.Generator().manual_seed(seed)
        extra: dict[str, Any] = {}
        if kind == "sdxl":
            extra["pooled_output"] = torch.randn(1, 1280, generator=generator)
        elif kind in ("sd3", "sd35m", "flux"):
            extra["pooled_output"] = torch.randn(1, 16, generator=generator)
        elif kind == "zimage":
            extra["num_tokens"] = tokens
        return [[torch.randn(1, tokens, 16, generator=generator), extra]]

    return make
