"""Any model family at toy size inside the real host: the host's own classes, a few layers, random weights.

    toy = TOYS["flux"]
    model = make(toy)                     # a MODEL as a loader node returns it
    pair = latents(toy, 8, 12)            # two random latents of that family
    prompt = conditioning(toy)            # what a text encoder would give
    clip = text_encoder()                 # a CLIP whose tokens the toys with text of TEXT numbers take
    vae = video_vae()                     # a VAE of frames for the toys whose latents have a time axis

Names and widths follow the host's classes; what a host does not have is told by `exists`.
"""

from __future__ import annotations

import importlib
import inspect
import math
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

TEXT = 16
"""Width of a toy's text tokens, where it is free."""

_LAST = ("out.2.weight", "final_layer.linear.weight", "proj_out.weight", "final_linear.weight", "head.head.weight",
         "norm_out.linear_2.weight", "last.linear.weight", "out_layer.out_layer.weight",
         "nerf_final_layer_conv.conv.weight", "dec_net.final_layer.linear.weight")


@dataclass(frozen=True)
class Toy:
    """One family at toy size.

    `title`: what people call it; `config`: class in the host's `supported_models`; `settings`: its network's
    arguments; `width`: of a text token; `pooled`: width of the pooled text, 0 for none; `counted`: the conditioning
    brings its number of tokens; `references`: it takes reference latents whose sides are multiples of this, 0 for
    none; `multiple`: the host's network wants sides that are multiples of this many latent pixels; `extra`: more
    tensors of the conditioning; `fields`: the host's class that says which settings this version has; `unused`: a
    part of the network that needs no weights here.
    """

    title: str
    config: str
    settings: dict[str, Any] = field(repr=False)
    width: int = TEXT
    pooled: int = 0
    counted: bool = False
    references: int = 0
    v_prediction: bool = False
    multiple: int = 1
    extra: dict[str, tuple[int, ...]] = field(default_factory=dict)
    fields: str = ""
    unused: str = ""


_UNET = dict(image_size=32, in_channels=4, out_channels=4, model_channels=64, num_res_blocks=[1, 1],
             channel_mult=[1, 2], transformer_depth=[1, 1], transformer_depth_output=[1, 1, 1, 1],
             transformer_depth_middle=1, context_dim=TEXT, use_spatial_transformer=True, legacy=False,
             use_temporal_attention=False, use_temporal_resblock=False, num_heads=4)
_SD15 = dict(_UNET, model_channels=32, use_linear_in_transformer=False, adm_in_channels=None)
_SD2 = dict(_UNET, use_linear_in_transformer=True, adm_in_channels=None)  # its heads have 64 channels
_SD3 = dict(in_channels=16, out_channels=16, patch_size=2, depth=2, input_size=None, adm_in_channels=16,
            num_patches=1024, pos_embed_max_size=32, pos_embed_scaling_factor=None, x_block_self_attn_layers=[],
            context_embedder_config={"target": "torch.nn.Linear",
                                     "params": {"in_features": TEXT, "out_features": 128}})
_FLUX = dict(image_model="flux", in_channels=16, out_channels=16, vec_in_dim=16, context_in_dim=TEXT, hidden_size=64,
             mlp_ratio=2.0, num_heads=2, depth=2, depth_single_blocks=2, axes_dim=[8, 12, 12], theta=10000,
             patch_size=2, qkv_bias=True, guidance_embed=True, txt_ids_dims=[])
_FLUX2 = dict(_FLUX, image_model="flux2", in_channels=128, out_channels=128, vec_in_dim=None, axes_dim=[8, 8, 8, 8],
              patch_size=1, global_modulation=True, mlp_silu_act=True, qkv_bias=False, ops_bias=False,
              default_ref_method="index", txt_ids_dims=[3])
_CHROMA = dict(image_model="chroma", in_channels=64, out_channels=64, context_in_dim=TEXT, hidden_size=64,
               mlp_ratio=2.0, num_heads=2, depth=2, depth_single_blocks=2, axes_dim=[8, 12, 12], theta=10000,
               patch_size=2, qkv_bias=True, in_dim=64, out_dim=64, hidden_dim=64, n_layers=1, txt_ids_dims=[],
               vec_in_dim=None)
