"""A super-resolution's run in two regions on a ComfyUI model."""

from __future__ import annotations

from typing import Any

import comfy.model_management
import comfy.samplers
import torch
import torch.nn.functional as F
from torch import Tensor

from ..engines.edited_id.noise_grid import NoiseGrid, make_noise_grid
from ..engines.edited_id.noise_space import NoiseSpace
from ..engines.edited_id.solver import step
from ..engines.super_resolution.engine import RegionTask
from ..engines.super_resolution.regions import ColourProbe, TwoRegions
from ..pictures import SAMPLE_REMEDY, require_finite
from ..ticks import Say
from .model_profile import empty_conditioning, noise_space, require_usable, with_pooled
from .progress import step_callback


def sample_regions(model: Any, positive: Any, task: RegionTask, say: Say) -> tuple[Tensor, int]:
    """Denoise the task's start again. Returns the latent as the VAE takes it, and the samples that went through the
    network. `positive` None means an empty conditioning. `say`: told how far the run is. Raises ValueError for a model
    whose inputs nobody can fill, and where the model's answer is not finite.
    """
    s = task.settings
    require_usable(model, masked_pictures=False)
    space = noise_space(model)
    highest = float(model.get_model_object("model_sampling").sigma_max)
    grid = make_noise_grid(space, highest, s.steps, s.strength)
    sampler = _RegionSampler(task, space, grid)
    guider = comfy.samplers.CFGGuider(model)
    positive = with_pooled(model, positive) or empty_conditioning(model)
    guider.set_conds(positive, positive)  # without guidance nobody looks at the negative one
    guider.set_cfg(1.0)
    noise = torch.randn(task.start.shape, generator=torch.Generator().manual_seed(s.noise_seed))
    pair = torch.cat([task.start, task.photo]).float()
    sigmas = torch.tensor([space.sigma(rho) for rho in reversed(grid.rhos)] + [0.0])
    callback = step_callback(say)
    latent = guider.sample(noise.expand_as(pair), pair, sampler, sigmas, callback=callback, disable_pbar=True,
                           seed=s.noise_seed)
    latent = latent.to(comfy.model_management.intermediate_device())
    return require_finite(latent, "model: the restored latent", SAMPLE_REMEDY), grid.steps


class _RegionSampler(comfy.samplers.Sampler):
    """The host's view of the run; row 0 of its latents is the start, row 1 the photo."""

    def __init__(self, task: RegionTask, space: NoiseSpace, grid: NoiseGrid) -> None:
        self.task, self.space, self.grid = task, space, grid

    def sample(self, model_wrap: Any, sigmas: Tensor, extra_args: dict[str, Any], callback: Any, noise: Tensor,
               latent_image: Tensor, denoise_mask: Any = None, disable_pbar: bool = False) -> Tensor:
        """Called by the guider with the model loaded; latents are in the model's own scale."""
        clean, grid, space = latent_image[:1], self.grid, self.space
        regions = self._regions(latent_image)
        y = clean + grid.rhos[-1] * noise[:1]
        for i in range(grid.steps, 0, -1):
            comfy.model_management.throw_exception_if_processing_interrupted()
            rho = grid.rhos[i]
            sigma = y.new_full((1,), space.sigma(rho))
            seen = model_wrap(space.to_model(y, rho), sigma, model_options=extra_args["model_options"],
                              seed=extra_args.get("seed"))
            held = regions.hold(_flat(seen), grid.step_position(i)).reshape(seen.shape)
            # the last step leads to the clean latent, not to the floor
            y = held if i == 1 else step(y, held, rho, grid.rhos[i - 1])
            if callback is not None:
                callback(grid.steps - i, held, y, grid.steps)
        return y

    def _regions(self, latents: Tensor) -> TwoRegions:
        task, s = self.task, self.task.settings
        flat = _flat(latents)
        cells = (flat.shape[-2], flat.shape[-1])
        pictures, small = (x.movedim(-1, 1).to(flat) for x in (task.pictures, task.small))
        face = F.adaptive_avg_pool2d(task.face[None, None].to(flat), cells)
        goal = F.adaptive_avg_pool2d(small, cells)
        return TwoRegions(flat[:1], face, 1 - s.identity, ColourProbe.fitted(flat, pictures), goal, task.cells,
                          s.consistent_until, s.surroundings == "redraw")


def _flat(latent: Tensor) -> Tensor:
    """(N, C, h, w) of a latent that may have a time axis of one."""
    return latent[:, :, 0] if latent.ndim == 5 else latent
