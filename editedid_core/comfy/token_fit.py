"""A person's tokens, fitted on photos: textual inversion on the host's frozen model, weighted towards the face.

The model sees a photo with noise and the prompt with the tokens; its error about the noise is led back through the
network to the text, and from there through the text encoder to the tokens. Never do both hold a graph at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import comfy.model_management
import comfy.samplers
import torch
import torch.nn.functional as F
from torch import Tensor

from ..engines.super_resolution.settings import TokenFit
from ..ticks import Say
from .gradients import differentiable, with_plain_attention
from .model_profile import check_latent, check_prompt, noise_space, profile_of, require_usable
from .prompt_slots import PromptSlots, Vectors

POOLED = "pooled_output"
EDGES = (0.02, 0.98)
"""Part of the model's range of noise that draws come from."""
CHECK_DRAWS = 6
"""Draws on which tokens are compared; always the same ones."""
_DECAY = (0.9, 0.999)
_LAST_RATE = 0.1
_CHECK_STREAM, _STREAM = 1_000_003, 7_919

NO_TEXT = ("model: it ignores its text, so no tokens can be fitted on it; use a model that follows a prompt.")
NAN = ("The model's gradient is NaN, so tokens cannot be fitted; run the model and its text encoder in fp32 or bf16.")
NO_MEMORY = ("Fitting needs more memory than is free: it holds the model's gradients; use a smaller crop_size or a "
             "smaller model.")


@dataclass(frozen=True, eq=False)
class FitState:
    """How far a fit is: all that the next update depends on.

    updates: done. vectors: of now; mean, square: of their gradients. best: vectors of the lowest of `errors`, those of
    the checks so far, the first before any update. checked: updates that were done at the last of them, -1 before it.
    """

    updates: int
    vectors: Mapping[str, Tensor]
    mean: Mapping[str, Tensor]
    square: Mapping[str, Tensor]
    best: Mapping[str, Tensor]
    errors: tuple[float, ...] = ()
    checked: int = -1

    @staticmethod
    def new(vectors: Vectors) -> FitState:
        zeros = {name: torch.zeros_like(rows) for name, rows in vectors.items()}
        return FitState(0, dict(vectors), zeros, zeros, dict(vectors))


@dataclass(frozen=True, eq=False)
class Photos:
    """What tokens are fitted on: latents (P, C, ..., h, w) of face crops as the VAE makes them, faces (P, S, S), their
    masks in [0, 1]."""

    latents: Tensor
    faces: Tensor


@dataclass(frozen=True, eq=False)
class Fitted:
    """vectors: by text encoder, (K, width). context: the host's conditioning of the prompt with them. errors: about
    the noise, on the same draws, at each check from the first on."""

    vectors: Mapping[str, Tensor]
    context: list[list[Any]]
    errors: tuple[float, ...]


def fit_tokens(model: Any, slots: PromptSlots, photos: Photos, settings: TokenFit, start: FitState,
               sizes: Mapping[str, float], say: Say, keep: Callable[[FitState], None]) -> Fitted:
    """Fit the tokens of `slots` from a state on. sizes: of a number, by text encoder (`PromptSlots.start`). `keep`
    gets every state that a later run can go on from: at each check, and where the user stops the run.

    Model and text encoder are left as they were. Raises ValueError for a model that cannot be used so or ignores its
    text, RuntimeError where gradients are no numbers or memory runs out.
    """
    profile = require_usable(model, masked_pictures=False)
    if profile is not None and profile.concat:
        raise ValueError(f"model: {profile.title} reads a picture beside the noise, so no tokens are fitted on it; fit "
                         "them on the model that it was made from.")
    check_latent(model, photos.latents, "vae")
    prompt = encoded(model, slots, start.best)
    check_prompt(model, prompt, "clip")
    sampler = _Fitting(slots, photos, settings, start, sizes, say, keep)
    guider = comfy.samplers.CFGGuider(model)
    guider.set_conds(prompt, prompt)
    guider.set_cfg(1.0)
    sigmas = torch.tensor([float(model.get_model_object("model_sampling").sigma_max), 0.0])
    latents = photos.latents.float()
    guider.sample(torch.zeros_like(latents), latents, sampler, sigmas, disable_pbar=True, seed=settings.noise_seed)
    best = sampler.state.best
    return Fitted(best, encoded(model, slots, best), sampler.state.errors)


def encoded(model: Any, slots: PromptSlots, vectors: Vectors) -> list[list[Any]]:
    """The host's conditioning of the prompt with these vectors, for a model."""
    comfy.model_management.load_models_gpu([slots.clip.patcher])
    with torch.no_grad():
        tokens, extra = slots.encode(vectors)
    profile = profile_of(model)
    if profile is not None and profile.guidance is not None:
        extra["guidance"] = profile.guidance[1]
    return [[tokens, extra]]


