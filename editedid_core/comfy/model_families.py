"""The one table of model families: where each keeps its attention blocks and its image tokens, and how its makers run
it (docs/FAMILIES.md).

Everything else in the pack asks this table; no other file names a family. A row is found by the structure of the
diffusion network: its class (or one that it derives from) and the lists of blocks it must hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ..engines.edited_id.wanted import SMALL
from .family_profile import Empty, Profile

Call = Literal["image", "image only", "image asks", "other"]
"""What one attention call of a block is. `image`: self-attention over the image tokens and whatever stands beside
them; `image only`: a second one that some blocks add, without text; `image asks`: of several calls the one in which the
image tokens alone ask, and see text, references and themselves, in this order; `other`: cross-attention."""


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
    under which the map does not hold; `empty`: zeros for no prompt; `auto`: what the mode `auto` means; `refusal`: why
    no gate can act, for rows that are here to say so; `profiles`: how its models are run, the last for any of them.
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
    profiles: tuple[Profile, ...] = ()


_DOUBLE_SINGLE = (Blocks("double_blocks", "double"), Blocks("single_blocks", "single"))
CLOSED = "its attention does not go through ComfyUI's hooks, so that no gate can reach it"
_VIDEO = "it makes video, not pictures"

_ANY_POOLED = 768
"""Asked for by older hosts and then not used."""

LAB = "the lab's own model"
_MASK = "the host: mask and masked picture beside the noise"
_CONTROL = "it draws from lines or depth, which nobody gave it"
_MAGE = "its repository: 512 to 2048, times given for 1024²; Turbo in 4 steps"
_UNGUIDED = (1.0, 1.0)
"""Embedded guidance that changes nothing, for sources and target: guidance in an inversion would not lead back."""

_STABLE_DIFFUSION = (
    Profile("the lab's UNet", 128, LAB, named=("unet lab",), text="zeros", wanted=SMALL),
    Profile("InstructPix2Pix", 512, "arXiv 2211.09800; the host: the picture beside the noise",
            config="SD15_instructpix2pix", concat="picture"),
    Profile("SDXL InstructPix2Pix", 1024, "as InstructPix2Pix", config="SDXL_instructpix2pix", text="zeros",
            concat="picture"),
    Profile("SD x4 upscaler", 512, "the host", config="SD_X4Upscaler",
            refusal="it enlarges pictures and does not make them"),
    Profile("SDXL inpainting", 1024, _MASK, config="SDXL", channels=9, text="zeros", concat="masked picture"),
    Profile("SDXL Turbo", 512, "its model card: 512², one to four steps", config="SDXL", named=("sd xl turbo",),
            text="zeros", steps=4),
    Profile("SDXL", 1024, "arXiv 2307.01952; its pipeline puts zeros for an empty prompt", config="SDXL",
            text="zeros"),
    Profile("SDXL refiner", 1024, "arXiv 2307.01952", config="SDXLRefiner"),
    Profile("SD 2.x inpainting", 512, _MASK, config="SD20", channels=9, concat="masked picture"),
    Profile("SD 2.x (v-prediction)", 768, "the model's card", config="SD20", v_prediction=True),
    Profile("SD 2.x", 512, "the model's card", config="SD20"),
    Profile("SD 1.5 inpainting", 512, _MASK, channels=9, concat="masked picture"),
    Profile("SD 1.5", 512, "the model's card: 10 % of the captions were empty"),
)
_FLUXES = (
    Profile("the lab's people3d DiT", 256, LAB, named=("people dit",), guidance=_UNGUIDED, references=True,
            wanted=SMALL),
    Profile("FLUX.2 Klein base", 1024, "the host's blueprint: 20 steps", config="Flux2", named=("klein base",),
            references=True),
    Profile("FLUX.2 Klein", 1024, "the host's blueprint; its model card", config="Flux2", named=("klein",), steps=4,
            references=True),
    Profile("FLUX.2", 1024, "the host's blueprint", config="Flux2", guidance=_UNGUIDED, references=True),
    Profile("LongCat-Image-Edit", 1024, "the host's blueprint", config="LongCatImage", named=("edit",),
            references=True),
    Profile("LongCat-Image", 1024, "the host's blueprint", config="LongCatImage"),
    Profile("FLUX schnell", 1024, "its model card: one to four steps", config="FluxSchnell", steps=4),
    Profile("FLUX Fill", 1024, _MASK, channels=96, guidance=_UNGUIDED, concat="masked picture"),
    Profile("FLUX Canny, Depth", 1024, "the host", channels=32, refusal=_CONTROL),
    Profile("FLUX Kontext", 1024, "arXiv 2506.15742; its file name tells it from FLUX dev", named=("kontext",),
            guidance=_UNGUIDED, references=True, few=8),
    Profile("FLUX dev", 1024, "the host's blueprint; guidance embed: the host; Turbo LoRA: 8 steps", guidance=_UNGUIDED,
            few=8),
)
_QWENS = (
    Profile("Qwen-Image-Edit", 1024, "the host's blueprint and node: an area of 1024²", named=("edit",),
            references=True),
    Profile("Qwen-Image", 1328, "the host's blueprint"),
)

FAMILIES: tuple[Family, ...] = (
    Family("SVD, SV3D", "", (Blocks("input_blocks"),), needs="use_temporal_resblocks", refusal=_VIDEO),
    Family("SD 1.5, SD 2.x, SDXL", "",
           (Blocks("input_blocks", "down"), Blocks("middle_block", "mid"), Blocks("output_blocks", "up")),
           located="patch", auto="replay",
           empty=Empty(("context_dim",), tokens=77, pooled=(1280,), pooled_if="adm_in_channels"),
           profiles=_STABLE_DIFFUSION),
    Family("SD3, SD3.5", "MMDiT", (Blocks("joint_blocks", "double", ("image", "image only")),),
           located="order", auto="replay", patch="patch_size",
           empty=Empty(("context_embedder.in_features",), pooled=("adm_in_channels",)),
           profiles=(Profile("the lab's DiT", 256, LAB, named=("dit lab",), text="zeros", wanted=SMALL),
                     Profile("SD3, SD3.5", 1024, "arXiv 2403.03206: its text encoders were dropped to zeros",
                             text="zeros"),)),
    Family("AuraFlow", "MMDiT", (Blocks("double_layers", "double"), Blocks("single_layers", "single")),
           located="order", empty=Empty(("cond_seq_linear.in_features",)),
           profiles=(Profile("AuraFlow", 1024, "its model card"),)),
    Family("Chroma, Chroma Radiance", "Chroma", _DOUBLE_SINGLE,
           empty=Empty(("txt_in.in_features",), pooled=(_ANY_POOLED,)),
           profiles=(Profile("Chroma, Chroma Radiance", 1024, "the host: guidance 0", guidance=(0.0, 0.0)),)),
    Family("FLUX dev, schnell, Kontext, FLUX.2, LongCat", "Flux", _DOUBLE_SINGLE, references="behind",
           empty=Empty(("txt_in.in_features",), pooled=("params.vec_in_dim", _ANY_POOLED)),
           profiles=_FLUXES),
    Family("Hunyuan Image 2.1, Hunyuan Video as one frame", "HunyuanVideo", _DOUBLE_SINGLE,
           whole=True, unmapped=("guiding_frame_index",),
           empty=Empty(("txt_in.input_embedder.in_features",), pooled=("params.vec_in_dim",)),
           profiles=(Profile("Hunyuan Image 2.1", 2048, "its model card", config="HunyuanImage21", guidance=_UNGUIDED),
                     Profile("Hunyuan Video as one frame", 960, "arXiv 2412.03603: the area of 720p",
                             guidance=_UNGUIDED))),
    Family("Qwen-Image, Qwen-Image-Edit", "QwenImageTransformer2DModel", (Blocks("transformer_blocks", "double"),),
           references="behind", empty=Empty(("txt_in.in_features",)),
           profiles=_QWENS),
    Family("Qwen-Image-2.1", "QwenImage21Transformer2DModel",
           (Blocks("transformer_blocks", "single", ("image asks",)),), patch=1,
           empty=Empty(("txt_in.in_layer.in_features",)),
           profiles=(Profile("Qwen-Image-2.1", 1024, "the newer host: its shift is for 1024²; tried on a stand-in",
                             references=True),)),
    Family("Mage-Flow", "MageFlowTransformer2DModel", (Blocks("transformer_blocks", "double"),), references="behind",
           empty=Empty(("txt_in.in_features",)),
           profiles=(Profile("Mage-Flow-Edit", 1024, _MAGE, named=("edit",), references=True),
                     Profile("Mage-Flow", 1024, _MAGE))),
    Family("Lens", "LensTransformer2DModel", (Blocks("transformer_blocks", "double"),), patch=1, image="first",
           empty=Empty(("txt_in.in_features",)),
           profiles=(Profile("Lens", 1440, "the host: its shift is for 1440²"),)),
    Family("Lumina 2, Z-Image", "NextDiT", (Blocks("layers", "double"),), padded="pad_tokens_multiple",
           empty=Empty(("cap_embedder.1.in_features",), counted=True),
           profiles=(Profile("Z-Image Turbo", 1024, "the host's blueprint: 8 steps", config="ZImage", named=("turbo",),
                             steps=8),
                     Profile("Z-Image Omni, Edit", 1024, "the host; its file name tells it from Z-Image",
                             config="ZImage", named=("omni", "edit"), references=True),
                     Profile("Lumina 2, Z-Image", 1024, "the host's blueprints"))),
    Family("OmniGen 2", "OmniGen2Transformer2DModel",
           (Blocks("context_refiner"), Blocks("noise_refiner"), Blocks("ref_image_refiner", with_references=True),
            Blocks("layers", "double")),
           located="order", empty=Empty(("time_caption_embed.caption_embedder.1.in_features",), counted=True),
           profiles=(Profile("OmniGen 2", 1024, "arXiv 2506.18871", references=True),)),
    Family("Boogu", "BooguTransformer2DModel",
           (Blocks("context_refiner"), Blocks("noise_refiner"), Blocks("ref_image_refiner", with_references=True),
            Blocks("double_stream_layers", "double", ("image", "image")), Blocks("single_stream_layers", "single")),
           located="order", empty=Empty(("time_caption_embed.caption_embedder.1.in_features",), counted=True),
           profiles=(Profile("Boogu-Image-Edit", 1024, "its repository: one reference, steadiest at 1K; the host takes "
                             "more", named=("edit",), references=True),
                     Profile("Boogu-Image", 1024, "its repository: 1K, Turbo in 4 steps"))),
    Family("HiDream-I1", "HiDreamImageTransformer2DModel",
           (Blocks("double_stream_blocks", "double"), Blocks("single_stream_blocks", "single")),
           located="order", image="first", unmapped=("image_cond",),
           profiles=(Profile("HiDream-I1", 1024, "its model card"),)),
    Family("Ideogram 4", "Ideogram4Transformer2DModel", (Blocks("layers", "single"),), located="order", patch=1,
           empty=Empty(("llm_cond_proj.in_features",)),
           profiles=(Profile("Ideogram 4", 1024, "the host's blueprint"),)),
    Family("Krea 2", "SingleStreamDiT", (Blocks("blocks", "single"),), patch="patch", references="announced",
           empty=Empty(("txtlayers", "txtdim")),
           profiles=(Profile("Krea 2 edit", 1024, "as Krea 2, with a LoRA for edits; references: the host",
                             named=("edit", "identity"), by_lora=True, few=8, references=True, method="index"),
                     Profile("Krea 2", 1024, "its repository: trained up to 1K, Turbo in 8 steps", few=8))),
    Family("JoyImage", "JoyImageTransformer3DModel", (Blocks("double_blocks", "double"),), image="first",
           empty=Empty(("condition_embedder.text_embedder.linear_1.in_features",)),
           profiles=(Profile("JoyImage", 1024, "its repository: base size 1024; references: the host's node",
                             references=True),)),
    Family("PiD", "PidNet", refusal="it enlarges pictures and does not make them"),
    Family("PixelDiT", "PixDiT_T2I", (Blocks("patch_blocks", "double"), Blocks("pixel_blocks")), located="order",
           empty=Empty(("txt_embed_dim",)),
           profiles=(Profile("PixelDiT", 1024, "the host: its shift is for 1024²"),)),
    Family("Cosmos-Predict 2 image, Anima", "MiniTrainDIT", (Blocks("blocks", "double", ("image", "other")),),
           located="order", patch="patch_spatial", image="first",
           empty=Empty(("blocks.0.cross_attn.context_dim",)),
           profiles=(Profile("Anima", 1024, "the host's blueprint", config="Anima"),
                     Profile("Cosmos-Predict 2 image", 960, "the area of 720p, the host's largest grid"))),
    Family("Kandinsky 5 image", "Kandinsky5", (Blocks("visual_transformer_blocks", "double", ("image", "other")),),
           image="first", whole=True, unmapped=("time_dim_replace",),
           empty=Empty(("text_embeddings.in_layer.in_features",),
                       pooled=("pooled_text_embeddings.in_layer.in_features",)),
           profiles=(Profile("Kandinsky 5 image", 1024, "its model card"),)),
    *(Family(f"Wan for {use}", network, refusal="it is steered by other inputs than a picture; use plain Wan")
      for use, network in (("Vace", "VaceWanModel"), ("camera moves", "CameraWanModel"), ("speech", "WanModel_S2V"),
                           ("animation", "AnimateWanModel"), ("people", "HumoWanModel"), ("poses", "SCAILWanModel"),
                           ("dance", "WanDancerModel"), ("streams", "CausalWanModel"))),
    Family("Wan as one frame", "WanModel", (Blocks("blocks", "double", ("image", "other")),), image="first",
           unmapped=("reference_latent", "time_dim_concat"), empty=Empty(("text_dim",)),
           profiles=(Profile("Wan as one frame", 640, "arXiv 2503.20314: the area of 480p"),)),
    Family("Hunyuan DiT", "HunYuanDiT", refusal=CLOSED),
    Family("PixArt", "PixArtMS", refusal=CLOSED),
    Family("ERNIE-Image", "ErnieImageModel", refusal=CLOSED),
    Family("HiDream-O1", "HiDreamO1Transformer",
           refusal="it is a language model that keeps its prompt's keys between steps, which no source can share"),
    Family("Stable Cascade", "StageC", refusal="its latents are too coarse for a face and a second model draws it"),
    Family("Stable Cascade", "StageB", refusal="its latents are too coarse for a face and a second model draws it"),
    *(Family(name, network, refusal=_VIDEO)
      for name, network in (("Mochi", "AsymmDiTJoint"), ("LTX-Video", "LTXVModel"), ("LTX-2", "LTXAVModel"),
                            ("Cosmos 1", "GeneralDIT"), ("CogVideoX", "CogVideoXTransformer3DModel"),
                            ("MiniMax H3", "MiniMaxH3Model"), ("SeedVR2", "NaDiT"))),
)


DISTILLED: tuple[tuple[str, int], ...] = (
    ("turbo", 4), ("lightning", 4), (r"\blcm\b", 4), (r"\bhyper\b", 4), (r"\bdmd2?\b", 4), ("distill", 8),
    (r"\brapid aio\b", 4))
"""What in a file name tells a distilled model, and the steps it is run in where the name does not say."""


def find_family(network: Any) -> Family | None:
    """The row of a diffusion network (compiled or not), or None where there is none."""
    network = getattr(network, "_orig_mod", network)
    classes = {c.__name__: depth for depth, c in enumerate(type(network).__mro__)}
    fits = [f for f in FAMILIES if (not f.network or f.network in classes)
            and (not f.needs or follow(network, f.needs)) and all(hasattr(network, b.attribute) for b in f.blocks)]
    # of two rows the one of the nearer class counts; rows known by structure alone come last
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
        instead = ungated if family.refusal == CLOSED else "use another model."
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
