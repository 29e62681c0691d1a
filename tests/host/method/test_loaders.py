"""Models as other packs and newer hosts load and run them, built here in their manner: the gates act, or it is said."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lab import toys
from lab.inprocess import Host
from lab.toys import TOYS

OVERRIDE = "optimized_attention_override"


class Unpacked(nn.Module):
    """A linear layer whose weight is stored in eight bits and unpacked at each use, patches applied then."""

    def __init__(self, weight: Tensor, bias: Tensor | None, kind: str) -> None:
        super().__init__()
        self.scale = weight.abs().amax(1, keepdim=True).clamp_min(1e-8) / (127 if kind == "int8" else 448)
        scaled = weight / self.scale
        self.packed = scaled.round().to(torch.int8) if kind == "int8" else scaled.to(torch.float8_e4m3fn)
        self.bias = None if bias is None else nn.Parameter(bias.clone(), requires_grad=False)

    @property
    def whole(self) -> Tensor:
        return self.packed.float() * self.scale

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.linear(x, self.whole.to(x), None if self.bias is None else self.bias.to(x))


@pytest.fixture(params=["int8", "fp8"])
def packed(request: Any, host: Host) -> tuple[Any, Any]:
    """A model as a GGUF loader leaves it, a patcher of its own over packed weights, and its plain twin."""
    patcher = importlib.import_module("comfy.model_patcher").ModelPatcher

    class PackedPatcher(patcher):  # type: ignore[misc, valid-type]
        def patch_weight_to_device(self, key: str, *args: Any, **kwargs: Any) -> None:
            if not key.endswith(".weight"):
                super().patch_weight_to_device(key, *args, **kwargs)

    made, twin = toys.make(TOYS["flux"]), toys.make(TOYS["flux"])
    theirs = dict(twin.model.diffusion_model.named_modules())
    for name, module in list(made.model.diffusion_model.named_modules()):
        if isinstance(module, nn.Linear) and ("_blocks." in name):
            layer = Unpacked(module.weight.detach(), None if module.bias is None else module.bias.detach(),
                             request.param)
            parent, _, last = name.rpartition(".")
            setattr(made.model.diffusion_model.get_submodule(parent), last, layer)
            theirs[name].weight.data.copy_(layer.whole)
    cpu = torch.device("cpu")
    return PackedPatcher(made.model, load_device=cpu, offload_device=cpu), twin


def test_weights_that_are_unpacked_on_use_are_gated_like_plain_ones(run: Any, patched: Any,
                                                                    packed: tuple[Any, Any]) -> None:
    model, twin = packed
    gated = run(patched(model), "flux", steps=2)
    assert type(patched(model)) is type(model)
    torch.testing.assert_close(gated, run(patched(twin), "flux", steps=2), rtol=1e-4, atol=1e-5)
    assert not torch.equal(gated, run(model, "flux", steps=2))


class Container:
    """A tensor on its way to attention that can be taken out once, as newer hosts hand it over."""

    def __init__(self, tensor: Tensor) -> None:
        self._tensor: Tensor | None = tensor

    def take(self) -> Tensor:
        assert self._tensor is not None, "taken twice"
        tensor, self._tensor = self._tensor, None
        return tensor


@pytest.mark.parametrize("positional", [False, True])
def test_a_newer_hosts_containers_and_arguments_are_taken(run: Any, patched: Any, tiny_model: Any,
                                                          monkeypatch: pytest.MonkeyPatch, positional: bool) -> None:
    expected = run(patched(tiny_model("flux")), "flux", steps=2)
    maths = importlib.import_module("comfy.ldm.flux.math")
    plain, met = maths.optimized_attention, []

    def backend(q: Tensor, k: Tensor, v: Tensor, heads: int, mask: Any = None, attn_precision: Any = None,
                skip_reshape: bool = False, skip_output_reshape: bool = False, window: Any = None,
                **kwargs: Any) -> Tensor:
        assert all(isinstance(t, Tensor) for t in (q, k, v)) and window == 7
        kwargs.pop("transformer_options", None)
        return plain(q, k, v, heads, mask, attn_precision, skip_reshape, skip_output_reshape)

    def attention(q: Tensor, k: Tensor, v: Tensor, heads: int, mask: Any = None, attn_precision: Any = None,
                  skip_reshape: bool = False, skip_output_reshape: bool = False, **kwargs: Any) -> Tensor:
        options = kwargs.get("transformer_options") or {}
        if OVERRIDE not in options:
            return plain(q, k, v, heads, mask, attn_precision, skip_reshape, skip_output_reshape, **kwargs)
        met.append(1)
        boxes = (Container(t) for t in (q, k, v))
        if positional:
            return options[OVERRIDE](backend, *boxes, heads, mask, attn_precision, skip_reshape, skip_output_reshape,
                                     7, **kwargs)
        return options[OVERRIDE](backend, *boxes, heads, mask=mask, skip_reshape=skip_reshape, window=7, **kwargs)

    monkeypatch.setattr(maths, "optimized_attention", attention)
    torch.testing.assert_close(run(patched(tiny_model("flux")), "flux", steps=2), expected, rtol=1e-4, atol=1e-5)
    assert met


def test_an_attention_back_end_node_before_or_after_ours(run: Any, patched: Any, tiny_model: Any) -> None:
    attention = importlib.import_module("comfy.ldm.modules.attention")
    used = []

    def chosen(model: Any) -> Any:
        """As the host's own node sets it: the slot is filled, and what stood there is not called."""
        model = model.clone()

        def override(func: Any, *args: Any, **kwargs: Any) -> Tensor:
            used.append(1)
            return attention.attention_basic(*args, **kwargs)

        model.model_options["transformer_options"][OVERRIDE] = override
        return model

    expected = run(patched(tiny_model("flux")), "flux", steps=2)
    for model in (patched(chosen(tiny_model("flux"))), chosen(patched(tiny_model("flux")))):
        used.clear()
        torch.testing.assert_close(run(model, "flux", steps=2), expected, rtol=1e-3, atol=1e-4)
        assert used


