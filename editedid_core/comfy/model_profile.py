"""What a ComfyUI model is: its noise space, its attention blocks, its latent, a conditioning without a text encoder."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import comfy.model_sampling
import torch
from torch import Tensor

from ..choices import shown
from ..engines.edited_id.attention.blocks import Available
from ..engines.edited_id.noise_space import NoiseSpace
from .family_profile import Profile, distilled_steps, file_words, holds
from .model_families import CLOSED, DISTILLED, LAB, find_family, follow, patch_size, require_family
from .model_files import files_of

LCM_STEPS = 4
"""Steps of a model that is sampled as a consistency model, where its file name does not say."""
UNKNOWN_FILE = ("The file of this model is not known, so it is run as {}. If it is {}, load it with a node whose input "
                "names the file.")


def noise_space(model: Any) -> NoiseSpace:
    """The noise space of a MODEL (ModelPatcher), object patches included."""
    sampling = model.get_model_object("model_sampling")
    kinds = comfy.model_sampling
    if not isinstance(sampling, (kinds.IMG_TO_IMG, kinds.IMG_TO_IMG_FLOW)):  # those take no noise
        if isinstance(sampling, kinds.CONST):
            return NoiseSpace(flow=True)
        if isinstance(sampling, (kinds.EPS, kinds.COSMOS_RFLOW)):  # V_PREDICTION and EDM derive from EPS
            return NoiseSpace(flow=False)
    raise ValueError(
        f"model: its noise schedule ({_bases(sampling)}) is neither eps, v nor rectified flow; use a model that makes "
        "pictures from noise by one of these."
    )


def _bases(sampling: Any) -> str:
    return ", ".join(base.__name__ for base in type(sampling).__bases__)


def network_of(model: Any) -> Any:
    """The diffusion network of a MODEL, not its compiled stand-in."""
    network = model.get_model_object("diffusion_model")
    return getattr(network, "_orig_mod", network)


def profile_of(model: Any) -> Profile | None:
    """How the makers of a MODEL run it, by the family table; None for a model that the table does not have."""
    family = find_family(network_of(model))
    if family is None or not family.profiles:
        return None
    config = model.model.model_config
    channels = config.unet_config.get("in_channels")
    predicts_v = isinstance(model.get_model_object("model_sampling"), comfy.model_sampling.V_PREDICTION)
    files = files_of(model)
    of_model, of_loras = (" ".join(map(file_words, names)) for names in (files.model, files.loras))
    return next((one for one in family.profiles if holds(one, config, of_model + (of_loras if one.by_lora else ""),
                                                         channels or 0, predicts_v)), None)


def require_usable(model: Any, masked_pictures: bool) -> Profile | None:
    """The profile of a MODEL. `masked_pictures`: pictures without the face are at hand, which only a VAE can make.

    Raises ValueError, one sentence, for a model whose inputs nobody can fill.
    """
    profile = profile_of(model)
    if profile is None:
        return None
    if profile.refusal:
        raise ValueError(f"model: {profile.title} cannot be used, {profile.refusal}; use another model.")
    if profile.concat == "masked picture" and not masked_pictures:
        raise ValueError(f"model: {profile.title} reads the pictures without the face, which need a VAE; use Restore "
                         "Identity with model and vae, or a model that is not for inpainting.")
    return profile


def native_size(model: Any) -> int | None:
    """Side in pixels of the pictures that a MODEL was made for; None where the table does not tell."""
    profile = profile_of(model)
    return None if profile is None else profile.size


def unknown_file(model: Any) -> str:
    """A sentence where nobody tells which file a MODEL was read from and an edit model's name would change how it is
    run, else ""."""
    profile, family = profile_of(model), find_family(network_of(model))
    if profile is None or family is None or files_of(model):
        return ""
    config, before = model.model.model_config, family.profiles[: family.profiles.index(profile)]
    edits = [one.title for one in before if one.references and one.named and one.source != LAB
             and holds(replace(one, named=()), config, "", 0, False)]
    return UNKNOWN_FILE.format(profile.title, edits[0]) if edits and not profile.references else ""


def own_steps(model: Any) -> int:
    """Steps of a distilled model, which is run on its own noise levels; 0 for any other."""
    profile, files = profile_of(model), files_of(model)
    known, few = (profile.steps, profile.few) if profile is not None else (0, 0)
    told = (distilled_steps(file_words(file), DISTILLED, few) for file in (*files.loras, *files.model))
    return known or next(filter(None, told), 0) or (LCM_STEPS if answers_with_the_end(model) else 0)


def answers_with_the_end(model: Any) -> bool:
    """Whether the model is sampled as a consistency model (LCM): it answers with the end of the path from where it is,
    not with the mean of what could be there, so its slope cannot be followed upwards."""
    # the host defines this one in a node's module, and other packs their own
    return any(base.__name__ == "LCM" for base in type(model.get_model_object("model_sampling")).__mro__)


def preferred_mode(model: Any) -> str:
    """What the mode `auto` means for a model: replay or lock-step (METHOD §3)."""
    if own_steps(model):
        return "lock-step"
    family = find_family(network_of(model))
    return family.auto if family is not None else "lock-step"


def gates_can_reach(model: Any) -> bool:
    """Whether the attention of a MODEL can be gated, or it is refused for another reason than that it cannot."""
    family = find_family(network_of(model))
    return family is not None and family.refusal != CLOSED


def attention_blocks(model: Any) -> Available:
    """Parts and block numbers of the model that hold self-attention; block numbers are the host's own.

    Raises ValueError, one sentence, for a model that the gates cannot reach.
    """
    network = network_of(model)
    family = require_family(network)
    found: dict[str, Sequence[int]] = {}
    for blocks in family.blocks:
        if not blocks.part:
            continue
        there = getattr(network, blocks.attribute)
        found[blocks.part] = _unet_numbers(there) if family.located == "patch" else range(len(there))
    return found


def _unet_numbers(blocks: Any) -> list[int]:
    """Numbers of the UNet blocks that hold self-attention; the middle block is one block."""
    if blocks is None:
        return []
    if not isinstance(blocks, torch.nn.ModuleList):
        blocks = [blocks]
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
    if latent.ndim == 4 and fmt.latent_dimensions == 3:
        raise ValueError(f"{name}: this latent was made by a VAE of pictures, the model's own has a time axis; encode "
                         "with the model's VAE.")
    network = network_of(model)
    family = find_family(network)
    patch = patch_size(family, network) if family is not None and family.whole else 1
    if latent.shape[-1] % patch or latent.shape[-2] % patch:
        raise ValueError(
            f"{name}: the latent of {latent.shape[-1]}x{latent.shape[-2]} is no multiple of this model's patches of "
            f"{patch}; set size of Crop Face Pairs to a multiple of 64."
        )
    if not torch.isfinite(latent).all():
        raise ValueError(
            f"{name}: the latent holds NaN or infinite values; check the VAE (try fp32 VAE) and the picture."
        )


def check_prompt(model: Any, prompt: Any, name: str) -> None:
    """Raise ValueError, naming the input, where a conditioning was encoded for another model: its tokens or its pooled
    text have another width than the model reads, or where it is none. What the pack does not know of a model is not
    checked."""
    given = () if prompt is None else prompt
    if not (isinstance(given, (list, tuple)) and all(_is_entry(entry) for entry in given)):
        raise ValueError(f"{name} is {shown(prompt)}: connect a conditioning, as CLIP Text Encode gives it.")
    widths = _text_widths(model)
    if widths is None or prompt is None:
        return
    wanted, pooled = widths
    for tokens, options in prompt:
        if tokens.shape[-1] != wanted:
            raise ValueError(_other_model(name, "tokens", int(tokens.shape[-1]), wanted))
        given = options.get("pooled_output")
        if pooled and isinstance(given, Tensor) and given.shape[-1] != pooled:
            raise ValueError(_other_model(name, "a pooled text", int(given.shape[-1]), pooled))


def _is_entry(entry: Any) -> bool:
    """Whether it is one of a conditioning: tokens and a dictionary of what belongs to them."""
    return (isinstance(entry, (list, tuple)) and len(entry) == 2 and isinstance(entry[0], Tensor)
            and entry[0].ndim >= 3 and entry[0].numel() > 0 and isinstance(entry[1], dict))


def _other_model(name: str, what: str, found: int, wanted: int) -> str:
    return (f"{name}: this prompt was encoded for another model ({what} of {found} numbers, this model reads "
            f"{wanted}); encode it with the text encoder that belongs to the model.")


def _text_widths(model: Any) -> tuple[int, int] | None:
    """Widths of a text token and of the pooled text, 0 where there is none or it is not known; None for a model whose
    text the table does not tell."""
    network, config = network_of(model), model.model.model_config.unet_config
    family = find_family(network)
    empty = family.empty if family is not None else None
    if empty is None:
        return None

    def width_of(path: str | int) -> int:
        return path if isinstance(path, int) else follow(config, path) or follow(network, path) or 0

    width = math.prod(width_of(path) for path in empty.width)
    if not isinstance(width, int) or not width:
        return None
    # a number stands for what older hosts ask for and do not use
    named = [path for path in empty.pooled if isinstance(path, str)]
    return width, next((found for path in named if (found := width_of(path))), 0)


def _pooled_width(model: Any) -> int:
    """Width of the pooled text that a model reads, 0 for none."""
    network, config = network_of(model), model.model.model_config.unet_config
    family = find_family(network)
    empty = family.empty if family is not None else None
    if empty is None or empty.pooled_if and not (follow(config, empty.pooled_if) or follow(network, empty.pooled_if)):
        return 0
    found = (path if isinstance(path, int) else follow(config, path) or follow(network, path) for path in empty.pooled)
    return next((int(width) for width in found if width), 0)


def with_pooled(model: Any, prompt: Any) -> Any:
    """A conditioning with the pooled text that the model reads in every entry: zeros, as in an empty prompt, where the
    text encoder gave none."""
    width = 0 if prompt is None else _pooled_width(model)
    if not width or all(options.get("pooled_output") is not None for _, options in prompt):
        return prompt
    logging.warning("EditedID: the prompt brings no pooled text, which this model reads; zeros stand for it. Encode it "
                    "with all text encoders of the model.")
    return [[tokens, options if options.get("pooled_output") is not None else
             {**options, "pooled_output": torch.zeros(1, width)}] for tokens, options in prompt]


def empty_conditioning(model: Any) -> list[list[Any]]:
    """A conditioning of zeros in the model's own widths: no text encoder needed.

    Works for models trained or tuned to take an empty text; others want a real (empty) prompt.
    """
    network, config = network_of(model), model.model.model_config.unet_config
    family = find_family(network)
    empty = family.empty if family is not None else None

    def width_of(path: str | int) -> int:
        return path if isinstance(path, int) else follow(config, path) or follow(network, path) or 0

    width = math.prod(width_of(path) for path in empty.width) if empty is not None else 0
    if empty is None or not width:
        raise ValueError(
            "positive: this model needs a prompt; connect its text encoder to clip, or a CLIP Text Encode with an "
            "empty prompt to positive and negative."
        )
    pooled = _pooled_width(model)
    extra: dict[str, Any] = {"pooled_output": torch.zeros(1, pooled)} if pooled else {}
    if empty.counted:
        extra["num_tokens"] = empty.tokens
        extra["attention_mask"] = torch.ones(1, empty.tokens, dtype=torch.long)
    return [[torch.zeros(1, empty.tokens, width), extra]]
