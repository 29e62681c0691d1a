"""Parts of the graphics card's benchmark one after the other in one process; lab/bench/gpu.py starts it."""
from __future__ import annotations

import argparse
import functools
import gc
import importlib
import json
import statistics
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from . import bare_host, published, runs, sizes
from .gpu import PARTS as SHARES
from .speed import MODELS
from .timing import in_turn, ratio, seconds
from .whole_face import Face, autoencoder

MIB = 2**20
FAILURES = (RuntimeError, ValueError, TypeError, AttributeError, ImportError, LookupError, AssertionError, OSError)
"""What may end a section; the next one runs all the same."""


@dataclass(eq=False)
class Report:
    """Figures by section, on disk after each."""

    file: Path
    device: torch.device
    tiny: bool
    until: float
    figures: dict[str, Any] = field(default_factory=dict)

    def section(self, name: str, work: Callable[[], dict[str, Any]], needs_card: bool = False) -> None:
        """Run a section and write what it found or why it failed."""
        start = time.monotonic()
        if needs_card and self.device.type != "cuda":
            self.figures[name] = "needs a graphics card"
        elif start > self.until:
            self.figures[name] = "no time left"
        else:
            try:
                self.figures[name] = work()
            except FAILURES as error:
                traceback.print_exc()
                self.figures[name] = f"failed: {type(error).__name__}: {error}"
        self.figures.setdefault("section_seconds", {})[name] = round(time.monotonic() - start, 1)
        self.file.write_text(json.dumps(self.figures, indent=1), encoding="utf-8")
        print(f"{self.file.stem}.{name}: {json.dumps(self.figures[name])}", flush=True)

    @property
    def dtype(self) -> torch.dtype:
        return torch.float16 if self.device.type == "cuda" else torch.float32


def full_size(report: Report, name: str, published_steps: int) -> None:
    """Times, memory and a profile of one model. `published_steps`: of the published pattern that run, 0 for none."""
    size, device = sizes.SIZES[name], report.device
    dtype = torch.bfloat16 if name == "flux" and device.type == "cuda" else report.dtype
    if report.tiny:
        size = sizes.tiny(size)
    elif name == "flux":  # a quarter of its blocks: memory beyond the weights does not grow with them
        size = size.reduced(depth=5, depth_single_blocks=10)
    repeats = 1 if report.tiny else 5
    report.section("machine", lambda: environment(device))
    start = time.monotonic()
    subject = sizes.make(size, device, dtype)
    report.section("made", lambda: {"seconds": time.monotonic() - start})
    report.section("sampling", lambda: sampling(subject, device, repeats))
    vae = functools.cache(lambda: autoencoder(size.channels, device))
    report.section("face", lambda: a_face(Face.of(subject, vae()), device, min(repeats, 3)))
    report.section("memory", lambda: memory(subject, device, published_steps > 0), needs_card=True)
    if name == "sd15":
        report.section("parts", lambda: parts(Face.of(subject, vae()), device))
        report.section("kernels", lambda: kernels(subject), needs_card=True)
    report.section("idle", lambda: idle(subject, device, min(repeats, 3)))
    if published_steps:
        report.section("published", lambda: published_pattern(subject, device, 1 if report.tiny else published_steps))


def environment(device: torch.device) -> dict[str, Any]:
    """What is there."""
    attention = importlib.import_module("comfy.ldm.modules.attention")
    return {
        "name": bare_host.machine(device), "torch": torch.__version__,
        "attention": attention.optimized_attention.__name__,
        "back_ends": sorted(attention.REGISTERED_ATTENTION_FUNCTIONS),
        "host": importlib.import_module("comfyui_version").__version__,
    }


def sampling(subject: sizes.Subject, device: torch.device, repeats: int) -> dict[str, Any]:
    """Seconds of a sampling run and of the plain model's same evaluations in the same batches."""
    gated = runs.gated(subject.model)
    same = runs.batches(subject, gated)
    times = in_turn({"ours": lambda: runs.ours(subject, gated), "plain": lambda: runs.plain(subject, same)}, repeats,
                    device, warm_up=2)
    return {
        **{f"seconds_{name}": statistics.median(values) for name, values in times.items()},
        **{f"best_{name}": min(values) for name, values in times.items()},
        "evaluations": sum(n for n, _ in same), "overhead_vs_plain": ratio(times["ours"], times["plain"]),
    }


def a_face(face: Face, device: torch.device, repeats: int) -> dict[str, Any]:
    """Seconds of a face from pixels to pixels."""
    times = in_turn({"whole": face.restore}, repeats, device, warm_up=2)["whole"]
    return {"seconds": statistics.median(times), "best": min(times), "worst": max(times)}


def peak(work: Callable[[], object], device: torch.device) -> float:
    """MiB that a run needs at most beyond what is there before it; not for its first run."""
    torch.cuda.synchronize(device)
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    work()
    torch.cuda.synchronize(device)
    return (torch.cuda.max_memory_allocated(device) - before) / MIB


