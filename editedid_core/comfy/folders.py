"""Model folders of the host that the pack reads."""

from __future__ import annotations

import os
from pathlib import Path

import folder_paths

from ..faces.analyzers.mesh_weights import FOLDER, find_mesh_weights
from ..faces.analyzers.registry import AUTO_PACK

DEFAULT_PACK_VARIABLE = "EDITEDID_FACE_PACK"


def default_pack() -> str:
    """The pack that "auto" means on this machine: an operator's choice in the environment, else still "auto"."""
    return os.environ.get(DEFAULT_PACK_VARIABLE, AUTO_PACK)


def insightface_packs() -> dict[str, Path]:
    """The insightface packs on this machine: name to the folder that holds its .onnx files.

    Looks in models/insightface and models/insightface/models (also where extra_model_paths.yaml points), and finds
    packs that were unzipped one folder too deep.
    """
    default = Path(folder_paths.models_dir) / "insightface"
    folder_paths.add_model_folder_path("insightface", str(default))
    folders, extensions = folder_paths.folder_names_and_paths["insightface"]
    if isinstance(extensions, set):
        extensions.add(".onnx")
    packs: dict[str, Path] = {}
    for root in folders:
        for parent in (Path(root), Path(root) / "models"):
            if not parent.is_dir():
                continue
            for folder in sorted(p for p in parent.iterdir() if p.is_dir()):
                for candidate in (folder, folder / folder.name):
                    if any(candidate.glob("*.onnx")):
                        packs.setdefault(folder.name, candidate)
    return packs


def mesh_weights() -> Path | None:
    """The face mesh's file in models/editedid (also where extra_model_paths.yaml points), or None."""
    folder_paths.add_model_folder_path(FOLDER, str(Path(folder_paths.models_dir) / FOLDER))
    folders, extensions = folder_paths.folder_names_and_paths[FOLDER]
    if isinstance(extensions, set):
        extensions.add(".safetensors")
    return find_mesh_weights([Path(folder) for folder in folders])
