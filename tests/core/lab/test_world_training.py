"""The rendered world's training in small: the clock's shares, the text encoder, the bank, every job, its files."""
from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lab import models_io
from lab.train import ladder, ladder_measures, text, world_export, world_install
from lab.train.flux import Flux, FluxPlan
from lab.train.shares import FAILURES, Shares
from lab.train.unet import UNet, UNetPlan, stock_unet
from lab.train.unet_blocks import STOCK
from lab.train.world_bank import SHOTS, Bank, Noise, some_prompt
from lab.train.world_run import CHANNELS, TINY, make_job

PLAN = UNetPlan((40, 80, 40), (False, True, True), (True, False, True, False, False, False), text=True)


class Sleeper:
    """A job that takes a millisecond a step."""

    def __init__(self, name: str, wish: float, haste: float = 1.0, fails: bool = False) -> None:
        self.name, self.wish, self.haste, self.fails = name, wish, haste, fails
        self.seen: list[float] = []

    def ready(self) -> bool:
        return True

    def step(self, progress: float) -> None:
        if self.fails:
            raise ValueError("broken")
        self.seen.append(progress)
        time.sleep(0.001)

    def told(self) -> str:
        return ""


def test_jobs_share_the_time_and_all_end_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.train.shares.TURN", 0.02)
    long, short, broken = Sleeper("long", 3.0), Sleeper("short", 1.0), Sleeper("broken", 2.0, fails=True)
    written: list[float] = []
    shares = Shares([long, short, broken], time.monotonic(), 1.5, "cpu", [(0.5, lambda: written.append(1.0))])
    shares.run()
    assert len(shares.failures["broken"]) == FAILURES and written == [1.0]
    assert 2 < len(long.seen) / len(short.seen) < 4.5
    assert long.seen[-1] > 0.9 and short.seen[-1] > 0.9 and long.seen == sorted(long.seen)


def test_a_prompt_is_the_sum_of_its_words_and_the_empty_one_is_itself() -> None:
    encoder = text.TextEncoder()
    prompts = [[], ["glasses"], ["glasses", "smiling"], ["smiling", "glasses"]]
    rows = torch.from_numpy(np.stack([encoder.rows(text.prompt_ids(words)) for words in prompts]))
    context, pooled = encoder(rows)
    assert context.shape == (4, text.TOKENS, text.WIDTH) and torch.equal(context, encoder(rows)[0])
    likeness = torch.nn.functional.cosine_similarity(pooled[:, None], pooled[None], dim=2)
    assert likeness[2, 3] > 0.999 and 0.95 > likeness[1, 2] > likeness[0, 2]
    # a word keeps its direction elsewhere
    assert context[1, 1] @ context[3, 3] > 0.8 * text.WIDTH > 0.4 * text.WIDTH > context[1, 1] @ context[3, 1]


def test_the_encoder_file_holds_what_training_computes_with(tmp_path: Path) -> None:
    text.write_file(tmp_path / text.FILE)
    tensors, _ = models_io.read(tmp_path / text.FILE)
    encoder = text.TextEncoder()
    table = tensors["text_model.embeddings.token_embedding.weight"]
    assert table.shape == (text.VOCABULARY, text.WIDTH)
    assert np.array_equal(table[encoder.ids].astype(np.float32), encoder.table.numpy())
    assert not tensors["text_model.encoder.layers.7.mlp.fc1.weight"].any()


def test_prompts_say_what_is_seen_and_mirror_with_the_picture() -> None:
    rng = np.random.default_rng(0)
    left = {tuple(text.WORDS["turned left"])[1], tuple(text.WORDS["turned right"])[1]}
    said = [some_prompt(["turned left", "a tag nobody knows"], rng, mirrored=True) for _ in range(30)]
    assert {i for ids in said for i in ids} & left == {text.WORDS["turned right"][1]}


def test_a_small_unet_means_the_same_in_the_stock_layout() -> None:
    torch.manual_seed(0)
    small, large = UNet(PLAN), UNet(UNetPlan((STOCK,) * 3, PLAN.down, PLAN.up, text=True))
    with torch.no_grad():
        for p in small.parameters():
            p.add_(0.02 * torch.randn_like(p))
    stock = stock_unet(small.state_dict(), PLAN)
    # the stock net has 1280 channels for time, of which 320 are in use, as in a full-width net's own layout
    own = {k: v[tuple(slice(0, n) for n in large.state_dict()[k].shape)] for k, v in stock.items()}
    large.load_state_dict(own)
    x, t, context = torch.randn(2, 4, 16, 16), torch.tensor([3, 900]), torch.randn(2, 77, 768)
    with torch.no_grad():
        assert torch.allclose(small(x, t, context), large(x, t, context), atol=2e-4)
        assert not torch.allclose(small(x, t, context), small(x, t, torch.zeros_like(context)), atol=1e-3)


