"""The lab's checkpoints in a real host: detected as what they are, good at noise, and their samples show faces."""
from __future__ import annotations

import importlib
import json
from typing import Any

import numpy as np
import pytest
import torch

from lab.checkpoints import CROPS, FILES
from lab.inprocess import Host
from lab.train import dataset
from lab.train.autoencoder import enlarge
from lab.train.samples import no_text

FAMILIES = tuple(CROPS)
UNET = {"num_res_blocks": [1, 1], "channel_mult": [1, 1], "transformer_depth": [0, 1],
        "transformer_depth_output": [1, 0, 0, 1], "transformer_depth_middle": 1, "context_dim": 768}


@pytest.fixture(scope="module")
def loaded(host: Host) -> dict[str, tuple[Any, Any]]:
    """Model and VAE of each family, by the stock loader."""
    loader = host.node("CheckpointLoaderSimple")
    return {family: loader().load_checkpoint(FILES[family])[::2][:2] for family in FAMILIES}


@pytest.fixture(scope="module")
def portraits() -> torch.Tensor:
    """(2,128,128,3): two people that no model has seen."""
    pictures = np.stack([dataset.portrait(dataset.HELD_OUT_SEED, dataset.SCENES * i) for i in range(2)])
    return torch.from_numpy(pictures).float() / 255


def _sampled(host: Host, model: Any, vae: Any, family: str, steps: int, seed: int) -> torch.Tensor:
    text = no_text(vae.latent_channels)
    empty = {"samples": torch.zeros(4, vae.latent_channels, CROPS[family] // 8, CROPS[family] // 8)}
    scheduler = "simple" if family == "dit" else "normal"
    with torch.inference_mode():
        latent = host.node("KSampler")().sample(model, seed, steps, 1.0, "euler", scheduler, text, text, empty)[0]
        return vae.decode(latent["samples"]).clamp(0, 1)


def test_the_host_sees_the_stock_families(loaded: dict[str, tuple[Any, Any]]) -> None:
    unet, dit = (loaded[family][0].model for family in FAMILIES)
    assert type(unet.model_config).__name__ == "SD15" and type(dit.model_config).__name__ == "SD3"
    assert {k: unet.model_config.unet_config[k] for k in UNET} == UNET
    assert dit.model_config.unet_config["depth"] == 4 and dit.model_config.unet_config["qk_norm"] == "rms"
    sizes = importlib.import_module("editedid_core.comfy.model_profile").native_size
    assert {family: sizes(model) for family, (model, _) in loaded.items()} == CROPS


@pytest.mark.parametrize("family", FAMILIES)
def test_latents_reach_the_model_at_unit_variance(loaded: dict[str, tuple[Any, Any]], portraits: torch.Tensor,
                                                  family: str) -> None:
    model, vae = loaded[family]
    portraits = enlarge(portraits.permute(0, 3, 1, 2), vae.latent_channels).permute(0, 2, 3, 1)
    assert portraits.shape[1:3] == (CROPS[family], CROPS[family])
    with torch.inference_mode():
        latents = vae.encode(portraits)
        back = vae.decode(latents).clamp(0, 1)
    assert 0.8 < float(model.model.process_latent_in(latents).std()) < 1.3
    assert float((-10 * (back - portraits).square().mean((1, 2, 3)).log10()).mean()) > {"unet": 31, "dit": 41}[family]


@pytest.mark.parametrize("family", FAMILIES)
def test_samples_from_noise_show_faces(host: Host, loaded: dict[str, tuple[Any, Any]], family: str) -> None:
    images = _sampled(host, *loaded[family], family, steps=4, seed=5)
    analyzer = host.node("EditedIDLoadFaceAnalyzer").execute("insightface", "lab", 320)[0]
    found = [analyzer.find((image.numpy() * 255).astype(np.uint8)) for image in images]
    assert sum(len(faces) == 1 for faces in found) >= 3, json.dumps([len(faces) for faces in found])