_RADIANCE = dict(_CHROMA, image_model="chroma_radiance", in_channels=3, out_channels=3, patch_size=4,
                 nerf_hidden_size=16, nerf_mlp_ratio=2, nerf_depth=1, nerf_max_freqs=2, nerf_tile_size=0,
                 nerf_final_head_type="conv", nerf_embedder_dtype=torch.float32, use_x0=False,
                 use_sequential_txt_ids=False)
_QWEN = dict(image_model="qwen_image", patch_size=2, in_channels=64, out_channels=16, num_layers=2,
             attention_head_dim=32, num_attention_heads=2, joint_attention_dim=TEXT, axes_dims_rope=(8, 12, 12))
_MAGE = dict(image_model="mage_flow", in_channels=128, out_channels=128, num_layers=2, attention_head_dim=32,
             num_attention_heads=2, joint_attention_dim=TEXT, axes_dims_rope=(8, 12, 12))
_LUMINA = dict(image_model="lumina2", patch_size=2, in_channels=16, dim=96, cap_feat_dim=TEXT, n_layers=2, qk_norm=True,
               n_heads=3, n_kv_heads=1, axes_dims=[8, 12, 12], axes_lens=[300, 512, 512], rope_theta=10000.0,
               ffn_dim_multiplier=1.0, multiple_of=32)
_ZIMAGE = dict(_LUMINA, dim=256, n_heads=8, n_kv_heads=8, rope_theta=256.0, z_image_modulation=True,
               time_scale=1000.0, pad_tokens_multiple=32)
_ZPIXEL = dict(_ZIMAGE, image_model="zimage_pixel", in_channels=3, patch_size=4, decoder_hidden_size=16,
               decoder_num_res_blocks=1, decoder_max_freqs=2)
_OMNIGEN = dict(image_model="omnigen2", patch_size=2, in_channels=16, hidden_size=96, num_layers=2,
                num_refiner_layers=2, num_attention_heads=4, num_kv_heads=2, multiple_of=32, axes_dim_rope=(8, 8, 8),
                axes_lens=(300, 512, 512), text_feat_dim=TEXT)
_BOOGU = dict(image_model="boogu", patch_size=2, in_channels=16, hidden_size=96, num_layers=2,
              num_double_stream_layers=2, num_refiner_layers=2, num_attention_heads=4, num_kv_heads=2, multiple_of=32,
              axes_dim_rope=(8, 8, 8), axes_lens=(300, 512, 512), instruction_feat_dim=TEXT)
_HIDREAM = dict(image_model="hidream", attention_head_dim=32, axes_dims_rope=[16, 8, 8], caption_channels=[TEXT, TEXT],
                max_resolution=[128, 128], in_channels=16, llama_layers=[0, 1, 2, 2], num_attention_heads=2,
                num_routed_experts=2, num_activated_experts=1, num_layers=2, num_single_layers=2, out_channels=16,
                patch_size=2, text_emb_dim=16)
_AURA = dict(cond_seq_dim=TEXT, dim=64, n_layers=4, n_double_layers=2, n_heads=2, global_conddim=64, max_seq=256)
_HUNYUAN_IMAGE = dict(image_model="hunyuan_video", in_channels=64, out_channels=64, vec_in_dim=None,
                      context_in_dim=TEXT, hidden_size=64, mlp_ratio=2.0, num_heads=2, depth=2, depth_single_blocks=2,
                      axes_dim=[16, 16], theta=256, patch_size=[1, 1], qkv_bias=True, guidance_embed=True, byt5=False,
                      meanflow=False, use_cond_type_embedding=False, vision_in_dim=None, meanflow_sum=False)
_HUNYUAN_VIDEO = dict(_HUNYUAN_IMAGE, in_channels=16, out_channels=16, vec_in_dim=16, axes_dim=[8, 12, 12],
                      patch_size=[1, 2, 2])
_PREDICT2 = dict(image_model="cosmos_predict2", max_img_h=64, max_img_w=64, max_frames=8, in_channels=16,
                 out_channels=16, patch_spatial=2, patch_temporal=1, concat_padding_mask=True, model_channels=64,
                 num_blocks=2, num_heads=2, crossattn_emb_channels=TEXT, pos_emb_cls="rope3d", use_adaln_lora=True,
                 adaln_lora_dim=16, mlp_ratio=2.0)
