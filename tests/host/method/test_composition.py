"""What people add to a graph, beside the gates: each keeps its own effect, and the gates keep theirs."""

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

Added = Callable[[Any], Any]


@pytest.fixture(scope="module")
def composes(patched: Callable[..., Any], run: Callable[..., Tensor], tiny_model: Callable[[str], Any]) -> Any:
    """Assert that something added to a model (or its prompt) before or after ours acts, and that the gates act."""
    without: dict[tuple[str, bool], Tensor] = {}

    def check(kind: str, add: Added = lambda model: model, prompt: Any = None) -> None:
        def sample(model: Any) -> Tensor:
            out = run(model, kind, prompt=prompt, steps=2)
            assert torch.isfinite(out).all()
            return out

        for gates in (False, True):
            if (kind, gates) not in without:
                without[kind, gates] = run(patched(tiny_model(kind)) if gates else tiny_model(kind), kind, steps=2)
        alone = sample(add(tiny_model(kind)))
        assert not torch.equal(alone, without[kind, False])
        assert torch.equal(sample(add(patched(tiny_model(kind), structure=0.0, detail=0.0))), alone)
        after, before = sample(add(patched(tiny_model(kind)))), sample(patched(add(tiny_model(kind))))
        torch.testing.assert_close(after, before, rtol=1e-4, atol=1e-5)
        assert not torch.equal(after, alone)
        assert not torch.equal(after, without[kind, True])

    return check


@pytest.mark.parametrize("kind", ["sd3", "qwen", "zimage"])
def test_a_lora(composes: Any, kind: str) -> None:
    def add(model: Any) -> Any:
        model, key = model.clone(), toys.weight_key(model)
        model.add_patches({key: ("diff", (torch.full_like(model.model.state_dict()[key], 0.1),))})
        return model

    composes(kind, add)


@pytest.mark.parametrize("kind", ["flux", "sd3"])
def test_a_lora_schedule_is_followed_up_and_down(patched: Any, run: Any, tiny_model: Any, scheduled_lora: Any,
                                                 kind: str) -> None:
    def sample(strengths: list[tuple[float, float]]) -> Tensor:
        model = tiny_model(kind)
        hooked, group, add = scheduled_lora(model, toys.conditioning(TOYS[kind]), strengths)
        return run(add(patched(model)), kind, prompt=hooked)

    never, always = sample([(0.0, 0.0)]), sample([(0.0, 1.0)])
    assert not torch.equal(never, always)
    assert torch.equal(sample([(0.0, 1.0), (0.5, 1.0)]), always)
    late, early = sample([(0.0, 0.0), (0.5, 1.0)]), sample([(0.0, 1.0), (0.5, 0.0)])
    for mixed in (late, early):
        assert not torch.equal(mixed, never) and not torch.equal(mixed, always)
    assert not torch.equal(late, early)


def test_a_controlnet(composes: Any) -> None:
    cldm, controlnet = importlib.import_module("comfy.cldm.cldm"), importlib.import_module("comfy.controlnet")
    toy = TOYS["sd15"]
    settings = {k: v for k, v in toy.settings.items() if k not in ("out_channels", "transformer_depth_output")}
    network = cldm.ControlNet(hint_channels=3, operations=importlib.import_module("comfy.ops").disable_weight_init,
                              **settings)
    toys.fill(network)
    control = controlnet.ControlNet(network, load_device=torch.device("cpu"))
    hint = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    text, extra = toys.conditioning(toy)[0]
    composes("sd15", prompt=[[text, {**extra, "control": control.copy().set_cond_hint(hint, 0.5),
                                     "control_apply_to_uncond": True}]])


def test_another_packs_attention_patches(composes: Any) -> None:
    """As IP-Adapter packs do it: cross-attention replaced, its inputs and outputs patched."""
    attention = importlib.import_module("comfy.ldm.modules.attention").optimized_attention
    picture = torch.randn(1, 4, 1, generator=torch.Generator().manual_seed(5))

    def replaced(q: Tensor, k: Tensor, v: Tensor, extra_options: Any) -> Tensor:
        own = attention(q, k, v, extra_options["n_heads"])
        given = picture.expand(q.shape[0], -1, k.shape[-1]).to(k)
        return own + 0.3 * attention(q, given, given, extra_options["n_heads"])

    def add(model: Any) -> Any:
        model = model.clone()
        model.set_model_attn2_replace(replaced, "input", 1, 0)
        model.set_model_attn2_patch(lambda n, context, value, options: (n, context * 1.1, value))
        model.set_model_attn1_patch(lambda n, context, value, options: (n * 1.05, context, value))
        model.set_model_attn1_output_patch(lambda n, options: n * 0.95)
        return model

    composes("sd15", add)


