"""The MODEL patches and the sampler in the real host: what they change, and all that they must leave alone."""

from __future__ import annotations

import copy
import functools
import importlib
from collections.abc import Callable
from typing import Any

import pytest
import torch

from lab.inprocess import Host
from lab.toys import TOYS

pytestmark = pytest.mark.every_host

KINDS = ["sd15", "sdxl", "sd3", "sd35m", "flux", "qwen", "zimage"]
WATCHED = ("sd15", "sd3", "flux")
"""A UNet and two kinds of transformers, on which what does not depend on the network is tried."""


def fingerprint(model: Any) -> tuple[Any, dict[str, torch.Tensor]]:
    weights = {k: v.clone() for k, v in model.model.diffusion_model.state_dict().items()}
    return copy.deepcopy(dict(model.model_options)), weights


def assert_untouched(model: Any, before: tuple[Any, dict[str, torch.Tensor]]) -> None:
    options, weights = fingerprint(model)
    assert repr(options) == repr(before[0])
    assert all(torch.equal(weights[k], before[1][k]) for k in before[1])
    assert not model.wrappers and model.model.current_patcher is None


@pytest.mark.parametrize("kind", list(TOYS))
def test_patched_model_in_a_stock_ksampler_gives_exactly_the_plain_result(
        tiny_model: Any, patched: Any, plain: Any, kind: str) -> None:
    model = tiny_model(kind)
    expected = plain(model, kind)
    assert torch.isfinite(expected).all()
    assert torch.equal(plain(patched(model), kind), expected)
    assert torch.equal(plain(patched(model, structure=0.0, detail=0.0), kind), expected)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mode", ["replay", "lock-step", "paper"])
def test_gates_act_in_every_family_and_mode_and_leave_the_model_alone(
        tiny_model: Any, patched: Any, run: Any, kind: str, mode: str) -> None:
    model = tiny_model(kind)
    before = fingerprint(model)
    plain = run(model, kind, mode=mode, steps=2)
    gated = run(patched(model), kind, mode=mode, steps=2)
    assert torch.isfinite(gated).all()
    assert (gated - plain).abs().mean() > 1e-4
    if kind in WATCHED:
        assert torch.equal(run(patched(model), kind, mode=mode, steps=2), gated)  # two runs in a row
        assert torch.equal(run(patched(model).clone(), kind, mode=mode, steps=2), gated)
        assert torch.equal(run(patched(model, structure=0.0, detail=0.0), kind, mode=mode, steps=2), plain)
    assert_untouched(model, before)


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_mask_returns_the_edit(tiny_model: Any, patched: Any, run: Any, latents: Any, kind: str) -> None:
    edited = latents(kind)[1]
    assert torch.equal(run(patched(tiny_model(kind)), kind, face=torch.zeros(64, 96), steps=2), edited)


@pytest.mark.parametrize("kind", ["sd15", "sd3", "flux", "qwen", "zimage"])
def test_outside_the_mask_the_latent_is_the_edits_own(
        tiny_model: Any, patched: Any, run: Any, latents: Any, kind: str) -> None:
    face = torch.zeros(64, 96)
    face[16:40, 16:48] = 1
    out, edited = run(patched(tiny_model(kind)), kind, face=face), latents(kind)[1]
    torch.testing.assert_close(out[..., 6:, 8:], edited[..., 6:, 8:], rtol=0, atol=1e-5)
    assert (out - edited)[..., 2:5, 2:6].abs().mean() > 1e-3


