"""What composes with the gates on a graphics card: precisions, attention kernels, offloading, torch.compile, a soak."""
from __future__ import annotations

import importlib
import importlib.util
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from . import runs, sizes
from .timing import in_turn, ratio, seconds

if TYPE_CHECKING:
    from .gpu_part import Report

SOAK_SECONDS = 8.0


def extras(report: Report, size: sizes.Size, models: Path) -> None:
    """All but torch.compile."""
    size = sizes.tiny(size) if report.tiny else size
    subject = sizes.make(size, report.device, report.dtype)
    repeats = 1 if report.tiny else 3
    report.section("precision", lambda: precision(subject, size, report, repeats))
    report.section("kernels", lambda: attention_kernels(subject, report.device, repeats), needs_card=True)
    report.section("offload", lambda: offload(subject, report.device, repeats), needs_card=True)
    report.section("lab", lambda: lab(report, models, repeats))
    report.section("soak", lambda: soak(report, models))
    report.section("growth", lambda: growth(subject, size, report))


def growth(subject: sizes.Subject, size: sizes.Size, report: Report) -> dict[str, float]:
    """Seconds by steps and side, one run each after one that does not count."""
    found: dict[str, float] = {}
    gated = runs.gated(subject.model)
    for steps in (5, 10, 20):
        found[f"steps_{steps}"] = after_one(lambda n=steps: runs.ours(subject, gated, steps=n), report.device)
    for side in (size.side // 2, size.side * 3 // 2):
        other = replace(sizes.subject(size.name, subject.model, size.channels, side, size.text), prompt=subject.prompt)
        found[f"side_{side}"] = after_one(lambda s=other: runs.ours(s, gated), report.device)
    return found


def after_one(work: Callable[[], object], device: torch.device) -> float:
    """Seconds of the second of two runs."""
    work()
    return seconds(work, device)


def offload(subject: sizes.Subject, device: torch.device, repeats: int) -> dict[str, Any]:
    """Features on the card, in pinned main memory and evaluated again: the same picture, at what price."""
    sampling = runs.core("comfy.sampling")
    gated, grant = runs.gated(subject.model), sampling._grant_room

    def with_room(on_device: int, in_main_memory: int) -> torch.Tensor:
        def room(record: Any, device: torch.device) -> None:
            record.budget, record.host_budget = on_device, in_main_memory

        sampling._grant_room = room
        try:
            return runs.ours(subject, gated).latent
        finally:
            sampling._grant_room = grant

    plenty = 1 << 35
    rooms = {"device": (plenty, 0), "mixed": (64 << 20, plenty), "main_memory": (0, plenty), "again": (0, 0)}
    latents = {name: with_room(*room) for name, room in rooms.items()}
    times = in_turn({name: lambda r=room: with_room(*r) for name, room in rooms.items()}, repeats, device)
    return {
        "seconds": {name: statistics.median(values) for name, values in times.items()},
        "difference": {name: float((z - latents["device"]).abs().max()) for name, z in latents.items()},
        "repeated": float((with_room(*rooms["main_memory"]) - latents["main_memory"]).abs().max()),
    }


def attention_kernels(subject: sizes.Subject, device: torch.device, repeats: int) -> dict[str, Any]:
    """Seconds under each of PyTorch's fused attention kernels, and how far the results lie apart."""
    from torch.nn.attention import SDPBackend, sdpa_kernel

    gated, ops = runs.gated(subject.model), importlib.import_module("comfy.ops")
    standard, host = runs.ours(subject, gated).latent, ops.scaled_dot_product_attention
    found: dict[str, Any] = {}
    for back_end in (SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.CUDNN_ATTENTION):
        def work(chosen: Any = back_end) -> torch.Tensor:
            # the host's sets an order of its own
            ops.scaled_dot_product_attention = torch.nn.functional.scaled_dot_product_attention
            try:
                with sdpa_kernel([chosen, SDPBackend.MATH]):
                    return runs.ours(subject, gated).latent
            finally:
                ops.scaled_dot_product_attention = host

        latent = work()
        found[back_end.name] = [statistics.median(seconds(work, device) for _ in range(repeats)),
                                float((latent - standard).abs().mean())]
    found["installed"] = [name for name in ("xformers", "sageattention", "flash_attn")
                          if importlib.util.find_spec(name) is not None]
    return found


def precision(subject: sizes.Subject, size: sizes.Size, report: Report, repeats: int) -> dict[str, Any]:
    """Seconds by type of the computation and of the kept weights: ours, ours to the plain model's, and whether what
    comes back is finite; or why one does not run."""
    found: dict[str, Any] = {}
    wide = report.dtype
    kinds: tuple[tuple[torch.dtype, sizes.Store], ...] = (
        (wide, "as computed"), (torch.bfloat16, "as computed"), (wide, "fp8"), (wide, "scaled fp8"),
        (wide, "fp8 matrices"), (torch.float32, "as computed"))
    for dtype, store in dict.fromkeys(kinds):
        name = f"{str(dtype).split('.')[1]}, weights {store}"
        try:
            other = subject if (dtype, store) == kinds[0] else sizes.make(size, report.device, dtype, store)
            found[name] = timed(other, report.device, repeats)
        except (RuntimeError, ValueError, TypeError, AttributeError, ImportError, LookupError) as error:
            found[name] = f"failed: {type(error).__name__}: {error}"
    return found


def timed(subject: sizes.Subject, device: torch.device, repeats: int) -> list[Any]:
    """(seconds of ours, to the plain model's same evaluations, whether the latent is finite)."""
    gated = runs.gated(subject.model)
    same = runs.batches(subject, gated)
    times = in_turn({"ours": lambda: runs.ours(subject, gated), "plain": lambda: runs.plain(subject, same)}, repeats,
                    device)
    finite = bool(torch.isfinite(runs.ours(subject, gated).latent).all())
    return [statistics.median(times["ours"]), ratio(times["ours"], times["plain"]), finite]


def lab(report: Report, models: Path, repeats: int) -> dict[str, Any]:
    """The lab's own models, in the host's choice of precision."""
    return {name: timed(sizes.lab(name, models), report.device, repeats) for name in ("lab-unet", "lab-dit")}


def soak(report: Report, models: Path) -> dict[str, Any]:
    """Restorations one after another for a while: memory and time at the end against those after the 20th."""
    subject = sizes.lab("lab-unet", models)
    gated = runs.gated(subject.model)
    times: list[float] = []
    after_20 = 0
    start = time.monotonic()
    while len(times) < 500 and time.monotonic() - start < (3 if report.tiny else SOAK_SECONDS):
        times.append(seconds(lambda: runs.ours(subject, gated), report.device))
        if len(times) == 20:
            after_20 = held(report.device)
    quarter = max(1, len(times) // 4)
    return {
        "restorations": len(times), "mib_after_20": after_20, "mib_at_the_end": held(report.device),
        "seconds_first_quarter": statistics.median(times[:quarter]),
        "seconds_last_quarter": statistics.median(times[-quarter:]),
    }


def held(device: torch.device) -> float:
    """MiB that PyTorch holds on the card."""
    return torch.cuda.memory_reserved(device) / 2**20 if device.type == "cuda" else 0.0


def compiled(report: Report, unet: sizes.Size, transformer: sizes.Size) -> None:
    """The host's torch.compile wrapper: time, and whether switching the gates on and off is honoured."""
    back_end = "inductor" if report.device.type == "cuda" else "eager"
    few = transformer.at(512).reduced(depth=1, depth_single_blocks=2)
    few = sizes.tiny(transformer) if report.tiny else few
    report.section("transformer", lambda: compiled_model(few, report, back_end))
    report.section("small_unet", lambda: compiled_model(sizes.tiny(unet), report, back_end))


def compiled_model(size: sizes.Size, report: Report, back_end: str) -> dict[str, Any]:
    """Differences are means of |compiled - eager| of the latents; the gates' own effect is given for scale."""
    subject = sizes.make(size, report.device, report.dtype)
    helper = importlib.import_module("comfy_api.torch_helpers.torch_compile").set_torch_compile_wrapper
    gates_on, gates_off = runs.gated(subject.model), subject.model.clone()
    eager = [runs.ours(subject, model).latent for model in (gates_on, gates_off)]
    keep: dict[str, Any] = {"guard_filter_fn": lambda entries: ["transformer_options" not in e.name for e in entries]}
    start = time.monotonic()
    models: list[Any] = []
    for model in (gates_on, gates_off):
        model = model.clone()
        helper(model=model, backend=back_end, options=keep)
        models.append(model)
    flips = [runs.ours(subject, models[i]).latent for i in (0, 1, 0, 1)]
    took = time.monotonic() - start
    times = in_turn({"compiled": lambda: runs.ours(subject, models[0]),
                     "eager": lambda: runs.ours(subject, gates_on)}, 1 if report.tiny else 3, report.device)
    return {
        "compile_seconds": took, "to_eager": ratio(times["compiled"], times["eager"]),
        "difference": [float((z - eager[i % 2]).abs().mean()) for i, z in enumerate(flips)],
        "gates": float((eager[0] - eager[1]).abs().mean()),
    }


