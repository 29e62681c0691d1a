"""The training loop of the small judges: a time budget, a cosine rate, and a checkpoint to go on from."""
from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from .optim import Muon

Network = TypeVar("Network", bound=nn.Module)

SAVE_EVERY = 60.0
"""Seconds between two checkpoints."""


@dataclass(frozen=True)
class Budget:
    """How long to train, in processor seconds with earlier runs counted in (a busy machine then costs time and not
    quality), and how fast to learn: ``rate`` is Muon's, for kernels and matrices; AdamW's, for the rest, is smaller."""

    seconds: float
    rate: float = 0.02
    small_rate: float = 1e-3
    warm_up: int = 100
    settle: float = 0.6
    """From this share of the time on, batch norms keep their averages: pictures of many sizes disturb them."""


def pick_device(name: str) -> torch.device:
    """``auto`` takes the GPU where there is one."""
    return torch.device("cuda" if name == "auto" and torch.cuda.is_available() else name.replace("auto", "cpu"))


def placed(model: Network, device: torch.device) -> Network:
    """The model on ``device`` in channels-last order, which small convolutions run faster in."""
    return model.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def settle(model: nn.Module) -> None:
    """Batch norms from now on use their running averages, as they will in use."""
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.eval()


def train(model: nn.Module, loss: Callable[[int], Tensor], budget: Budget, checkpoint: Path) -> int:
    """Train ``model`` with Muon and AdamW until the budget is spent; returns the number of steps.

    ``loss(step)`` draws its own batch and returns a scalar. The state is saved to ``checkpoint`` once a minute,
    and a run that finds one there goes on from it, so a stopped training loses a minute at most.
    """
    large = [value for value in model.parameters() if value.ndim > 1]
    small = [value for value in model.parameters() if value.ndim <= 1]
    optimisers = Muon(large, budget.rate), torch.optim.AdamW(small, lr=budget.small_rate, weight_decay=0.0)
    spent, step = 0.0, 0
    if checkpoint.is_file():
        state = torch.load(checkpoint, map_location="cpu", weights_only=True)
        model.load_state_dict(state["model"])
        for optimiser, kept in zip(optimisers, state["optimisers"]):
            optimiser.load_state_dict(kept)
        spent, step = state["spent"], state["step"]
    saved = last = time.process_time()
    mean = 0.0
    model.train()
    while spent < budget.seconds:
        share = min(1.0, (step + 1) / budget.warm_up)
        share *= 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * spent / budget.seconds))
        for optimiser, rate in zip(optimisers, (budget.rate, budget.small_rate)):
            optimiser.param_groups[0]["lr"] = share * rate
        if spent > budget.settle * budget.seconds:
            settle(model)
        value = loss(step)
        model.zero_grad(set_to_none=True)
        value.backward()
        for optimiser in optimisers:
            optimiser.step()
        mean += 0.02 * (float(value.detach()) - mean) if step else float(value.detach())
        step += 1
        now = time.process_time()
        spent, last = spent + now - last, now
        if step % 200 == 0:
            print(f"step {step}  {spent:.0f} s  loss {mean:.4f}", flush=True)
        if now - saved > SAVE_EVERY or spent >= budget.seconds:
            saved = now
            checkpoint.parent.mkdir(parents=True, exist_ok=True)
            kept = [optimiser.state_dict() for optimiser in optimisers]
            torch.save({"model": model.state_dict(), "optimisers": kept, "spent": spent, "step": step}, checkpoint)
    model.eval()
    return step
