"""The paper's own run on a ComfyUI model (METHOD §1)."""

from __future__ import annotations

from torch import Tensor

from ..diffusion.inversion import invert
from ..diffusion.loop import Mixing, OnStep
from ..diffusion.paper import descend_paper, shared_noise
from ..diffusion.schedule import Schedule
from ..diffusion.space import NoiseSpace
from ..diffusion.trajectory import Denoise


def run_paper(denoise: Denoise, space: NoiseSpace, schedule: Schedule, clean: Tensor, noise: Tensor, support: Tensor,
              mixing: Mixing, on_step: OnStep) -> tuple[Tensor, tuple[float, ...]]:
    """The restored latent (1, C, ..., h, w) and the mixing curve; arguments as in `invert` and `descend_paper`."""
    mask = (support > 0.5).to(clean.dtype)
    trajectory = invert(denoise, space, clean, noise, schedule)
    top, curve = shared_noise(denoise, space, clean, noise, schedule, mixing)
    return descend_paper(denoise, space, schedule, trajectory, top, mask, noise, on_step), curve
