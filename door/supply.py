"""The newest of everything that the pack is installed with, in fresh environments: does it still work there?

For each Python at hand a new environment gets the newest pip, setuptools, PyTorch, what requirements.txt and the
insightface extra ask for, and the tests' own packages, without the project's constraints; then the core ring runs,
without the tests of what is not installed with the pack: the lab and these commands.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .environment import Environment, requirement_lines
from .paths import ROOT, RUN
from .process import say
from .tests import Suite

PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
# scikit-image as in the insightface extra of pyproject.toml, for the reason given there
NEWEST = ("torch", "torchvision", "insightface", "onnxruntime", "onnx", "opencv-python-headless", "numpy", "scipy",
          "scikit-image<2.2", "kornia", "safetensors", "Pillow", "PyYAML", "psutil", "pytest", "pytest-xdist",
          "hypothesis")
LEFT_OUT = ("lab", "door")
"""Folders of the core ring whose tests look at what nobody installs, and take longest."""
TOLD = ("pip", "setuptools", "torch", "numpy", "scipy", "scikit-image", "onnxruntime", "insightface",
        "opencv-python-headless", "kornia", "dlib-bin", "Pillow")


@dataclass(frozen=True)
class Trial:
    """One Python: what was installed of TOLD, and what came of it."""

    python: str
    outcome: str
    versions: str
    seconds: float


def try_supply(pythons: Sequence[str], pytest_arguments: Sequence[str] = ()) -> int:
    """Try each Python (versions such as "3.12"; none: all at hand). Returns 0 when every one passed."""
    trials = [_try(version, pytest_arguments) for version in pythons or at_hand()]
    say("")
    for trial in trials:
        say(f"Python {trial.python}: {trial.outcome} ({trial.seconds:.0f} s)\n  {trial.versions}")
    return 0 if trials and all(trial.outcome == "passed" for trial in trials) else 1


def at_hand() -> list[str]:
    """The versions among PYTHONS that this machine has."""
    return [version for version in PYTHONS if _interpreter(version) is not None]


def _interpreter(version: str) -> str | None:
    if sys.version_info[:2] == tuple(int(part) for part in version.split(".")):
        return sys.executable
    pyenv = sorted((Path.home() / ".pyenv" / "versions").glob(f"{version}.*/bin/python"))
    for found in (shutil.which(f"python{version}"), *(str(python) for python in pyenv)):
        # a launcher of another version answers to the name and then fails
        if found and subprocess.run([found, "-c", ""], capture_output=True).returncode == 0:
            return found
    return None


def _try(version: str, pytest_arguments: Sequence[str]) -> Trial:
    start = time.monotonic()

    def ended(outcome: str, versions: str = "") -> Trial:
        return Trial(version, outcome, versions, time.monotonic() - start)

    interpreter = _interpreter(version)
    if interpreter is None:
        return ended("not at hand")
    say(f"\n== Python {version}, the newest of everything")
    environment = Environment(RUN / f"venv-supply-{version}")
    shutil.rmtree(environment.folder, ignore_errors=True)
    subprocess.run([interpreter, "-m", "venv", str(environment.folder)], check=True)
    own = requirement_lines(ROOT / "requirements.txt")
    for label, wanted in (("pip", ("pip", "setuptools", "wheel")), ("packages", (*own, *NEWEST))):
        # bytecode is kept elsewhere, see keep_bytecode
        code, output = environment.pip(["install", "--upgrade", "--no-compile", *wanted], f"newest {label}")
        if code:
            last = next((line for line in reversed(output.splitlines()) if line.startswith("ERROR")), "")
            return ended(f"the newest {label} cannot be installed: {last}")
    versions = _versions(environment)
    ring = [f"--ignore={ROOT / 'tests' / 'core' / folder}" for folder in LEFT_OUT]
    passed = Suite(environment, (), [*ring, *pytest_arguments]).run(["core"]) == 0
    if passed:
        shutil.rmtree(environment.folder)  # several GB; one that failed stays, to look into
    return ended("passed" if passed else "the core ring FAILED", versions)


def _versions(environment: Environment) -> str:
    code = ("import importlib.metadata as m\n"
            f"print(', '.join(n + ' ' + m.version(n) for n in {TOLD!r} if any(m.distributions(name=n))))")
    return subprocess.run([str(environment.python), "-c", code], capture_output=True, text=True).stdout.strip()