@pytest.mark.parametrize("late", [False, True])
def test_a_loader_that_leaves_the_hooks_out_is_named_in_one_sentence(
        core: Any, patched: Callable[..., Any], tiny_model: Any, late: bool) -> None:
    """As wrappers with kernels of their own do it, or a graph that is replayed after the first evaluation."""
    model = patched(tiny_model("flux"))
    network, done = model.model.diffusion_model, []
    forward = network.forward

    def wrapped(*args: Any, transformer_options: Any = None, **kwargs: Any) -> Tensor:
        done.append(1)
        kept = transformer_options if late and len(done) == 1 else {}
        args = tuple(a for a in args if not (isinstance(a, dict) and "sigmas" in a))
        return forward(*args, transformer_options=kept, **kwargs)

    network.forward = wrapped
    original, edited = toys.latents(TOYS["flux"])
    face = torch.ones(64, 96)
    with torch.inference_mode():
        out = core.sample_pair(model, None, None, original, edited, face, 0 * face,
                               core.SampleSettings(mode="replay", steps=2))
        network.forward = forward
        fine = core.sample_pair(model, None, None, original, edited, face, 0 * face,
                                core.SampleSettings(mode="replay", steps=2))
    assert out.notes == (core.NO_GATE_SEEN,) and "\n" not in out.notes[0]
    assert fine.notes == ()


