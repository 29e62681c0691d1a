"""The paper's own run on a ComfyUI model (METHOD §1): mixed inversion, null-text optimisation, three rows down."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor

from ..engines.edited_id.attention.regions import MaskKind, resize_masks
from ..engines.edited_id.denoise import OnStep
from ..engines.edited_id.mixing import Mixing
from ..engines.edited_id.noise_grid import NoiseGrid
from ..engines.edited_id.noise_space import NoiseSpace
from ..engines.edited_id.paper import PaperResult, denoise_paper, invert_mixed
from ..engines.edited_id.trajectory import Denoise
from .null_text import NullTextOptimiser


def run_paper(guider: Any, model_options: dict[str, Any], denoise: Denoise, space: NoiseSpace, grid: NoiseGrid,
              clean: Tensor, noise: Tensor, mask: Tensor, mixing: Mixing, cfg: float, null_text: int, rate: float,
              on_step: OnStep) -> tuple[PaperResult, tuple[float, ...]]:
    """The result and the mixing curve; arguments as in `invert_mixed` and `denoise_paper`.

    `guider`: running, its model loaded; `null_text`: updates of each null-text embedding at `rate`, 0 for none. Without
    guidance (`cfg` 1) the embedding has no part in the answer, and where the model ignores its text it has no effect:
    then the recorded states stand in for it.
    """
    path = invert_mixed(denoise, space, clean, noise, grid, mixing)
    with ExitStack() as stack:
        fitted = None
        if null_text > 0 and cfg != 1.0:
            optimiser = stack.enter_context(NullTextOptimiser(guider, model_options, cfg, null_text, rate))
            top = space.to_model(path.shared.expand_as(clean), grid.rhos[-1])
            if optimiser.acts(top, space.sigma(grid.rhos[-1])):
                fitted = optimiser
            else:
                logging.info("EditedID: this model ignores its text, so null-text optimisation has nothing to move; "
                             "the sources follow their recorded inversions.")
        return denoise_paper(denoise, space, grid, path, mask, noise, fitted, on_step), path.curve


def free_mask(face: Tensor, element: Tensor, latent: Tensor, masks: MaskKind) -> Tensor:
    """Hard union of the face's and the elements' mask on the latent grid, (1, 1, ..., h, w): blended diffusion keeps
    the edit outside it. `face`, `element`: (H, W) in [0, 1]."""
    size = (latent.shape[-2], latent.shape[-1])
    resized = resize_masks(torch.stack([face, element]).float(), size, masks)
    return (resized > 0.5).any(0).float().view([1] * (latent.ndim - 2) + list(size))
