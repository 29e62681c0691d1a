"""The paper's run in the real host: null-text optimisation, the presets, and words of a prompt."""

from __future__ import annotations

import gc
import importlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch

from editedid_core.engines.edited_id.mixing import Mixing
from lab.inprocess import Host

KINDS = ["sd15", "sdxl", "sd3", "sd35m", "flux", "qwen", "zimage"]


@pytest.fixture(scope="module")
def run(core: Any, latents: Callable[..., Any], conditioning: Callable[..., Any]) -> Callable[..., Any]:
    """One guided run of the paper as the host runs its nodes: in inference mode."""

    def sample(model: Any, kind: str, positive: Any = None, **settings: Any) -> Any:
        original, edited = latents(kind)
        face, element = torch.zeros(64, 96), torch.zeros(64, 96)
        face[:, :56], element[:16, 32:64] = 1, 1
        values = {"mode": "paper", "steps": 3, "strength": 1.0, "cfg": 3.0, "mixing": Mixing(final_steps=1),
                  **settings}
        prompts = positive or conditioning(kind), conditioning(kind, 2)
        with torch.inference_mode():
            return core.sample_pair(model, *prompts, original, edited, face, element, core.SampleSettings(**values))

    return sample


@pytest.fixture
def frozen(tiny_model: Callable[[str], Any]) -> Callable[[str], Any]:
    """kind -> a MODEL whose weights were made in inference mode, as the host's loaders make them."""

    def make(kind: str) -> Any:
        with torch.inference_mode():
            return tiny_model(kind)

    return make


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
    errors = [run(model, kind, null_text=n).source_error for n in (1, 12)]
    assert errors[1] < errors[0] * (0.97 if kind in ("sd15", "sdxl") else 1)
    assert run(model, kind, null_text=0).source_error < 1e-4  # the recorded states themselves
    assert state(model) == before
    assert torch.is_inference_mode_enabled() is False and torch.is_grad_enabled()


def test_the_same_weights_give_the_same_however_the_host_holds_them(frozen: Any, tiny_model: Any, run: Any) -> None:
    """Ordinary tensors, tensors of inference mode, and layers that cast on use."""
    plain = run(tiny_model("sd15"), "sd15", null_text=3)
    assert torch.equal(run(frozen("sd15"), "sd15", null_text=3).latent, plain.latent)
    cast = frozen("sd15")
    for module in cast.model.diffusion_model.modules():
        if hasattr(module, "comfy_cast_weights"):
            module.comfy_cast_weights = True
    torch.testing.assert_close(run(cast, "sd15", null_text=3).latent, plain.latent, rtol=1e-3, atol=1e-4)


def test_half_precision_weights_are_cast_as_the_host_casts_them(host: Host, tiny_model: Any, run: Any) -> None:
    model = tiny_model("sd15")
    model.set_model_compute_dtype(torch.float32)
    with torch.no_grad():
        model.model.diffusion_model.half()
    errors = [run(model, "sd15", null_text=n).source_error for n in (1, 10)]
    assert errors[1] < errors[0]
    assert next(model.model.diffusion_model.parameters()).dtype == torch.float16