class _Fitting(comfy.samplers.Sampler):
    """The host's view of the fit: a run that leaves its latents as they are. state: how far it is."""

    def __init__(self, slots: PromptSlots, photos: Photos, settings: TokenFit, start: FitState,
                 sizes: Mapping[str, float], say: Say, keep: Callable[[FitState], None]) -> None:
        self.slots, self.photos, self.settings, self.sizes = slots, photos, settings, sizes
        self.say, self.keep = say, keep
        self.state = start

    def sample(self, model_wrap: Any, sigmas: Tensor, extra_args: dict[str, Any], callback: Any, noise: Tensor,
               latent_image: Tensor, denoise_mask: Any = None, disable_pbar: bool = False) -> Tensor:
        """Called by the guider with the model loaded; latents are in the model's own scale."""
        s = self.settings
        comfy.model_management.load_models_gpu([model_wrap.model_patcher, self.slots.clip.patcher])
        loss = _Loss(model_wrap, extra_args["model_options"], latent_image, self.photos.faces, s)
        every = max(1, s.updates // s.checks)
        try:
            while True:
                done = self.state.updates
                if self.state.checked < done and (done % every == 0 or done == s.updates):
                    self._check(loss)
                if done >= s.updates:
                    return latent_image
                self.say(f"fitting, {done + 1} of {s.updates}", done / s.updates)
                self._update(loss)
        except comfy.model_management.InterruptProcessingException:
            self.keep(self.state)
            raise
        except torch.cuda.OutOfMemoryError as error:
            raise RuntimeError(NO_MEMORY) from error

    def _check(self, loss: _Loss) -> None:
        """Measure the tokens, keep them if they are the best, and hand the state out."""
        state = self.state
        with torch.no_grad():
            tokens, extra = self.slots.encode(state.vectors)
            found = sum(loss.error(tokens, extra, i, CHECK_DRAWS, _CHECK_STREAM) for i in range(CHECK_DRAWS))
        error = found / CHECK_DRAWS
        if not math.isfinite(error):
            raise RuntimeError(NAN)
        best = state.vectors if error <= min(state.errors, default=math.inf) else state.best
        self.state = replace(state, best=best, errors=(*state.errors, error), checked=state.updates)
        self.keep(self.state)

    def _update(self, loss: _Loss) -> None:
        """One step of Adam, its rate in sizes of each encoder's own numbers."""
        state, s = self.state, self.settings
        gradients = self._gradients(loss)
        share = state.updates / s.updates
        rate = s.rate * (1 - (1 - _LAST_RATE) * share)
        count = state.updates + 1
        vectors, means, squares = {}, {}, {}
        for name, gradient in gradients.items():
            mean = torch.lerp(gradient, state.mean[name], _DECAY[0])
            square = torch.lerp(gradient.square(), state.square[name], _DECAY[1])
            step = mean / (1 - _DECAY[0] ** count) / ((square / (1 - _DECAY[1] ** count)).sqrt() + 1e-20)
            vectors[name] = state.vectors[name] - rate * self.sizes[name] * step
            means[name], squares[name] = mean, square
        self.state = replace(state, updates=count, vectors=vectors, mean=means, square=squares)

    def _gradients(self, loss: _Loss) -> dict[str, Tensor]:
        """By encoder, the gradient (K, width) of the error, first to the text, then through the text encoder."""
        state, draws = self.state, self.settings.draws
        with torch.no_grad():
            tokens, extra = self.slots.encode(state.vectors)
        pooled = extra.get(POOLED)
        wanted = [torch.zeros_like(tokens), torch.zeros_like(tokens[:0] if pooled is None else pooled)]
        with differentiable(loss.network):
            for i in range(state.updates * draws, (state.updates + 1) * draws):
                for place, gradient in enumerate(loss.gradient(tokens, extra, i, draws)):
                    if gradient is not None:
                        wanted[place] = wanted[place] + gradient
        most = max(float(one.abs().max()) for one in wanted if one.numel())
        if not math.isfinite(most):
            raise RuntimeError(NAN)
        if most == 0:
            raise ValueError(NO_TEXT)
        with differentiable(self.slots.clip.cond_stage_model):
            leaves = {name: rows.clone().requires_grad_() for name, rows in state.vectors.items()}
            made, more = self.slots.encode(leaves)
            outputs = [(one, (goal / most).clone()) for one, goal in zip((made, more.get(POOLED)), wanted)
                       if one is not None and one.requires_grad]
            found = torch.autograd.grad([one for one, _ in outputs], list(leaves.values()),
                                        [goal for _, goal in outputs], allow_unused=True)
            gradients = {name: torch.zeros_like(state.vectors[name]) if one is None else one.detach().clone() * most
                         for name, one in zip(leaves, found)}
        if not all(bool(torch.isfinite(one).all()) for one in gradients.values()):
            raise RuntimeError(NAN)
        return gradients


class _Loss:
    """The model's error about the noise in a photo, weighted towards the face."""

    def __init__(self, guider: Any, options: dict[str, Any], latents: Tensor, faces: Tensor,
                 settings: TokenFit) -> None:
        self._guider, self._plain, self._options = guider, options, with_plain_attention(options)
        self._latents, self._settings = latents, settings
        self._space = noise_space(guider.model_patcher)
        self._sampling = guider.model_patcher.get_model_object("model_sampling")
        self._highest = self._space.sigma(self._space.highest_rho(float(self._sampling.sigma_max)))
        self.network = guider.inner_model.diffusion_model
        cells = F.adaptive_avg_pool2d(faces[:, None].float(), (latents.shape[-2], latents.shape[-1]))
        weight = settings.surroundings + (1 - settings.surroundings) * cells.to(latents)
        weight = weight / weight.mean((2, 3), keepdim=True)
        self._weights = weight[:, :, None] if latents.ndim == 5 else weight
        (self._entry,) = guider.conds["positive"]

    def error(self, tokens: Tensor, extra: Mapping[str, Any], i: int, strata: int, stream: int = _STREAM) -> float:
        """Of draw `i`, a number; no gradient."""
        clean, noise, rho, weight = self._draw(i, strata, stream)
        seen = self._answer(tokens, extra, clean, noise, rho, self._plain)
        return float(self._weighted(seen, clean, rho, weight))

    def gradient(self, tokens: Tensor, extra: Mapping[str, Any], i: int,
                 strata: int) -> tuple[Tensor | None, Tensor | None]:
        """Of draw `i`'s error, to the text's tokens and to the pooled text. Inside `differentiable` alone."""
        clean, noise, rho, weight = self._draw(i, strata, _STREAM)
        tokens = tokens.clone().requires_grad_()
        extra = {name: one.clone() if isinstance(one, Tensor) else one for name, one in extra.items()}
        pooled = extra.get(POOLED)
        if pooled is not None:
            pooled.requires_grad_()
        seen = self._answer(tokens, extra, clean, noise, rho, self._options)
        free = seen.detach().requires_grad_()
        (goal,) = torch.autograd.grad(self._weighted(free, clean, rho, weight), free)
        scale = float(goal.abs().max())
        if scale == 0 or not seen.requires_grad:
            return None, None
        leaves = [tokens] if pooled is None else [tokens, pooled]
        # a goal of 1 at most: half precision rounds smaller ones to zero
        found = torch.autograd.grad(seen, leaves, goal / scale, allow_unused=True)
        of_tokens, of_pooled = (*found, None)[:2]
        return tuple(None if one is None else one.detach().float() * scale  # type: ignore[return-value]
                     for one in (of_tokens, of_pooled))

    def _draw(self, i: int, strata: int, stream: int) -> tuple[Tensor, Tensor, float, Tensor]:
        """Clean latent (1, C, ..., h, w), noise, noise-to-signal ratio and weight of a draw. Strata: `strata` draws one
        after another cover the range of noise evenly."""
        comfy.model_management.throw_exception_if_processing_interrupted()
        generator = torch.Generator().manual_seed((self._settings.noise_seed * 2_147_483_647 + stream * i) % 2**63)
        photo = int(torch.randint(len(self._latents), (), generator=generator))
        place = (i % strata + float(torch.rand((), generator=generator))) / strata
        sigma = float(self._sampling.percent_to_sigma(EDGES[0] + (EDGES[1] - EDGES[0]) * place))
        clean = self._latents[photo : photo + 1].clone()
        noise = torch.randn(clean.shape, generator=generator).to(clean)
        return clean, noise, self._space.rho(min(sigma, self._highest)), self._weights[photo : photo + 1].clone()

    def _answer(self, tokens: Tensor, extra: Mapping[str, Any], clean: Tensor, noise: Tensor, rho: float,
                options: dict[str, Any]) -> Tensor:
        """The model's estimate of the clean latent."""
        inner = self._guider.inner_model
        x = self._space.to_model(clean + rho * noise, rho)
        entry = {**self._entry, **extra, "cross_attn": tokens.to(clean.device), "model_conds": {}}
        conds = comfy.samplers.encode_model_conds(inner.extra_conds, [entry], noise, clean.device, "positive",
                                                  latent_image=clean, denoise_mask=None, seed=0)
        sigmas = torch.full((1,), self._space.sigma(rho), dtype=x.dtype, device=x.device)
        return comfy.samplers.calc_cond_batch(inner, [conds], x, sigmas, options)[0].float()

    def _weighted(self, seen: Tensor, clean: Tensor, rho: float, weight: Tensor) -> Tensor:
        """Mean square error about what the network predicts: the noise, in a flow the velocity."""
        scale = (1 + rho) / rho if self._space.flow else 1 / rho
        return ((seen - clean) * scale).square().mul(weight).mean()
