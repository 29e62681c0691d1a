"""What the crops need of the VAE and of the prompt, on the lab's models in a real host."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from lab import toys
from lab.checkpoints import CROPS
from lab.inprocess import Host
from lab.toys import TOYS

FAMILY = "unet"


@pytest.mark.parametrize("size", [100, 110, 128, 200])
def test_the_vae_takes_crops_whole_and_landmarks_stay(
    host: Host, models: tuple[Any, Any], crops: Any, size: int, caplog: pytest.LogCaptureFixture
) -> None:
    made = crops(size=size)
    side = made[1].shape[1]
    assert side >= size and side % 64 == 0
    assert (f"size {size} became {side}" in caplog.text) == (side != size)
    cut = models[1].vae_encode_crop_pixels(made[1])
    assert torch.equal(cut, made[1])  # the host cuts nothing off, so that no landmark moves
    assert made[4].crops[0].size == side


def test_with_its_vae_the_crop_is_rounded_to_the_vae_s_own_factor(
    core: Any, models: tuple[Any, Any], crops: Any
) -> None:
    vae = core("comfy.vae")
    factor = models[1].spacial_compression_encode()
    assert crops(size=110, vae=models[1])[1].shape[1] == -(-110 // factor) * factor
    for ratio, multiple in ((32, 32), ((lambda a: a, 16, 16), 16), (1, 1), (None, 64)):
        assert vae.crop_multiple(type("VAE", (), {"downscale_ratio": ratio})()) == multiple
    assert vae.crop_multiple() == 64


def test_patches_count_for_transformers(core: Any) -> None:
    vae = core("comfy.vae")
    eight = type("VAE", (), {"downscale_ratio": 8})()
    assert vae.crop_multiple(eight, toys.make(TOYS["sd15"])) == 8
    assert vae.crop_multiple(eight, toys.make(TOYS["flux"])) == 16


def test_what_stands_in_the_way_is_said_on_the_node(
    call: Any, core: Any, models: tuple[Any, Any], analyzer: Any, pictures: tuple[Tensor, Tensor],
    monkeypatch: pytest.MonkeyPatch
) -> None:
    """A size that the VAE cannot take, a wrapper that runs the network without the host's hooks, and what of a prompt
    cannot be cut to a face."""
    (tokens, options), = core("comfy.model_profile").empty_conditioning(models[0])
    positive = [[tokens, {**options, "concat_latent_image": torch.zeros(1, 4, 8, 8)}]]
    network = models[0].model.diffusion_model
    forward = network.forward
    monkeypatch.setattr(network, "forward", lambda *args, transformer_options=None, **more: forward(*args, **more))
    image, _, _, _, report, *_ = call("RestoreIdentity", model=models[0], vae=models[1], original=pictures[0],
                                  edited=pictures[1], analyzer=analyzer, crop_size=99, steps=4,
                                  positive=positive)
    told = json.loads(report)
    notes = " ".join(told["notes"])
    assert told["model"] == "the lab's UNet" and core("comfy.sampling").NO_GATE_SEEN in told["notes"]
    assert notes.count("An inpainting picture of the whole picture cannot be cut to a face and is left out") == 1
    assert "crop_size 99 became" in notes and image.shape == pictures[1].shape


class Spoilt:
    """The host's VAE with one answer spoilt."""

    def __init__(self, vae: Any, stage: str, value: float) -> None:
        self._vae, self._stage, self._value = vae, stage, value

    def __getattr__(self, name: str) -> Any:
        return getattr(self._vae, name)

    def encode(self, picture: Tensor) -> Tensor:
        return self._spoil(self._vae.encode(picture), "encode")

    def decode(self, latent: Tensor) -> Tensor:
        return self._spoil(self._vae.decode(latent), "decode")

    def _spoil(self, x: Tensor, stage: str) -> Tensor:
        spoilt = torch.full_like(x[..., :1], self._value)
        return torch.cat([spoilt, x[..., 1:]], -1) if stage == self._stage else x


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("stage", ["encode", "decode"])
def test_a_vae_that_gives_no_numbers_is_named_and_not_hidden_by_the_guard(
    call: Any, models: tuple[Any, Any], analyzer: Any, pictures: tuple[Tensor, Tensor], stage: str, value: float
) -> None:
    with pytest.raises(ValueError, match=f"{stage}d crop holds values that are not numbers.*fp32-vae"):
        call("RestoreIdentity", model=models[0], vae=Spoilt(models[1], stage, value), original=pictures[0],
             edited=pictures[1], analyzer=analyzer, crop_size=64, steps=2, face_shape=1.0)


