"""The file with the face mesh's networks: where it is looked for, what must be in it, whose it is."""

from __future__ import annotations

from pathlib import Path

from .faults import AnalyzerError, in_words, require_readable
from .licences import WeightsLicence
from .lite_graph import LiteGraph

FILE_NAME = "mediapipe_face.safetensors"
FOLDER = "editedid"
"""The file lies in models/editedid of ComfyUI."""
INSTALL = "python run.py weights --comfyui PATH_OF_COMFYUI"
MESH_WEIGHTS = WeightsLicence("MediaPipe (Google)", "Apache-2.0, commercial use allowed")
NETWORKS = ("detector", "mesh")
_LAYOUT = "1"


def find_mesh_weights(folders: list[Path]) -> Path | None:
    """The file in the first of some model folders that has it, or None. A folder that cannot be read has none."""
    for folder in folders:
        try:
            if (folder / FILE_NAME).is_file():
                return folder / FILE_NAME
        except (OSError, ValueError):  # ValueError: what was configured can be no path
            continue
    return None


def open_networks(file: Path) -> dict[str, LiteGraph]:
    """The networks by name, on the CPU. Raises AnalyzerError with the remedy when the file is missing or damaged."""
    from safetensors import SafetensorError

    again = f"delete it and run `{INSTALL}` in this pack's folder"
    require_readable(file, again)
    with in_words(f"The face mesh's file {file}", "opening", "the CPU", "set detector to own"):
        try:
            return _networks_in(file)
        except (SafetensorError, LookupError, TypeError, ValueError) as error:
            raise AnalyzerError(f"The face mesh's file {file} is damaged or of another version: {again}.") from error


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
