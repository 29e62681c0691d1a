"""Muon, a weight average and the learning-rate shape: what the training scripts share about optimisation."""
from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import nn

from .arithmetic import has_bfloat16

_QUINTIC = (3.4445, -4.7750, 2.0315)  # coefficients of the Newton-Schulz polynomial used by Muon


def orthogonalise(matrices: torch.Tensor, steps: int = 5) -> torch.Tensor:
    """Replace the singular values of each matrix by roughly one (Newton-Schulz iteration, Jordan et al. 2024).

    matrices: (N, rows, columns). The same shape, in bfloat16 where the device has it, else float32;
    singular values land in about [0.7, 1.2].
    """
    a, b, c = _QUINTIC
    x = matrices.to(torch.bfloat16 if has_bfloat16(matrices.device) else torch.float32)
    wide = x.shape[1] <= x.shape[2]
    if not wide:
        x = x.transpose(1, 2)
    x = x / (x.flatten(1).norm(dim=1)[:, None, None] + 1e-7)
    for _ in range(steps):
        gram = x @ x.transpose(1, 2)
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x if wide else x.transpose(1, 2)


class Muon(torch.optim.Optimizer):
    """Momentum whose update is orthogonalised, for weight matrices and convolution kernels.

    A kernel (out, in, kh, kw) counts as one matrix (out, in*kh*kw). A parameter group may name `pieces`: the
    weight is then cut into that many equal blocks of rows (query, key and value of a fused projection).
    """

    def __init__(self, params: Iterable, lr: float, momentum: float = 0.95, weight_decay: float = 0.01) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "pieces": 1})

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        """Apply one update to every parameter that has a gradient."""
        for group in self.param_groups:
            params = [p for p in group["params"] if p.grad is not None]
            if not params:
                continue
            for p in params:
                if "momentum" not in self.state[p]:
                    self.state[p]["momentum"] = torch.zeros_like(p)
            grads, buffers = [p.grad for p in params], [self.state[p]["momentum"] for p in params]
            torch._foreach_lerp_(buffers, grads, 1 - group["momentum"])
            directions = torch._foreach_lerp(grads, buffers, group["momentum"])
            updates = _even_updates(directions, group["pieces"])
            torch._foreach_mul_(params, 1 - group["lr"] * group["weight_decay"])
            torch._foreach_add_(params, updates, alpha=-group["lr"])


def _even_updates(directions: Sequence[torch.Tensor], pieces: int) -> list[torch.Tensor]:
    """Each direction orthogonalised and scaled by its shape; those of one shape go through together."""
    by_shape: dict[torch.Size, list[int]] = {}
    for i, direction in enumerate(directions):
        by_shape.setdefault(direction.shape, []).append(i)
    updates = list(directions)
    for shape, members in by_shape.items():
        rows = shape[0] // pieces
        matrices = torch.cat([directions[i].reshape(pieces, rows, -1) for i in members])
        scale = max(1.0, rows / matrices.shape[2]) ** 0.5
        for i, even in zip(members, (orthogonalise(matrices) * scale).chunk(len(members))):
            updates[i] = even.reshape(shape).to(directions[i].dtype)
    return updates


class Average:
    """Exponential moving average of a module's parameters, short while training is young."""

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self.params = list(module.parameters())
        self.values = [p.detach().clone() for p in self.params]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Follow the parameters after optimiser step number `step` (from 1)."""
        decay = min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(self.values, [p.detach() for p in self.params], 1 - decay)

    @torch.no_grad()
    def swap(self) -> None:
        """Exchange the average and the live parameters; call it again to go back."""
        for p, value in zip(self.params, self.values):
            kept = p.detach().clone()
            p.copy_(value)
            value.copy_(kept)


def rate(progress: float, step: int, warmup: int) -> float:
    """Share of the full learning rate: linear warm-up over `warmup` steps, then a cosine to zero at progress 1."""
    return min(1.0, (step + 1) / warmup) * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))


class Learner:
    """A module, its two optimisers (Muon for matrices, AdamW for the rest) and the average of its weights."""

    def __init__(self, module: nn.Module, groups: list[dict], speed: float, warmup: int, decay: float = 0.999,
                 weight_decay: float = 0.01) -> None:
        chosen = {id(p) for group in groups for p in group["params"]}
        others = [p for p in module.parameters() if id(p) not in chosen]
        self.module, self.warmup, self.steps = module, warmup, 0
        self.speeds = (speed, speed * 0.05)
        self.optimisers = [Muon(groups, lr=speed, weight_decay=weight_decay),
                           torch.optim.AdamW(others, lr=self.speeds[1], betas=(0.9, 0.98), weight_decay=0.0)]
        self.average = Average(module, decay)

    def learn(self, loss: torch.Tensor, progress: float) -> torch.Tensor:
        """One step down `loss` at a share of the time, 0 to 1; the loss, detached."""
        share = rate(progress, self.steps, self.warmup)
        for optimiser, full in zip(self.optimisers, self.speeds):
            for group in optimiser.param_groups:
                group["lr"] = full * share
            optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.module.parameters(), 1.0)
        for optimiser in self.optimisers:
            optimiser.step()
        self.steps += 1
        self.average.update(self.steps)
        return loss.detach()

    @contextmanager
    def averaged(self) -> Iterator[nn.Module]:
        """The module with its averaged weights, for as long as the block lasts."""
        self.average.swap()
        try:
            yield self.module
        finally:
            self.average.swap()

    def averaged_state(self) -> dict[str, torch.Tensor]:
        """The averaged weights and the buffers, copied to the CPU in float32 (whole numbers as they are)."""
        with self.averaged() as module:
            return {k: v.detach().float().cpu() if v.is_floating_point() else v.cpu()
                    for k, v in module.state_dict().items()}