_KANDINSKY = dict(image_model="kandinsky5", in_visual_dim=16, out_visual_dim=16, in_text_dim=TEXT, in_text_dim2=16,
                  time_dim=32, model_dim=64, ff_dim=64, visual_embed_dim=64, num_text_blocks=2, num_visual_blocks=2,
                  axes_dims=(8, 12, 12))
_WAN = dict(image_model="wan2.1", model_type="t2v", dim=64, out_dim=16, in_dim=16, num_heads=2, ffn_dim=64,
            num_layers=2, patch_size=(1, 2, 2), freq_dim=32, text_dim=TEXT, window_size=(-1, -1), qk_norm=True,
            cross_attn_norm=True, eps=1e-6)
_KREA2 = dict(image_model="krea2", features=96, tdim=32, txtdim=8, heads=3, kvheads=1, multiplier=2, layers=2,
              txtlayers=2, txtheads=2, txtkvheads=2)
_LENS = dict(image_model="lens", num_layers=2, attention_head_dim=32, num_attention_heads=2, enc_hidden_dim=4,
             axes_dims_rope=(8, 12, 12))
_IDEOGRAM = dict(image_model="ideogram4", in_channels=128, num_layers=2, num_attention_heads=2,
                 attention_head_dim=32, intermediate_size=64, adaln_dim=16, llm_features_dim=TEXT,
                 mrope_section=(8, 4, 4))
_JOY = dict(image_model="joyimage", in_channels=16, hidden_size=64, num_attention_heads=2, text_dim=TEXT,
            mlp_width_ratio=2.0, num_layers=2, rope_dim_list=[8, 12, 12])
_PIXELDIT = dict(image_model="pixeldit_t2i", num_groups=2, hidden_size=64, pixel_hidden_size=8,
                 pixel_attn_hidden_size=32, pixel_num_groups=2, patch_depth=2, pixel_depth=1, patch_size=4,
                 txt_embed_dim=TEXT, txt_max_length=32)

_PIXART = dict(image_model="pixart_alpha", input_size=32, hidden_size=64, depth=2, num_heads=2, mlp_ratio=2.0,
               caption_channels=TEXT, model_max_length=7, pred_sigma=True, micro_condition=False, pe_interpolation=1)
_HUNYUAN_DIT = dict(image_model="hydit", depth=2, hidden_size=64, num_heads=2, mlp_ratio=2.0, text_states_dim=TEXT,
                    text_states_dim_t5=TEXT, text_len=7, text_len_t5=7)
_ERNIE = dict(image_model="ernie", hidden_size=64, num_attention_heads=2, num_layers=2, ffn_hidden_size=64,
              text_in_dim=TEXT, rope_axes_dim=(8, 12, 12))
_CASCADE = dict(stable_cascade_stage="c", c_cond=16, c_hidden=[16, 16], nhead=[2, 2], blocks=[[1, 1], [1, 1]],
                c_clip_text=TEXT, c_clip_text_pooled=TEXT, c_clip_img=16)
_SVD = dict(_UNET, in_channels=8, use_linear_in_transformer=True, adm_in_channels=768, use_temporal_attention=True,
            use_temporal_resblock=True, num_classes="sequential", video_kernel_size=[3, 1, 1], num_head_channels=-1,
            merge_strategy="learned_with_images", merge_factor=0.0)

