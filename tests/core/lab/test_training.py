"""The autoencoders' and diffusion models' training at a toy budget: it resumes exactly and exports what it trained."""
from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from lab import models_io
from lab.train import dataset, export, measure, optim, train_autoencoder, train_diffusion
from lab.train.arithmetic import mixed
from lab.train.autoencoder import ENLARGED, Decoder, Encoder, Principal, cells_of, enlarge, start_from_principal
from lab.train.dit import DiT
from lab.train.optim import Average, orthogonalise, rate
from lab.train.unet import UNet, UNetPlan

QUICK = ["--device", "cpu", "--seed", "3", "--batch", "2"]
CHANNELS = {"unet": 4, "dit": 16}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """12 rendered portraits; a part of the first is also the held-out one."""
    folder = tmp_path_factory.mktemp("crops")
    pictures = np.stack([dataset.portrait(dataset.TRAIN_SEED, i) for i in range(12)])
    np.save(folder / "train.npy", pictures)
    np.save(folder / "held_out.npy", pictures[:1, 32:80, 40:88])
    return folder


def _autoencoder(channels: int, cache: Path, out: Path, *more: str) -> Path:
    train_autoencoder.main(["--channels", str(channels), "--cache", str(cache), "--out", str(out), "--steps", "2",
                            "--joint", "0.5", *QUICK, *more])
    return out / "autoencoder.pt"


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both diffusion models with a fraction of their weights: Muon's step on the whole ones takes seconds."""
    monkeypatch.setattr(train_diffusion.Eps, "build", lambda self: UNet(UNetPlan(widths=(40, 40))))
    monkeypatch.setattr(train_diffusion.Flow, "build", lambda self: DiT(depth=1))


def _diffusion(family: str, out: Path, stop: int | None = None) -> dict:
    """Two steps of training on latents of noise, broken off before step `stop`."""
    out.mkdir(exist_ok=True)
    noise = np.random.default_rng(0).standard_normal((6, CHANNELS[family], 4, 4))
    np.save(out / "latents.npy", noise.astype(np.float16))  # a run folder that has them encodes no pictures
    step = train_diffusion.Run.step

    def stopped(self: train_diffusion.Run, latents: torch.Tensor) -> torch.Tensor:
        if self.clock.steps == stop:
            raise KeyboardInterrupt
        return step(self, latents)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train_diffusion.Run, "step", stopped)
        train_diffusion.main(["--family", family, "--autoencoder", "none", "--cache", "none", "--out", str(out),
                              "--steps", "2", *QUICK])
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


def _pair(folder: Path, channels: int, frozen: bool) -> Path:
    """A file of train_autoencoder with untrained weights."""
    torch.manual_seed(0)
    encoder, decoder = Encoder(channels).state_dict(), Decoder(channels).state_dict()
    torch.save({"channels": channels, "frozen": frozen, "encoder": encoder, "decoder": decoder}, folder / "pair.pt")
    return folder / "pair.pt"


def test_latents_are_of_every_picture_and_its_mirror_image(cache: Path, tmp_path: Path) -> None:
    file = _pair(tmp_path, 4, frozen=True)
    train = dataset.open_cache(cache).train[:3, 32:80, 40:88]  # small: a CPU is slow in bfloat16
    for part in ("train", "held_out"):
        np.save(tmp_path / f"{part}.npy", train)
    latents = train_diffusion.latents_of(file, tmp_path, tmp_path / "run", "cpu")
    assert latents.shape == (2 * len(train), 4, 6, 6) and latents.dtype == torch.float16
    encoder = train_autoencoder.load(file).encoder
    for number, picture in ((1, train[1]), (len(train) + 1, train[1, :, ::-1])):
        assert torch.allclose(latents[number], train_autoencoder.encode(encoder, picture[None])[0], atol=0.02)


def test_diffusion_refuses_an_unfinished_encoder(cache: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="still training"):
        train_diffusion.latents_of(_pair(tmp_path, 16, frozen=False), cache, tmp_path, "cpu")


def test_a_resumed_autoencoder_equals_an_unbroken_one(
    cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train_autoencoder, "CROP", 16)  # small: a CPU is slow in bfloat16
    monkeypatch.setattr(optim, "orthogonalise", partial(orthogonalise, steps=1))
    whole = torch.load(_autoencoder(4, cache, tmp_path / "whole"), weights_only=True)
    for _ in range(2):  # given again, the command does not go on past the fixed encoder
        _autoencoder(4, cache, tmp_path / "parts", "--until-fixed")
        assert torch.load(tmp_path / "parts" / "state.pt", weights_only=True)["steps"] == 1
    parts = torch.load(_autoencoder(4, cache, tmp_path / "parts"), weights_only=True)
    assert capsys.readouterr().out.count("encoder fixed") == 2
    for part in ("encoder", "decoder"):
        for name, value in whole[part].items():
            assert torch.equal(value, parts[part][name]), name


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize("family", CHANNELS)
def test_a_resumed_run_equals_an_unbroken_one(family: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = _diffusion(family, tmp_path / "whole")
    monkeypatch.setattr(train_diffusion, "SAVE", 1)
    with pytest.raises(KeyboardInterrupt):
        _diffusion(family, tmp_path / "parts", stop=1)
    assert torch.load(tmp_path / "parts" / "state.pt", weights_only=True)["steps"] == 1
    parts = _diffusion(family, tmp_path / "parts")
    assert parts["steps"] == whole["steps"] == 2
    for name, value in whole["model"].items():
        assert torch.equal(value, parts["model"][name]), name


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize("family", CHANNELS)
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
    sizes = [(tmp_path / f"{name}.safetensors").stat().st_size for name in ("packed", "whole")]
    assert sizes[0] < 0.7 * sizes[1]


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


@pytest.mark.parametrize("has", [True, False])
def test_a_processor_computes_in_half_the_bits_only_where_it_has_them(has: bool,
                                                                      monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: has)
    bits = torch.bfloat16 if has else torch.float32
    assert orthogonalise(torch.eye(3)[None], steps=1).dtype == bits
    with mixed("cpu"):
        assert (torch.eye(3) @ torch.eye(3)).dtype == bits


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


@pytest.mark.parametrize(("flow", "nothing_learnt"), [(False, 1.0), (True, 2.0)])
def test_prediction_error_is_zero_for_the_truth_and_as_the_cards_say_for_nothing(
    flow: bool, nothing_learnt: float
) -> None:
    torch.manual_seed(1)
    latents, sigmas = torch.randn(32, 4, 16, 16), torch.linspace(0.03, 14, 1000)
    truth = iter(latents.split(measure.BATCH))
    assert measure.prediction_error(lambda x, sigma: next(truth), latents, flow, sigmas) == pytest.approx(0, abs=1e-6)
    none = measure.prediction_error(lambda x, sigma: x, latents, flow, sigmas)
    assert none == pytest.approx(nothing_learnt, rel=0.05)
