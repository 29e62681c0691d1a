"""Face analyzers by the words of the command line."""
from __future__ import annotations

import json
import os
from pathlib import Path

from editedid_core.faces.analyzers.mesh_weights import FOLDER, find_mesh_weights
from editedid_core.faces.analyzers.protocol import FaceAnalyzer
from editedid_core.faces.analyzers.registry import load_analyzer

from ..bench.judges import MODELS

LAB, OWN = "lab", "dlib-own"
MESH_FOLDER = Path(__file__).resolve().parents[2] / ".run" / "models" / FOLDER


def open_analyzer(name: str) -> FaceAnalyzer:
    """"dlib"; "lab" (the lab's own pack, for drawn people); or an insightface pack, by its folder or its name among
    ComfyUI's models. The face mesh finds the faces where its weights are at hand, as in the pack; "dlib-own" is dlib
    without it. RuntimeError with what to do where it cannot be opened."""
    mesh = None if name in (LAB, OWN) else mesh_file()
    if name in ("dlib", OWN):
        return load_analyzer("dlib", {}, mesh=mesh)
    folder = MODELS / "insightface" / LAB if name == LAB else pack_folder(name)
    if folder is None:
        raise RuntimeError(f"The analyzer {name!r} was not found: say dlib, lab, or a folder of an insightface pack.")
    return load_analyzer("insightface", {folder.name: folder}, folder.name, mesh=mesh)


def mesh_file() -> Path | None:
    """The face mesh's file, fetched by `run.py weights`, or None."""
    return find_mesh_weights([MESH_FOLDER])


def pack_folder(name: str) -> Path | None:
    """The folder of an insightface pack: the name itself where it is one, else among the host's models."""
    if Path(name).is_dir() and any(Path(name).glob("*.onnx")):
        return Path(name)
    settings = os.environ.get("EDITEDID_MODEL_PATHS", "")
    roots = json.loads(Path(settings).read_text(encoding="utf-8")) if settings and Path(settings).is_file() else {}
    for root in (Path(entry["base_path"]) / "insightface" for entry in roots.values()):
        for folder in (root / name, root / "models" / name):
            if any(folder.glob("*.onnx")):
                return folder
    return None


def packs() -> list[str]:
    """Names of insightface packs for photographs among the host's models."""
    return [name for name in ("antelopev2", "buffalo_l", "auraface") if pack_folder(name) is not None]