def test_self_attention_that_another_pack_replaces_is_left_to_it(
        run: Any, patched: Any, tiny_model: Any) -> None:
    """As guidance by perturbed attention does it. Nothing after it may be taken for self-attention."""
    def add(model: Any) -> Any:
        model = model.clone()
        for name, number in (("input", 1), ("input", 3), ("middle", 0), ("output", 0), ("output", 1), ("output", 2),
                             ("output", 3)):
            model.set_model_attn1_replace(lambda q, k, v, extra_options: v, name, number, 0)
        return model

    seven_by_eleven = torch.randn(1, 77, 16, generator=torch.Generator().manual_seed(2))
    prompt = [[seven_by_eleven, {}]]
    gated = patched(add(tiny_model("sd15")))
    assert torch.equal(run(gated, "sd15", prompt=prompt, steps=2),
                       run(add(tiny_model("sd15")), "sd15", prompt=prompt, steps=2))


@pytest.mark.parametrize("kind", ["sd3", "flux"])
def test_regional_prompts(composes: Any, kind: str) -> None:
    toy = TOYS[kind]
    left = torch.zeros(1, 8, 12)
    left[..., :6] = 1
    first, second = toys.conditioning(toy, 4)[0], toys.conditioning(toy, 5)[0]
    composes(kind, prompt=[[first[0], {**first[1], "mask": left, "mask_strength": 1.0}],
                           [second[0], {**second[1], "mask": 1 - left, "mask_strength": 1.0}]])


def test_merged_tokens_pass_untouched(host: Host, run: Any, patched: Any, tiny_model: Any) -> None:
    kind = "sd15"

    def sample(model: Any) -> Tensor:
        torch.manual_seed(0)  # which tokens are merged is drawn at each call
        return run(model, kind, mode="lock-step", steps=2)

    merge = host.node("TomePatchModel").execute
    merged_level = dict(structure_blocks="down.1", detail_blocks="up.2-3")  # only the finest level is merged
    alone = sample(merge(tiny_model(kind), 0.5)[0])
    assert torch.isfinite(alone).all() and not torch.equal(alone, sample(tiny_model(kind)))
    for both in (merge(patched(tiny_model(kind), **merged_level), 0.5)[0],
                 patched(merge(tiny_model(kind), 0.5)[0], **merged_level)):
        assert torch.equal(sample(both), alone)
    assert not torch.equal(sample(patched(tiny_model(kind), **merged_level)), sample(tiny_model(kind)))
    assert not torch.equal(sample(patched(merge(tiny_model(kind), 0.5)[0])), alone)  # other levels are gated


def tiles(model: Any) -> Any:
    """Self-attention cut into two tiles side by side, keys and values too, as HyperTile packs do it."""
    model, shape = model.clone(), []

    def cut(t: Tensor, height: int) -> Tensor:
        b, n, c = t.shape
        return t.view(b, height, 2, n // height // 2, c).transpose(1, 2).reshape(b * 2, n // 2, c)

    def enter(n: Tensor, context: Tensor, value: Tensor, options: Any) -> tuple[Tensor, Tensor, Tensor]:
        height, width = options["activations_shape"][-2:]
        shape.append((height, width))
        return cut(n, height), cut(context, height), cut(value, height)

    def leave(n: Tensor, options: Any) -> Tensor:
        height, width = shape.pop()
        b, _, c = n.shape
        return n.view(b // 2, 2, height, width // 2, c).transpose(1, 2).reshape(b // 2, height * width, c)

    model.set_model_attn1_patch(enter)
    model.set_model_attn1_output_patch(leave)
    return model


def test_tiled_attention_passes_untouched(run: Any, patched: Any, tiny_model: Any) -> None:
    alone = run(tiles(tiny_model("sd15")), "sd15", steps=2)
    assert not torch.equal(alone, run(tiny_model("sd15"), "sd15", steps=2))
    assert torch.equal(run(patched(tiles(tiny_model("sd15"))), "sd15", steps=2), alone)
    assert torch.equal(run(tiles(patched(tiny_model("sd15"))), "sd15", steps=2), alone)


def test_hypertile_where_it_tiles_nothing_leaves_the_gates_alone(host: Host, run: Any, patched: Any,
                                                                  tiny_model: Any) -> None:
    node = host.node("HyperTile")
    gated = patched(tiny_model("sd15"))
    assert torch.equal(run(node.execute(gated, 2048, 2, 0, False)[0], "sd15", steps=2), run(gated, "sd15", steps=2))