@pytest.mark.parametrize("kind", ["sd15", "sd3", "flux"])
def test_features_evaluated_again_give_the_recorded_result(
        tiny_model: Any, patched: Any, run: Any, core: Any, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = patched(tiny_model(kind))
    recorded = run(model, kind, steps=2)
    again = run(model, kind, steps=2, recompute_sources=True)
    torch.testing.assert_close(again, recorded, rtol=1e-3, atol=1e-3)  # kept in half
    monkeypatch.setattr(core, "RECORD_SHARE", 0.0)
    assert torch.equal(run(model, kind, steps=2), again)  # where there is no room


@pytest.mark.parametrize("kind", ["sd15", "sd3", "flux"])
def test_split_guidance_halves_give_the_same(
        host: Host, tiny_model: Any, patched: Any, run: Any, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = patched(tiny_model(kind))
    whole = run(model, kind, cfg=3.0, steps=2)
    assert not torch.equal(whole, run(model, kind, cfg=1.0, steps=2))
    base = importlib.import_module("comfy.model_base")
    # the host packs conditionings into one forward only while this says that they fit
    monkeypatch.setattr(base.BaseModel, "memory_required", lambda *a, **k: 1 << 60)
    torch.testing.assert_close(run(model, kind, cfg=3.0, steps=2), whole, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("kind", ["sd15", "sd3"])
def test_a_lora_acts_and_leaves_no_trace(tiny_model: Any, patched: Any, run: Any, kind: str) -> None:
    model = patched(tiny_model(kind))
    plain, before = run(model, kind, steps=2), fingerprint(model)
    tuned = model.clone()
    key = next(k for k in model.model.state_dict() if k.endswith(("attn1.to_q.weight", "attn.qkv.weight")))
    tuned.add_patches({key: ("diff", (torch.full_like(model.model.state_dict()[key], 0.2),))})
    assert not torch.equal(run(tuned, kind, steps=2), plain)
    tuned.unpatch_model()
    assert torch.equal(run(model, kind, steps=2), plain)
    assert_untouched(model, before)


class Other:
    """Another pack's attention override: scales the output and chains nothing but what it was given."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, func: Any, *args: Any, **kwargs: Any) -> torch.Tensor:
        self.calls += 1
        return func(*args, **kwargs) * 1.5


@pytest.mark.parametrize("kind", ["sd15", "sd3", "flux"])
def test_another_packs_override_before_and_after_ours_still_acts(
        tiny_model: Any, patched: Any, run: Any, kind: str) -> None:
    before, after = tiny_model(kind), patched(tiny_model(kind))
    others = [Other(), Other()]
    before.model_options["transformer_options"]["optimized_attention_override"] = others[0]
    before = patched(before)
    after.model_options["transformer_options"]["optimized_attention_override"] = others[1]
    first, second = run(before, kind, steps=2), run(after, kind, steps=2)
    assert others[0].calls == others[1].calls > 0
    assert torch.equal(first, second)
    assert not torch.equal(first, run(patched(tiny_model(kind)), kind, steps=2))
    assert before.model_options["transformer_options"]["optimized_attention_override"] is others[0]


@pytest.fixture(scope="module")
def complete(tiny_model: Any, patched: Any, run: Any) -> Callable[[str], torch.Tensor]:
    """kind -> what an undisturbed run gives."""
    return functools.cache(lambda kind: run(patched(tiny_model(kind)), kind))


@pytest.mark.parametrize("kind", ["sd15", "flux"])
@pytest.mark.parametrize("at", [1, 3, 5, 7])
def test_an_interrupt_at_any_step_stops_and_leaves_the_model_as_it_was(
        host: Host, tiny_model: Any, patched: Any, run: Any, complete: Any, kind: str, at: int,
        monkeypatch: pytest.MonkeyPatch) -> None:
    management = importlib.import_module("comfy.model_management")
    base = importlib.import_module("comfy.model_base")
    model = patched(tiny_model(kind))
    before = fingerprint(model)
    calls = [0]
    forward = base.BaseModel._apply_model

    def counted(self: Any, *args: Any, **kwargs: Any) -> torch.Tensor:
        calls[0] += 1
        if calls[0] == at:
            management.interrupt_current_processing()
        return forward(self, *args, **kwargs)

    monkeypatch.setattr(base.BaseModel, "_apply_model", counted)
    with pytest.raises(management.InterruptProcessingException):
        run(model, kind)
    assert calls[0] == at  # within one evaluation
    monkeypatch.undo()
    management.interrupt_current_processing(False)
    assert_untouched(model, before)
    assert torch.equal(run(model, kind), complete(kind))


def test_area_conditioning_runs_without_gates_on_its_crop(
        tiny_model: Any, patched: Any, core: Any, latents: Any, conditioning: Any) -> None:
    original, edited = latents("sd15")
    prompt = conditioning("sd15") + [[conditioning("sd15", 4)[0][0], {"area": (4, 6, 0, 0), "strength": 1.0}]]
    out = core.sample_pair(patched(tiny_model("sd15")), prompt, prompt, original, edited, torch.ones(64, 96),
                           torch.zeros(64, 96), core.SampleSettings(mode="replay", steps=3, strength=1.0))
    assert torch.isfinite(out.latent).all()


def test_wrong_latents_are_named(tiny_model: Any, core: Any, latents: Any) -> None:
    model = tiny_model("sd15")
    original, edited = latents("sd15")
    masks = torch.ones(64, 96), torch.zeros(64, 96)

    def sample(first: torch.Tensor, second: torch.Tensor) -> None:
        core.sample_pair(model, None, None, first, second, *masks, core.SampleSettings())

    with pytest.raises(ValueError, match="original_latent.*16 channels.*4"):
        sample(latents("sd3")[0], edited)
    with pytest.raises(ValueError, match="edited_latent.*NaN"):
        sample(original, edited * float("nan"))
    with pytest.raises(ValueError, match="video latent of 3 frames"):
        sample(original, edited[:, :, None].repeat(1, 1, 3, 1, 1))
    with pytest.raises(ValueError, match="differs"):
        sample(original[..., :4], edited)
    with pytest.raises(ValueError, match="empty"):
        sample(original[:0], edited)
    with pytest.raises(ValueError, match="original_latent.*time axis"):
        core.sample_pair(tiny_model("wan"), None, None, *latents("sd3"), *masks, core.SampleSettings())


def test_block_lists_are_checked_on_the_node(tiny_model: Any, patched: Any) -> None:
    with pytest.raises(ValueError, match="detail_blocks.*double.7"):
        patched(tiny_model("flux"), detail_blocks="double.7")
