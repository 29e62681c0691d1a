"""Any model family at toy size inside the real host, with random weights, and how to run the pack on it."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from editedid_core.engines.edited_id.mixing import Mixing
from lab import toys
from lab.inprocess import Host
from lab.toys import TOYS

ALWAYS = dict(structure=0.8, detail=0.8, donor="original", structure_start=0.0, structure_end=1.0, detail_start=0.0,
              detail_end=1.0, structure_blocks="auto", detail_blocks="auto", agreement_gate=False, agreement=0.0)


@pytest.fixture(scope="session")
def tiny_model(host: Host) -> Callable[[str], Any]:
    """kind -> a fresh MODEL of that family; skips where the host has no such family."""

    def make(kind: str) -> Any:
        if not toys.exists(TOYS[kind]):
            pytest.skip(f"this host has no {TOYS[kind].config}")
        return toys.make(TOYS[kind])

    return make


@pytest.fixture(scope="session")
def latents(host: Host) -> Callable[[str], tuple[Tensor, Tensor]]:
    """kind -> two random latents of 8 x 12."""
    return lambda kind: toys.latents(TOYS[kind])


@pytest.fixture(scope="session")
def conditioning() -> Callable[..., list[Any]]:
    """A random prompt of 7 tokens for a kind, as a text encoder would give it."""
    return lambda kind, seed=1, tokens=7: toys.conditioning(TOYS[kind], seed, tokens)


@pytest.fixture(scope="session")
def core(host: Host) -> Any:
    return importlib.import_module("editedid_core.comfy.sampling")


@pytest.fixture(scope="session")
def patched(host: Host) -> Callable[..., Any]:
    """Both nodes applied, gates open over the whole run unless told otherwise."""

    def apply(model: Any, **changes: Any) -> Any:
        model = host.node("EditedIDAttentionDisentangle").execute(model, 1.0, 0.0, 1.0)[0]
        return host.node("EditedIDEntanglement").execute(model, **{**ALWAYS, **changes})[0]

    return apply


@pytest.fixture(scope="session")
def run(core: Any) -> Callable[..., Tensor]:
    """One restoration of the two toy latents of a kind; returns the latent."""

    def sample(model: Any, kind: str, face: Tensor | None = None, prompt: Any = None, negative: Any = None,
               **settings: Any) -> Tensor:
        original, edited = toys.latents(TOYS[kind])
        if face is None:
            # not everywhere: a target that is the original all over has nothing left to take from it
            face = torch.zeros(64, 96)
            face[:, :56] = 1
        prompt = prompt or toys.conditioning(TOYS[kind])
        values = {"mode": "replay", "steps": 4, "strength": 1.0, **settings}
        with torch.inference_mode():  # as the host runs its nodes
            return core.sample_pair(model, prompt, negative or prompt, original, edited, face, torch.zeros(64, 96),
                                    core.SampleSettings(**values)).latent

    return sample


@pytest.fixture(scope="session")
def plain(host: Host) -> Callable[[Any, str], Tensor]:
    """What a stock sampler makes with a model, guided, so that both conditionings run."""

    def sample(model: Any, kind: str) -> Tensor:
        stock = importlib.import_module("comfy.sample")
        latent, toy = toys.latents(TOYS[kind])[0], TOYS[kind]
        noise = torch.randn(latent.shape, generator=torch.Generator().manual_seed(0))
        with torch.inference_mode():
            return stock.sample(model, noise, 2, 2.0, "euler", "simple", toys.conditioning(toy),
                                toys.conditioning(toy, 2), latent, disable_pbar=True, seed=1)

    return sample


@pytest.fixture(scope="session")
def scheduled_lora(host: Host) -> Callable[..., tuple[Any, Any, Callable[[Any], Any]]]:
    """A prompt with a LoRA on it whose strength changes along the denoising run, (start, strength) each; its hooks; and
    what makes a model know their weights, as CreateHookLora and the guider leave it."""

    def make(model: Any, prompt: Any, strengths: list[tuple[float, float]]) -> tuple[Any, Any, Callable[[Any], Any]]:
        hooks = importlib.import_module("comfy.hooks")
        key = toys.weight_key(model)
        group = hooks.HookGroup()
        hook = hooks.WeightHook(strength_model=1.0, strength_clip=0.0)
        hook.weights = {key: ("diff", (torch.full_like(model.model.state_dict()[key], 0.1),))}
        hook.need_weight_init = False
        group.add(hook)
        keyframes = hooks.HookKeyframeGroup()
        for start, strength in strengths:
            keyframes.add(hooks.HookKeyframe(strength, start_percent=start))
        group.set_keyframes_on_hooks(keyframes)

        def add(model: Any) -> Any:
            model = model.clone()
            for one in group.hooks:
                model.add_hook_patches(hook=one, patches=one.weights, strength_patch=1.0)
            return model

        return hooks.set_hooks_for_conditioning(prompt, group), group, add

    return make


@pytest.fixture(scope="session")
def paper_run(core: Any, latents: Callable[..., Any], conditioning: Callable[..., Any]) -> Callable[..., Any]:
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


@pytest.fixture(scope="session")
def frozen(tiny_model: Callable[[str], Any]) -> Callable[[str], Any]:
    """kind -> a MODEL whose weights were made in inference mode, as the host's loaders make them."""

    def make(kind: str) -> Any:
        with torch.inference_mode():
            return tiny_model(kind)

    return make
