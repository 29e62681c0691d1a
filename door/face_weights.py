"""The face mesh weights: fetched with pip, converted once into one safetensors file. Nothing but Python is needed.

Source: the PyPI wheel mediapipe 0.10.14 (Apache-2.0) carries its networks as TensorFlow Lite files; later wheels carry
none. The wheel is opened as an archive and never installed, so one for another system serves as well.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

from .failure import Failure, from_pip
from .paths import LOGS, cache_dir
from .process import say
from .tflite import Graph, read_graph

FILE = Path("editedid") / "mediapipe_face.safetensors"
"""Where the file goes inside a models folder."""

_WHEEL = "mediapipe-0.10.14-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"
_NETWORKS = {
    "detector": "mediapipe/modules/face_detection/face_detection_short_range.tflite",
    "mesh": "mediapipe/modules/face_landmark/face_landmark_with_attention.tflite",
}
# of the files inside the wheel, so that a mirror's repacked wheel serves too
_SHA256 = {
    "detector": "bbff11cebd1eb27a1e004cae0b0e63ec8c551cbf34a4451148b4908b8db3eca8",
    "mesh": "e06a804e0144f9929eda782122916b35d60c697c3c9344013ca2bbe76a6ce2b4",
}
_METADATA = {
    "format": "pt",
    "licence": "Apache-2.0",
    "copyright": "The MediaPipe Authors (Google)",
    "source": "PyPI mediapipe 0.10.14: face_detection_short_range.tflite, face_landmark_with_attention.tflite",
    "changes": "converted from TensorFlow Lite to safetensors; the weights are unchanged",
    "layout": "1",
}
_PLATFORM = ("--only-binary", ":all:", "--python-version", "3.11", "--platform", "manylinux2014_x86_64")


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
    graphs = {}
    with zipfile.ZipFile(wheel) as archive:
        for name, member in _NETWORKS.items():
            content = archive.read(member)
            if hashlib.sha256(content).hexdigest() != _SHA256[name]:
                raise Failure(f"{member} in {wheel} is not the file expected (wrong sha256), so it was not used.")
            graphs[name] = read_graph(content)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    part.write_bytes(as_safetensors(graphs, _METADATA))
    part.replace(target)


def as_safetensors(graphs: dict[str, Graph], metadata: dict[str, str]) -> bytes:
    """Networks as one safetensors file.

    Constants are named NETWORK.NUMBER; metadata gains graph.NETWORK, the operations as JSON: {"inputs": [number],
    "outputs": {name: number}, "shapes": {number: [...]}, "steps": [[operator, inputs, outputs, options], ...]}.
    """
    header: dict[str, object] = {}
    blocks: list[bytes] = []
    words, place = dict(metadata), 0
    for network, graph in graphs.items():
        for number, constant in sorted(graph.constants.items()):
            header[f"{network}.{number}"] = {
                "dtype": constant.kind,
                "shape": list(constant.shape),
                "data_offsets": [place, place + len(constant.data)],
            }
            blocks.append(constant.data)
            place += len(constant.data)
        used = {number for step in graph.steps for number in (*step.inputs, *step.outputs) if number >= 0}
        words[f"graph.{network}"] = json.dumps({
            "inputs": graph.inputs,
            "outputs": graph.outputs,
            "shapes": {number: graph.shapes[number] for number in sorted(used)},
            "steps": [[step.operator, step.inputs, step.outputs, step.options] for step in graph.steps],
        })
    text = json.dumps({"__metadata__": words, **header}).encode()
    text += b" " * (-len(text) % 8)
    return b"".join([struct.pack("<Q", len(text)), text, *blocks])


def _fetch(python: Path) -> Path:
    """The wheel in the cache."""
    folder = cache_dir() / "face_weights"
    wheel = folder / _WHEEL
    if wheel.exists():
        return wheel
    say("Fetching the face mesh's weights (36 MB, once) ...")
    part = folder / "part"
    shutil.rmtree(part, ignore_errors=True)
    command = [str(python), "-m", "pip", "download", "--no-deps", *_PLATFORM, "--dest", str(part),
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
