"""From nothing to the shipped files: pictures, autoencoders, diffusion models, judges, exported and packed.

    python -m lab.train.make unet --out RUNS            the SD 1.5-format checkpoint
    python -m lab.train.make dit --out RUNS             the SD3-format checkpoint
    python -m lab.train.make judges --out RUNS          detector, landmarks, recognisers, critic
    python -m lab.train.make all --out RUNS --device cuda
    python -m lab.train.make people3d --out RUNS --device cuda --wall 420    all of the rendered world's, in that time

`people3d` is a run of its own kind (lab.train.world_run, PEOPLE3D.md). Of the others, steps
that do not wait for each other run side by side on a GPU and one after another on a CPU. Each writes RUNS/NAME.log
and goes on where it was stopped when the command is given again. Results lie in RUNS/shipped, laid out as lab/models
is.
"""
from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import torch

MODELS = ("unet", "dit", "judges")


@dataclass(frozen=True)
class Effort:
    """What one kind of machine can afford. Seconds are training time of each step; batches are pictures."""

    crops: int
    workers: int
    autoencoder: tuple[str, ...]
    diffusion: tuple[str, ...]
    judges: dict[str, tuple[str, ...]]
    at_once: int


CPU = Effort(
    crops=24_000, workers=2, at_once=1,
    autoencoder=("--batch", "8", "--rate", "0.015", "--seconds", "2400", "--threads", "2"),
    diffusion=("--batch", "24", "--seconds", "7200", "--threads", "2"),
    judges={"detector": (), "landmarks": (), "recogniser_a": (), "recogniser_b": (), "critic": ()},
)
CUDA = Effort(
    crops=96_000, workers=16, at_once=16,
    autoencoder=("--batch", "96", "--whole", "--rate", "0.01", "--seconds", "180", "--compile"),
    diffusion=("--batch", "256", "--seconds", "600", "--warmup", "200", "--compile"),
    judges={
        "detector": ("--seconds", "560", "--batch", "20", "--workers", "5", "--render", "5", "--pictures", "6000",
                     "--people", "1500"),
        "landmarks": ("--seconds", "560", "--batch", "128", "--workers", "3", "--render", "3", "--pictures", "24000"),
        "recogniser_a": ("--seconds", "560", "--batch", "128", "--workers", "3", "--render", "2", "--people", "1000",
                         "--scenes", "4"),
        "recogniser_b": ("--seconds", "560", "--batch", "144", "--workers", "4", "--render", "5", "--people", "5000"),
        "critic": ("--seconds", "560", "--batch", "64", "--workers", "3", "--render", "4", "--triples", "8000"),
    },
)


@dataclass(frozen=True)
class Step:
    """One command of this package: `name`, module and arguments, and the steps that must have ended."""

    name: str
    module: str
    arguments: tuple[str, ...]
    after: tuple[str, ...] = ()


def steps_of(wanted: str, out: Path, device: str, effort: Effort) -> list[Step]:
    """Everything that `wanted` (unet, dit, judges or all) needs."""
    crops, shipped = str(out / "crops"), out / "shipped"
    workers = ("--workers", str(effort.workers))
    steps = [Step("crops", "dataset", ("--out", crops, "--count", str(effort.crops), *workers))]
    for family, channels in (("unet", 4), ("dit", 16)):
        if wanted not in (family, "all"):
            continue
        pair = out / f"autoencoder_{channels}"
        here = ("--cache", crops, "--device", device)
        train = ("--channels", str(channels), "--out", str(pair), *here, *effort.autoencoder)
        encoder, decoder = f"encoder_{channels}", f"decoder_{channels}"
        steps += [
            Step(encoder, "train_autoencoder", (*train, "--until-fixed"), ("crops",)),
            Step(decoder, "train_autoencoder", train, (encoder,)),
            Step(family, "train_diffusion", ("--family", family, "--autoencoder", str(pair / "autoencoder.pt"),
                                             "--out", str(out / family), *here, *effort.diffusion), (encoder,)),
            Step(f"export_{family}", "export", ("--model", str(out / family / "model.pt"),
                                                "--autoencoder", str(pair / "autoencoder.pt"),
                                                "--packed", str(shipped / f"{family}_lab.safetensors")),
                 (family, decoder)),
        ]
    if wanted in ("judges", "all"):
        steps += _judges(out, device, effort)
    return steps


def _judges(out: Path, device: str, effort: Effort) -> list[Step]:
    shipped, pack = out / "shipped", out / "shipped" / "insightface" / "lab"
    commands = {
        "detector": ("detector", pack / "detector.onnx"),
        "landmarks": ("landmarks", pack / "landmarks.onnx"),
        "recogniser_a": ("recogniser", pack / "recogniser.onnx"),
        "recogniser_b": ("recogniser", shipped / "judge" / "recogniser_b.onnx"),
        "critic": ("critic", shipped / "judge" / "critic.onnx"),
    }
    steps = []
    for name, (module, file) in commands.items():
        kind = (name[-1],) if module == "recogniser" else ()
        crops = ("--crops", str(out / "crops")) if name == "recogniser_a" else ()
        steps.append(Step(name, module, (*kind, "--cache", str(out / name), "--out", str(file), *crops,
                                         "--device", device, *effort.judges[name]), ("crops",)))
    return steps


def run(steps: list[Step], out: Path, at_once: int) -> None:
    """Run the steps, at most `at_once` side by side.

    A step that fails stops those that need it and no others; RuntimeError then names the logs.
    """
    out.mkdir(parents=True, exist_ok=True)
    waiting = list(steps)
    running: dict[Step, tuple[subprocess.Popen[bytes], float]] = {}
    done: set[str] = set()
    failed: set[str] = set()
    while running or any(set(s.after) <= done for s in waiting):
        for step in [s for s in waiting if set(s.after) <= done][: max(0, at_once - len(running))]:
            waiting.remove(step)
            log = (out / f"{step.name}.log").open("a")
            command = [sys.executable, "-m", f"lab.train.{step.module}", *step.arguments]
            running[step] = (subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT,
                                              env=os.environ | {"PYTHONUNBUFFERED": "1"}), time.monotonic())
            print(f"begun  {step.name}", flush=True)
        time.sleep(0.5)
        for step, (process, since) in list(running.items()):
            if process.poll() is None:
                continue
            del running[step]
            (failed if process.returncode else done).add(step.name)
            end = "failed" if process.returncode else "ended "
            print(f"{end} {step.name}, {time.monotonic() - since:.0f} s", flush=True)
    if failed:
        logs = ", ".join(f"{name}.log" for name in sorted(failed))
        raise RuntimeError(f"{', '.join(sorted(failed))} failed: see {logs} in {out}; give the same command to go on")


def main(arguments: list[str] | None = None) -> None:
    """Command line; see the module's text."""
    given = sys.argv[1:] if arguments is None else arguments
    if given[:1] == ["people3d"]:
        from .world_run import main as world_run

        world_run(given[1:])
        return
    parser = argparse.ArgumentParser(description="Train the lab's models from nothing to the shipped files")
    parser.add_argument("what", choices=(*MODELS, "all"), help="or people3d, which has options of its own")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args(given)
    effort = CUDA if options.device == "cuda" else CPU
    run(steps_of(options.what, options.out, options.device, effort), options.out, effort.at_once)
    print(f"shipped files in {options.out / 'shipped'}")


if __name__ == "__main__":
    main()