TOYS: dict[str, Toy] = {
    "sd15": Toy("SD 1.5", "SD15", _SD15),
    "sd2v": Toy("SD 2.x (v-prediction)", "SD20", _SD2, v_prediction=True),
    "sdxl": Toy("SDXL", "SDXL", dict(_UNET, use_linear_in_transformer=True, adm_in_channels=2816,
                                      num_classes="sequential"), pooled=1280),
    "sd3": Toy("SD3", "SD3", _SD3, pooled=16),
    "sd35m": Toy("SD3.5 medium (dual attention)", "SD3",
                 dict(_SD3, x_block_self_attn_layers=[0], qk_norm="rms"), pooled=16),
    "aura": Toy("AuraFlow", "AuraFlow", _AURA),
    "flux": Toy("FLUX dev, FLUX Kontext", "Flux", _FLUX, pooled=16, references=1),
    "schnell": Toy("FLUX schnell", "FluxSchnell", dict(_FLUX, guidance_embed=False), pooled=16),
    "flux2": Toy("FLUX.2", "Flux2", _FLUX2, pooled=16, references=1),
    "longcat": Toy("LongCat-Image", "LongCatImage",
                   dict(_FLUX, guidance_embed=False, vec_in_dim=None, txt_ids_dims=[1, 2]), pooled=16),
    "chroma": Toy("Chroma", "Chroma", _CHROMA, pooled=16),
    "radiance": Toy("Chroma Radiance", "ChromaRadiance", _RADIANCE, pooled=16,
                    fields="comfy.ldm.chroma_radiance.model.ChromaRadianceParams"),
    "qwen": Toy("Qwen-Image, Qwen-Image-Edit", "QwenImage", _QWEN, references=1),
    "mage": Toy("Mage-Flow", "MageFlow", _MAGE, references=1),
    "lens": Toy("Lens", "Lens", _LENS),
    "lumina2": Toy("Lumina 2", "Lumina2", _LUMINA, counted=True),
    "zimage": Toy("Z-Image, Z-Image Omni", "ZImage", _ZIMAGE, counted=True, references=2),
    "zpixel": Toy("Z-Image in pixels", "ZImagePixelSpace", _ZPIXEL, counted=True),
    "omnigen2": Toy("OmniGen 2", "Omnigen2", _OMNIGEN, counted=True, references=1),
    "boogu": Toy("Boogu", "Boogu", _BOOGU, counted=True, references=1),
    "hidream": Toy("HiDream-I1", "HiDream", _HIDREAM, pooled=16, extra={"conditioning_llama3": (1, 3, 5, TEXT)}),
    "hunyuan_image": Toy("Hunyuan Image 2.1", "HunyuanImage21", _HUNYUAN_IMAGE),
    "hunyuan_video": Toy("Hunyuan Video as one frame", "HunyuanVideo", _HUNYUAN_VIDEO, pooled=16, multiple=2),
    "predict2": Toy("Cosmos-Predict 2 image", "CosmosT2IPredict2", _PREDICT2),
    "anima": Toy("Anima", "Anima", dict(_PREDICT2, image_model="anima"), unused="llm_adapter"),
    "kandinsky5": Toy("Kandinsky 5 image", "Kandinsky5Image", _KANDINSKY, pooled=16, multiple=2),
    "wan": Toy("Wan as one frame", "WAN21_T2V", _WAN),
    "krea2": Toy("Krea 2", "Krea2", _KREA2, references=1),
    "ideogram4": Toy("Ideogram 4", "Ideogram4", _IDEOGRAM),
    "joyimage": Toy("JoyImage", "JoyImage", _JOY, references=1),
    "pixeldit": Toy("PixelDiT", "PixelDiTT2I", _PIXELDIT),
}

REFUSED: dict[str, Toy] = {
    "pixart": Toy("PixArt", "PixArtAlpha", _PIXART),
    "hunyuan_dit": Toy("Hunyuan DiT", "HunyuanDiT", _HUNYUAN_DIT),
    "ernie": Toy("ERNIE-Image", "ErnieImage", _ERNIE),
    "cascade": Toy("Stable Cascade", "Stable_Cascade_C", _CASCADE),
    "svd": Toy("SVD, SV3D", "SVD_img2vid", _SVD),
}
"""Families that no gate reaches; the pack says so."""


def exists(toy: Toy) -> bool:
    """Whether this host has the family."""
    return hasattr(importlib.import_module("comfy.supported_models"), toy.config)


def make(toy: Toy, seed: int = 0) -> Any:
    """A fresh MODEL of the family on the CPU; its last layer is damped so that inversion means something."""
    supported = importlib.import_module("comfy.supported_models")
    model_base = importlib.import_module("comfy.model_base")
    patcher = importlib.import_module("comfy.model_patcher")
    config = getattr(supported, toy.config)(_settings(toy))
    config.unet_config.update(_settings(toy))  # some classes overwrite them with the full model's
    config.set_inference_dtype(torch.float32, None)
    if toy.v_prediction:
        config.model_type = lambda *_: model_base.ModelType.V_PREDICTION
    model = config.get_model({}, "", device=None)
    fill(model.diffusion_model, seed, toy.unused)
    cpu = torch.device("cpu")
    return patcher.ModelPatcher(model, load_device=cpu, offload_device=cpu)


