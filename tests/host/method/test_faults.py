"""Runs that end early, run in halves, or meet a model that is not what it seems: each once went wrong."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from lab import toys
from lab.inprocess import Host
from lab.toys import TOYS

KEYFRAMES = [(0.0, 0.0), (0.5, 1.0)]


@pytest.fixture
def interrupted_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Interrupt the host at the n-th model evaluation from now on."""
    management, base = (importlib.import_module(f"comfy.{name}") for name in ("model_management", "model_base"))
    forward, calls = base.BaseModel._apply_model, [0]

    def arm(at: int) -> None:
        def counted(self: Any, *args: Any, **kwargs: Any) -> Tensor:
            calls[0] += 1
            if calls[0] == at:
                management.interrupt_current_processing()
            return forward(self, *args, **kwargs)

        monkeypatch.setattr(base.BaseModel, "_apply_model", counted)

    return arm


@pytest.mark.parametrize("at", [2, 6, None])
def test_scheduled_hooks_come_back_as_their_owner_left_them(
        tiny_model: Any, patched: Any, run: Any, scheduled_lora: Any, interrupted_at: Callable[[int], None],
        at: int | None) -> None:
    """The keyframes belong to the user's prompt, which other samplers of the workflow share."""
    management = importlib.import_module("comfy.model_management")
    model = tiny_model("sd15")
    prompt, group, add = scheduled_lora(model, toys.conditioning(TOYS["sd15"]), KEYFRAMES)
    (hook,) = group.hooks
    keyframes = hook.hook_keyframe
    gated = add(patched(model))
    if at is None:
        run(gated, "sd15", prompt=prompt)
    else:
        interrupted_at(at)
        with pytest.raises(management.InterruptProcessingException):
            run(gated, "sd15", prompt=prompt)
        management.interrupt_current_processing(False)
    assert hook.hook_keyframe is keyframes
    assert [keyframe.guarantee_steps for keyframe in keyframes.keyframes] == [1, 1]


def test_a_forward_without_the_prompt_records_nothing(
        tiny_model: Any, patched: Any, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Low memory: the halves of the batch come one after the other, and only one of them holds the prompt."""
    model = patched(tiny_model("sd15"))
    model.model_options["disable_cfg1_optimization"] = True  # as other packs ask for it
    negative = toys.conditioning(TOYS["sd15"], 2)
    whole = run(model, "sd15", negative=negative)
    base = importlib.import_module("comfy.model_base")
    monkeypatch.setattr(base.BaseModel, "memory_required", lambda *a, **k: 1 << 60)
    torch.testing.assert_close(run(model, "sd15", negative=negative), whole, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("kind", ["hidream", "sd15"])
def test_without_guidance_no_negative_is_needed(tiny_model: Any, core: Any, kind: str) -> None:
    """HiDream takes no empty conditioning; at guidance 1 nobody would look at it."""
    original, edited = toys.latents(TOYS[kind])
    with torch.inference_mode():
        out = core.sample_pair(tiny_model(kind), toys.conditioning(TOYS[kind]), None, original, edited,
                               torch.ones(64, 96), torch.zeros(64, 96), core.SampleSettings(steps=2, strength=1.0))
    assert torch.isfinite(out.latent).all()


@pytest.fixture
def lcm(host: Host, tiny_model: Any) -> Any:
    """A model that its user switched to LCM sampling."""
    module = importlib.import_module("comfy_extras.nodes_model_advanced")
    return module.ModelSamplingDiscrete().patch(tiny_model("sd15"), "lcm", False)[0]


def test_lcm_sampling_runs_in_lock_step(lcm: Any, patched: Any, core: Any) -> None:
    original, edited = toys.latents(TOYS["sd15"])
    prompt = toys.conditioning(TOYS["sd15"])
    with torch.inference_mode():
        out = core.sample_pair(patched(lcm), prompt, None, original, edited, torch.ones(64, 96), torch.zeros(64, 96),
                               core.SampleSettings(steps=4))
    assert out.mode == "lock-step" and torch.isfinite(out.latent).all()


@pytest.mark.parametrize("mode", ["replay", "paper", "paper 6 steps"])
def test_lcm_sampling_is_not_inverted(lcm: Any, run: Any, mode: str) -> None:
    """A consistency model answers with the end of the path, not with its slope: there is nothing to invert."""
    with pytest.raises(ValueError, match="mode: .*LCM.*lock-step") as refusal:
        run(lcm, "sd15", mode=mode)
    assert "\n" not in str(refusal.value)


def test_a_gradient_that_is_no_number_is_told(tiny_model: Any, run: Any) -> None:
    """The model's answer is finite, so nothing else would notice; the text is not to be taken for idle."""
    model = tiny_model("sd15")
    layer = next(m for name, m in model.model.diffusion_model.named_modules() if name.endswith("attn2.to_out.0"))
    handle = layer.register_forward_hook(lambda module, given, out: out + (out * 0).abs().sqrt())
    try:
        with pytest.raises(RuntimeError, match="gradient.*null_text"):
            run(model, "sd15", mode="paper", cfg=3.0, null_text=2, steps=2)
    finally:
        handle.remove()
