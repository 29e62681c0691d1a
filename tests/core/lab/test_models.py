"""The shipped model files: whole, small, and as good as their cards say."""
from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from lab import models_io
from lab.checkpoints import CROPS
from lab.train import dataset
from lab.train.autoencoder import ENLARGED, Decoder, Encoder, enlarge
from lab.train.train_autoencoder import psnr, to_tensor

SHIPPED = Path(__file__).resolve().parents[3] / "lab" / "models"
CHANNELS = {"unet_lab": 4, "dit_lab": 16}


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, torch.Tensor]]:
    """Every shipped checkpoint, expanded and read as float32."""
    folder, found = tmp_path_factory.mktemp("expanded"), {}
    for name in CHANNELS:
        models_io.expand(SHIPPED / f"{name}.safetensors", folder / f"{name}.safetensors")
        tensors, _ = models_io.read(folder / f"{name}.safetensors")
        found[name] = {k: torch.from_numpy(v.astype(np.float32)) for k, v in tensors.items()}
    return found


def _part(checkpoint: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {k[len(prefix) :]: v for k, v in checkpoint.items() if k.startswith(prefix)}


@pytest.mark.parametrize(("rendered", "most"), [(False, 60e6), (True, 25e6)])
def test_together_they_stay_small(rendered: bool, most: float) -> None:
    """The drawn world's models, and what the rendered world's may add."""
    files = [path for path in SHIPPED.rglob("*")
             if path.is_file() and (SHIPPED / "people3d" in path.parents) == rendered]
    if rendered:  # its triples count as well
        files += [path for path in (SHIPPED.parent / "people3d" / "splits").rglob("*") if path.is_file()]
    assert 0 < sum(path.stat().st_size for path in files) < most


@pytest.mark.parametrize("name", CHANNELS)
def test_every_weight_is_there_and_finite(checkpoints: dict[str, dict[str, torch.Tensor]], name: str) -> None:
    checkpoint = checkpoints[name]
    assert all(torch.isfinite(value).all() for value in checkpoint.values())
    assert checkpoint["first_stage_model.taesd_decoder.1.weight"].shape == (64, CHANNELS[name], 3, 3)
    model = _part(checkpoint, "model.diffusion_model.")
    if name == "dit_lab":
        assert model["x_embedder.proj.weight"].shape == (256, 16, 2, 2)
        assert model["joint_blocks.3.x_block.attn.ln_q.weight"].shape == (64,)
        assert model["context_embedder.weight"].shape == (256, 4096)
    else:
        assert model["input_blocks.0.0.weight"].shape == (320, 4, 3, 3)
        attention = [k for k in model if k.endswith("attn1.to_q.weight")]
        assert {k.split(".")[0] for k in attention} == {"input_blocks", "middle_block", "output_blocks"}
        used = model["input_blocks.3.0.out_layers.3.weight"].abs().amax((1, 2, 3))
        assert len(used) == 320 and used.min() > 0, "channels that are never used"
        assert model["middle_block.1.transformer_blocks.0.attn2.to_k.weight"].shape == (320, 768)


@pytest.mark.parametrize("name", CHANNELS)
def test_autoencoder_is_as_good_as_its_card_says(checkpoints: dict[str, dict[str, torch.Tensor]], name: str) -> None:
    card = (SHIPPED / f"{name}.md").read_text(encoding="utf-8")
    stated = float(re.search(r"round trip[^|]*\|\s*([\d.]+) dB", card).group(1))
    pictures = np.stack([dataset.portrait(dataset.HELD_OUT_SEED, 64 * i) for i in range(4)])
    vae = _part(checkpoints[name], "first_stage_model.")
    encoder, decoder = Encoder(CHANNELS[name]), Decoder(CHANNELS[name])
    encoder.load_state_dict(_part(vae, "taesd_encoder."))
    decoder.load_state_dict(_part(vae, "taesd_decoder."))
    assert psnr(encoder, decoder, pictures, "cpu") == pytest.approx(stated, abs=1.5)  # four against the card's 256
    with torch.no_grad():  # not `encode`: a CPU is slow in bfloat16
        latents = encoder(enlarge(to_tensor(pictures[:2], "cpu"), encoder.channels))
    assert latents.shape[2] * 8 == CROPS[name.removesuffix("_lab")] == dataset.SIZE * ENLARGED[CHANNELS[name]]
    assert 0.8 < float(latents.std()) < 1.3
