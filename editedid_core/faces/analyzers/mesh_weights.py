"""The file with the face mesh's networks: where it is looked for, what must be in it, whose it is."""

from __future__ import annotations

from pathlib import Path

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
    """The file in the first of some model folders that has it, or None."""
    return next((folder / FILE_NAME for folder in folders if (folder / FILE_NAME).is_file()), None)


def open_networks(file: Path) -> dict[str, LiteGraph]:
    """The networks by name, on the CPU. Raises RuntimeError with the remedy when the file is missing or damaged."""
    from safetensors import SafetensorError, safe_open

    try:
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
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise RuntimeError(
            f"The face mesh's file {file} is missing, damaged or of another version: delete it and run `{INSTALL}` in "
            "this pack's folder."
        ) from error