def test_the_transformer_sees_text_guidance_and_references() -> None:
    torch.manual_seed(0)
    model = Flux(FluxPlan(128, 1, 1))
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.02 * torch.randn_like(p))
        x, t, one = torch.randn(1, 16, 8, 8), torch.tensor([500.0]), torch.ones(1)
        context, pooled, ref = torch.randn(1, 77, 768), torch.randn(1, 768), torch.randn(1, 16, 8, 8)
        plain = model(x, t, context, pooled, one)
        assert plain.shape == x.shape
        for other in (model(x, t, -context, pooled, one), model(x, t, context, -pooled, one),
                      model(x, t, context, pooled, 4 * one), model(x, t, context, pooled, one, [ref])):
            assert not torch.allclose(plain, other, atol=1e-4)
        both = model(x, t, context, pooled, one, [ref, -ref])
        assert not torch.allclose(both, model(x, t, context, pooled, one, [-ref, ref]), atol=1e-5)


@pytest.fixture(scope="module")
def bank() -> Bank:
    bank = Bank(Noise("cpu", 64, 0), 32, 8, "cpu", 0)
    bank.draw()
    for channels in CHANNELS.values():
        bank.latents[channels] = torch.randn(bank.capacity, 2, channels, 8, 8).half()
    return bank


def test_the_bank_picks_references_of_the_same_person(bank: Bank) -> None:
    latents = torch.arange(bank.capacity).float() // SHOTS
    bank.latents[3] = latents[:, None, None, None, None].expand(-1, 2, 1, 1, 1).half()
    picked = bank.pick(32, 2, 3, kept=0.0)
    assert all(torch.equal(picked.latents, reference) for reference in picked.references)
    empty, pooled = bank.text(bank.empty[None])
    assert torch.equal(picked.context, empty.expand_as(picked.context))
    assert torch.equal(picked.pooled, pooled.expand_as(picked.pooled))


@pytest.mark.parametrize("name", sorted(set(TINY.wishes) - {"draw", "ae4"}))  # ae4 is ae16 with fewer channels
def test_every_job_takes_a_step_and_leaves_what_can_be_installed(bank: Bank, name: str, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    job: Any = make_job(name, bank, TINY, compile_blocks=False)
    job.step(0.1)
    before = {k: v.clone() for k, v in job.result()["state"].items()}
    job.step(0.7)
    result = job.result()
    assert any(not torch.equal(before[k], v) for k, v in result["state"].items())
    assert "nan" not in job.told()
    world_export.write_results({name: result}, tmp_path)
    if name in CHANNELS:
        pair = {"unet": "ae4", "flux": "ae16"}[name]
        bare = tmp_path / "bare"
        world_install.untrained(bare, TINY.flux, TINY.unet)
        (bare / f"{pair}.pt").rename(tmp_path / f"{pair}.pt")
        made = world_install.install_diffusion(tmp_path, tmp_path / "models")
        models_io.expand(made[0], tmp_path / "whole.safetensors")
        whole, notes = models_io.read(tmp_path / "whole.safetensors")
        assert len(made) == 1 and any("taesd_encoder" in k for k in whole) and "plan" in notes
        key, value = max(world_export.stock_state(result).items(), key=lambda item: item[1].numel())
        assert np.abs(whole[key].astype(np.float32) - value.numpy()).max() < 0.02 * value.abs().max()
    elif not name.startswith("ae"):
        assert world_install.install_judges(tmp_path, tmp_path / "models")[0].stat().st_size > 10_000


def test_a_ladder_learns_from_pairs_and_leaves_a_model_that_can_be_installed(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    effort = ladder.TINY
    options = argparse.Namespace(out=tmp_path / "out", scratch=tmp_path / "blocks", device="cpu", world="noise",
                                 wall=300.0, start=ladder.SHIPPED, compile=False, begun=time.monotonic(),
                                 role="flux_128")
    options.out.mkdir()
    (options.scratch / "unseen").mkdir(parents=True)
    ladder.draw(options, replace(effort, enough=1), 0)
    bank, _ = ladder.banks(options, effort)
    picked = bank.pick(64, 2, 16, kept=0.0)
    own = (picked.references[0] == picked.latents).flatten(1).all(1)
    true = (picked.references[1] == picked.latents).flatten(1).all(1)
    assert own[true].any() and not own[~true].any() and (~true).sum() > 30
    options.wall = time.monotonic() - options.begun + ladder.RESERVE + 1
    ladder.train(options, effort, "flux_128")
    told = json.loads((options.out / "flux_128.json").read_text())
    assert told["steps"] >= 4 and len(told["loss, person and edit"]) == len(ladder_measures.LEVELS)
    ladder.refine(options, replace(effort, decoder=0.1))
    made = world_install.install_diffusion(options.out, tmp_path / "models")
    assert [path.name for path in made] == ["people_dit_128.safetensors"]
    assert "autoencoder" in models_io.read(made[0])[1]
