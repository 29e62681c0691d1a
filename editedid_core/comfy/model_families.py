"""The one table of model families: where each keeps its attention blocks and its image tokens (docs/FAMILIES.md).

Everything else in the pack asks this table; no other file names a family. A row is found by the structure of the
diffusion network: its class (or one that it derives from) and the lists of blocks it must hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

Call = Literal["image", "image only", "other"]
"""What one attention call of a block is. `image`: self-attention over the image tokens and whatever stands beside
them; `image only`: a second one that some blocks add, without text; `other`: cross-attention."""


@dataclass(frozen=True)
class Blocks:
    """Blocks that run one after the other.

    `attribute`: path of the list in the network; `part`: what a user calls them, empty where no gate acts;
    `calls`: the attention calls of one block in order; `with_references`: they run only when there are reference
    pictures.
    """

    attribute: str
    part: str = ""
    calls: tuple[Call, ...] = ("image",)
    with_references: bool = False


@dataclass(frozen=True)
class Empty:
    """The conditioning of zeros that stands for no prompt.

    `width`: paths whose product is the width of a text token; `tokens`: how many; `pooled`: the width of the pooled
    text, by the first path that leads to one; `pooled_if`: path of a setting without which there is no pooled text;
    `counted`: the model wants the number of tokens. Paths lead into the host's model configuration or into the
    network; a number stands for itself.
    """

    width: tuple[str, ...]
    tokens: int = 1
    pooled: tuple[str | int, ...] = ()
    pooled_if: str = ""
    counted: bool = False


@dataclass(frozen=True)
class Family:
    """One row.

    `network`: class of the diffusion network, empty where its structure says enough; `needs`: path of a switch in it
    that must be on; `located`: what tells one
    attention call from the next, the host's own block numbers, the order of the calls, or (UNet) a patch that runs
    just before self-attention; `patch`: path of the network's patch size, or the size; `image`: where the image
    tokens stand among text and references; `references`: reference tokens stand `behind` the image tokens and are
    counted, or only where the host says how many (`announced`), or they do not move the image tokens (`apart`);
    `whole`: its patches must divide the latent, which others fill up;
    `padded`: path of the number that image tokens are padded to a multiple of; `unmapped`: inputs of the model
    under which the map does not hold; `auto`: what the mode `auto` means; `refusal`: why no gate can act, for rows
    that are here to say so.
    """

    name: str
    network: str
    blocks: tuple[Blocks, ...] = ()
    located: Literal["numbers", "order", "patch"] = "numbers"
    patch: str | int = "patch_size"
    image: Literal["first", "last"] = "last"
    references: Literal["behind", "announced", "apart"] = "apart"
    whole: bool = False
    padded: str = ""
    unmapped: tuple[str, ...] = ()
    empty: Empty | None = None
    auto: Literal["replay", "lock-step"] = "lock-step"
    refusal: str = ""
    needs: str = ""


_DOUBLE_SINGLE = (Blocks("double_blocks", "double"), Blocks("single_blocks", "single"))
_CLOSED = "its attention does not go through ComfyUI's hooks, so that no gate can reach it"
_VIDEO = "it makes video, not pictures"

_ANY_POOLED = 768
"""Asked for by older hosts and then not used."""

FAMILIES: tuple[Family, ...] = (
    Family("SVD, SV3D", "", (Blocks("input_blocks"),), needs="use_temporal_resblocks", refusal=_VIDEO),
    Family("SD 1.5, SD 2.x, SDXL", "",
           (Blocks("input_blocks", "down"), Blocks("middle_block", "mid"), Blocks("output_blocks", "up")),
           located="patch", auto="replay",
           empty=Empty(("context_dim",), tokens=77, pooled=(1280,), pooled_if="adm_in_channels")),
    Family("SD3, SD3.5", "MMDiT", (Blocks("joint_blocks", "double", ("image", "image only")),),
           located="order", auto="replay", patch="patch_size",
           empty=Empty(("context_embedder.in_features",), pooled=("adm_in_channels",))),
    Family("AuraFlow", "MMDiT", (Blocks("double_layers", "double"), Blocks("single_layers", "single")),
           located="order", empty=Empty(("cond_seq_linear.in_features",))),
    Family("Chroma, Chroma Radiance", "Chroma", _DOUBLE_SINGLE,
           empty=Empty(("txt_in.in_features",), pooled=(_ANY_POOLED,))),
    Family("FLUX dev, schnell, Kontext, FLUX.2, LongCat", "Flux", _DOUBLE_SINGLE, references="behind",
           empty=Empty(("txt_in.in_features",), pooled=("params.vec_in_dim", _ANY_POOLED))),
    Family("Hunyuan Image 2.1, Hunyuan Video as one frame", "HunyuanVideo", _DOUBLE_SINGLE,
           whole=True, unmapped=("guiding_frame_index",),
           empty=Empty(("txt_in.input_embedder.in_features",), pooled=("params.vec_in_dim",))),
    Family("Qwen-Image, Qwen-Image-Edit", "QwenImageTransformer2DModel", (Blocks("transformer_blocks", "double"),),
           references="behind", empty=Empty(("txt_in.in_features",))),
    Family("Mage-Flow", "MageFlowTransformer2DModel", (Blocks("transformer_blocks", "double"),), references="behind",
           empty=Empty(("txt_in.in_features",))),
    Family("Lens", "LensTransformer2DModel", (Blocks("transformer_blocks", "double"),), patch=1, image="first",
           empty=Empty(("txt_in.in_features",))),
    Family("Lumina 2, Z-Image", "NextDiT", (Blocks("layers", "double"),), padded="pad_tokens_multiple",
           empty=Empty(("cap_embedder.1.in_features",), counted=True)),
    Family("OmniGen 2", "OmniGen2Transformer2DModel",
           (Blocks("context_refiner"), Blocks("noise_refiner"), Blocks("ref_image_refiner", with_references=True),
            Blocks("layers", "double")),
           located="order", empty=Empty(("time_caption_embed.caption_embedder.1.in_features",), counted=True)),
    Family("Boogu", "BooguTransformer2DModel",
           (Blocks("context_refiner"), Blocks("noise_refiner"), Blocks("ref_image_refiner", with_references=True),
            Blocks("double_stream_layers", "double", ("image", "image")), Blocks("single_stream_layers", "single")),
           located="order", empty=Empty(("time_caption_embed.caption_embedder.1.in_features",), counted=True)),
    Family("HiDream-I1", "HiDreamImageTransformer2DModel",
           (Blocks("double_stream_blocks", "double"), Blocks("single_stream_blocks", "single")),
           located="order", image="first", unmapped=("image_cond",)),
    Family("Ideogram 4", "Ideogram4Transformer2DModel", (Blocks("layers", "single"),), located="order", patch=1,
           empty=Empty(("llm_cond_proj.in_features",))),
    Family("Krea 2", "SingleStreamDiT", (Blocks("blocks", "single"),), patch="patch", references="announced",
           empty=Empty(("txtlayers", "txtdim"))),
    Family("JoyImage", "JoyImageTransformer3DModel", (Blocks("double_blocks", "double"),), image="first",
           empty=Empty(("condition_embedder.text_embedder.linear_1.in_features",))),
    Family("PiD", "PidNet", refusal="it enlarges pictures and does not make them"),
    Family("PixelDiT", "PixDiT_T2I", (Blocks("patch_blocks", "double"), Blocks("pixel_blocks")), located="order",
           empty=Empty(("txt_embed_dim",))),
    Family("Cosmos-Predict 2 image, Anima", "MiniTrainDIT", (Blocks("blocks", "double", ("image", "other")),),
           located="order", patch="patch_spatial", image="first",
           empty=Empty(("blocks.0.cross_attn.context_dim",))),
    Family("Kandinsky 5 image", "Kandinsky5", (Blocks("visual_transformer_blocks", "double", ("image", "other")),),
           image="first", whole=True, unmapped=("time_dim_replace",),
           empty=Empty(("text_embeddings.in_layer.in_features",),
                       pooled=("pooled_text_embeddings.in_layer.in_features",))),
    *(Family(f"Wan for {use}", network, refusal="it is steered by other inputs than a picture; use plain Wan")
      for use, network in (("Vace", "VaceWanModel"), ("camera moves", "CameraWanModel"), ("speech", "WanModel_S2V"),
                           ("animation", "AnimateWanModel"), ("people", "HumoWanModel"), ("poses", "SCAILWanModel"),
                           ("dance", "WanDancerModel"), ("streams", "CausalWanModel"))),
    Family("Wan as one frame", "WanModel", (Blocks("blocks", "double", ("image", "other")),), image="first",
           unmapped=("reference_latent", "time_dim_concat"), empty=Empty(("text_dim",))),
    Family("Hunyuan DiT", "HunYuanDiT", refusal=_CLOSED),
    Family("PixArt", "PixArtMS", refusal=_CLOSED),
    Family("ERNIE-Image", "ErnieImageModel", refusal=_CLOSED),
    Family("HiDream-O1", "HiDreamO1Transformer",
           refusal="it is a language model that keeps its prompt's keys between steps, which no source can share"),
    Family("Stable Cascade", "StageC", refusal="its latents are too coarse for a face and a second model draws it"),
    Family("Stable Cascade", "StageB", refusal="its latents are too coarse for a face and a second model draws it"),
    *(Family(name, network, refusal=_VIDEO)
      for name, network in (("Mochi", "AsymmDiTJoint"), ("LTX-Video", "LTXVModel"), ("LTX-2", "LTXAVModel"),
                            ("Cosmos 1", "GeneralDIT"), ("CogVideoX", "CogVideoXTransformer3DModel"),
                            ("MiniMax H3", "MiniMaxH3Model"), ("SeedVR2", "NaDiT"))),
)


def find_family(network: Any) -> Family | None:
    """The row of a diffusion network (compiled or not), or None where there is none."""
    network = getattr(network, "_orig_mod", network)
    classes = {c.__name__: depth for depth, c in enumerate(type(network).__mro__)}
    fits = [f for f in FAMILIES if (not f.network or f.network in classes)
            and (not f.needs or follow(network, f.needs)) and all(hasattr(network, b.attribute) for b in f.blocks)]
    # of two rows the one of the nearer class counts; rows told by structure alone come last
    return min(fits, key=lambda f: classes.get(f.network, len(classes)), default=None)


def require_family(network: Any) -> Family:
    """The row of a network that the gates can reach.

    Raises ValueError, one sentence, for networks that they cannot.
    """
    family = find_family(network)
    ungated = "use another model, or the Adaptive Mixing Sampler without ID Entanglement."
    if family is None:
        raise ValueError(f"model: {type(network).__name__} has no attention blocks that this pack knows; {ungated}")
    if family.refusal:
        instead = ungated if family.refusal == _CLOSED else "use another model."
        raise ValueError(f"model: {family.name} cannot be gated, {family.refusal}; {instead}")
    return family


def follow(root: Any, path: str) -> Any:
    """What a dotted path of attributes, keys and indices leads to, or None."""
    for name in path.split("."):
        if isinstance(root, dict):
            root = root.get(name)
        elif name.isdigit():
            root = root[int(name)] if root is not None and int(name) < len(root) else None
        else:
            root = getattr(root, name, None)
    return root


def patch_size(family: Family, network: Any) -> int:
    """Side of the square of latent pixels that makes one image token."""
    size = follow(network, family.patch) if isinstance(family.patch, str) else family.patch
    return int(size[-1] if isinstance(size, Sequence) else size)
