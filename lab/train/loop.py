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
from .parallel import batches
from .session import save_atomically

Network = TypeVar("Network", bound=nn.Module)
Batch = TypeVar("Batch")

SAVE_EVERY = 60.0
"""Seconds between two checkpoints."""


@dataclass(frozen=True)
class Budget:
    """How long to train, with earlier runs counted in, and how fast to learn.

    ``seconds`` are processor seconds on a CPU (a busy machine then costs time and not quality) and seconds by the
    clock on a GPU. ``rate`` is Muon's, for kernels and matrices; AdamW's, for the rest, is smaller.
    """

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


def train(
    model: nn.Module,
    draw: Callable[[int], Batch],
    loss: Callable[[Batch], Tensor],
    budget: Budget,
    checkpoint: Path,
    workers: int = 0,
) -> int:
    """Train ``model`` with Muon and AdamW until the budget is spent; returns the number of steps.

    ``draw(step)`` makes the arrays of a step, in ``workers`` processes ahead of time or here when there are none;
    ``loss`` makes a scalar of them. The state is saved to ``checkpoint`` once a minute, and a run that finds one
    there goes on from it, so a stopped training loses a minute at most.
    """
    on_gpu = next(model.parameters()).device.type == "cuda"
    torch.backends.cudnn.benchmark = on_gpu
    clock = time.perf_counter if on_gpu else time.process_time
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
    drawn = batches(draw, step, workers)
    saved = last = clock()
    mean: float | None = None
    model.train()
    while spent < budget.seconds:
        share = min(1.0, (step + 1) / budget.warm_up)
        share *= 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * spent / budget.seconds))
        for optimiser, rate in zip(optimisers, (budget.rate, budget.small_rate)):
            optimiser.param_groups[0]["lr"] = share * rate
        if spent > budget.settle * budget.seconds:
            settle(model)
        value = loss(next(drawn))
        model.zero_grad(set_to_none=True)
        value.backward()
        for optimiser in optimisers:
            optimiser.step()
        if step % 10 == 0:  # reading the value waits for the GPU, so not every time
            mean = float(value.detach()) if mean is None else 0.8 * mean + 0.2 * float(value.detach())
        step += 1
        now = clock()
        spent, last = spent + now - last, now
        if step % 200 == 0 and mean is not None:
            print(f"step {step}  {spent:.0f} s  loss {mean:.4f}", flush=True)
        if now - saved > SAVE_EVERY or spent >= budget.seconds:
            saved = now
            kept = [optimiser.state_dict() for optimiser in optimisers]
            save_atomically({"model": model.state_dict(), "optimisers": kept, "spent": spent, "step": step}, checkpoint)
    model.eval()
    return step