def memory(subject: sizes.Subject, device: torch.device, with_published: bool) -> dict[str, Any]:
    """Peaks beyond the weights: ours, the plain model's same evaluations, the published pattern's."""
    gated = runs.gated(subject.model)
    same = runs.batches(subject, gated)
    ours = peak(lambda: runs.ours(subject, gated), device)
    plain = peak(lambda: runs.plain(subject, same), device)
    weights = subject.model.model_size() / MIB
    found: dict[str, Any] = {
        "weights_mib": weights, "ours_mib": ours, "plain_mib": plain, "extra_mib": ours - plain,
        "lock_step_mib": peak(lambda: runs.ours(subject, gated, mode="lock-step"), device),
        "two_faces_mib": peak(lambda: [runs.ours(subject, gated) for _ in range(2)], device),
        "twice_the_steps_mib": peak(lambda: runs.ours(subject, gated, steps=2 * runs.settings().steps), device),
    }
    if with_published:
        pattern = peak(lambda: published.run(subject, 1), device)
        found |= {"published_mib": pattern, "memory_ratio_published_50": pattern / ours,
                  "memory_ratio_with_weights": (pattern + weights) / (ours + weights)}
    return found


def parts(face: Face, device: torch.device) -> dict[str, Any]:
    """Seconds of encoding, sampling and decoding, and what the gates add to the evaluations."""
    spent: dict[str, list[float]] = {}

    @contextmanager
    def part(name: str) -> Any:
        synchronize(device)
        start = time.perf_counter()
        yield
        synchronize(device)
        spent.setdefault(name, []).append(time.perf_counter() - start)

    for _ in range(3):
        face.restore(part)
    return {name: statistics.median(values) for name, values in spent.items()}


def idle(subject: sizes.Subject, device: torch.device, repeats: int) -> dict[str, float]:
    """What a model with the gates takes in a stock sampler, to the plain one."""
    gated = runs.gated(subject.model)
    times = in_turn({"patched": lambda: runs.stock(subject, gated),
                     "plain": lambda: runs.stock(subject, subject.model)}, repeats, device)
    return {"to_plain": ratio(times["patched"], times["plain"]), "seconds_plain": statistics.median(times["plain"])}


def published_pattern(subject: sizes.Subject, device: torch.device, steps: int) -> dict[str, float]:
    """Seconds of the published pattern in so many steps and of ours just after it."""
    gated = runs.gated(subject.model)
    theirs = seconds(lambda: published.run(subject, steps), device)
    ours = seconds(lambda: runs.ours(subject, gated), device)
    return {"steps": steps, "seconds": theirs, "seconds_ours": ours,
            "speedup_vs_published_50": theirs / ours * 50 / steps}


def kernels(subject: sizes.Subject) -> dict[str, Any]:
    """What ours and the plain model's same evaluations start and wait for, by a profile of one run each."""
    gated = runs.gated(subject.model)
    same = runs.batches(subject, gated)
    return {"ours": profiled(lambda: runs.ours(subject, gated)), "plain": profiled(lambda: runs.plain(subject, same))}


def profiled(work: Callable[[], object]) -> dict[str, Any]:
    """The largest items of one run: device time by kernel, host time by operator, and all of both (microseconds).

    `started`: kernels; `waits`: calls in which the host waits for the device or copies to or from it.
    """
    activities = [torch.profiler.ProfilerActivity.CPU, torch.profiler.ProfilerActivity.CUDA]
    with torch.profiler.profile(activities=activities) as profile:
        work()
        torch.cuda.synchronize()
    events = profile.key_averages()
    on_device = sorted(events, key=lambda e: -e.self_device_time_total)[:8]
    on_host = sorted(events, key=lambda e: -e.self_cpu_time_total)[:8]
    return {
        "device_total": sum(e.self_device_time_total for e in events),
        "host_total": sum(e.self_cpu_time_total for e in events),
        "started": sum(e.count for e in events if "LaunchKernel" in e.key),
        "device": {e.key[:90]: [e.self_device_time_total, e.count] for e in on_device},
        "host": {e.key[:90]: [e.self_cpu_time_total, e.count] for e in on_host},
        "waits": {e.key: e.count for e in events if "Synchronize" in e.key or "Memcpy" in e.key},
    }


def free(device: torch.device) -> None:
    """Let go of the models of the part before."""
    importlib.import_module("comfy.model_management").unload_all_models()
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()


def synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def main(arguments: list[str]) -> None:
    """Command line."""
    from . import gpu_extras

    began = time.monotonic()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="+", choices=SHARES)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--gpu", action="store_true")
    parser.add_argument("--seconds", type=float, default=sum(SHARES.values()), help="start no section after this time")
    options = parser.parse_args(arguments)
    end, due = began + options.seconds, began
    device = bare_host.start(options.gpu)
    print(f"imported in {time.monotonic() - began:.1f} s", flush=True)
    work: dict[str, Callable[[Report], None]] = {
        "sd15": lambda report: full_size(report, "sd15", 50),
        "sdxl": lambda report: full_size(report, "sdxl", 6),
        "flux": lambda report: full_size(report, "flux", 0),
        "extras": lambda report: gpu_extras.extras(report, sizes.SIZES["sd15"], MODELS),
        "compile": lambda report: gpu_extras.compiled(report, sizes.SIZES["sd15"], sizes.SIZES["flux"]),
    }
    for part in options.parts:
        due += SHARES[part]
        # a part has its own share at least, even where one before it took longer
        until = min(end, max(due, time.monotonic() + SHARES[part]))
        work[part](Report(options.out / f"{part}.json", device, options.tiny, until))
        free(device)
        print(f"{part}: {time.monotonic() - began:.0f} s since the start", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
