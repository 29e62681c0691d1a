"""Every model is run as its makers meant it: what the network is given, row by row, is what the family table says."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from lab import toys
from lab.inprocess import Host
from lab.toys import TOYS, Toy

pytestmark = pytest.mark.every_host

NAMED = {"flux": "flux1-kontext-dev.safetensors", "qwen": "qwen_image_edit_2511_bf16.safetensors",
         "longcat": "longcat_image_edit_bf16.safetensors", "zimage": "z-image-omni.safetensors",
         "krea2": "krea2_identity_edit.safetensors", "mage": "mage_flow_edit_bf16.safetensors",
         "boogu": "boogu_image_edit_fp8_scaled.safetensors"}
"""Files whose names tell an edit model of a toy's family."""


@dataclass
class Call:
    """One evaluation: its rows, the sigma of each, and what else the network is given."""

    rows: tuple[str, ...]
    sigma: Tensor
    context: Tensor | None
    given: dict[str, Any]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch, core: Any) -> list[Call]:
    """Every evaluation of the model, as it reaches the network."""
    seen: list[Call] = []
    base = importlib.import_module("comfy.model_base").BaseModel
    apply = base._apply_model

    rows = core.RowConditions.before

    def named(self: Any, which: Any, other: int = 0) -> None:
        self._guider.inner_model.rows_now = which.value
        rows(self, which, other)

    def reads(self: Any, x: Tensor, t: Tensor, c_concat: Any = None, c_crossattn: Any = None, control: Any = None,
              transformer_options: Any = None, **kwargs: Any) -> Tensor:
        seen.append(Call(getattr(self, "rows_now", ()), t.clone(), c_crossattn, {**kwargs, "c_concat": c_concat}))
        return apply(self, x, t, c_concat, c_crossattn, control, transformer_options, **kwargs)

    monkeypatch.setattr(core.RowConditions, "before", named)
    monkeypatch.setattr(base, "_apply_model", reads)
    return seen


def a_model(toy: Toy, file: str = "") -> Any:
    """The toy as a loader leaves it that read it from `file`."""
    model = toys.make(toy)
    if file:
        model.cached_patcher_init = (None, (f"/models/{file}",))
    return model


@pytest.fixture
def sample(core: Any) -> Callable[..., Any]:
    """One run in both modes that a family knows, with two random latents and no prompt unless one is given."""

    def run(model: Any, toy: Toy, prompt: Any = None, mode: str = "replay", **settings: Any) -> Any:
        original, edited = toys.latents(toy, 8, 16)
        beside = settings.pop("beside", None)
        with torch.inference_mode():
            return core.sample_pair(model, prompt, None, original, edited, torch.ones(64, 128), torch.zeros(64, 128),
                                    core.SampleSettings(mode=mode, **{"steps": 2, **settings}), None, beside)

    return run


@pytest.fixture(scope="module")
def crop(host: Host) -> Callable[..., Any]:
    """The side of the crops that a node makes for a model, for a `crop_size`, and what it says of it."""
    pack = host.node("EditedIDRestoreIdentity").__module__.rsplit(".nodes.", 1)[0]
    nodes, config = (importlib.import_module(f"{pack}.{name}") for name in ("nodes.run", "editedid_core.config"))
    vae = SimpleNamespace(spacial_compression_encode=lambda: 8, downscale_ratio=8)

    def fit(model: Any, size: int | None) -> Any:
        found, notes = nodes.fitting_crop(config.RestoreConfig().changed({"crop.size": size}), model, vae)
        return found.crop.size, notes

    return fit


def profile(core: Any, model: Any) -> Any:
    return importlib.import_module("editedid_core.comfy.model_profile").profile_of(model)


