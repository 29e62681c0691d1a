"""A ControlNet that the model carries as a patch, as the host's nodes for Qwen-Image and Z-Image put it there."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
import torch
from torch import Tensor

from lab import toys
from lab.toys import TOYS

SIZE = 64


@pytest.fixture(scope="module")
def parts() -> tuple[Any, Any, Any]:
    """Qwen-Image with its VAE and its ControlNet, small and with random weights."""
    patches, patcher = (importlib.import_module(name) for name in ("comfy_extras.nodes_model_patch",
                                                                   "comfy.model_patcher"))
    network = patches.QwenImageBlockWiseControlNet(num_layers=2, dim=64, operations=torch.nn)
    toys.fill(network)
    cpu = torch.device("cpu")
    return (toys.make(TOYS["qwen"]), toys.video_vae(),
            patcher.ModelPatcher(network, load_device=cpu, offload_device=cpu))


def test_its_picture_of_the_whole_edit_equals_cropping_first(
    core: Any, call: Any, analyzer: Any, pictures: tuple[Tensor, Tensor], crops: Any, parts: tuple[Any, Any, Any]
) -> None:
    model, vae, network = parts
    node = importlib.import_module("comfy_extras.nodes_model_patch").QwenImageDiffsynthControlnet()
    height, width = pictures[1].shape[1:3]
    x = torch.linspace(0, 1, width).expand(height, width)
    hint = torch.stack([x, x.flip(1), torch.linspace(0, 1, height)[:, None].expand(height, width)], -1)[None].square()

    def controlled(picture: Tensor) -> Any:
        with torch.inference_mode():
            return node.diffsynth_controlnet(model, network, vae, picture, 20.0)[0]

    def restored(model: Any) -> Tensor:
        return call("RestoreIdentity", model=model, vae=vae, original=pictures[0], edited=pictures[1],
                    analyzer=analyzer, crop_size=SIZE, guard=False, steps=2, face_shape=0.0)[0]

    given = controlled(hint)
    whole, plain = restored(given), restored(model)
    (patch,) = given.model_options["transformer_options"]["patches"]["double_block"]
    assert torch.equal(patch.image, hint)  # the user's own stays

    original, edited, face, element, paste = crops(size=SIZE)
    with torch.inference_mode():
        latents = [{"samples": vae.encode(picture)} for picture in (original, edited)]
    cut = controlled(core("crops.cut").cut_crops(hint, paste))
    gated = call("Entanglement", model=call("AttentionDisentangle", model=cut)[0])[0]
    latent = call("AdaptiveMixingSampler", model=gated, original_latent=latents[0], edited_latent=latents[1],
                  face_mask=face, element_mask=element, steps=2)[0]
    with torch.inference_mode():
        decoded = vae.decode(latent["samples"])[:, 0]
    detailed = call("ReturnDetail", restored=decoded, original=original, edited=edited, original_latent=latents[0],
                    edited_latent=latents[1], vae=vae, face_mask=face, element_mask=element)[0]
    first = call("PasteFaces", edited_image=pictures[1], crops=detailed, paste=paste)[0]
    effect, off = (float((whole - other).abs().max()) for other in (plain, first))
    assert effect > 0.02
    assert off < 0.01 * effect, (effect, off)
