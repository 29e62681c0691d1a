"""The gates act however the host runs a model: back ends, compiled, in fewer bits, in little memory, on two devices."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from lab import toys
from lab.inprocess import Host
from lab.toys import TOYS


class Other:
    """Another pack's attention: one of the host's own back ends in place of the one in use."""

    def __init__(self, backend: Callable[..., Tensor]) -> None:
        self.backend = backend

    def __call__(self, func: Any, *args: Any, **kwargs: Any) -> Tensor:
        return self.backend(*args, **kwargs)


@pytest.fixture(scope="module")
def expected() -> dict[str, Tensor]:
    """By family, what the back end in use gives."""
    return {}


@pytest.mark.parametrize("backend", ["attention_basic", "attention_sub_quad", "attention_split", "attention_pytorch",
                                     "attention_xformers", "attention_sage", "attention_flash"])
@pytest.mark.parametrize("kind", ["sd3", "lens"])
def test_every_attention_back_end_gives_the_same(
        host: Host, run: Any, patched: Any, tiny_model: Any, expected: dict[str, Tensor], kind: str,
        backend: str) -> None:
    package = {"attention_xformers": "xformers", "attention_sage": "sageattention", "attention_flash": "flash_attn"}
    if importlib.util.find_spec(package.get(backend, "torch")) is None:
        pytest.skip(f"{package[backend]} is not installed")
    if backend in package and not torch.cuda.is_available():
        pytest.skip(f"{package[backend]} needs a GPU")
    if not toys.exists(TOYS[kind]):
        pytest.skip(f"this host has no {TOYS[kind].config}")
    model = patched(tiny_model(kind))
    if kind not in expected:
        expected[kind] = run(model, kind, steps=2)
    chosen = getattr(importlib.import_module("comfy.ldm.modules.attention"), backend)
    model.model_options["transformer_options"]["optimized_attention_override"] = Other(chosen)
    torch.testing.assert_close(run(model, kind, steps=2), expected[kind], rtol=1e-2, atol=1e-3)


def compiled(model: Any) -> Any:
    """As TorchCompileModel does it, with its guards, but without a C++ compiler."""
    node = importlib.import_module("comfy_extras.nodes_torch_compile")
    model = model.clone()
    importlib.import_module("comfy_api.torch_helpers").set_torch_compile_wrapper(
        model=model, backend="eager", options={"guard_filter_fn": node.skip_torch_compile_dict})
    return model


def test_a_compiled_model_honours_the_gates_being_switched(
        host: Host, run: Any, plain: Any, patched: Any) -> None:
    """Graphs made with the gates and without them must not be taken for each other."""
    toy = TOYS["flux"]
    bare = toys.make(replace(toy, settings={**toy.settings, "depth": 1, "depth_single_blocks": 1}))
    model, stock = compiled(bare), plain(bare, "flux")
    torch.testing.assert_close(plain(model, "flux"), stock, rtol=1e-3, atol=1e-4)
    expected = run(patched(bare), "flux", steps=2)
    torch.testing.assert_close(run(patched(model), "flux", steps=2), expected, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(plain(patched(model), "flux"), stock, rtol=1e-3, atol=1e-4)
    assert torch._dynamo.utils.counters["frames"]["ok"] > 0  # something was compiled
    torch._dynamo.reset()


def cast(model: Any, weights: torch.dtype, compute: torch.dtype) -> Any:
    """The model with weights stored in one type and computed in another."""
    network = model.model.diffusion_model
    with torch.no_grad():
        for module in network.modules():
            if hasattr(module, "comfy_cast_weights"):
                module.comfy_cast_weights = True
                for name, p in module.named_parameters(recurse=False):
                    setattr(module, name, torch.nn.Parameter(p.to(weights), requires_grad=False))
    network.dtype = compute
    model.model.manual_cast_dtype = compute
    return model


@pytest.mark.parametrize(("kind", "weights", "compute"), [
    ("flux", torch.float16, torch.float32), ("flux", torch.bfloat16, torch.bfloat16),
    ("sd15", torch.float16, torch.float16), ("flux", torch.float8_e4m3fn, torch.bfloat16)])
def test_weights_and_arithmetic_in_fewer_bits(
        run: Any, patched: Any, tiny_model: Any, kind: str, weights: torch.dtype, compute: torch.dtype) -> None:
    full = run(patched(tiny_model(kind)), kind, steps=2)
    less, plain = (run(m, kind, steps=2) for m in (patched(cast(tiny_model(kind), weights, compute)),
                                                   cast(tiny_model(kind), weights, compute)))
    assert torch.isfinite(less).all() and not torch.equal(less, plain)
    likeness = torch.nn.functional.cosine_similarity(less.flatten(), full.flatten(), dim=0)
    assert float(likeness) > (0.9 if weights == torch.float8_e4m3fn else 0.97)


def test_weights_that_stay_in_main_memory(
        run: Any, patched: Any, tiny_model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The host's low-VRAM path: most layers are cast, and their LoRA applied, at each use."""
    patcher = importlib.import_module("comfy.model_patcher").ModelPatcher

    def model() -> Any:
        fresh = tiny_model("flux")
        key = toys.weight_key(fresh)
        fresh.add_patches({key: ("diff", (torch.full_like(fresh.model.state_dict()[key], 0.1),))})
        return patched(fresh)

    expected, load = run(model(), "flux", steps=2), patcher.load
    partly: list[bool] = []

    def squeezed(self: Any, device_to: Any = None, lowvram_model_memory: int = 0, **kwargs: Any) -> Any:
        done = load(self, device_to, lowvram_model_memory=50_000, **{**kwargs, "full_load": False})
        partly.append(bool(self.model.model_lowvram))
        return done

    monkeypatch.setattr(patcher, "load", squeezed)
    torch.testing.assert_close(run(model(), "flux", steps=2), expected, rtol=1e-3, atol=1e-4)
    assert partly and all(partly)


