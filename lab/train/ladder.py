"""A ladder: transformers of one kind and three widths, trained to use two references, in a fixed time on one device.

    python -m lab.train.ladder --out RUN --device cuda --wall 500

The first reference shows the person, the second an edit whose face has drifted; the model paints the edit with the
person's face (`pair_bank`). Processes share the device and run beside each other: some draw pairs into a folder, one
trains each width, one goes on with the decoder of the shipped autoencoder, whose encoder stays as it is. A smaller
width stops earlier. RUN holds flux_WIDTH.safetensors (8-bit), ae16.pt, and a sheet and the measures of each width.
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
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from . import world_export
from .flux import FluxPlan
from .ladder_measures import decibels, measured, sheet
from .optim import Learner
from .pair_bank import SHOTS, WORLDS, PairBank, shipped_autoencoder, write_block
from .session import prepare, save_atomically
from .train_autoencoder import NOISE, picture_loss
from .world_bank import mixed, unit
from .world_models import FluxJob, compiled

SHIPPED = Path(__file__).resolve().parents[1] / "models" / "people3d" / "people_dit.safetensors"
REFERENCES = (0.15, 0.2, 0.65)
"""How often a step has no, one, two references."""


@dataclass(frozen=True)
class Rung:
    """One width. `until`: share of the time at which it stops."""

    plan: FluxPlan
    batch: int
    until: float


@dataclass(frozen=True)
class Effort:
    """What a machine can afford. first: blocks that training waits for; enough: blocks worth drawing;
    drawn: share of the time after which nobody draws."""

    rungs: dict[str, Rung]
    size: int = 256
    persons: int = 24
    unseen: int = 16
    drawers: int = 5
    first: int = 6
    enough: int = 320
    drawn: float = 0.5
    between: int = 10
    """Steps between two looks at the clock and at new blocks."""
    decoder: float = 40.0
    """Seconds for the decoder, which sees at most DECODED blocks."""


CUDA = Effort({"flux_128": Rung(FluxPlan(128, 2, 8), 96, 0.42), "flux_256": Rung(FluxPlan(256, 2, 8), 96, 0.66),
               "flux_384": Rung(FluxPlan(384, 2, 8), 96, 1.0)})
TINY = Effort({"flux_128": Rung(FluxPlan(128, 1, 1), 4, 1.0)}, size=32, persons=4, unseen=2, drawers=1,
              first=1, enough=2, between=1, decoder=1)
"""Runs on a CPU in seconds and learns nothing; for tests."""
DECODED = 40
DRAWER = 0.055
"""Share of the device's memory that a drawing process may take."""
RESERVE = 16.0
"""Seconds at the end for files and sheets."""


def draw(options: argparse.Namespace, effort: Effort, part: int) -> None:
    """Write blocks until there are enough or time is up; part 0 begins with people that nobody trains on."""
    world = WORLDS[options.world](options.device, effort.size, part)
    encoder, _ = shipped_autoencoder(options.start, options.device)
    rng = np.random.default_rng(part)
    blocks, count = options.scratch, 0
    begun = time.monotonic()
    until = options.begun + effort.drawn * options.wall
    if part == 0:
        write_block(world.unseen(effort.unseen), encoder, rng, blocks / "unseen" / "block_0.pt")
    while len(list(blocks.glob("block_*.pt"))) < effort.enough and time.monotonic() < until:
        write_block(world.draw(effort.persons), encoder, rng, blocks / f"block_{count:04d}_{part}.pt")
        count += 1
        if count in (1, 2) or count % 10 == 0:
            pace = 2 * SHOTS * effort.persons * count / (time.monotonic() - begun)
            say(options, f"{count} blocks, {pace:.0f} pictures a second")
    say(options, f"{count} blocks in {time.monotonic() - begun:.0f} s")


