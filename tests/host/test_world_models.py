"""The rendered world's formats in a real host, untrained: detected, fed with text and references, equal to training."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from lab import models_io
from lab.inprocess import Host
from lab.train import text, world_install
from lab.train.flux import Flux, FluxPlan
from lab.train.unet import UNet, UNetPlan, stock_unet

UNET = UNetPlan((40, 80, 40), (False, True, True), (True, True, True, False, False, False), text=True)
FLUX = FluxPlan(128, 1, 1)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Whole checkpoints of both families and the text encoder."""
    folder = tmp_path_factory.mktemp("people")
    world_install.untrained(folder / "run", FLUX, UNET)
    for packed in world_install.install_diffusion(folder / "run", folder / "packed"):
        models_io.expand(packed, folder / packed.name)
    text.write_file(folder / text.FILE)
    return folder


@pytest.fixture(scope="module")
def clip(host: Host, files: Path) -> Any:
    import comfy.sd

    return comfy.sd.load_clip([str(files / text.FILE)], clip_type=comfy.sd.CLIPType.STABLE_DIFFUSION)


def load(files: Path, file: str) -> tuple[Any, Any]:
    import comfy.sd

    model, _, vae = comfy.sd.load_checkpoint_guess_config(str(files / file), output_clip=False)[:3]
    return model, vae


@pytest.mark.parametrize("prompt", ["", "woman, glasses, make-up", ", ".join(list(text.WORDS)[:25])])
def test_the_hosts_text_is_what_training_computes(host: Host, clip: Any, prompt: str) -> None:
    (context, extra), = host.node("CLIPTextEncode")().encode(clip, prompt)[0]
    encoder = text.TextEncoder()
    rows = torch.from_numpy(encoder.rows(text.prompt_ids(prompt.split(", ") if prompt else [])))
    own, pooled = encoder(rows[None])
    assert torch.allclose(context, own, atol=2e-5) and torch.allclose(extra["pooled_output"], pooled, atol=2e-5)


def test_every_words_tokens_are_clips_own(clip: Any) -> None:
    for word, ids in text.WORDS.items():
        tokens = [token for token, _ in clip.tokenize(word)["l"][0]]
        assert tokens[1 : tokens.index(text.END, 1)] == list(ids), word


def _shaken(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.02 * torch.randn_like(p))
    return {k: v.detach() for k, v in model.state_dict().items()}


def test_the_unet_is_sd15_to_the_host_and_computes_the_same(files: Path) -> None:
    host_model, vae = load(files, "people_unet.safetensors")
    assert type(host_model.model.model_config).__name__ == "SD15" and vae.latent_channels == 4
    own = UNet(UNET)
    theirs = host_model.model.diffusion_model.float()
    theirs.load_state_dict(stock_unet(_shaken(own), UNET))
    x, t, context = torch.randn(2, 4, 16, 16), torch.tensor([5, 900]), torch.randn(2, 77, 768)
    with torch.no_grad():
        assert torch.allclose(own(x, t, context), theirs(x, t, context), atol=1e-4)


def test_the_transformer_is_flux_to_the_host_with_references(files: Path) -> None:
    host_model, vae = load(files, "people_dit.safetensors")
    assert type(host_model.model.model_config).__name__ == "Flux" and vae.latent_channels == 16
    own = Flux(FLUX)
    theirs = host_model.model.diffusion_model.float()
    names = theirs.state_dict()
    state = {k if k in names else k.replace("_norm.scale", "_norm.weight"): v for k, v in _shaken(own).items()}
    theirs.load_state_dict(state)
    x, ref, sigma = torch.randn(2, 16, 8, 8), torch.randn(2, 16, 8, 8), torch.tensor([0.3, 0.9])
    context, pooled, guidance = torch.randn(2, 77, 768), torch.randn(2, 768), torch.tensor([1.0, 3.5])
    with torch.no_grad():
        for references in ([], [ref], [ref, -ref]):
            mine = own(x, 1000 * sigma, context, pooled, guidance, references)
            yours = theirs(x, sigma, context, pooled, guidance, ref_latents=references or None)
            assert torch.allclose(mine, yours, atol=1e-4)


@pytest.mark.parametrize("file", ["people_unet.safetensors", "people_dit.safetensors"])
def test_both_sample_with_text_and_their_autoencoder_meets_its_own_latents(host: Host, files: Path, clip: Any,
                                                                           file: str) -> None:
    model, vae = load(files, file)
    encode = host.node("CLIPTextEncode")()
    positive, negative = encode.encode(clip, "man, beard")[0], encode.encode(clip, "")[0]
    picture = torch.rand(1, 64, 64, 3)
    with torch.inference_mode():
        latent = vae.encode(picture)
        if vae.latent_channels == 16:
            positive = host.node("ReferenceLatent").execute(positive, {"samples": latent})[0]
        start = {"samples": torch.zeros(1, vae.latent_channels, 8, 8)}
        made = host.node("KSampler")().sample(model, 1, 2, 2.0, "euler", "simple", positive, negative, start)[0]
        assert torch.isfinite(vae.decode(made["samples"])).all()
        saved = torch.load(files / "run" / f"ae{vae.latent_channels}.pt", weights_only=True)
        own = world_install.autoencoder(saved)[0](picture.permute(0, 3, 1, 2))
        assert torch.allclose(model.model.process_latent_in(latent), own, atol=1e-3)
