"""Face analyzers by the words of the command line."""
from __future__ import annotations

import json
import os
from pathlib import Path

from editedid_core.faces.analyzers.protocol import FaceAnalyzer

from ..bench.judges import MODELS

LAB = "lab"


def open_analyzer(name: str) -> FaceAnalyzer:
    """"dlib"; "lab" (the lab's own pack, for drawn people); or an insightface pack, by its folder or its name among
    ComfyUI's models. RuntimeError with what to do where it cannot be opened."""
    if name == "dlib":
        from editedid_core.faces.analyzers.dlib_backend import DlibAnalyzer

        return DlibAnalyzer()
    from editedid_core.faces.analyzers.insightface_backend import InsightFaceAnalyzer

    folder = MODELS / "insightface" / LAB if name == LAB else pack_folder(name)
    if folder is None:
        raise RuntimeError(f"The analyzer {name!r} was not found: say dlib, lab, or a folder of an insightface pack.")
    return InsightFaceAnalyzer(folder.name, folder)


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