def test_the_stages_as_nodes_refuse_them_too(call: Any, models: tuple[Any, Any], analyzer: Any, crops: Any,
                                             pictures: tuple[Tensor, Tensor]) -> None:
    original, edited, face, element, paste = crops(size=128)
    bad = edited.clone()
    bad[0, 5, 5] = float("nan")
    latents = [{"samples": models[1].encode(picture)} for picture in (original, edited)]
    with pytest.raises(ValueError, match="restored"):
        call("ReturnDetail", restored=bad, original=original, edited=edited, original_latent=latents[0],
             edited_latent=latents[1], vae=models[1], face_mask=face, element_mask=element)
    with pytest.raises(ValueError, match="crops"):
        call("JudgeFaces", edited_image=pictures[1], edited=edited, crops=bad, paste=paste, analyzer=analyzer)
    with pytest.raises(ValueError, match="crops"):
        call("PasteFaces", edited_image=pictures[1], crops=bad, paste=paste)
    with pytest.raises(ValueError, match="decoded crop"):
        call("LayerProbe", model=models[0], vae=Spoilt(models[1], "decode", float("nan")), original_latent=latents[0],
             edited_latent=latents[1], face_mask=face, analyzer=analyzer)


def control(hint: Tensor, channels: int) -> Any:
    """A real ControlNet of the host whose network adds the hint's brightness to the first features."""
    controlnet = importlib.import_module("comfy.controlnet")

    class Bright(torch.nn.Module):
        dtype = torch.float32

        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.full((1,), 15.0), requires_grad=False)

        def forward(self, x: Tensor, hint: Tensor, **_: Any) -> dict[str, list[Tensor]]:
            small = torch.nn.functional.adaptive_avg_pool2d(hint.mean(1, keepdim=True), x.shape[-2:])
            return {"input": [self.weight * small.repeat(1, channels, 1, 1)], "middle": [], "output": []}

    net = controlnet.ControlNet(Bright(), load_device=torch.device("cpu"))
    net.extra_conds = []
    return net.set_cond_hint(hint.movedim(-1, 1))


