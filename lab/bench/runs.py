"""The runs that the cost benchmarks compare: ours, and the plain model doing the same evaluations."""
from __future__ import annotations

import importlib
import inspect
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from .sizes import Subject

Batches = Sequence[tuple[int, float]]
"""(samples, sigma) of each evaluation of a network."""


def core(name: str) -> Any:
    """A module of the pack's core; only after the host has been started."""
    return importlib.import_module(f"editedid_core.{name}")


def gated(model: Any) -> Any:
    """The model with the standard gates, as Restore Identity sets them."""
    sampling, config = core("comfy.sampling"), core("config").RestoreConfig()
    clone = model.clone()
    options = clone.model_options["transformer_options"]
    options[sampling.ENTANGLE_KEY], options[sampling.DISENTANGLE_KEY] = config.entangle, config.disentangle
    return clone


def settings(**changed: Any) -> Any:
    """The default SampleSettings but for those given."""
    return replace(core("config").RestoreConfig().sampling, **changed)


def levels(**changed: Any) -> int:
    """Noise levels that a run with these settings visits on the way up."""
    chosen = settings(**changed)
    return max(1, round(chosen.steps * chosen.share))


def is_unet(model: Any) -> bool:
    return hasattr(model.model.diffusion_model, "input_blocks")


def ours(subject: Subject, model: Any, **changed: Any) -> Any:
    """One restoration with the default settings but for those given; a SampleResult."""
    with torch.inference_mode():
        return core("comfy.sampling").sample_pair(model, subject.prompt, subject.prompt, subject.original,
                                                  subject.edited, subject.face, subject.element, settings(**changed))


def attention_run(subject: Subject, model: Any, mode: str) -> Any:
    """The gates of a run as `sample_pair` makes them."""
    make = core("comfy.sampling")._attention_run
    chosen = settings()
    wanted = core("comfy.wanted_amounts").wanted_by(subject.model, chosen.mode, chosen.sigma_floor)
    values = {"pose": 0.0, "wanted": wanted}  # a pose of faces that hold themselves alike
    rest = [values[name] for name in list(inspect.signature(make).parameters)[5:]]
    return make(model, subject.face, subject.element, subject.original, mode, *rest)


def batches(subject: Subject, model: Any, **settings: Any) -> list[tuple[int, float]]:
    """What `ours` asks of the network, from a run that notes it."""
    seen: list[tuple[int, float]] = []

    def note(executor: Any, x: Tensor, t: Tensor, *args: Any, **kwargs: Any) -> Any:
        seen.append((x.shape[0], float(t.flatten()[0])))
        return executor(x, t, *args, **kwargs)

    watched = model.clone()
    wrappers = importlib.import_module("comfy.patcher_extension").WrappersMP
    watched.add_wrapper_with_key(wrappers.APPLY_MODEL, "bench", note)
    ours(subject, watched, **settings)
    return seen


def plain(subject: Subject, evaluations: Batches) -> None:
    """The plain model doing these evaluations through the host's own guider and nothing else."""
    guided(subject, subject.model, lambda wrap, options, x: [
        wrap(x[:1].expand(samples, *x.shape[1:]), x.new_full((samples,), sigma), model_options=options, seed=0)
        for samples, sigma in evaluations][-1])


def guided(subject: Subject, model: Any, work: Any, cfg: float = 1.0) -> Tensor:
    """Call `work(model_wrap, model_options, latents)` inside the host's guider, with the model loaded."""
    samplers = importlib.import_module("comfy.samplers")

    class Sampler(samplers.Sampler):  # type: ignore[name-defined, misc]
        def sample(self, wrap: Any, sigmas: Tensor, extra: dict[str, Any], callback: Any, noise: Tensor,
                   latent_image: Tensor, denoise_mask: Any = None, disable_pbar: bool = False) -> Tensor:
            return work(wrap, extra["model_options"], latent_image)

    with torch.inference_mode():
        guider = samplers.CFGGuider(model)
        guider.set_conds(subject.prompt, subject.prompt)
        guider.set_cfg(cfg)
        pair = torch.cat([subject.original, subject.edited])
        return guider.sample(torch.zeros_like(pair), pair, Sampler(), torch.tensor([1.0, 0.0]), disable_pbar=True,
                             seed=0)


def stock(subject: Subject, model: Any, steps: int = 4) -> Tensor:
    """A stock KSampler run of a few steps: what a model with the gates costs in a graph that has no rows for them."""
    sample = importlib.import_module("comfy.sample")
    with torch.inference_mode():
        noise = torch.randn(subject.edited.shape, generator=torch.Generator().manual_seed(0))
        return sample.sample(model, noise, steps, 1.0, "euler", "simple", subject.prompt, subject.prompt,
                             subject.edited, disable_pbar=True, seed=0)
