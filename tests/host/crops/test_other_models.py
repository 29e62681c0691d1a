"""Prompts, VAEs and latents that belong to another model, told before the host's own words are."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from torch import Tensor

from lab import toys
from lab.checkpoints import CROPS
from lab.toys import TOYS


def test_a_prompt_of_another_model_is_refused_before_anything_runs(
    core: Any, call: Any, models: tuple[Any, Any], pictures: tuple[Tensor, Tensor], crops: Any
) -> None:
    (tokens, options), = core("comfy.model_profile").empty_conditioning(models[0])
    other = [[torch.zeros(1, 7, tokens.shape[-1] + 5), options]]

    class Never:
        name, licence = "never", "none"

        def find(self, image: Any, threshold: float = 0.5) -> list[Any]:
            raise AssertionError("faces were looked for")

    for name in ("positive", "negative"):
        with pytest.raises(ValueError, match=f"{name}: this prompt was encoded for another model") as told:
            call("RestoreIdentity", model=models[0], vae=models[1], original=pictures[0], edited=pictures[1],
                 analyzer=Never(), crop_size=128, **{name: other})
        assert "\n" not in str(told.value)
    original, edited, face, _, _ = crops(size=128)
    latents = [{"samples": models[1].encode(picture)} for picture in (original, edited)]
    with pytest.raises(ValueError, match="another model"):
        call("AdaptiveMixingSampler", model=models[0], original_latent=latents[0], edited_latent=latents[1],
             face_mask=face, positive=other)


@pytest.mark.parametrize("prompt", ["a face", [["a", {}]], [[None, {}]], [[torch.zeros(1, 7, 768)]], 7 * [3],
                                    [[torch.zeros(7, 768), {}]], [[torch.zeros(1, 0, 768), {}]]])
def test_a_prompt_that_is_none_is_refused(
    call: Any, models: tuple[Any, Any], pictures: tuple[Tensor, Tensor], prompt: Any
) -> None:
    with pytest.raises(ValueError, match="^positive is .*: connect a conditioning"):
        call("RestoreIdentity", model=models[0], vae=models[1], original=pictures[0], edited=pictures[1],
             positive=prompt)


def test_a_vae_of_another_model_is_named(
    call: Any, models: tuple[Any, Any], analyzer: Any, pictures: tuple[Tensor, Tensor], crops: Any
) -> None:
    class Other:
        """The host's VAE with latents of another width."""

        latent_channels = 16
        downscale_ratio = models[1].downscale_ratio

        def encode(self, picture: Tensor) -> Tensor:
            return models[1].encode(picture).repeat(1, 4, 1, 1)

    other = Other()
    with pytest.raises(ValueError, match="^vae: the latent has 16 channels but this model works on 4"):
        call("RestoreIdentity", model=models[0], vae=other, original=pictures[0], edited=pictures[1],
             analyzer=analyzer, crop_size=CROPS["unet"])
    original, edited, face, element, _ = crops(size=64)
    latents = [{"samples": other.encode(picture)} for picture in (original, edited)]
    with pytest.raises(ValueError, match="^vae: it reads latents of 4 channels, not of 16"):
        call("ReturnDetail", restored=edited, original=original, edited=edited, original_latent=latents[0],
             edited_latent=latents[1], vae=models[1], face_mask=face, element_mask=element)


@pytest.mark.parametrize("channels", [3, 4])
def test_a_family_of_videos_restores_one_frame_with_its_own_vae(
    call: Any, analyzer: Any, pictures: tuple[Tensor, Tensor], channels: int
) -> None:
    """The host's own VAE, whose latents have a time axis, and which may give alpha, too."""
    model, vae = toys.make(TOYS["wan"]), toys.video_vae(channels)
    with torch.inference_mode():
        latent = vae.encode(pictures[0][:, :64, :64])
        assert latent.shape == (1, 16, 1, 8, 8) and vae.decode(latent).shape == (1, 1, 64, 64, channels)
    image, mask, _, _, report = call("RestoreIdentity", model=model, vae=vae, original=pictures[0], edited=pictures[1],
                                   analyzer=analyzer, crop_size=64, steps=2, guard=False)[:5]
    told = json.loads(report)
    assert told["network_evaluations"] > 0 and told["outside_pixels_changed"] == 0
    assert image.shape == pictures[1].shape and torch.isfinite(image).all()
    assert float((image - pictures[1])[mask > 0.5].abs().mean()) > 0.02


@pytest.mark.parametrize("kind", ["flux", "hunyuan_video", "kandinsky5", "sd15", "wan"])
def test_a_latent_of_odd_sides_is_taken_or_refused_in_words(call: Any, kind: str) -> None:
    if not toys.exists(TOYS[kind]):
        pytest.skip(f"this host has no {TOYS[kind].config}")
    original, edited = ({"samples": latent[..., :7, :5]} for latent in toys.latents(TOYS[kind]))
    prompt = toys.conditioning(TOYS[kind])
    given = dict(model=toys.make(TOYS[kind]), original_latent=original, edited_latent=edited, positive=prompt,
                 negative=prompt, face_mask=torch.ones(1, 56, 40), steps=1, strength=1.0)
    if kind in ("hunyuan_video", "kandinsky5"):  # the host's network fills nothing up
        with pytest.raises(ValueError, match="7 is no multiple of this model's patches of 2; set size"):
            call("AdaptiveMixingSampler", **given)
    else:
        assert torch.isfinite(call("AdaptiveMixingSampler", **given)[0]["samples"]).all()


@pytest.mark.parametrize("kind", ["hunyuan_video", "kandinsky5", "sd3", "sdxl"])
def test_zeros_stand_for_a_pooled_text_that_the_text_encoder_does_not_give(call: Any, kind: str) -> None:
    if not toys.exists(TOYS[kind]):
        pytest.skip(f"this host has no {TOYS[kind].config}")
    original, edited = ({"samples": latent} for latent in toys.latents(TOYS[kind], 4, 4))
    (tokens, options), = toys.conditioning(TOYS[kind])
    given = dict(model=toys.make(TOYS[kind]), original_latent=original, edited_latent=edited, steps=1, strength=1.0,
                 face_mask=torch.ones(1, 32, 32))
    zeros = torch.zeros_like(options.pop("pooled_output"))
    made = [call("AdaptiveMixingSampler", **given, positive=[[tokens, {**options, **pooled}]])[0]["samples"]
            for pooled in ({"pooled_output": zeros}, {}, {"pooled_output": None})]
    assert torch.equal(made[0], made[1]) and torch.equal(made[0], made[2])


@pytest.mark.parametrize("kind", sorted(TOYS))
def test_every_family_takes_its_own_prompt(core: Any, kind: str) -> None:
    if not toys.exists(TOYS[kind]):
        pytest.skip(f"this host has no {TOYS[kind].config}")
    profile = core("comfy.model_profile")
    profile.check_prompt(toys.make(TOYS[kind]), toys.conditioning(TOYS[kind]), "positive")