def train(options: argparse.Namespace, effort: Effort, name: str) -> None:
    """Train one width and leave its file, its measures and its sheet."""
    rung = effort.rungs[name]
    bank, unseen = banks(options, effort)
    job = FluxJob(bank, rung.batch, options.compile, rung.plan, REFERENCES)  # type: ignore[arg-type]
    for count in (2, 1, 0):  # each kind of step is compiled once
        job.learner.learn(job.loss_with(count), 0.0)
        wait(options)
        say(options, f"first step with {count} references")
    begun, last = time.monotonic(), options.begun + rung.until * (options.wall - RESERVE)
    reported, kept, progress = begun, False, 0.0
    while progress < 1:
        for _ in range(effort.between):
            job.step(progress)
        wait(options)
        bank.refresh(4)
        now = time.monotonic()
        progress = min(1.0, (now - begun) / max(last - begun, 1e-3))
        if now - reported > 10:
            reported = now
            say(options, f"{100 * progress:3.0f} % {job.learner.steps} steps {job.told()} of {bank.filled} crops")
        if progress > 0.7 and not kept:  # whatever stops the run later, this much remains
            kept = True
            leave(job, name, options)
    leave(job, name, options)
    found = measured(job, unseen)
    told = {"width": rung.plan.width, "parameters": sum(p.numel() for p in job.model.parameters()),
            "steps": job.learner.steps, "batch": rung.batch, "crops": bank.filled,
            "seconds": round(time.monotonic() - begun, 1), "told": job.told(), **found}
    (options.out / f"{name}.json").write_text(json.dumps(told, indent=1))
    say(options, json.dumps(told))
    sheet(job, unseen, options.start, options.out / f"{name}.jpg")


def leave(job: FluxJob, name: str, options: argparse.Namespace) -> None:
    result = job.result()
    if result is not None:
        world_export.write_results({name: result}, options.out)


def banks(options: argparse.Namespace, effort: Effort, pictures: bool = False) -> tuple[PairBank, PairBank]:
    """The pairs to learn from, when there are enough to begin with, and those of people never seen."""
    blocks = DECODED if pictures else effort.enough
    bank = PairBank(options.scratch, options.device, SHOTS * effort.persons * blocks, pictures)
    unseen = PairBank(options.scratch / "unseen", options.device, SHOTS * effort.unseen, True)
    while len(list(options.scratch.glob("block_*.pt"))) < effort.first or not unseen.refresh(1):
        time.sleep(0.2)
        if time.monotonic() > options.begun + options.wall:
            raise SystemExit("no pictures were drawn")
    bank.refresh(effort.first)
    return bank, unseen


def refine(options: argparse.Namespace, effort: Effort) -> None:
    """Go on with the decoder for the fixed encoder; `ae16.pt` in the format of `world_run`."""
    bank, unseen = banks(options, effort, pictures=True)
    encoder, decoder = shipped_autoencoder(options.start, options.device)
    learner = Learner(decoder, [{"params": [p for p in decoder.parameters() if p.ndim == 4], "pieces": 1}], 0.004, 50,
                      decay=0.995, weight_decay=0.0)
    if options.compile:
        compiled([module for module in decoder.modules() if module.__class__.__name__ == "Block"])
    say(options, f"begins at {decibels(encoder, decoder, unseen):.2f} dB on people never seen")
    batch, progress = (16 if effort.size > 64 else 4), 0.0
    begun: float | None = None
    while progress < 1:
        rows = torch.randint(bank.filled, (batch,), device=options.device)
        x = unit(bank.pictures[rows])
        x[::2] = x[::2].flip(3)
        with mixed(x), torch.no_grad():
            latents = encoder(x).float()
        with mixed(x):
            made = decoder(latents + NOISE * torch.randn_like(latents))
        learner.learn(picture_loss(made.float(), x), progress)
        if begun is None:  # the first step compiles
            wait(options)
            begun = time.monotonic()
        if learner.steps % 50 == 0:
            wait(options)
            bank.refresh(4)
        progress = min(1.0, (time.monotonic() - begun) / effort.decoder)
    with learner.averaged():
        found = decibels(encoder, decoder, unseen)
        state = {f"{name}.{k}": v.detach().half().cpu() for name, part in (("encoder", encoder), ("decoder", decoder))
                 for k, v in part.state_dict().items()}
    save_atomically({"kind": "autoencoder", "channels": 16, "fixed": True, "decibels": found, "steps": learner.steps,
                     "state": state}, options.out / "ae16.pt")
    say(options, f"{learner.steps} steps, {found:.2f} dB on people never seen")


