"""Null-text optimisation on ComfyUI models (METHOD §1): one unconditional embedding a source and step.

At guidance above 1 a step taken down from a state does not lead back to where the inversion came from. The embedding of
the empty prompt is the one thing that can be moved so that it does; the model and the prompt stay as they are.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import comfy.model_management
import comfy.samplers
import torch
from torch import Tensor

from ..engines.edited_id.settings import NULL_TEXT_RATE
from .gradients import differentiable, with_plain_attention

CROSS = "c_crossattn"
TOLERANCE, TOLERANCE_STEP = 1e-5, 2e-5
"""Mean squared error below which a step is good enough: that of null-text inversion, rising with the steps done."""


class NullTextOptimiser:
    """Fits the embeddings and puts them into the guider, where the next evaluations find them.

    `guider`: the running guider, its model loaded; `cfg` > 1; `iterations`: updates a step, at least 1; `rate`: of
    these updates, 0 leaves the embeddings as they are. Use it as a context manager: on leaving, the guider has its own
    conditioning again and the memory is given back.
    """

    def __init__(self, guider: Any, model_options: dict[str, Any], cfg: float, iterations: int,
                 rate: float = NULL_TEXT_RATE) -> None:
        self._guider, self._cfg, self._iterations, self._rate = guider, cfg, iterations, rate
        self._options = with_plain_attention(model_options)
        self._plain_options = model_options
        self._own = guider.conds
        negative = self._own.get("negative") or []
        if len(negative) != 1 or "area" in negative[0] or CROSS not in negative[0]["model_conds"]:
            raise ValueError(
                "negative: null-text optimisation needs one plain prompt (or none) that covers the whole picture; "
                "simplify it or set null_text to 0."
            )
        if "control" in negative[0]:
            raise ValueError("negative: null-text optimisation cannot pass a ControlNet; set null_text to 0.")
        start = negative[0]["model_conds"][CROSS].cond[:1]
        with torch.inference_mode(False):
            self._embeddings = start.clone().float().repeat(2, *[1] * (start.ndim - 1))  # carried from step to step
        self._type = start.dtype
        self._steps_done = 0

    def __enter__(self) -> NullTextOptimiser:
        return self

    def __exit__(self, *error: object) -> None:
        self._guider.conds = self._own
        del self._embeddings
        comfy.model_management.soft_empty_cache()

    def acts(self, x: Tensor, sigma: float) -> bool:
        """Whether the model's answer depends on the embedding at all: one evaluation and one backward pass.

        Raises RuntimeError where the gradient is no number.
        """
        with differentiable(self._guider.inner_model.diffusion_model):
            leaf = self._embeddings.clone().requires_grad_()
            answer = self._answer(self._with(leaf.to(self._type)), x.clone(), sigma, self._options)
            (gradient,) = torch.autograd.grad(answer.square().sum(), leaf)
            most = float(gradient.abs().max())
        if not math.isfinite(most):
            raise RuntimeError("The model's gradient is NaN, so null-text optimisation cannot work; run the model in "
                               "fp32 or bf16, or set null_text to 0.")
        return most > 0

    def fit(self, x: Tensor, sigma: float, land: Callable[[Tensor], Tensor], goal: Tensor, progress: float) -> None:
        """Find the embeddings of this step; see `NullText` of diffusion/paper.py."""
        conditional = self._answer(self._own["positive"], x, sigma, self._plain_options)
        tolerance = TOLERANCE + TOLERANCE_STEP * self._steps_done
        self._steps_done += 1
        try:
            with differentiable(self._guider.inner_model.diffusion_model):
                self._embeddings = self._search(x.clone(), sigma, conditional, land, goal, tolerance, progress)
        except torch.cuda.OutOfMemoryError as error:
            raise RuntimeError(
                "Null-text optimisation needs more memory than is free; set null_text to 0 or use a smaller crop."
            ) from error
        # rows original, edited, target: the target, a variant of the edited picture, takes the edit's (**ours**)
        rows = torch.cat([self._embeddings, self._embeddings[1:]]).to(self._type)
        self._guider.conds = {**self._own, "negative": self._with(rows)}

    def _search(self, x: Tensor, sigma: float, conditional: Tensor, land: Callable[[Tensor], Tensor], goal: Tensor,
                tolerance: float, progress: float) -> Tensor:
        """The best embeddings met, for each source its own, (2, tokens, width)."""
        leaf = self._embeddings.clone().requires_grad_()
        optimiser = torch.optim.Adam([leaf], lr=self._rate * (1 - 0.5 * progress))
        best, kept, scale = torch.full((2,), torch.inf), leaf.detach().clone(), 0.0
        for i in range(self._iterations + 1):
            comfy.model_management.throw_exception_if_processing_interrupted()
            answer = self._answer(self._with(leaf.to(self._type)), x, sigma, self._options)
            free = answer.detach().requires_grad_()
            errors = (land(free + (conditional - free) * self._cfg) - goal).square().flatten(1).mean(1)
            found = errors.detach().to(best)
            better = (found < best).to(kept.device)
            kept[better] = leaf.detach()[better]
            best = torch.minimum(best, found)
            if i == self._iterations or bool((best < tolerance).all()):
                break
            (wanted,) = torch.autograd.grad(errors.sum(), free)
            scale = scale or 1.0 / max(float(wanted.abs().max()), 1e-12)  # or half precision rounds it to zero
            (leaf.grad,) = torch.autograd.grad(answer, leaf, wanted * scale)
            optimiser.step()
        return kept

    def _answer(self, conditioning: Any, x: Tensor, sigma: float, options: dict[str, Any]) -> Tensor:
        sigmas = torch.full((x.shape[0],), sigma, dtype=x.dtype, device=x.device)
        return comfy.samplers.calc_cond_batch(self._guider.inner_model, [conditioning], x, sigmas, options)[0]

    def _with(self, embeddings: Tensor) -> list[dict[str, Any]]:
        """The guider's negative conditioning with these embeddings, one for each row."""
        (entry,) = self._own["negative"]
        cross = entry["model_conds"][CROSS]
        return [{**entry, "model_conds": {**entry["model_conds"], CROSS: type(cross)(embeddings)}}]
