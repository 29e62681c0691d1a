"""A ControlNet that the model carries as a patch, as the host's nodes for Qwen-Image and Z-Image put it there."""

from __future__ import annotations

import importlib
import json
from typing import Any

import pytest
import torch
from torch import Tensor

from lab import toys
from lab.inprocess import Host
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


def test_a_patch_of_the_host_s_that_cannot_be_cut_is_left_out_and_said_on_the_node(
    host: Host, analyzer: Any, pictures: tuple[Tensor, Tensor], parts: tuple[Any, Any, Any]
) -> None:
    model, vae, _ = parts
    height, width = pictures[1].shape[1:3]
    hint = torch.zeros(1, 4, height // 8, width // 8)
    model = model.clone()
    importlib.import_module("comfy.ldm.supir.supir_patch").SUPIRPatch(None, [], hint, 1.0, 1.0).register(model)
    node = host.node("EditedIDRestoreIdentity")
    values = {i.id: i.default for i in node.define_schema().inputs if getattr(i, "default", None) is not None}
    with torch.inference_mode():
        done = node.execute(**{**values, "crop_size": SIZE, "guard": False, "steps": 1}, model=model, vae=vae,
                            original=pictures[0], edited=pictures[1], analyzer=analyzer)
    sentence = "SUPIRPatch on the MODEL keeps a picture that cannot be cut to a face, and is left out."
    assert done.ui["editedid_cautions"].count(sentence) == 1 and sentence in json.loads(done.result[4])["notes"]