def wait(options: argparse.Namespace) -> None:
    if torch.device(options.device).type == "cuda":
        torch.cuda.synchronize()


def say(options: argparse.Namespace, text: str) -> None:
    print(f"{time.monotonic() - options.begun:4.0f} s {options.role}: {text}", flush=True)


def run(options: argparse.Namespace, effort: Effort) -> None:
    """Start every process and wait until the last has ended or the time is over."""
    if options.world == "people3d":
        from ..people3d.native import library

        library(torch.device(options.device).type)  # built once, before several processes want it
    roles = [*(f"draw_{part}" for part in range(effort.drawers)), *reversed(effort.rungs), "decoder"]
    given = sys.argv[1:] if options.given is None else options.given
    running = {role: subprocess.Popen([sys.executable, "-m", "lab.train.ladder", *given, "--role", role,
                                       "--begun", str(options.begun)]) for role in roles}
    while any(process.poll() is None for process in running.values()):
        time.sleep(0.2)
        trainings = [running[name].poll() for name in effort.rungs]
        late = time.monotonic() > options.begun + options.wall + 4
        if late or all(code not in (None, 0) for code in trainings):
            for process in running.values():
                process.kill()
    failed = [role for role, process in running.items() if process.wait()]
    print(f"{time.monotonic() - options.begun:4.0f} s all done; failed: {', '.join(failed) or 'none'}", flush=True)
    if failed:
        raise SystemExit(1)


def main(arguments: list[str] | None = None) -> None:
    """Command line; see the module's text. Exits with status 1 when a process failed."""
    parser = argparse.ArgumentParser(description="Train transformers of three widths on pairs of rendered people")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--wall", type=float, default=500, help="seconds by the clock, everything in them")
    parser.add_argument("--world", choices=tuple(WORLDS), default="people3d")
    parser.add_argument("--start", type=Path, default=SHIPPED, help="checkpoint whose autoencoder is used")
    parser.add_argument("--scratch", type=Path, default=Path("/tmp/ladder"), help="where the pairs are kept")
    parser.add_argument("--tiny", action="store_true", help="sizes for a test on a CPU")
    parser.add_argument("--no-compile", dest="compile", action="store_false", help="run the blocks as they are")
    parser.add_argument("--role", default="", help="used by the run itself")
    parser.add_argument("--begun", type=float, help="used by the run itself")
    options = parser.parse_args(arguments)
    options.given = arguments
    options.begun = options.begun if options.begun is not None else time.monotonic()
    effort = TINY if options.tiny else CUDA
    options.out.mkdir(parents=True, exist_ok=True)
    (options.scratch / "unseen").mkdir(parents=True, exist_ok=True)
    if not options.role:
        run(options, effort)
        return
    os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "4")
    prepare(1, 3)
    try:
        if options.role.startswith("draw_"):
            torch.backends.cudnn.benchmark = False  # blocks end in parts of many sizes
            if torch.device(options.device).type == "cuda":  # a drawer that wants more draws fewer at once
                torch.cuda.set_per_process_memory_fraction(DRAWER)
            draw(options, effort, int(options.role[5:]))
        elif options.role == "decoder":
            refine(options, effort)
        else:
            train(options, effort, options.role)
    except Exception:
        say(options, f"FAILED\n{traceback.format_exc()}")
        raise


if __name__ == "__main__":
    main()
