"""One restoration run on a ComfyUI model: guider, sampler, progress, interrupts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import comfy.model_management
import comfy.samplers
import torch
import torch.nn.functional as F
from torch import Tensor

from ..engines.edited_id.attention.record import FeatureRecord
from ..engines.edited_id.attention.regions import MaskKind, Regions
from ..engines.edited_id.attention.run import AttentionRun
from ..engines.edited_id.attention.settings import Disentangle, Entangle, make_plan
from ..engines.edited_id.denoise import OnStep, Source, denoise_target, lock_step_source, run_curve
from ..engines.edited_id.inversion import invert, noised
from ..engines.edited_id.noise_grid import NoiseGrid, Window, make_noise_grid, make_own_grid
from ..engines.edited_id.noise_space import NoiseSpace
from ..engines.edited_id.presets import PAPER_PRESETS, is_paper
from ..engines.edited_id.settings import Mode, SampleSettings
from ..engines.edited_id.trajectory import Denoise, Rows
from ..engines.edited_id.wanted import LARGE, Wanted
from ..pictures import SAMPLE_REMEDY, require_finite
from ..ticks import Say
from .attention_hook import install
from .crop_conditioning import within
from .hook_keyframes import HookKeyframes
from .model_profile import (
    answers_with_the_end,
    attention_blocks,
    check_latent,
    check_prompt,
    empty_conditioning,
    noise_space,
    preferred_mode,
    require_usable,
    with_pooled,
)
from .paper_run import free_mask, run_paper
from .progress import own_bar, step_callback
from .row_conditions import RowConditions, with_pictures
from .wanted_amounts import own_sigmas, steps_of_run, wanted_by
from .word_hook import install_words

ENTANGLE_KEY = "editedid_entangle"
DISENTANGLE_KEY = "editedid_disentangle"
NO_GATE_SEEN = ("The attention gates did not act: this model's code or loader, or another node, leaves ComfyUI's "
                "attention hooks out; use another loader for the model to have them.")
RECORD_SHARE = 0.35
"""Share of the free memory that recorded features may take; past it sources are evaluated again."""


@dataclass(frozen=True, eq=False)
class SampleResult:
    """`latent` (1, C, ..., h, w) as the VAE takes it; `curve`: mixing weight in [0, 0.5] of each
    step down, in the paper's run after each step up;
    `evaluations`: samples that went through the diffusion network; `source_error`: in the paper's run, the root mean
    square error with which the original and the edit came back beside the target, in the model's latent units;
    `notes`: sentences for the user."""

    latent: Tensor
    curve: tuple[float, ...]
    evaluations: int
    mode: str
    source_error: float | None = None
    notes: tuple[str, ...] = ()


def resolve_mode(model: Any, mode: Mode) -> str:
    """`auto` as the model's family has it: replay, or lock-step for the large transformers (METHOD §3).

    Raises ValueError for a mode that inverts on a model that cannot be inverted.
    """
    if mode == "auto":
        return preferred_mode(model)
    if mode != "lock-step" and answers_with_the_end(model):
        raise ValueError(f"mode: {mode} inverts the pictures, which LCM sampling cannot do; set mode to auto or "
                         "lock-step, or take ModelSamplingDiscrete off the model.")
    return mode


def sample_pair(model: Any, positive: Any, negative: Any, original: Tensor, edited: Tensor, face_mask: Tensor,
                element_mask: Tensor, settings: SampleSettings, others: Tensor | None = None,
                beside: Tensor | None = None, say: Say | None = None) -> SampleResult:
    """Restore one face crop: latents (1, C, ..., h, w) of the original and the edit, masks (H, W) in [0, 1].

    `positive`, `negative` None means an empty conditioning. `others`: (M, C, ..., h, w), further photos of the person,
    warped like the original, for the detail gate; each costs N evaluations. `beside`: (2 + M, C, ..., h, w), all of
    these pictures without the face, for inpainting models. `say`: called with how far the run is; None gives it a
    progress bar of its own. The model is left as it was.
    """
    profile = require_usable(model, beside is not None)
    wanted = wanted_by(model, settings.mode, settings.sigma_floor)
    settings = settings.resolved().as_wanted(wanted)
    for latent, name in ((original, "original_latent"), (edited, "edited_latent")):
        check_latent(model, latent, name)
    for prompt, name in ((positive, "positive"), (negative, "negative")):
        check_prompt(model, prompt, name)
    if original.shape != edited.shape:
        raise ValueError(
            f"original_latent: its size {tuple(original.shape)} differs from edited_latent {tuple(edited.shape)}; "
            "encode both crops of Crop Face Pairs with the same VAE."
        )
    cells = (edited.shape[-2], edited.shape[-1])
    positive, negative = (within(with_pooled(model, prompt), cells) for prompt in (positive, negative))
    weight, support = _latent_masks(face_mask, element_mask, edited)
    if not settings.hold_surroundings:
        support = torch.ones_like(support)
    mode = resolve_mode(model, settings.mode)
    if not bool((support > 0).any()):
        return SampleResult(edited, (), 0, mode)
    clone = model.clone()
    evaluations: list[int] = []
    run = _attention_run(clone, face_mask, element_mask, edited, mode, settings.pose, wanted)
    install(clone, run, evaluations.append)
    if is_paper(mode):
        install_words(clone, positive, settings.word_sources)
        support = free_mask(face_mask, element_mask, edited, _mask_kind(_gates(clone, mode), mode))
    steps = steps_of_run(clone, settings.mode)
    guidance = None if profile is None else profile.guidance
    sampler = PairSampler(settings, mode, weight, support, run, steps, guidance)
    grid = sampler.noise_grid(clone)
    space = noise_space(clone)
    sigmas = torch.tensor([space.sigma(r) for r in reversed(grid.rhos)] + [0.0])
    guider = comfy.samplers.CFGGuider(clone)
    positive = positive or empty_conditioning(clone)
    # without guidance the negative one is not evaluated
    negative = negative or (positive if settings.cfg == 1.0 else empty_conditioning(clone))
    generator = torch.Generator().manual_seed(settings.noise_seed)
    noise = torch.randn(edited.shape, generator=generator)
    callback = step_callback(say or own_bar())
    more = others is not None and run is not None and run.plan.detail.strength > 0 and not is_paper(mode)
    pair = torch.cat([original, edited, *([others] if others is not None and more else [])]).float()
    anew = (face_mask * (1 - element_mask) > 0.5).float()
    beside = None if beside is None else beside[: len(pair)]
    guider.set_conds(*(with_pictures(one, profile, pair, settings.references, beside, anew)
                       for one in (positive, negative)))
    guider.set_cfg(settings.cfg)
    try:
        latent = guider.sample(noise.expand_as(pair), pair, sampler, sigmas, callback=callback, disable_pbar=True,
                               seed=settings.noise_seed)
    finally:
        if run is not None:
            for record in (run.record, *run.others):
                record.clear()  # not when the garbage is next collected: it is most of what the run holds
    latent = latent.to(comfy.model_management.intermediate_device())
    require_finite(latent, "model: the restored latent", SAMPLE_REMEDY)
    notes = (NO_GATE_SEEN,) if run is not None and run.unreached else ()
    return SampleResult(latent, sampler.curve, sum(evaluations), mode, sampler.source_error, notes)


def _latent_masks(face: Tensor, element: Tensor, latent: Tensor) -> tuple[Tensor, Tensor]:
    """Mixing weight and support on the latent grid, (1, 1, ..., h, w)."""
    size = (latent.shape[-2], latent.shape[-1])
    pooled = F.adaptive_avg_pool2d(torch.stack([face * (1 - element), face, element])[None].float(), size)[0]
    weight, covered, kept = pooled
    spread = F.max_pool2d(covered[None, None], 3, 1, 1)[0, 0]  # a rim in which the seam can settle
    support = (2 * spread).clamp(0, 1) * (1 - kept)
    shape = [1] * (latent.ndim - 2) + list(size)
    return weight.view(shape), support.view(shape)


def _gates(model: Any, mode: str) -> Entangle | None:
    """The gates on a model, or those that the mode brings."""
    preset = PAPER_PRESETS.get(mode)
    options = model.model_options.get("transformer_options", {})
    return options.get(ENTANGLE_KEY) or (preset.gates if preset else None)


def _mask_kind(entangle: Entangle | None, mode: str) -> MaskKind:
    """How masks come to a grid: hard in the paper's run, as told elsewhere."""
    kind = entangle.masks if entangle is not None else "soft"
    return "hard" if kind == "soft" and is_paper(mode) else kind


