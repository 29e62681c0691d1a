"""The paper's run in the real host: null-text optimisation and the presets."""

from __future__ import annotations

import gc
import importlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from editedid_core.engines.edited_id.mixing import Mixing
from lab.inprocess import Host

KINDS = ["sd15", "sd3", "flux", "lumina2"]


@pytest.fixture(scope="module")
def run(paper_run: Callable[..., Any]) -> Callable[..., Any]:
    return paper_run


def state(model: Any) -> list[Any]:
    """All that a run could have left behind in the layers: tensors by identity, and the layers' own lists."""
    net = model.model.diffusion_model
    tensors = [id(t) for m in net.modules() for store in (m._parameters, m._buffers) for t in store.values()]
    lists = [list(getattr(m, name)) for m in net.modules() for name in ("weight_function", "bias_function")
             if hasattr(m, name)]
    return [tensors, lists, [t.sum().item() for t in net.parameters()], sorted(model.wrappers),
            getattr(importlib.import_module("comfy.model_management"), "in_training", None)]


@pytest.mark.parametrize("kind", KINDS)
def test_null_text_brings_the_sources_back_more_exactly_and_leaves_the_model_as_it_was(
        frozen: Any, run: Any, kind: str) -> None:
    model = frozen(kind)
    before = state(model)
    clearly = kind == "sd15"
    errors = [run(model, kind, null_text=n).source_error for n in (1, 12 if clearly else 3)]
    assert errors[1] < errors[0] * (0.97 if clearly else 1)
    assert run(model, kind, null_text=0).source_error < 1e-4  # the recorded states themselves
    assert state(model) == before
    assert torch.is_inference_mode_enabled() is False and torch.is_grad_enabled()


def test_the_same_weights_give_the_same_however_the_host_holds_them(frozen: Any, tiny_model: Any, run: Any) -> None:
    """Ordinary tensors, tensors of inference mode, and layers that cast on use."""
    plain = run(tiny_model("sd15"), "sd15", null_text=1)
    assert torch.equal(run(frozen("sd15"), "sd15", null_text=1).latent, plain.latent)
    cast = frozen("sd15")
    for module in cast.model.diffusion_model.modules():
        if hasattr(module, "comfy_cast_weights"):
            module.comfy_cast_weights = True
    torch.testing.assert_close(run(cast, "sd15", null_text=1).latent, plain.latent, rtol=1e-3, atol=1e-4)


def test_half_precision_weights_are_cast_as_the_host_casts_them(host: Host, tiny_model: Any, run: Any) -> None:
    model = tiny_model("sd15")
    model.set_model_compute_dtype(torch.float32)
    with torch.no_grad():
        model.model.diffusion_model.half()
    errors = [run(model, "sd15", null_text=n).source_error for n in (1, 6)]
    assert errors[1] < errors[0]
    assert next(model.model.diffusion_model.parameters()).dtype == torch.float16


