"""Every model of the rendered world on one device inside a fixed time: what `lab.train.make people3d` runs.

    python -m lab.train.world_run --out RUN --device cuda --wall 420
    python -m lab.train.world_run --out RUN --device cuda --smoke          every stage for a few steps, in 45 s

One process draws pictures and trains all models in turns (lab.train.shares); processes beside it compile each model's
blocks ahead, so that compiling costs the device no time. RUN holds usable files from 40 % of the time on:
flux.safetensors and unet.safetensors (8-bit, without autoencoder), ae16.pt, ae4.pt, judges.pt, samples.jpg, run.json.
`lab.train.world_install` puts them into lab/models.
"""
from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
import traceback
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from . import world_export
from .flux import FluxPlan
from .session import prepare
from .shares import Shares
from .unet import UNetPlan
from .world_bank import WORLDS, Bank
from .world_judges import judge_job
from .world_models import FLUX_PLAN, UNET_PLAN, AutoencoderJob, FluxJob, UNetJob


@dataclass(frozen=True)
class Effort:
    """What a machine can afford. `wishes`: seconds a job would like of 400; they stretch to the time there is."""

    size: int = 256
    capacity: int = 40_960
    persons: int = 32
    first: int = 1_536
    """Pictures that are drawn before anything else begins."""
    enough: int = 32_000
    """Pictures worth drawing: the wish for drawing follows the speed, between SHORTEST and LONGEST seconds."""
    batches: dict[str, int] = field(default_factory=lambda: {
        "ae16": 16, "ae4": 16, "flux": 128, "unet": 128, "recogniser_a": 128, "recogniser_b": 144, "critic": 64,
        "landmarks": 96, "detector": 24})
    wishes: dict[str, float] = field(default_factory=lambda: {
        "draw": 70.0, "ae16": 38.0, "ae4": 38.0, "flux": 105.0, "unet": 80.0, "recogniser_b": 14.0,
        "recogniser_a": 14.0, "critic": 14.0, "landmarks": 12.0, "detector": 15.0})
    flux: FluxPlan = FLUX_PLAN
    unet: UNetPlan = UNET_PLAN


CUDA = Effort()
TINY = Effort(size=64, capacity=64, persons=8, first=32, batches=dict.fromkeys(CUDA.batches, 4),
              flux=FluxPlan(128, 1, 1), unet=replace(UNET_PLAN, widths=(40, 80, 40)))
"""Runs on a CPU in seconds and learns nothing; for tests."""
RESERVE = 14.0
"""Seconds at the end for the last files and the samples."""
PATIENCE = 0.3
"""Share of the time after which nobody waits for compiling any more."""


SHORTEST, LONGEST = 35.0, 120.0
HASTE = {"draw": 4.0, "ae16": 8.0, "ae4": 5.0}
"""What others wait for has its time early: so many times as fast as the others."""
CHANNELS = {"flux": 16, "unet": 4}
"""Latent channels of the diffusion models."""


class DrawJob:
    """Drawing pictures, many of them early; when the bank is full they replace the oldest."""

    name, haste = "draw", HASTE["draw"]

    def __init__(self, bank: Bank, wish: float, enough: int) -> None:
        self.bank, self.wish, self.enough, self.spent = bank, wish, enough, 0.0

    def ready(self) -> bool:
        return True

    def step(self, progress: float) -> None:
        before = time.monotonic()
        self.bank.draw()
        _wait(self.bank.device)
        if self.bank.drawn > self.bank.rows:  # the first block builds kernels
            self.spent += time.monotonic() - before
            self.wish = min(LONGEST, max(SHORTEST, self.enough / self.speed()))

    def speed(self) -> float:
        """Pictures a second."""
        return (self.bank.drawn - self.bank.rows) / max(self.spent, 1e-6)

    def told(self) -> str:
        return f"{self.bank.drawn} drawn, {self.bank.filled} at hand, {self.speed():.0f} a second"