def text_encoder(width: int = TEXT, seed: int = 0) -> Any:
    """A fresh CLIP as SD 1.5 has it, with the host's own tokenizer, two layers of random weights and tokens of `width`
    numbers of a trained one's size."""
    sd, sd1_clip, base, paths = (importlib.import_module(name) for name in (
        "comfy.sd", "comfy.sd1_clip", "comfy.supported_models_base", "folder_paths"))
    small = dict(hidden_size=width, num_hidden_layers=2, num_attention_heads=2, intermediate_size=2 * width)
    target = base.ClipTarget(sd1_clip.SD1Tokenizer, sd1_clip.SD1ClipModel)
    clip = sd.CLIP(target, embedding_directory=paths.get_folder_paths("embeddings"),
                   model_options={"clip_l_model_config": small})
    fill(clip.cond_stage_model, seed)
    with torch.no_grad():
        for name, weights in clip.cond_stage_model.named_parameters():
            if "_embedding." in name:
                weights.mul_(0.015 * math.sqrt(width))
    return clip


def video_vae(channels: int = 3, seed: int = 0) -> Any:
    """A fresh VAE of frames as Wan and Qwen-Image have it, small, with random weights. `channels`: 4 with alpha."""
    sizes: dict[str, Any] = dict(dim=8, z_dim=16, dim_mult=[1, 2, 4, 4], num_res_blocks=2, attn_scales=[],
                                 temperal_downsample=[False, True, True], image_channels=channels, dropout=0.0)
    network = importlib.import_module("comfy.ldm.wan.vae").WanVAE
    if "conv_out_channels" in inspect.signature(network).parameters:
        sizes["conv_out_channels"] = channels
    made = network(**sizes)
    fill(made, seed)
    return importlib.import_module("comfy.sd").VAE(sd=made.state_dict())


def weight_key(model: Any) -> str:
    """The weight of an attention layer, for a LoRA to change."""
    names = ("attn1.to_q.weight", "attn.qkv.weight", "attention.qkv.weight", "to_q.weight")
    return next(k for k in model.model.state_dict() if k.endswith(names))


def _settings(toy: Toy) -> dict[str, Any]:
    if not toy.fields:
        return dict(toy.settings)
    module, name = toy.fields.rsplit(".", 1)
    known = getattr(importlib.import_module(module), name).__dataclass_fields__
    return {key: value for key, value in toy.settings.items() if key in known or key == "image_model"}


def fill(network: torch.nn.Module, seed: int = 0, unused: str = "") -> None:
    """Random weights that keep the size of what goes through; norms one, biases zero."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for key, p in network.named_parameters():
            if unused and key.startswith(unused):
                continue
            if p.ndim >= 2:
                p.copy_(torch.randn(p.shape, generator=generator) / math.sqrt(p[0].numel()))
            else:
                p.fill_(0.0 if key.endswith("bias") else 1.0)
            if key.endswith(_LAST):
                p.mul_(0.2)  # random weights would make the trajectory chaotic, which trained ones do not
        for name, b in network.named_buffers():
            if name == "pos_embed":  # the host leaves it unset until weights are loaded
                b.copy_(torch.randn(b.shape, generator=generator) * 0.1)


def latents(toy: Toy, height: int = 8, width: int = 12, seed: int = 3) -> tuple[Tensor, Tensor]:
    """Two random latents (1, C, [1,] height, width) of the family, in the host's own shape for it."""
    config = getattr(importlib.import_module("comfy.supported_models"), toy.config)
    shape = config.latent_format() if inspect.isclass(config.latent_format) else config.latent_format
    generator = torch.Generator().manual_seed(seed)
    size = (1, shape.latent_channels, *((1,) if shape.latent_dimensions == 3 else ()), height, width)
    return torch.randn(size, generator=generator), torch.randn(size, generator=generator)


def conditioning(toy: Toy, seed: int = 1, tokens: int = 7) -> list[Any]:
    """A random prompt as a text encoder would give it."""
    generator = torch.Generator().manual_seed(seed)
    extra: dict[str, Any] = {name: torch.randn(shape, generator=generator) for name, shape in toy.extra.items()}
    if toy.pooled:
        extra["pooled_output"] = torch.randn(1, toy.pooled, generator=generator)
    if toy.counted:
        extra["num_tokens"] = tokens
        extra["attention_mask"] = torch.ones(1, tokens, dtype=torch.long)
    return [[torch.randn(1, tokens, toy.width, generator=generator), extra]]