def test_a_lora_that_the_host_adds_on_the_way_into_a_layer_counts(
        host: Host, frozen: Any, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Low memory: the host keeps such a layer's weight as it is and patches a copy whenever the layer runs."""
    model = frozen("sd15").clone()
    plain = run(model, "sd15", null_text=1)
    model.unpatch_model(model.offload_device)
    key = next(k for k in model.model.state_dict() if k.endswith("attn2.to_v.weight"))
    model.add_patches({key: ("diff", (torch.full_like(model.model.state_dict()[key], 0.2),))})
    whole = run(model.clone(), "sd15", null_text=1)
    model.unpatch_model(model.offload_device)
    importlib.import_module("comfy.model_management").unload_all_models()
    patcher = importlib.import_module("comfy.model_patcher").ModelPatcher
    load = patcher.load
    monkeypatch.setattr(patcher, "load", lambda self, device_to=None, **more: load(
        self, device_to, **{**more, "lowvram_model_memory": 1, "full_load": False}))
    low = run(model, "sd15", null_text=1)
    assert any(m.weight_function for m in model.model.diffusion_model.modules() if hasattr(m, "weight_function"))
    torch.testing.assert_close(low.latent, whole.latent, rtol=1e-3, atol=1e-3)
    assert not torch.allclose(low.latent, plain.latent, atol=1e-2)


def test_memory_is_given_back(frozen: Any, run: Any) -> None:
    model = frozen("sd15")

    def tensors() -> int:
        gc.collect()
        return sum(1 for o in gc.get_objects() if isinstance(o, torch.Tensor))

    run(model, "sd15", null_text=1)
    before = tensors()
    run(model, "sd15", null_text=1)
    assert tensors() <= before + 2


def test_an_embedding_that_is_good_enough_is_not_moved_further(core: Any, frozen: Any, run: Any,
                                                               monkeypatch: pytest.MonkeyPatch) -> None:
    null_text = importlib.import_module("editedid_core.comfy.null_text")
    model = frozen("sd15")
    whole = run(model, "sd15", null_text=4).evaluations
    monkeypatch.setattr(null_text, "TOLERANCE", 1e9)
    assert run(model, "sd15", null_text=4).evaluations == whole - 3 * 4 * 2


def test_without_guidance_there_is_nothing_to_fit(frozen: Any, run: Any) -> None:
    done = run(frozen("sd15"), "sd15", cfg=1.0, null_text=10)
    assert done.evaluations == 3 * (2 + 3)
    assert done.source_error < 1e-4


def test_a_model_that_ignores_its_text_follows_the_recorded_states(frozen: Any, run: Any) -> None:
    model = frozen("sd15")
    with torch.inference_mode():
        for key, weight in model.model.diffusion_model.named_parameters():
            if "attn2.to_v" in key:
                weight.zero_()
    done = run(model, "sd15", null_text=10)
    assert done.source_error < 1e-4
    assert done.evaluations == 3 * (2 + 6) + 2  # and one look at two rows


def test_prompts_that_cannot_be_fitted_are_named(frozen: Any, core: Any, latents: Any, conditioning: Any) -> None:
    original, edited = latents("sd15")
    two = conditioning("sd15") + conditioning("sd15", 3)
    with torch.inference_mode(), pytest.raises(ValueError, match="negative: .* set null_text to 0"):
        core.sample_pair(frozen("sd15"), conditioning("sd15"), two, original, edited, torch.ones(64, 96),
                         torch.zeros(64, 96), core.SampleSettings(mode="paper", steps=2, cfg=3.0))


@pytest.mark.parametrize("at", [8, 11])
def test_an_interrupt_while_fitting_leaves_the_model_as_it_was(frozen: Any, run: Any, at: int,
                                                               monkeypatch: pytest.MonkeyPatch) -> None:
    management = importlib.import_module("comfy.model_management")
    base = importlib.import_module("comfy.model_base")
    model = frozen("sd15")
    before, calls, forward = state(model), [0], base.BaseModel._apply_model

    def counted(self: Any, *args: Any, **kwargs: Any) -> torch.Tensor:
        calls[0] += 1
        if calls[0] == at:
            management.interrupt_current_processing()
        return forward(self, *args, **kwargs)

    monkeypatch.setattr(base.BaseModel, "_apply_model", counted)
    with pytest.raises(management.InterruptProcessingException):
        run(model, "sd15", null_text=10)
    assert calls[0] == at
    monkeypatch.undo()
    management.interrupt_current_processing(False)
    assert state(model) == before


@pytest.mark.parametrize(("name", "steps"), [("paper 6 steps", 6), ("paper 50 steps", 50),
                                             ("paper, official code", 50)])
def test_a_preset_sets_every_number_and_brings_its_gates(
        host: Host, core: Any, frozen: Any, run: Any, name: str, steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    presets = importlib.import_module("editedid_core.engines.edited_id.presets").PAPER_PRESETS
    assert presets[name].steps == steps
    # fewer steps and updates say the same here
    quick = {"null_text": 1} if steps == 6 else {"null_text": 0, "steps": 12}
    monkeypatch.setitem(presets, name, replace(presets[name], **quick))
    preset, model = presets[name], frozen("sd15")
    done = run(model, "sd15", mode=name, steps=3, strength=0.3, cfg=1.0, null_text=99)
    assert done.mode == name and len(done.curve) == preset.steps
    assert done.curve[-preset.mixing.final_steps:] == (0.5,) * preset.mixing.final_steps
    if steps == 50:  # what follows is the same for both, and cheaper with 6
        return
    same = dict(steps=preset.steps, cfg=preset.cfg, null_text=preset.null_text, mixing=preset.mixing,
                solver_window=preset.solver_window)
    gates = preset.gates
    gated = host.node("EditedIDEntanglement").execute(
        model, gates.structure, gates.detail, gates.donor, *gates.structure_window, *gates.detail_window, "auto",
        "auto", False, 0.0, gates.overlap)[0]
    assert torch.equal(run(gated, "sd15", **same).latent, done.latent)
    assert not torch.allclose(run(model, "sd15", **same).latent, done.latent, atol=1e-4)


def test_the_official_code_gates_the_half_without_the_prompt_in_down_blocks_after_the_projection(
        core: Any, frozen: Any, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    attention = importlib.import_module("editedid_core.engines.edited_id.attention.run").AttentionRun
    presets = importlib.import_module("editedid_core.engines.edited_id.presets").PAPER_PRESETS
    name, mixing = "paper, official code", Mixing(final_steps=1)
    monkeypatch.setitem(presets, name, replace(presets[name], null_text=0, steps=3, mixing=mixing))
    before, seen = attention.edit_projected, []

    def watched(self: Any, call: Any, out: torch.Tensor) -> torch.Tensor:
        result = before(self, call, out)
        changed = (result != out).flatten(1).any(1).nonzero().flatten().tolist()
        seen.extend((call.layer.part, call.halves[row // 3], row % 3, round(self.position, 2)) for row in changed)
        return result

    monkeypatch.setattr(attention, "edit_projected", watched)
    run(frozen("sd15"), "sd15", mode=name)
    assert {part for part, *_ in seen} == {"down"}
    assert {half for _, half, *_ in seen} == {"negative"}
    assert {row for *_, row, _ in seen} == {2}
    assert {position for *_, position in seen} == {0.17, 0.5}  # not in the last step, at 0.83


def test_a_workflow_saved_before_these_inputs_came_still_runs(host: Host, frozen: Any, latents: Any) -> None:
    late = {"null_text", "overlap", "pose"}
    values = {}
    for name in ("EditedIDAdaptiveMixingSampler", "EditedIDEntanglement"):
        entries = host.node(name).define_schema().inputs
        assert all(entry.optional for entry in entries if entry.id in late)
        values[name] = {entry.id: entry.default for entry in entries
                        if getattr(entry, "default", None) is not None and entry.id not in late}
    original, edited = latents("sd15")
    with torch.inference_mode():
        gated = host.node("EditedIDEntanglement").execute(frozen("sd15"), **values["EditedIDEntanglement"])[0]
        done = host.node("EditedIDAdaptiveMixingSampler").execute(
            gated, {"samples": original}, {"samples": edited}, torch.ones(1, 64, 96),
            **{**values["EditedIDAdaptiveMixingSampler"], "mode": "paper", "steps": 2})
    assert torch.isfinite(done.result[0]["samples"]).all()


def test_overlap_weights_act_where_face_and_element_meet(host: Host, frozen: Any, run: Any) -> None:
    model = frozen("sd15")

    def with_overlap(a: float) -> torch.Tensor:
        gated = host.node("EditedIDEntanglement").execute(
            model, 1.0, 0.0, "original", 0.0, 1.0, 0.0, 1.0, "auto", "auto", False, 0.0, a)[0]
        return run(gated, "sd15", null_text=0).latent

    assert not torch.allclose(with_overlap(0.0), with_overlap(1.0), atol=1e-4)