class Ahead:
    """Processes that compile what a model needs, into a cache that all processes of the run share."""

    def __init__(self, options: argparse.Namespace, names: tuple[str, ...]) -> None:
        self.since, self.limit = time.monotonic(), PATIENCE * options.wall
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.logs = {name: Path(options.scratch) / f"ahead_{name}.log" for name in names}
        for name in names if options.compile else ():
            command = [sys.executable, "-m", "lab.train.world_run", "--ahead", name, "--out", str(options.out),
                       "--device", options.device, "--scratch", str(options.scratch), "--compile"]
            with self.logs[name].open("wb") as log:
                self.running[name] = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)

    def settled(self, name: str) -> bool:
        """Whether the model may begin: compiled ahead, failed, or nobody waits any longer."""
        process = self.running.get(name.replace("ae4", "ae16"))
        if process is not None and process.poll() is None and time.monotonic() - self.since > self.limit:
            process.kill()
            process.wait()
        return process is None or process.poll() is not None

    def compiled(self, name: str) -> bool:
        """Whether compiling here will find everything in the cache; if not, the model runs as it is."""
        process = self.running.get(name.replace("ae4", "ae16"))
        return process is not None and process.poll() == 0

    def close(self) -> None:
        for name, process in self.running.items():
            if process.poll() is None:
                process.kill()
            text = self.logs[name].read_text(errors="replace").strip().splitlines()
            print(f"compiled ahead, {name}: exit {process.wait()}; {text[-1] if text else 'said nothing'}", flush=True)


class Waiting:
    """A training that begins when its model has been compiled ahead and its data are there."""

    def __init__(self, name: str, wish: float, ahead: Ahead, bank: Bank, effort: Effort) -> None:
        self.name, self.wish, self.haste = name, wish, HASTE.get(name, 1.0)
        self._ahead, self._bank, self._effort = ahead, bank, effort
        self.job: Any = None

    def ready(self) -> bool:
        channels = CHANNELS.get(self.name)
        return (self._ahead.settled(self.name) and self._bank.drawn >= self._effort.first
                and (channels is None or channels in self._bank.latents))

    def step(self, progress: float) -> None:
        if self.job is None:
            self.job = make_job(self.name, self._bank, self._effort, self._ahead.compiled(self.name))
        self.job.step(progress)

    def told(self) -> str:
        return self.job.told() if self.job else ""

    def result(self) -> Any:
        return self.job.result() if self.job else None


def make_job(name: str, bank: Bank, effort: Effort, compile_blocks: bool) -> Any:
    """The training of a name."""
    batch = effort.batches[name]
    if name in ("ae16", "ae4"):
        return AutoencoderJob(int(name[2:]), bank, batch, compile_blocks)
    if name == "flux":
        return FluxJob(bank, batch, compile_blocks, effort.flux)
    if name == "unet":
        return UNetJob(bank, batch, compile_blocks, effort.unet)
    return judge_job(name, bank, batch)


COMPILED = ("ae16", "flux", "unet")
"""Compiled ahead; the small autoencoder's blocks are those of the large one."""


def compile_ahead(name: str, device: str, effort: Effort) -> None:
    """Take every kind of step that a model will take, on noise, and say how fast the compiled ones are."""
    world = WORLDS["noise"](device, effort.size, 0)
    bank = Bank(world, 512, effort.persons, device, 0)
    while bank.drawn < bank.capacity:
        bank.draw()
    channels = CHANNELS.get(name)
    cells = effort.size // 8
    if channels:
        bank.latents[channels] = torch.randn(bank.capacity, 2, channels, cells, cells, device=device).half()
    job = make_job(name, bank, effort, True)
    begun = time.monotonic()
    if name == "flux":
        for references in range(3):
            job.learner.learn(job.loss_with(references), 0.0)
    elif channels:
        job.step(0.0)
    else:
        job.step(0.0)
        job.measure()
        job.fix()
    print(f"{name}: every kind of step taken once after {time.monotonic() - begun:.0f} s", flush=True)
    job.step(0.9)
    _wait(device)
    between = time.monotonic()
    for _ in range(10):
        job.step(0.9)
    _wait(device)
    pace = (time.monotonic() - between) / 10
    print(f"{name}: compiled in {between - begun:.0f} s, then {1000 * pace:.1f} ms a step of {job.batch}, "
          f"{job.batch / pace:.0f} samples/s on a shared device")


def _wait(device: str) -> None:
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize()