def test_a_network_that_the_host_does_not_know_is_run_without_gates(host: Host, core: Any, tiny_model: Any) -> None:
    """As packs with kernels of their own load a model: Restore Identity works by mixing alone and says so."""
    class Quantised(nn.Module):
        def __init__(self, inner: nn.Module) -> None:
            super().__init__()
            self.inner, self.dtype = inner, torch.float32

        def forward(self, *args: Any, **kwargs: Any) -> Tensor:
            return self.inner(*args, **kwargs)

    run = importlib.import_module(host.node("EditedIDRestoreIdentity").__module__.rsplit(".", 1)[0] + ".run")
    model, kind = tiny_model("flux"), "flux"
    gated = run.make_engine(run.RestoreConfig(), model, object()).model
    model.model.diffusion_model = Quantised(model.model.diffusion_model)
    free = run.make_engine(run.RestoreConfig(), model, object()).model
    assert core.ENTANGLE_KEY in gated.model_options["transformer_options"]
    assert core.ENTANGLE_KEY not in free.model_options["transformer_options"]
    original, edited = toys.latents(TOYS[kind])
    prompt, face = toys.conditioning(TOYS[kind]), torch.ones(64, 96)
    with torch.inference_mode():
        out = core.sample_pair(free, prompt, None, original, edited, face, 0 * face, core.SampleSettings(steps=2))
    assert torch.isfinite(out.latent).all() and not torch.equal(out.latent, edited)


@pytest.mark.every_host
def test_a_packs_loader_and_a_lora_are_known_by_the_files_that_the_graph_names(
        host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with a GGUF of an edit model and a LoRA for few steps: the sampler runs what their names say."""
    toy, met = TOYS["flux"], []
    latent = iter(toys.latents(toy))

    def node(returns: str, give: Callable[..., Any], **inputs: Any) -> type:
        return type("Loader", (), {"INPUT_TYPES": classmethod(lambda cls: {"required": inputs}), "FUNCTION": "load",
                                   "RETURN_TYPES": (returns,), "CATEGORY": "", "load": give})

    nodes = importlib.import_module("nodes").NODE_CLASS_MAPPINGS
    files = ["flux1-dev-Q4_K_S.gguf", "flux1-kontext-dev-Q4_K_S.gguf"]
    monkeypatch.setitem(nodes, "TestLoaderGGUF", node("MODEL", lambda self, unet_name: (toys.make(toy),),
                                                      unet_name=(files,)))
    monkeypatch.setitem(nodes, "TestLora", node("MODEL", lambda self, model, lora_name: (model.clone(),),
                                                model=("MODEL",), lora_name=("STRING", {})))
    monkeypatch.setitem(nodes, "TestLatent", node("LATENT", lambda self, n: ({"samples": next(latent)},),
                                                  n=("INT", {})))
    base = importlib.import_module("comfy.model_base").BaseModel
    apply = base._apply_model

    def reads(self: Any, x: Tensor, t: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        met.append((float(t[0]), "ref_latents" in kwargs))
        return apply(self, x, t, *args, **kwargs)

    monkeypatch.setattr(base, "_apply_model", reads)
    sampler = host.node("EditedIDAdaptiveMixingSampler")
    values = {i.id: i.default for i in sampler.define_schema().inputs if getattr(i, "default", None) is not None}

    def run(file: str, lora: str) -> tuple[int, bool]:
        nonlocal latent
        latent = iter(toys.latents(toy))
        met.clear()
        host.run({"1": {"class_type": "TestLoaderGGUF", "inputs": {"unet_name": file}},
                  "2": {"class_type": "TestLora", "inputs": {"model": ["1", 0], "lora_name": lora}},
                  "3": {"class_type": "TestLatent", "inputs": {"n": 1}},
                  "4": {"class_type": "TestLatent", "inputs": {"n": 2}},
                  "5": {"class_type": "SolidMask", "inputs": {"value": 1.0, "width": 96, "height": 64}},
                  "6": {"class_type": "EditedIDAdaptiveMixingSampler", "inputs": {
                      **values, "strength": 1.0, "model": ["2", 0], "original_latent": ["3", 0],
                      "edited_latent": ["4", 0], "face_mask": ["5", 0]}},
                  "7": {"class_type": "PreviewImage", "inputs": {"images": ["6", 1]}}})
        return len(met), all(shown for _, shown in met)

    assert run(files[0], "style.safetensors") == (10, False)
    assert run(files[1], "FLUX.1-Turbo-8steps.safetensors") == (8, True)
