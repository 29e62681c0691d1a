"""The file with the face mesh's networks: where it is looked for, what must be in it, whose it is.

MediaPipe's wheel as pip fetches it serves too; it is converted when it is first opened.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from .faults import AnalyzerError, in_words, require_readable
from .licences import WeightsLicence
from .lite_graph import LiteGraph
from .mesh_wheel import PLATFORM, WHEEL, converted, write_whole

FILE_NAME = "mediapipe_face.safetensors"
FOLDER = "editedid"
"""The file lies in models/editedid of ComfyUI."""
INSTALL = f"python -m pip download --no-deps {' '.join(PLATFORM)} --dest models/{FOLDER} mediapipe==0.10.14"
"""For ComfyUI's folder, on any system; the pack as the registry has it comes without run.py."""
MESH_WEIGHTS = WeightsLicence("MediaPipe (Google)", "Apache-2.0, commercial use allowed")
NETWORKS = ("detector", "mesh")
_LAYOUT = "1"


def find_mesh_weights(folders: list[Path]) -> Path | None:
    """The file in the first of some model folders that has it, else MediaPipe's wheel, or None. A folder that cannot be
    read has none."""
    return next((file for name in (FILE_NAME, WHEEL) for folder in folders for file in _files(folder, name)), None)


def _files(folder: Path, pattern: str) -> Iterator[Path]:
    try:
        yield from (file for file in sorted(folder.glob(pattern)) if file.is_file())
    except (OSError, ValueError):  # ValueError: what was configured can be no path
        return


def open_networks(file: Path) -> dict[str, LiteGraph]:
    """The networks by name, on the CPU. A wheel is converted, and what comes of it is kept beside it where that folder
    can be written to. Raises AnalyzerError with the remedy when the file is missing or damaged."""
    from safetensors import SafetensorError

    bring = f"run `{INSTALL}` in ComfyUI's folder"
    again = f"delete it and {bring}"
    require_readable(file, bring)
    with in_words(f"The face mesh's file {file}", "opening", "the CPU", "set detector to own"):
        try:
            return _networks_of_wheel(file) if file.suffix == ".whl" else _networks_in(file)
        except (SafetensorError, LookupError, TypeError, ValueError) as error:
            raise AnalyzerError(f"The face mesh's file {file} is damaged or of another version: {again}.") from error


def _networks_of_wheel(wheel: Path) -> dict[str, LiteGraph]:
    content, kept = converted(wheel), wheel.with_name(FILE_NAME)
    try:
        write_whole(content, kept)
        return _networks_in(kept)
    except OSError:  # a folder that is only to be read, or a full disk
        with tempfile.TemporaryDirectory() as folder:
            write_whole(content, Path(folder) / FILE_NAME)
            return _networks_in(Path(folder) / FILE_NAME)


def _networks_in(file: Path) -> dict[str, LiteGraph]:
    from safetensors import safe_open

    with safe_open(str(file), "pt") as opened:
        words = opened.metadata() or {}
        if words.get("layout") != _LAYOUT:
            raise ValueError("made by another version")
        return {
            name: LiteGraph(
                words[f"graph.{name}"],
                {int(key.split(".")[1]): opened.get_tensor(key) for key in opened.keys()
                 if key.startswith(f"{name}.")},
            )
            for name in NETWORKS
        }
