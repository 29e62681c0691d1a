"""Choosing an analyzer: which backend, which weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from .composed import ComposedAnalyzer
from .dlib_backend import INSTALL as INSTALL_DLIB
from .dlib_backend import DlibAnalyzer, dlib_available
from .dlib_recogniser import DlibRecogniser
from .insightface_backend import INSTALL as INSTALL_INSIGHTFACE
from .insightface_backend import InsightFaceAnalyzer, insightface_available
from .mesh_backend import MeshAnalyzer
from .protocol import FaceAnalyzer

Backend = Literal["auto", "insightface", "dlib"]
BACKENDS: tuple[Backend, ...] = ("auto", "insightface", "dlib")
AUTO_PACK = "auto"

# "auto" prefers the strongest recogniser. The lab's pack knows drawn portraits only, so it is used only when named.
_PREFERRED = ("antelopev2", "buffalo_l", "auraface")
_ONLY_WHEN_NAMED = ("lab",)


def load_analyzer(backend: Backend, packs: Mapping[str, Path], pack: str = AUTO_PACK,
                  detection_size: int = 640, mesh: Path | None = None) -> FaceAnalyzer:
    """Open an analyzer.

    backend: "auto" takes insightface where it is installed and a pack was found (or a pack is named), else dlib.
    packs: the insightface packs on this machine, name to folder. pack: a name among them, or "auto".
    detection_size: pixels; larger finds smaller faces and takes longer.
    mesh: the face mesh's file, which then finds the faces and the backend only recognises them; None where it is not
    at hand. The lab's pack finds its drawn people itself.
    Raises RuntimeError with the command that helps when nothing is installed or the pack is missing.
    """
    if pack != AUTO_PACK and pack not in packs:
        found = ", ".join(sorted(packs)) or "none"
        raise RuntimeError(
            f"The face model pack '{pack}' was not found (found: {found}): unzip it into "
            f"models/insightface/models/{pack}."
        )
    chosen = _choose(packs) if pack == AUTO_PACK else pack
    if _wants_insightface(backend, pack, chosen):
        assert chosen is not None
        known = InsightFaceAnalyzer(chosen, packs[chosen], detection_size)
        return known if mesh is None or chosen in _ONLY_WHEN_NAMED else ComposedAnalyzer(MeshAnalyzer(mesh), known)
    if backend == "auto" and not dlib_available():
        raise RuntimeError(
            f"No face analyzer is installed: run `{INSTALL_DLIB}` (nothing else to download) or "
            f"`{INSTALL_INSIGHTFACE}` (and add a model pack) in ComfyUI's Python."
        )
    return DlibAnalyzer(detection_size) if mesh is None else ComposedAnalyzer(MeshAnalyzer(mesh), DlibRecogniser())


def _wants_insightface(backend: Backend, pack: str, chosen: str | None) -> bool:
    """Whether a backend means insightface. Raises RuntimeError where it does and no pack is there."""
    if backend == "insightface" and chosen is None:
        raise RuntimeError(
            "No insightface model pack was found: unzip one (buffalo_l, antelopev2, AuraFace) into "
            "models/insightface/models, or choose the backend dlib."
        )
    if backend == "auto":
        return chosen is not None and (insightface_available() or pack != AUTO_PACK)
    return backend == "insightface"


def _choose(packs: Mapping[str, Path]) -> str | None:
    """The pack that "auto" means, or None."""
    by_lower = {name.lower(): name for name in sorted(packs)}
    for name in _PREFERRED:
        if name in by_lower:
            return by_lower[name]
    others = [name for lower, name in by_lower.items() if lower not in _ONLY_WHEN_NAMED]
    return others[0] if others else None