@pytest.mark.parametrize("kind", list(TOYS))
def test_each_row_gets_what_the_profile_says(core: Any, calls: list[Call], sample: Any, crop: Any, kind: str) -> None:
    """Context, pooled text and guidance of every row, at one noise level, for each toy; the size of its crops."""
    toy = TOYS[kind]
    if not toys.exists(toy):
        pytest.skip(f"this host has no {toy.config}")
    model = a_model(toy)
    row = profile(core, model)
    assert row is not None and row.size >= 512 and row.source
    assert crop(model, None) == (row.size, ())
    assert crop(model, row.size * 7 // 8 // 64 * 64)[1] == ()  # near enough
    for far in (row.size // 2 // 64 * 64, 2 * row.size):
        size, (note,) = crop(model, far)
        assert size == far and f"crop_size {far} is far from {row.size}" in note and f"auto or {row.size}" in note
    prompt = toys.conditioning(toy) if kind == "hidream" else None
    sample(model, toy, prompt, mode="lock-step")
    assert calls and all(call.rows == ("original", "edited", "target") for call in calls)
    for call in calls:
        assert len(call.sigma) == 3 and len(set(call.sigma.tolist())) == 1
        if prompt is None and call.context is not None:
            empty = importlib.import_module("editedid_core.comfy.model_profile").empty_conditioning(model)
            assert not call.context.any() and call.context.shape[-1] == empty[0][0].shape[-1]
        if toy.pooled and prompt is None and call.given.get("y") is not None:
            assert not call.given["y"][:, : toy.pooled].any()
        if "guidance" in call.given:
            assert row.guidance is not None or not reads_guidance(model)
            if row.guidance is not None:
                assert call.given["guidance"].tolist() == [row.guidance[0], row.guidance[0], row.guidance[1]]
        assert ("ref_latents" in call.given) == row.references
        assert call.given["c_concat"] is None


def reads_guidance(model: Any) -> bool:
    return bool(model.model.model_config.unet_config.get("guidance_embed"))


def test_a_prompts_own_guidance_is_the_targets_alone(calls: list[Call], sample: Any) -> None:
    text, extra = toys.conditioning(TOYS["flux"])[0]
    sample(a_model(TOYS["flux"]), TOYS["flux"], [[text, {**extra, "guidance": 3.5}]])
    by_rows = {call.rows: call.given["guidance"].tolist() for call in calls}
    assert by_rows == {("original", "edited"): [1.0, 1.0], ("target",): [3.5]}


@pytest.mark.parametrize("mode", ["replay", "lock-step"])
@pytest.mark.parametrize("kind", [*NAMED, "flux2", "omnigen2", "joyimage"])
def test_references_row_by_row(core: Any, calls: list[Call], sample: Any, kind: str, mode: str) -> None:
    """A source sees itself, the target the original first and then the edit; every row holds as many tokens."""
    toy = TOYS[kind]
    if not toys.exists(toy):
        pytest.skip(f"this host has no {toy.config}")
    model = a_model(toy, NAMED.get(kind, ""))
    assert profile(core, model).references
    sample(model, toy, mode=mode)
    shown = {"original": 0, "edited": 1}
    pictures = [model.model.process_latent_in(latent) for latent in toys.latents(toy, 8, 16)]
    for call in calls:
        assert call.given.get("ref_latents_method", "") == profile(core, model).method
        first, second = call.given["ref_latents"]
        for at, name in enumerate(call.rows):
            wanted = [shown.get(name, 0), shown.get(name, 1)]
            assert torch.equal(first[at], pictures[wanted[0]][0]) and torch.equal(second[at], pictures[wanted[1]][0])
    calls.clear()
    sample(model, toy, references=False)
    assert not any("ref_latents" in call.given for call in calls)


def test_a_prompts_own_references_are_left_as_they_are(calls: list[Call], sample: Any) -> None:
    mine = torch.ones(1, 16, 4, 4)
    text, extra = toys.conditioning(TOYS["flux"])[0]
    sample(a_model(TOYS["flux"], NAMED["flux"]), TOYS["flux"], [[text, {**extra, "reference_latents": [mine]}]])
    assert calls and all(len(call.given["ref_latents"]) == 1 for call in calls)


INPAINT = replace(TOYS["sd15"], settings={**TOYS["sd15"].settings, "in_channels": 9})
FILL = replace(TOYS["flux"], settings={**TOYS["flux"].settings, "in_channels": 96})


@pytest.mark.parametrize("toy", [INPAINT, FILL], ids=["mask and picture", "mask in blocks"])
def test_inpainting_models_see_the_mask_and_each_picture_without_the_face(core: Any, calls: list[Call], sample: Any,
                                                                          toy: Toy) -> None:
    model, beside = a_model(toy), torch.stack([torch.full((toys.latents(toy)[0].shape[1], 8, 16), v) for v in (1., 2.)])
    assert profile(core, model).concat == "masked picture"
    with pytest.raises(ValueError, match="model: .* reads the pictures without the face, which need a VAE"):
        sample(model, toy)
    sample(model, toy, beside=beside)
    channels = beside.shape[1]
    there = [model.model.process_latent_in(beside)[i] for i in (0, 1)]
    for call in calls:
        concat = call.given["c_concat"]
        picture = concat[:, 1:] if toy is INPAINT else concat[:, :channels]
        mask = concat[:, :1] if toy is INPAINT else concat[:, channels:]
        assert (mask == 1).all()
        for at, name in enumerate(call.rows):
            assert torch.equal(picture[at], there[0 if name == "original" else 1])


def test_models_that_nobody_can_feed_are_refused_in_one_sentence(sample: Any) -> None:
    lines = replace(TOYS["flux"], settings={**TOYS["flux"].settings, "in_channels": 32})
    with pytest.raises(ValueError, match="model: .* cannot be used, it draws from lines") as refusal:
        sample(a_model(lines), lines)
    assert "\n" not in str(refusal.value)


def test_a_distilled_model_is_run_on_its_own_levels(core: Any, calls: list[Call], sample: Any) -> None:
    toy = TOYS["schnell"]
    if not toys.exists(toy):
        pytest.skip("this host has no such model")
    model = a_model(toy)
    done = sample(model, toy, mode="auto", steps=10, strength=1.0)
    samplers = importlib.import_module("comfy.samplers")
    own = samplers.calculate_sigmas(model.get_model_object("model_sampling"), "simple", 4)[:-1].tolist()
    met = [float(call.sigma[0]) for call in calls]
    assert done.mode == "lock-step" and met == pytest.approx([min(s, 0.98) for s in own], abs=1e-5)
    calls.clear()
    sample(model, toy, mode="auto", steps=10, strength=0.5)
    met = [float(call.sigma[0]) for call in calls]
    assert met == pytest.approx(own[-len(met):], abs=1e-5) and len(met) < 4


class Clip:
    """A text encoder of a width that keeps what it was asked."""

    def __init__(self, width: int) -> None:
        self.width, self.asked = width, []

    def tokenize(self, text: str) -> str:
        return text

    def encode_from_tokens_scheduled(self, tokens: str) -> Any:
        self.asked.append(tokens)
        return [[torch.full((1, 3, self.width), 0.5), {}]]


def test_the_text_encoder_makes_the_empty_prompt_once(core: Any, host: Host) -> None:
    prompt = importlib.import_module("editedid_core.comfy.empty_prompt")
    model, clip = a_model(TOYS["sd15"]), Clip(16)
    made, note = prompt.prompt_without_words(model, clip)
    assert clip.asked == [""] and bool(made[0][0].any()) and not note
    assert prompt.prompt_without_words(model, None) == (None, prompt.SUBSTITUTE)
    # zeros that a model was trained on need no encoder
    assert prompt.prompt_without_words(a_model(TOYS["sdxl"]), clip) == (None, "") and clip.asked == [""]
    assert prompt.prompt_without_words(a_model(TOYS["sdxl"]), clip, "a face")[0] is not None
    with pytest.raises(ValueError, match="prompt: words need a text encoder"):
        prompt.prompt_without_words(model, None, "a face")
    with pytest.raises(ValueError, match="clip: this prompt was encoded for another model"):
        prompt.prompt_without_words(model, Clip(24))
