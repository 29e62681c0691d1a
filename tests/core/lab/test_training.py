"""The training scripts at a toy budget: they learn, resume exactly, and export what they trained."""
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from lab import models_io
from lab.train import dataset, export, train_autoencoder, train_diffusion
from lab.train.autoencoder import ENLARGED, Decoder, Encoder, Principal, cells_of, enlarge, start_from_principal
from lab.train.optim import Average, orthogonalise, rate

QUICK = ["--device", "cpu", "--seed", "3"]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 rendered portraits; the first are also the held-out ones."""
    folder = tmp_path_factory.mktemp("crops")
    pictures = np.stack([dataset.portrait(dataset.TRAIN_SEED, i) for i in range(24)])
    np.save(folder / "train.npy", pictures)
    np.save(folder / "held_out.npy", pictures[:8])
    return folder


@pytest.fixture(scope="module")
def autoencoders(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Both autoencoders after three steps; the encoder of each is fixed."""
    found = {}
    for channels in (4, 16):
        out = tmp_path_factory.mktemp(f"ae{channels}")
        train_autoencoder.main(["--channels", str(channels), "--cache", str(cache), "--out", str(out), "--steps", "3",
                                "--batch", "2", "--joint", "0.3", *QUICK])
        found[channels] = out / "autoencoder.pt"
    return found


def _diffusion(family: str, channels: int, cache: Path, autoencoders: dict[int, Path], out: Path, steps: int) -> dict:
    train_diffusion.main(["--family", family, "--autoencoder", str(autoencoders[channels]), "--cache", str(cache),
                          "--out", str(out), "--steps", str(steps), "--batch", "2", *QUICK])
    return torch.load(out / "model.pt", weights_only=True)


def test_pictures_do_not_depend_on_when_they_are_drawn(cache: Path) -> None:
    train = dataset.open_cache(cache).train
    assert np.array_equal(dataset.portrait(dataset.TRAIN_SEED, 5), train[5])
    assert not np.array_equal(train[4], train[5])


def test_missing_cache_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="lab.train.dataset"):
        dataset.open_cache(tmp_path)


@pytest.mark.parametrize("channels", [4, 16])
def test_encoder_starts_as_the_principal_components(cache: Path, channels: int) -> None:
    pictures = enlarge(train_autoencoder.to_tensor(dataset.open_cache(cache).train, "cpu"), channels)
    assert pictures.shape[2] == ENLARGED[channels] * dataset.SIZE
    principal = Principal(pictures, channels)
    encoder = Encoder(channels)
    start_from_principal(encoder, Decoder(channels), principal)
    with torch.no_grad():
        latents = encoder(pictures[:2])
    expected = (cells_of(pictures[:2]) - principal.mean) @ principal.matrix.T
    assert np.abs(latents.permute(0, 2, 3, 1).reshape(-1, channels).numpy() - expected).max() < 1e-4
    assert latents.std() == pytest.approx(1, abs=0.4)


def test_autoencoder_reports_and_freezes(autoencoders: dict[int, Path]) -> None:
    for channels, path in autoencoders.items():
        pair = train_autoencoder.load(path)
        assert pair.frozen and pair.encoder.channels == channels


def test_diffusion_refuses_an_unfinished_encoder(cache: Path, autoencoders: dict[int, Path], tmp_path: Path) -> None:
    state = torch.load(autoencoders[4], weights_only=True) | {"frozen": False}
    torch.save(state, tmp_path / "autoencoder.pt")
    with pytest.raises(ValueError, match="still training"):
        train_diffusion.latents_of(tmp_path / "autoencoder.pt", cache, tmp_path, "cpu")


@pytest.mark.parametrize(("family", "channels"), [("unet", 4), ("dit", 16)])
def test_a_resumed_run_equals_an_unbroken_one(family: str, channels: int, cache: Path, autoencoders: dict[int, Path],
                                              tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = _diffusion(family, channels, cache, autoencoders, tmp_path / "whole", 4)
    monkeypatch.setattr(train_diffusion, "SAVE", 2)
    stopped = train_diffusion.Run.step
    monkeypatch.setattr(train_diffusion.Run, "step", _stop_at(3, stopped))
    with pytest.raises(KeyboardInterrupt):
        _diffusion(family, channels, cache, autoencoders, tmp_path / "parts", 4)
    monkeypatch.setattr(train_diffusion.Run, "step", stopped)
    parts = _diffusion(family, channels, cache, autoencoders, tmp_path / "parts", 4)
    assert parts["steps"] == whole["steps"] == 4
    for name, value in whole["model"].items():
        assert torch.equal(value, parts["model"][name]), name


def _stop_at(step: int, original):
    def interrupted(self: train_diffusion.Run, latents: torch.Tensor) -> torch.Tensor:
        if self.clock.steps == step:
            raise KeyboardInterrupt
        return original(self, latents)
    return interrupted


@pytest.mark.parametrize("family", ["unet", "dit"])
def test_packed_checkpoint_expands_to_what_was_packed(family: str, tmp_path: Path) -> None:
    diffusion, encoder, decoder = export.untrained(family)
    torch.manual_seed(1)
    diffusion = {k: v + 0.02 * torch.randn_like(v) for k, v in diffusion.items()}
    tensors = export.checkpoint(diffusion, encoder, decoder)
    models_io.pack(tensors, tmp_path / "packed.safetensors", export.EIGHT_BIT, {"training": "none"})
    models_io.expand(tmp_path / "packed.safetensors", tmp_path / "whole.safetensors")
    whole, metadata = models_io.read(tmp_path / "whole.safetensors")
    assert metadata["training"] == "none" and whole.keys() == tensors.keys()
    for name, value in tensors.items():
        assert whole[name].shape == value.shape
        step = np.abs(value).max() / 127 if value.ndim > 1 else np.abs(value).max() / 1000
        assert np.abs(whole[name] - value).max() <= step, name
    assert (tmp_path / "packed.safetensors").stat().st_size < 40e6


def test_a_foreign_file_is_refused(tmp_path: Path) -> None:
    models_io.write(tmp_path / "plain.safetensors", {"a": np.zeros(3, np.float16)})
    with pytest.raises(ValueError, match="not a packed model"):
        models_io.expand(tmp_path / "plain.safetensors", tmp_path / "out.safetensors")
    (tmp_path / "pointer").write_text("version https://git-lfs.github.com/spec/v1")
    with pytest.raises(ValueError, match="LFS"):
        models_io.read(tmp_path / "pointer")


def test_orthogonalise_evens_out_singular_values() -> None:
    torch.manual_seed(0)
    matrices = torch.randn(2, 40, 90) @ torch.diag(torch.logspace(0, 1.0, 90))
    values = torch.linalg.svdvals(orthogonalise(matrices).float())
    assert values.min() > 0.4 and values.max() < 1.4


def test_average_swaps_and_returns() -> None:
    layer = torch.nn.Linear(2, 2)
    average, before = Average(layer, 0.5), layer.weight.detach().clone()
    layer.weight.data += 1
    average.update(100)
    average.swap()
    assert torch.allclose(layer.weight, before + 0.5)
    average.swap()
    assert torch.allclose(layer.weight, before + 1)


def test_rate_rises_then_falls_to_zero() -> None:
    assert rate(0, 0, 10) == pytest.approx(0.1) and rate(0, 10, 10) == 1
    assert rate(1, 100, 10) == pytest.approx(0) and rate(2, 100, 10) == pytest.approx(0)
