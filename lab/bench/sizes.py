"""Models at their full size with random weights: speed and memory do not depend on what the weights know."""
from __future__ import annotations

import importlib
import math
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from .. import models_io

_UNET: dict[str, Any] = dict(
    use_checkpoint=False, image_size=32, in_channels=4, out_channels=4, use_spatial_transformer=True, legacy=False,
    model_channels=320, use_temporal_attention=False, use_temporal_resblock=False,
)
_SD15 = dict(
    _UNET, adm_in_channels=None, num_res_blocks=[2, 2, 2, 2], channel_mult=[1, 2, 4, 4], num_heads=8,
    transformer_depth=[1, 1, 1, 1, 1, 1, 0, 0], transformer_depth_output=[1] * 9 + [0] * 3, transformer_depth_middle=1,
    use_linear_in_transformer=False, context_dim=768,
)
_SDXL = dict(
    _UNET, adm_in_channels=2816, num_classes="sequential", num_res_blocks=[2, 2, 2], channel_mult=[1, 2, 4],
    transformer_depth=[0, 0, 2, 2, 10, 10], transformer_depth_output=[0, 0, 0, 2, 2, 2, 10, 10, 10],
    transformer_depth_middle=10, use_linear_in_transformer=True, context_dim=2048, num_head_channels=64,
)
_FLUX = dict(
    image_model="flux", in_channels=16, out_channels=16, vec_in_dim=768, context_in_dim=4096, hidden_size=3072,
    mlp_ratio=4.0, num_heads=24, depth=19, depth_single_blocks=38, axes_dim=[16, 56, 56], theta=10000, patch_size=2,
    qkv_bias=True, guidance_embed=True, txt_ids_dims=[],
)


@dataclass(frozen=True)
class Size:
    """One model at one resolution.

    `config`: class in the host's `supported_models`; `settings`: its network's arguments; `side`: of the picture in
    pixels; `channels` of the latent; `text`: (tokens, width) of a prompt; `pooled`: width of the pooled text.
    """

    name: str
    config: str
    settings: dict[str, Any] = field(repr=False)
    side: int
    channels: int
    text: tuple[int, int]
    pooled: int = 0

    def at(self, side: int) -> Size:
        """The same model on pictures of another size."""
        return replace(self, side=side)

    def reduced(self, **settings: Any) -> Size:
        """The same model with other network arguments, such as fewer blocks."""
        return replace(self, settings={**self.settings, **settings})


Store = Literal["as computed", "fp8", "fp8 matrices", "scaled fp8"]
"""How weights are kept: in the type that the model computes in; in fp8 and cast when used; the same, multiplied in
fp8; with a scale for each linear layer, multiplied in fp8 where the card does that."""
FP8 = torch.float8_e4m3fn

SIZES = {
    size.name: size
    for size in (
        Size("sd15", "SD15", _SD15, 512, 4, (77, 768)),
        Size("sdxl", "SDXL", _SDXL, 1024, 4, (77, 2048), 1280),
        Size("flux", "Flux", _FLUX, 1024, 16, (256, 4096), 768),
    )
}


def tiny(size: Size) -> Size:
    """The same family with a few narrow blocks, to try a benchmark."""
    if size.config == "Flux":
        return size.at(64).reduced(hidden_size=256, num_heads=2, depth=1, depth_single_blocks=1)
    return size.at(64).reduced(model_channels=64, num_res_blocks=[1, 1], channel_mult=[1, 2], transformer_depth=[1, 1],
                               transformer_depth_output=[1] * 4, transformer_depth_middle=1)


@dataclass(frozen=True, eq=False)
class Subject:
    """A MODEL and one face crop for it: latents (1, C, h, w), masks (S, S), a prompt."""

    name: str
    model: Any
    original: Tensor
    edited: Tensor
    face: Tensor
    element: Tensor
    prompt: list[Any]


def make(size: Size, device: torch.device, dtype: torch.dtype, store: Store = "as computed") -> Subject:
    """The model with random weights made where they will be used, and a face crop. `dtype`: what it computes in."""
    return subject(size.name, _patcher(size, device, dtype, store), size.channels, size.side, size.text, size.pooled)


