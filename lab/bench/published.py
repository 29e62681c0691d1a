"""EditedID's published pattern on a ComfyUI model, for its cost (arXiv 2602.18752 and its public utilities).

Both sources are inverted one after the other, then sources and target are denoised together with guidance, three
pictures and two halves: a batch of six. Every attention forms its matrix; in down and mid blocks the target's
self-attention is blended with the sources' inside the masks, and the maps of chosen words come from a source.
Null-text optimisation, which costs more than all of this, is left out.
"""
from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .runs import core, guided
from .sizes import Subject

GUIDANCE = 7.5
WORD = 1
"""Token whose map is replaced."""


def evaluations(steps: int) -> int:
    """Sample-evaluations of a run: 400 for 50 steps, 48 for 6."""
    return 2 * steps + 6 * steps


def run(subject: Subject, steps: int) -> Tensor:
    """One restoration in `steps` steps."""
    model = subject.model.clone()
    options = model.model_options["transformer_options"]
    options["optimized_attention_override"] = explicit_attention(subject)
    space = core("comfy.model_profile").noise_space(model)
    top = float(model.get_model_object("model_sampling").sigma_max)
    grid = core("engines.edited_id.noise_grid").make_noise_grid(space, top, steps)
    rhos = grid.rhos
    step = core("engines.edited_id.solver").step

    def work(wrap: Any, options: dict[str, Any], clean: Tensor) -> Tensor:
        def denoise(y: Tensor, rho: float) -> Tensor:
            sigma = y.new_full((y.shape[0],), space.sigma(rho))
            return wrap(space.to_model(y, rho), sigma, model_options=options, seed=0)

        wrap.set_cfg(1.0)
        tops = []
        for source in (clean[:1], clean[1:]):
            for low, high in zip(rhos, rhos[1:]):
                source = step(source, denoise(source, high), low, high)
            tops.append(source)
        wrap.set_cfg(GUIDANCE)
        state = torch.cat([*tops, (tops[0] + tops[1]) / 2])
        for high, low in zip(rhos[:0:-1], rhos[-2::-1]):
            state = step(state, denoise(state, high), high, low)
        return state[2:]

    return guided(subject, model, work, GUIDANCE)


def explicit_attention(subject: Subject) -> Any:
    """An attention override that forms softmax(q k^T) as one matrix, with the paper's gates."""
    regions = core("engines.edited_id.attention.regions").Regions(subject.face, subject.element, "hard")
    weights: dict[tuple[int, int], tuple[Tensor, Tensor]] = {}

    def override(func: Any, q: Tensor, k: Tensor, v: Tensor, heads: int, mask: Tensor | None = None,
                 attn_precision: Any = None, skip_reshape: bool = False, skip_output_reshape: bool = False,
                 **kwargs: Any) -> Tensor:
        if not skip_reshape:
            q, k, v = (t.view(t.shape[0], t.shape[1], heads, -1).transpose(1, 2) for t in (q, k, v))
        maps = torch.einsum("bhid,bhjd->bhij", q, k) * q.shape[-1] ** -0.5
        maps = maps.softmax(-1)
        joined = q.shape[0] == 6
        if joined and k.shape[-2] != q.shape[-2]:
            maps[2::3, ..., WORD] = maps[0::3, ..., WORD]
        out = torch.einsum("bhij,bhjd->bhid", maps, v)
        out = out if skip_output_reshape else out.transpose(1, 2).flatten(2)
        options = kwargs.get("transformer_options") or {}
        early = options.get("block", ("output",))[0] != "output" and "activations_shape" in options
        if joined and early and k.shape[-2] == q.shape[-2] and not skip_output_reshape:
            grid = tuple(options["activations_shape"][-2:])
            if grid not in weights:
                weights[grid] = regions.on_grid(*grid, out)
            w1, w2 = (w[:, None] for w in weights[grid])
            out[2::3] = w1 * out[0::3] + w2 * out[1::3] + (1 - w1 - w2) * out[2::3]
        return out

    return override