def test_two_guiders_at_once_never_see_each_other(
        run: Any, patched: Any, tiny_model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    sampling = importlib.import_module("editedid_core.comfy.sampling")
    first, second = patched(tiny_model("sd3")), patched(tiny_model("flux"))
    expected = run(first, "sd3", steps=2), run(second, "flux", steps=2)
    inner: list[Tensor] = []
    own_bar = sampling.own_bar

    def interrupted_by_another() -> Any:
        say = own_bar()

        def call(words: str, done: float) -> None:
            if not inner:
                inner.append(torch.empty(0))
                inner.append(run(second, "flux", steps=2))
            say(words, done)

        return call

    monkeypatch.setattr(sampling, "own_bar", interrupted_by_another)
    assert torch.equal(run(first, "sd3", steps=2), expected[0])
    assert torch.equal(inner[1], expected[1])


@pytest.mark.parametrize("mode", ["replay", "lock-step"])
def test_the_bar_rises_over_the_whole_run_and_no_latents_are_shown(
        run: Any, patched: Any, tiny_model: Any, monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    args, utils = (importlib.import_module(name) for name in ("comfy.cli_args", "comfy.utils"))
    shown: list[Any] = []
    monkeypatch.setattr(args.args, "preview_method", args.LatentPreviewMethod.Latent2RGB)
    monkeypatch.setattr(utils, "PROGRESS_BAR_HOOK",
                        lambda value, total, preview, **_: shown.append((value / total, preview)))
    run(patched(tiny_model("sd15")), "sd15", steps=3, mode=mode)
    shares = [share for share, _ in shown]
    assert shares == sorted(shares) and shares[0] < 0.4 and shares[-1] == 1
    assert all(preview is None for _, preview in shown)


@pytest.mark.parametrize("kind", ["sd3", "flux"])
def test_guidance_halves_on_two_devices(
        run: Any, patched: Any, tiny_model: Any, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """The host's multi-GPU path, on two names of the CPU: each half in its own thread on its own copy."""
    if importlib.util.find_spec("comfy.multigpu") is None:
        pytest.skip("this host has no multi-GPU sampling")
    multigpu, management = (importlib.import_module(f"comfy.{name}") for name in ("multigpu", "model_management"))
    model, negative = patched(tiny_model(kind)), toys.conditioning(TOYS[kind], 2)
    expected = run(model, kind, negative=negative, cfg=3.0, steps=2)
    monkeypatch.setattr(management, "set_torch_device", lambda device: None)
    here, there = torch.device("cpu"), torch.device("cpu", 0)
    other = tiny_model(kind)
    other.pre_run()
    pool = multigpu.MultiGPUThreadPool([here, there])
    model.model_options["multigpu_clones"] = {here: model, there: other}
    model.model_options["multigpu_thread_pool"] = pool
    try:
        out = run(model, kind, negative=negative, cfg=3.0, steps=2)
    finally:
        pool.shutdown()
    torch.testing.assert_close(out, expected, rtol=1e-3, atol=1e-4)
