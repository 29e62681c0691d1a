"""Choosing an analyzer: which backend, which weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from .composed import ComposedAnalyzer
from .dlib_backend import INSTALL as INSTALL_DLIB
from .dlib_backend import DlibAnalyzer, dlib_available
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
    identity = _load(backend, packs, pack, chosen, detection_size)
    if mesh is None or (isinstance(identity, InsightFaceAnalyzer) and chosen in _ONLY_WHEN_NAMED):
        return identity
    return ComposedAnalyzer(MeshAnalyzer(mesh), identity)


def _load(backend: Backend, packs: Mapping[str, Path], pack: str, chosen: str | None, detection_size: int
          ) -> DlibAnalyzer | InsightFaceAnalyzer:
    if backend == "dlib":
        return DlibAnalyzer(detection_size)
    if backend == "insightface":
        if chosen is None:
            raise RuntimeError(
                "No insightface model pack was found: unzip one (buffalo_l, antelopev2, AuraFace) into "
                "models/insightface/models, or choose the backend dlib."
            )
        return InsightFaceAnalyzer(chosen, packs[chosen], detection_size)
    if chosen is not None and (insightface_available() or pack != AUTO_PACK):
        return InsightFaceAnalyzer(chosen, packs[chosen], detection_size)
    if dlib_available():
        return DlibAnalyzer(detection_size)
    raise RuntimeError(
        f"No face analyzer is installed: run `{INSTALL_DLIB}` (nothing else to download) or `{INSTALL_INSIGHTFACE}` "
        "(and add a model pack) in ComfyUI's Python."
    )


def _choose(packs: Mapping[str, Path]) -> str | None:
    """The pack that "auto" means, or None."""
    by_lower = {name.lower(): name for name in sorted(packs)}
    for name in _PREFERRED:
        if name in by_lower:
            return by_lower[name]
    others = [name for lower, name in by_lower.items() if lower not in _ONLY_WHEN_NAMED]
    return others[0] if others else None