def lab(name: str, models: Path, side: int = 128) -> Subject:
    """One of the lab's own models, `lab-unet` or `lab-dit`: the toy size."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.safetensors"
        models_io.expand(models / {"lab-unet": "unet_lab.safetensors", "lab-dit": "dit_lab.safetensors"}[name], file)
        # read into memory: the file goes away
        weights = {key: torch.from_numpy(value.copy()) for key, value in models_io.read(file)[0].items()}
    model = importlib.import_module("comfy.sd").load_state_dict_guess_config(weights, False, False)[0]
    prompt = importlib.import_module("editedid_core.comfy.model_profile").empty_conditioning(model)
    made = subject(name, model, model.model.latent_format.latent_channels, side, prompt[0][0].shape[1:])
    return replace(made, prompt=prompt)


def subject(name: str, model: Any, channels: int, side: int, text: tuple[int, int], pooled: int = 0) -> Subject:
    """Random latents, a face of about a third of the crop with an element across the eyes, a random prompt."""
    generator = torch.Generator().manual_seed(0)
    latents = torch.randn(2, channels, side // 8, side // 8, generator=generator)
    face, element = masks(side)
    prompt = torch.randn(1, *text, generator=generator)
    extra = {"pooled_output": torch.randn(1, pooled, generator=generator)} if pooled else {}
    return Subject(name, model, latents[:1], latents[1:], face, element, [[prompt, extra]])


def masks(side: int) -> tuple[Tensor, Tensor]:
    """(face, glasses) in [0, 1]: in the pack's framing a face is about 0.6 of the crop across and 0.8 down."""
    place = (torch.arange(side) + 0.5) / side - 0.5
    y, x = place[:, None], place[None, :]
    face = ((0.3 - torch.hypot(x, y * 0.75)) * side / 8 + 0.5).clamp(0, 1)
    glasses = ((x.abs() < 0.26) & (y > -0.16) & (y < -0.04)).float()
    return face, face * glasses


def _patcher(size: Size, device: torch.device, dtype: torch.dtype, store: Store) -> Any:
    config = getattr(importlib.import_module("comfy.supported_models"), size.config)(dict(size.settings))
    narrow = store in ("fp8", "fp8 matrices")
    config.set_inference_dtype(FP8 if narrow else dtype, dtype if narrow else None)
    config.optimizations["fp8"] = store == "fp8 matrices"
    model = config.get_model({}, "", device=device)
    if device.type != "meta":
        _fill(model.diffusion_model)
    if store == "scaled fp8":
        weights = scaled_fp8(model.diffusion_model)
        config.quant_config = {"mixed_ops": True}
        config.set_inference_dtype(dtype, dtype)
        with torch.inference_mode():  # as the host loads
            model = config.get_model({}, "", device=device)
            model.diffusion_model.load_state_dict(weights)
    patcher = importlib.import_module("comfy.model_patcher").ModelPatcher
    return patcher(model, load_device=device, offload_device=torch.device("cpu") if device.type == "cpu" else device)


def scaled_fp8(network: torch.nn.Module) -> dict[str, Tensor]:
    """The network's weights, its linear layers' as scaled fp8 in the form in which the host keeps them in files."""
    weights = network.state_dict()
    told = torch.tensor(list(b'{"format": "float8_e4m3fn"}'), dtype=torch.uint8)
    for name, module in network.named_modules():
        if isinstance(module, torch.nn.Linear):
            full = weights[f"{name}.weight"].float()
            scale = full.abs().max() / torch.finfo(FP8).max
            weights[f"{name}.weight"] = (full / scale).to(FP8)
            weights[f"{name}.weight_scale"], weights[f"{name}.comfy_quant"] = scale, told
    return weights


def _fill(network: torch.nn.Module) -> None:
    """Weights that keep the size of what goes through them."""
    with torch.no_grad():
        for name, weights in network.named_parameters():
            if weights.ndim >= 2:
                weights.copy_(torch.randn(weights.shape, device=weights.device).mul_(1 / math.sqrt(weights[0].numel())))
            else:
                weights.fill_(0.0 if name.endswith("bias") else 1.0)