def test_a_lora_that_the_host_adds_on_the_way_into_a_layer_counts(
        host: Host, frozen: Any, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Low memory: the host keeps such a layer's weight as it is and patches a copy whenever the layer runs."""
    model = frozen("sd15").clone()
    plain = run(model, "sd15", null_text=2)
    model.unpatch_model(model.offload_device)
    key = next(k for k in model.model.state_dict() if k.endswith("attn2.to_v.weight"))
    model.add_patches({key: ("diff", (torch.full_like(model.model.state_dict()[key], 0.2),))})
    whole = run(model.clone(), "sd15", null_text=2)
    model.unpatch_model(model.offload_device)
    importlib.import_module("comfy.model_management").unload_all_models()
    patcher = importlib.import_module("comfy.model_patcher").ModelPatcher
    load = patcher.load
    monkeypatch.setattr(patcher, "load", lambda self, device_to=None, **more: load(
        self, device_to, **{**more, "lowvram_model_memory": 1, "full_load": False}))
    low = run(model, "sd15", null_text=2)
    assert any(m.weight_function for m in model.model.diffusion_model.modules() if hasattr(m, "weight_function"))
    torch.testing.assert_close(low.latent, whole.latent, rtol=1e-3, atol=1e-3)
    assert not torch.allclose(low.latent, plain.latent, atol=1e-2)


def test_memory_is_given_back(frozen: Any, run: Any) -> None:
    model = frozen("sd15")

    def tensors() -> int:
        gc.collect()
        return sum(1 for o in gc.get_objects() if isinstance(o, torch.Tensor))

    run(model, "sd15", null_text=2)
    before = tensors()
    run(model, "sd15", null_text=2)
    assert tensors() <= before + 2


def test_an_embedding_that_is_good_enough_is_not_moved_further(core: Any, frozen: Any, run: Any,
                                                               monkeypatch: pytest.MonkeyPatch) -> None:
    null_text = importlib.import_module("editedid_core.comfy.null_text")
    model = frozen("sd15")
    whole = run(model, "sd15", null_text=10).evaluations
    monkeypatch.setattr(null_text, "TOLERANCE", 1e9)
    assert run(model, "sd15", null_text=10).evaluations == whole - 3 * 10 * 2


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
    # fewer updates say the same here
    monkeypatch.setitem(presets, name, replace(presets[name], null_text=1 if name == "paper 6 steps" else 0))
    preset, model = presets[name], frozen("sd15")
    done = run(model, "sd15", mode=name, steps=3, strength=0.3, cfg=1.0, null_text=99)
    assert done.mode == name and len(done.curve) == preset.steps == steps
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


def test_the_official_code_takes_words_from_the_original_only(words: Any, cross_maps: Any) -> None:
    text = "a face with glasses"
    plain, element = (cross_maps(words(text, "", w), word_sources="original") for w in ("", "glasses"))
    assert torch.equal(plain, element)
    face = cross_maps(words(text, "face", "glasses"), word_sources="original")
    assert not torch.allclose(face, plain, atol=1e-5)
    assert torch.equal(face, cross_maps(words(text, "face")))


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


@pytest.fixture(scope="module")
def clip(host: Host) -> Any:
    """The host's SD 1.5 tokenizer over a text encoder of one narrow layer with random weights."""
    sd, sd1 = importlib.import_module("comfy.sd"), importlib.import_module("comfy.sd1_clip")

    class Target:
        params: dict[str, Any] = {}
        clip, tokenizer = sd1.SD1ClipModel, sd1.SD1Tokenizer

    shape = dict(hidden_size=16, intermediate_size=32, num_attention_heads=2, num_hidden_layers=1)
    made = sd.CLIP(Target, model_options={"clip_l_model_config": shape, "dtype": torch.float32})
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for p in made.cond_stage_model.parameters():
            p.copy_(torch.randn(p.shape, generator=generator) if p.ndim > 1 else torch.ones(p.shape))
    return made


@pytest.fixture(scope="module")
def words(host: Host, clip: Any) -> Callable[..., Any]:
    node = host.node("EditedIDPromptWords")

    def encode(text: str, face: str = "", element: str = "", encoder: Any = clip) -> Any:
        with torch.inference_mode():
            return node.execute(encoder, text, face, element)[0]

    return encode


@pytest.mark.parametrize(("text", "face", "element", "expected"), [
    ("a photo of a face with glasses", "face", "glasses", ((5,), (7,))),
    ("Face, (glasses:1.3) and a second FACE", "face", "glasses", ((1, 7), (3,))),
    ("a straw hat over the faces", "", "straw hat, over", ((), (2, 3, 4))),
    (" ".join(["very"] * 80) + " old face", "face", "", ((77 + 7,), ())),
])
def test_words_are_found_with_the_hosts_tokenizer(words: Any, text: str, face: str, element: str,
                                                  expected: tuple) -> None:
    tensor, extra = words(text, face, element)[0]
    found = extra["editedid_words"]
    assert (found.face, found.element, found.length) == (*expected, tensor.shape[1])


def test_a_word_of_several_tokens_counts_whole(words: Any, clip: Any) -> None:
    found = words("portrait wearing a monocle-pincenez today", "", "monocle-pincenez")[0][1]["editedid_words"]
    assert len(found.element) > 2 and found.element == tuple(range(found.element[0], found.element[-1] + 1))


def test_words_that_cannot_be_found_are_named(words: Any) -> None:
    with pytest.raises(ValueError, match="element_words: 'hat' is not in the prompt 'a face'"):
        words("a face", "face", "hat")
    with pytest.raises(ValueError, match="face_words: 'fac'"):  # a part of a word is none
        words("a face", "fac")
    with pytest.raises(ValueError, match="clip is empty.*no text encoder.*Load CLIP"):
        words("a face", "face", "", None)


def test_the_prompt_is_the_hosts_own(host: Host, words: Any, clip: Any) -> None:
    with torch.inference_mode():
        stock = host.node("CLIPTextEncode")().encode(clip, "a photo of a face")[0]
    assert torch.equal(words("a photo of a face", "face")[0][0], stock[0][0])


@pytest.fixture
def cross_maps(frozen: Any, run: Any) -> Iterator[Callable[..., list[torch.Tensor]]]:
    yield lambda positive, **more: run(frozen("sd15"), "sd15", positive, null_text=0, **more).latent


def test_marked_words_act_in_the_papers_run_only(words: Any, cross_maps: Any) -> None:
    text = "a photo of a face with glasses"
    plain = cross_maps(words(text))
    face, both = cross_maps(words(text, "face")), cross_maps(words(text, "face", "glasses"))
    assert not torch.allclose(face, plain, atol=1e-5)
    assert not torch.allclose(both, face, atol=1e-5)
    replay = [cross_maps(words(text, w), mode="replay", cfg=1.0) for w in ("", "face")]
    assert torch.equal(*replay)


def test_words_and_gates_and_null_text_work_together_and_leave_no_trace(
        host: Host, words: Any, frozen: Any, run: Any) -> None:
    model = frozen("sd15")
    before = state(model)
    prompt = words("a face with glasses", "face", "glasses")
    gated = host.node("EditedIDEntanglement").execute(
        model, 1.0, 0.0, "original", 0.0, 0.8, 0.0, 1.0, "auto", "auto", False, 0.0)[0]
    results = [run(m, "sd15", prompt, null_text=2).latent for m in (gated, model, gated)]
    assert torch.equal(results[0], results[2]) and not torch.equal(results[0], results[1])
    assert state(model) == before


def test_where_another_pack_replaces_cross_attention_words_do_nothing(words: Any, frozen: Any, run: Any) -> None:
    model = frozen("sd15")
    for block in ("input", "middle", "output"):
        for number in range(6):
            model.set_model_attn2_replace(lambda q, k, v, extra: torch.zeros_like(q), block, number)
    text = "a face with glasses"
    results = [run(model, "sd15", words(text, w), null_text=0).latent for w in ("", "face")]
    assert torch.equal(*results)


def test_words_on_a_transformer_are_refused(words: Any, frozen: Any, run: Any) -> None:
    with pytest.raises(ValueError, match="positive: marked words act in a UNet's cross-attention"):
        run(frozen("sd3"), "sd3", words("a face", "face"))