class Files:
    """Writes results beside the training: states are copied at once, packed and written in a thread."""

    def __init__(self, out: Path, jobs: dict[str, Any]) -> None:
        self.out, self.jobs = out, jobs
        self._thread = ThreadPoolExecutor(1)
        self._last: Future[None] | None = None
        out.mkdir(parents=True, exist_ok=True)

    def write(self, wait: bool = False) -> None:
        """Write what there is; while the last writing goes on, only a waiting call does."""
        if self._last is not None and not self._last.done() and not wait:
            return
        results = {name: job.result() for name, job in self.jobs.items()}
        self._last = self._thread.submit(self._write, {k: v for k, v in results.items() if v is not None})
        if wait:
            self._last.result()

    def _write(self, results: dict[str, Any]) -> None:
        try:
            world_export.write_results(results, self.out)
        except Exception:  # noqa: BLE001 a full disk must not stop the training
            traceback.print_exc()


def run(options: argparse.Namespace, effort: Effort) -> None:
    """Draw, train, write."""
    begun = time.monotonic()
    prepare(options.threads, options.seed)
    ahead = Ahead(options, COMPILED)
    world = WORLDS[options.world](options.device, effort.size, options.seed)
    bank = Bank(world, effort.capacity, effort.persons, options.device, options.seed)
    print(f"{time.monotonic() - begun:.1f} s: world built", flush=True)
    wishes = {name: wish for name, wish in effort.wishes.items() if name not in options.without}
    jobs: dict[str, Any] = {name: Waiting(name, wish, ahead, bank, effort) for name, wish in wishes.items()}
    jobs["draw"] = DrawJob(bank, wishes["draw"], effort.enough)
    files = Files(options.out, {k: v for k, v in jobs.items() if k != "draw"})
    events = [(share, files.write) for share in (0.3, 0.4, 0.55, 0.7, 0.85, 0.95)]
    shares = Shares(list(jobs.values()), begun, max(options.wall - options.reserve, 1.0), options.device, events)
    shares.run()
    shares.report()
    ahead.close()
    files.write(wait=True)
    print(f"{shares.passed():.0f} s: files written", flush=True)
    try:
        world_export.sample_sheet(jobs, bank, options.out / "samples.jpg")
    except Exception:  # noqa: BLE001 the models are safe already
        traceback.print_exc()
    told = {name: {"steps": shares.steps[name], "seconds": round(shares.used[name], 1), "told": job.told()}
            for name, job in jobs.items()}
    (options.out / "run.json").write_text(json.dumps({"jobs": told, "failed": shares.failures,
                                                      "wall": round(shares.passed(), 1)}, indent=1))
    print(f"{shares.passed():.0f} s: all done", flush=True)


def main(arguments: list[str] | None = None) -> None:
    """Command line; see the module's text."""
    parser = argparse.ArgumentParser(description="Train every model of the rendered world inside a fixed time")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--wall", type=float, default=420, help="seconds by the clock, everything in them")
    parser.add_argument("--world", choices=tuple(WORLDS), default="people3d")
    parser.add_argument("--smoke", action="store_true", help="every stage for a few steps, 45 s, speeds printed")
    parser.add_argument("--tiny", action="store_true", help="sizes for a test on a CPU")
    parser.add_argument("--no-compile", dest="compile", action="store_false", help="do not compile ahead")
    parser.add_argument("--compile", dest="compile", action="store_true", help="compile ahead (the default on a GPU)")
    parser.add_argument("--without", nargs="*", default=[], choices=tuple(CUDA.wishes)[1:], help="jobs to leave out")
    parser.add_argument("--scratch", type=Path, default=Path("/tmp/world_run"), help="logs and the compiler's cache")
    parser.add_argument("--reserve", type=float, default=RESERVE, help="seconds kept for the last files")
    parser.add_argument("--threads", type=int, default=4)
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--ahead", choices=COMPILED, help="only compile this model ahead (used by the run itself)")
    parser.set_defaults(compile=None)
    options = parser.parse_args(arguments)
    if options.compile is None:
        options.compile = options.device != "cpu" and not options.smoke
    options.scratch.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(options.scratch / "inductor"))
    os.environ.setdefault("TRITON_CACHE_DIR", str(options.scratch / "triton"))
    os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "4")
    effort = TINY if options.tiny else CUDA
    if options.smoke:
        options.wall, options.reserve = min(options.wall, 45.0), 8.0
        effort = replace(effort, first=min(effort.first, 256), persons=min(effort.persons, 16))
    if options.ahead:
        prepare(options.threads, options.seed)
        compile_ahead(options.ahead, options.device, effort)
        return
    run(options, effort)


if __name__ == "__main__":
    main()
