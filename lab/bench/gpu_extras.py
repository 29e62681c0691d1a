"""What composes with the gates on a graphics card: precisions, attention kernels, offloading, torch.compile, a soak."""
from __future__ import annotations

import importlib
import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from . import runs, sizes
from .timing import in_turn, ratio, seconds

if TYPE_CHECKING:
    from .gpu_part import Report

SOAK_SECONDS = 20.0


def extras(report: Report, size: sizes.Size, models: Path) -> None:
    """All but torch.compile."""
    size = sizes.tiny(size) if report.tiny else size
    subject = sizes.make(size, report.device, report.dtype)
    repeats = 1 if report.tiny else 5
    report.section("growth", lambda: growth(size, report, repeats))
    report.section("offload", lambda: offload(subject, report.device, repeats), needs_card=True)
    report.section("kernels", lambda: attention_kernels(subject, report.device, repeats), needs_card=True)
    report.section("precision", lambda: precision(subject, size, report, repeats))
    report.section("lab", lambda: lab(report, models, repeats))
    report.section("soak", lambda: soak(report, models))


def growth(size: sizes.Size, report: Report, repeats: int) -> dict[str, Any]:
    """Seconds by side, steps and faces."""
    found: dict[str, Any] = {}
    for side in (size.side // 2, size.side, size.side * 3 // 2, size.side * 2):
        subject = sizes.make(size.at(side), report.device, report.dtype)
        gated = runs.gated(subject.model)
        same = runs.batches(subject, gated)
        times = in_turn({"ours": lambda s=subject, g=gated: runs.ours(s, g),
                         "plain": lambda s=subject, e=same: runs.plain(s, e)}, repeats, report.device)
        found[f"side_{side}"] = [statistics.median(times["ours"]), ratio(times["ours"], times["plain"])]
        if side == size.side:
            for steps in (5, 10, 20, 40):
                found[f"steps_{steps}"] = seconds(lambda n=steps, s=subject, g=gated: runs.ours(s, g, steps=n),
                                                  report.device)
            for faces in (1, 2, 4):
                found[f"faces_{faces}"] = seconds(
                    lambda n=faces, s=subject, g=gated: [runs.ours(s, g) for _ in range(n)], report.device)
    return found


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

    gated = runs.gated(subject.model)
    standard = runs.ours(subject, gated).latent
    found: dict[str, Any] = {}
    for back_end in (SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.CUDNN_ATTENTION):
        def work(chosen: Any = back_end) -> torch.Tensor:
            with sdpa_kernel([chosen, SDPBackend.MATH]):
                return runs.ours(subject, gated).latent

        latent = work()
        found[back_end.name] = [statistics.median(seconds(work, device) for _ in range(repeats)),
                                float((latent - standard).abs().mean())]
    found["installed"] = [name for name in ("xformers", "sageattention", "flash_attn")
                          if importlib.util.find_spec(name) is not None]
    return found


def precision(subject: sizes.Subject, size: sizes.Size, report: Report, repeats: int) -> dict[str, Any]:
    """Seconds in fp16, bf16 and fp32, and whether what comes back is finite."""
    found: dict[str, Any] = {}
    for dtype in (torch.float16, torch.bfloat16, torch.float32):
        if report.device.type != "cuda" and dtype is torch.float16:
            continue
        other = subject if dtype is report.dtype else sizes.make(size, report.device, dtype)
        gated = runs.gated(other.model)
        same = runs.batches(other, gated)
        times = in_turn({"ours": lambda o=other, g=gated: runs.ours(o, g),
                         "plain": lambda o=other, e=same: runs.plain(o, e)}, repeats, report.device)
        finite = bool(torch.isfinite(runs.ours(other, gated).latent).all())
        found[str(dtype)] = [statistics.median(times["ours"]), ratio(times["ours"], times["plain"]), finite]
    return found


def lab(report: Report, models: Path, repeats: int) -> dict[str, Any]:
    """The lab's own models, in the host's choice of precision."""
    found: dict[str, Any] = {}
    for name in ("lab-unet", "lab-dit"):
        subject = sizes.lab(name, models)
        gated = runs.gated(subject.model)
        same = runs.batches(subject, gated)
        times = in_turn({"ours": lambda s=subject, g=gated: runs.ours(s, g),
                         "plain": lambda s=subject, e=same: runs.plain(s, e)}, repeats, report.device)
        found[name] = [statistics.median(times["ours"]), ratio(times["ours"], times["plain"]),
                       sum(n for n, _ in same)]
    return found


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
                     "eager": lambda: runs.ours(subject, gates_on)}, 1 if report.tiny else 5, report.device)
    return {
        "compile_seconds": took, "to_eager": ratio(times["compiled"], times["eager"]),
        "difference": [float((z - eager[i % 2]).abs().mean()) for i, z in enumerate(flips)],
        "gates": float((eager[0] - eager[1]).abs().mean()),
    }