@pytest.fixture(scope="module")
def prompt(core: Any, models: tuple[Any, Any], pictures: tuple[Tensor, Tensor]) -> Any:
    """A prompt with a ControlNet under a mask and another in an area, told in the coordinates of pictures of this size;
    the area as a mask where one is given."""
    profile = core("comfy.model_profile")
    channels = models[0].model.model_config.unet_config["model_channels"]
    height, width = pictures[1].shape[1:3]
    x = torch.linspace(0, 1, width).expand(height, width)
    hint = torch.stack([x, x.flip(1), torch.linspace(0, 1, height)[:, None].expand(height, width)], -1)[None].square()
    mask, left = torch.zeros(1, height, width), torch.zeros(1, height, width)
    mask[:, : height // 2] = 1
    left[..., : width // 2] = 1

    def masked(mask: Tensor) -> dict[str, Any]:
        return {"mask": mask, "mask_strength": 1.0, "set_area_to_bounds": False}

    def make(hint: Tensor = hint, mask: Tensor = mask, left: Tensor | None = None) -> list[list[Any]]:
        (tokens, options), = profile.empty_conditioning(models[0])
        first, second = ({**options, "control": control(one, channels), "control_apply_to_uncond": True}
                         for one in (hint, 1 - hint))
        area = {"area": (height // 8, width // 16, 0, 0), "strength": 1.0} if left is None else masked(left)
        return [[tokens, {**first, **masked(mask)}], [tokens, dict(options)], [tokens, {**second, **area}]]

    make.hint, make.mask, make.left = hint, mask, left  # type: ignore[attr-defined]
    return make


def test_a_prompt_of_the_whole_edit_equals_cropping_the_picture_first(
    core: Any, call: Any, models: tuple[Any, Any], analyzer: Any, pictures: tuple[Tensor, Tensor], crops: Any,
    prompt: Any
) -> None:
    """Hints, a mask and an area: Restore Identity with them on the edit, and the stages with them on the crop."""
    model, vae = models
    size = CROPS[FAMILY]
    common = dict(model=model, vae=vae, original=pictures[0], edited=pictures[1], analyzer=analyzer, crop_size=size,
                  guard=False, steps=2, face_shape=0.0)
    whole = call("RestoreIdentity", **common, positive=prompt())[0]
    plain = call("RestoreIdentity", **common)[0]

    original, edited, face, element, paste = crops(size=size)
    cut = core("crops.cut").cut_crops
    cropped = prompt(cut(prompt.hint, paste), *(cut(mask[..., None], paste)[..., 0] for mask in (prompt.mask,
                                                                                                prompt.left)))
    latents = [{"samples": vae.encode(picture)} for picture in (original, edited)]
    gated = call("Entanglement", model=call("AttentionDisentangle", model=model)[0])[0]
    latent = call("AdaptiveMixingSampler", model=gated, original_latent=latents[0], edited_latent=latents[1],
                  face_mask=face, element_mask=element, steps=2, positive=cropped)[0]
    restored = call("ReturnDetail", restored=vae.decode(latent["samples"]), original=original, edited=edited,
                    original_latent=latents[0], edited_latent=latents[1], vae=vae, face_mask=face,
                    element_mask=element)[0]
    first = call("PasteFaces", edited_image=pictures[1], crops=restored, paste=paste)[0]
    effect, off = (float((whole - other).abs().max()) for other in (plain, first))
    assert effect > 0.02
    assert off < 0.03 * effect  # the area's sides, which lie on no cell, as a mask


def test_hints_are_bent_along_with_the_face(
    core: Any, host: Host, call: Any, models: tuple[Any, Any], analyzer: Any, pictures: tuple[Tensor, Tensor],
    pairs: Any, prompt: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hint that reaches the sampler is that of a hint to which Shape Faces did what it does to the edit."""
    class Seen(Exception):
        pass

    def seen(model: Any, positive: Any, *rest: Any, **more: Any) -> Any:
        raise Seen(positive)

    node = host.node("EditedIDRestoreIdentity").__module__
    monkeypatch.setattr(sys.modules[node.replace(".restore", ".run")], "sample_pair", seen)
    with pytest.raises(Seen) as caught:
        call("RestoreIdentity", model=models[0], vae=models[1], original=pictures[0], edited=pictures[1],
             analyzer=analyzer, crop_size=CROPS[FAMILY], face_shape=1.0, positive=prompt())
    found = caught.value.args[0][0][1]["control"].cond_hint_original.movedim(1, -1)
    shaped, bent = (call("ShapeFaces", edited_image=image, pairs=pairs) for image in (pictures[1], prompt.hint))
    paste = call("CropFacePairs", original_image=pictures[0], edited_image=shaped[0], pairs=shaped[1],
                 size=CROPS[FAMILY])[4]
    straight, expected = (core("crops.cut").cut_crops(hint, paste) for hint in (prompt.hint, bent[0]))
    moved = float((straight - expected).abs().mean())
    assert moved > 1e-3
    assert float((found - expected).abs().mean()) < 0.1 * moved


@pytest.fixture(scope="module")
def prompted(call: Any, models: tuple[Any, Any], analyzer: Any, pictures: tuple[Tensor, Tensor]) -> Any:
    """Restore Identity's picture with a prompt, in a small crop."""
    common = dict(model=models[0], vae=models[1], original=pictures[0], edited=pictures[1], analyzer=analyzer,
                  crop_size=64, guard=False, steps=2, face_shape=0.0)
    return lambda positive: call("RestoreIdentity", **common, positive=positive)[0]


@pytest.fixture(scope="module")
def without_area(core: Any, models: tuple[Any, Any], prompted: Any) -> Tensor:
    return prompted(core("comfy.model_profile").empty_conditioning(models[0]))


def test_a_t2i_adapter_reads_the_hint_of_the_crop(
    core: Any, models: tuple[Any, Any], prompted: Any, without_area: Tensor, prompt: Any, crops: Any
) -> None:
    """The host's own adapter, small, with random weights: it acts, and what it gets is the cut hint."""
    made = importlib.import_module("comfy.t2i_adapter.adapter").Adapter_light([32, 64], nums_rb=1, cin=64 * 3)
    adapter = importlib.import_module("comfy.controlnet").T2IAdapter(made, 3, 8, "bicubic", torch.device("cpu"))
    seen: list[Tensor] = []
    channels = models[0].model.model_config.unet_config["model_channels"]

    def features(module: Any, given: Any, made: Any) -> dict[str, list[Tensor | None]]:
        seen.append(given[0])
        return {"input": [made["input"][3].mean(1, keepdim=True).repeat(1, channels, 1, 1) * 100]}

    made.register_forward_hook(features)
    adapter.set_cond_hint(prompt.hint.movedim(-1, 1))
    (tokens, options), = core("comfy.model_profile").empty_conditioning(models[0])
    result = prompted([[tokens, {**options, "control": adapter, "control_apply_to_uncond": True}]])
    cut = core("crops.cut").cut_crops(prompt.hint, crops(size=64)[4]).movedim(-1, 1)
    assert seen and all(float((one - cut).abs().max()) < 1e-5 for one in seen)
    assert float((result - without_area).abs().max()) > 0.01


@pytest.mark.parametrize("area", [(4, 4, 0, 0), (2, 2, 400, 400), ("percentage", 0.05, 0.05, 0.95, 0.95)])
def test_an_area_that_does_not_reach_the_face_changes_nothing(
    core: Any, models: tuple[Any, Any], prompted: Any, without_area: Tensor, area: Any
) -> None:
    (tokens, options), = core("comfy.model_profile").empty_conditioning(models[0])
    prompt = [[tokens, dict(options)], [tokens + 5, {**options, "area": area, "strength": 1.0}]]
    assert torch.equal(prompted(prompt), without_area)


def test_a_file_that_could_not_be_saved_is_told_before_the_probe_runs(
    host: Host, call: Any, models: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch, crops: Any, analyzer: Any
) -> None:
    folder_paths = importlib.import_module("folder_paths")
    blocker = Path(folder_paths.get_output_directory()) / "blocker"
    blocker.write_text("a file, no folder")
    original, edited, face, element, _ = crops(size=128)
    latents = [{"samples": models[1].encode(picture)} for picture in (original, edited)]
    given = dict(model=models[0], vae=models[1], original_latent=latents[0], edited_latent=latents[1], face_mask=face,
                 element_mask=element, analyzer=analyzer, gate="detail", together=64, steps=2)
    module = sys.modules[host.node("EditedIDLayerProbe").__module__]
    ran: list[int] = []
    sample = module.sample_pair
    monkeypatch.setattr(module, "sample_pair", lambda *a, **k: ran.append(1) or sample(*a, **k))
    try:
        with pytest.raises(ValueError, match="filename_prefix: nothing can be written"):
            call("LayerProbe", **given, filename_prefix="blocker/blocks")
        with pytest.raises(ValueError, match="^filename_prefix: .* leads out of the output folder"):
            call("LayerProbe", **given, filename_prefix="../../blocks")
    finally:
        blocker.unlink()
    assert not ran

    def full(*_: Any) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "save_block_file", full)
    structure, detail, file, report = call("LayerProbe", **given, filename_prefix="editedid/blocks")
    assert ran and file == "" and "Not saved" in report and "No space left" in report
    assert isinstance(structure, str) and isinstance(detail, str)