def _attention_run(model: Any, face: Tensor, element: Tensor, latent: Tensor, mode: str, pose: float,
                   wanted: Wanted = LARGE) -> AttentionRun | None:
    entangle = _gates(model, mode)
    entangle = entangle and entangle.as_wanted(wanted)
    if entangle is None or max(entangle.strengths) <= 0:
        return None
    options = model.model_options.get("transformer_options", {})
    divide: Disentangle = options.get(DISENTANGLE_KEY) or Disentangle(strength=0.0)
    plan = make_plan(entangle, divide, attention_blocks(model))
    size = (latent.shape[-2], latent.shape[-1])
    regions = Regions(face, element, _mask_kind(entangle, mode), entangle.overlap, entangle.boost)
    return AttentionRun(plan, regions, FeatureRecord(), size, face_share=entangle.face_share(pose))


def _grant_room(record: FeatureRecord, device: torch.device) -> None:
    """Budgets from what is free once the model is loaded."""
    cpu = torch.device("cpu")
    record.budget = int(comfy.model_management.get_free_memory(device) * RECORD_SHARE)
    # on a machine with one memory it is counted once
    record.host_budget = int(comfy.model_management.get_free_memory(cpu) * RECORD_SHARE) if device != cpu else 0


class PairSampler(comfy.samplers.Sampler):
    """The host's view of a run: it builds the rows itself and returns the target's latent."""

    def __init__(self, settings: SampleSettings, mode: str, weight: Tensor, support: Tensor,
                 run: AttentionRun | None, own_steps: int = 0,
                 guidance: tuple[float, float] | None = None) -> None:
        self.settings, self.mode, self.run = settings, mode, run
        self.own_steps, self.guidance = own_steps, guidance
        self.other = 0
        self.weight, self.support = weight, support
        self.curve: tuple[float, ...] = ()
        self.source_error: float | None = None

    def noise_grid(self, model: Any) -> NoiseGrid:
        """The levels of this run on a model, object patches included."""
        s, sampling = self.settings, model.get_model_object("model_sampling")
        space, highest = noise_space(model), float(sampling.sigma_max)
        if self.own_steps:
            return make_own_grid(space, own_sigmas(sampling, space, self.own_steps), s.share, s.sigma_floor, s.steps)
        jumps = self.run.plan.windows if self.run is not None and not is_paper(self.mode) else ()
        return make_noise_grid(space, highest, s.steps, s.share, s.sigma_floor, Window(*s.solver_window), jumps)

    def sample(self, model_wrap: Any, sigmas: Tensor, extra_args: dict[str, Any], callback: Any, noise: Tensor,
               latent_image: Tensor, denoise_mask: Any = None, disable_pbar: bool = False) -> Tensor:
        """Called by the guider with the model loaded; latents are in the model's own scale."""
        latent_image, others = latent_image[:2], latent_image[2:]
        patcher = model_wrap.model_patcher
        space, grid = noise_space(patcher), self.noise_grid(patcher)
        shared, cfg = noise[:1], self.settings.cfg
        up = 0 if self.mode == "lock-step" else grid.steps  # lock-step goes down only

        def denoise(x: Tensor, sigma: float, rows: Rows, step: int) -> Tensor:
            comfy.model_management.throw_exception_if_processing_interrupted()
            if self.run is not None:
                self.run.rows, self.run.step, self.run.position = rows.value, step, grid.step_position(step)
            # guidance in the inversion is what makes null-text optimisation necessary (METHOD §3)
            model_wrap.set_cfg(1.0 if rows in (Rows.SOURCES, Rows.OTHER) else cfg)
            hooks.before(upward=rows is Rows.SOURCES)
            conditions.before(rows, self.other)
            sigma_row = x.new_full((x.shape[0],), sigma)
            denoised = model_wrap(x, sigma_row, model_options=extra_args["model_options"], seed=extra_args.get("seed"))
            if self.run is not None:
                self.run.rows = ()  # the gates leave all other evaluations of the model alone
            if rows is Rows.SOURCES and callback is not None and up:
                callback(step - 1, denoised[1:2], x[1:2], up + grid.steps)
            return denoised

        def on_step(done: int, denoised: Tensor) -> None:
            if callback is not None:
                callback(up + done - 1, denoised, denoised, up + grid.steps)

        conditions = RowConditions(model_wrap, self.guidance)
        with HookKeyframes(model_wrap) as hooks:
            if is_paper(self.mode):
                options = extra_args["model_options"]
                return self._paper(model_wrap, options, denoise, grid, latent_image, shared, on_step)
            self._record_extra_photos(others, denoise, space, grid, shared)
            source, recompute = self._sources(model_wrap, denoise, space, grid, latent_image, shared)
            weight, support = self.weight.to(latent_image), self.support.to(latent_image)
            self.curve = run_curve(source, grid, self.settings.mixing)
            return denoise_target(denoise, space, grid, source, latent_image, weight, support, self.curve,
                                  self.settings.mixing, recompute, on_step, 1 - (1 - self.settings.leash) * weight)

    def _paper(self, model_wrap: Any, options: dict[str, Any], denoise: Denoise, grid: NoiseGrid, clean: Tensor,
               noise: Tensor, on_step: OnStep) -> Tensor:
        s, space = self.settings, noise_space(model_wrap.model_patcher)
        done, self.curve = run_paper(model_wrap, options, denoise, space, grid, clean, noise, self.support.to(clean),
                                     s.mixing, s.cfg, s.null_text, s.null_text_rate, on_step)
        self.source_error = float((done.sources - clean).square().mean().sqrt())
        return done.latent

    def _sources(self, model_wrap: Any, denoise: Denoise, space: NoiseSpace, grid: NoiseGrid, clean: Tensor,
                 noise: Tensor) -> tuple[Source, bool]:
        """Both sources at every level, and whether they are to be evaluated again beside the target."""
        if self.mode == "lock-step":
            return lock_step_source(clean, noise, grid), True
        # a record holds the sources under one prompt only, without guidance
        recompute = (self.settings.recompute_sources or self.settings.cfg != 1.0
                     or len(model_wrap.conds["positive"]) > 1)
        if self.run is not None and not recompute:
            _grant_room(self.run.record, clean.device)
        levels = invert(denoise, space, clean, noise, grid, kind=self.settings.inversion).levels
        return lambda i: levels[i - 1], recompute or (self.run is not None and self.run.record.overflowed)

    def _record_extra_photos(self, others: Tensor, denoise: Denoise, space: NoiseSpace, grid: NoiseGrid,
                             noise: Tensor) -> None:
        """Record the face keys of further photos of the person; one that does not fit into memory is not used."""
        run = self.run
        if run is None or not len(others):
            return
        first = run.record
        for self.other, other in enumerate(others.split(1)):
            run.record = FeatureRecord()
            _grant_room(run.record, other.device)
            if self.mode == "lock-step":
                for i, rho in enumerate(grid.rhos[1:], start=1):
                    denoise(space.to_model(noised(other, noise, rho), rho), space.sigma(rho), Rows.OTHER, i)
            else:
                invert(denoise, space, other, noise, grid, Rows.OTHER)
            run.others += (run.record,)
        run.record = first
