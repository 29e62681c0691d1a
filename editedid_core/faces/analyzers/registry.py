"""The registry of analyzers: the backends, and the open analyzers. Each network is opened once a process.

To add a backend, write its `FaceAnalyzer` and give it a row in `BACKEND_ROWS`.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast, get_args

from ...choices import one_of
from .composed import ComposedAnalyzer, FaceRecogniser
from .dlib_backend import INSTALL as INSTALL_DLIB
from .dlib_backend import DlibAnalyzer, dlib_available
from .dlib_recogniser import DlibRecogniser
from .faults import AnalyzerError, cause
from .insightface_backend import INSTALL as INSTALL_INSIGHTFACE
from .insightface_backend import InsightFaceAnalyzer, insightface_available
from .mesh_backend import MeshAnalyzer
from .protocol import FaceAnalyzer

Backend = Literal["auto", "insightface", "dlib"]
BACKENDS: tuple[Backend, ...] = get_args(Backend)
AUTO_PACK = "auto"

# "auto" prefers the strongest recogniser. The lab's pack knows drawn portraits only, so "auto" never takes it.
_PREFERRED = ("antelopev2", "buffalo_l", "auraface")
_ONLY_WHEN_NAMED = ("lab",)

Packs = Mapping[str, Path]
Opened = FaceAnalyzer | FaceRecogniser
Open = Callable[[Packs, str, int, bool], Opened]


@dataclass(frozen=True)
class BackendRow:
    """install: the command that brings it. available: whether it is installed; imports nothing. open: opens it with the
    packs on this machine, a pack's name (empty for none), the detection size, and whether it is to recognise only.
    landmarks: the dense layout it gives.
    """

    install: str
    available: Callable[[], bool]
    open: Open
    landmarks: str


BACKEND_ROWS: Mapping[str, BackendRow] = {
    "insightface": BackendRow(INSTALL_INSIGHTFACE, insightface_available,
                              lambda packs, pack, size, only: InsightFaceAnalyzer(pack, packs[pack], size),
                              "106 points where the pack has a 2d106det.onnx"),
    "dlib": BackendRow(INSTALL_DLIB, dlib_available,
                        lambda packs, pack, size, only: DlibRecogniser() if only else DlibAnalyzer(size), "68 points"),
}

_open: dict[tuple[str, str, str, int, str, bool], FaceAnalyzer] = {}
_told: set[str] = set()
"""What was warned of: every run asks for its analyzer again, and what does not start then still does not."""
_lock = threading.Lock()


def load_analyzer(backend: Backend, packs: Packs, pack: str = AUTO_PACK, detection_size: int = 640,
                  mesh: Path | None = None, mesh_needed: bool = False) -> FaceAnalyzer:
    """An open analyzer; the same one for the same choice, until `close_analyzers`.

    backend: "auto" takes insightface where it works and a pack was found (or a pack is named), else dlib; beside
    insightface dlib then gives a second opinion, if it is installed and a mesh finds the faces. packs: the
    insightface packs on this machine, name to folder. pack: a name among them, or "auto". detection_size: pixels;
    larger finds smaller faces and takes longer. mesh: the face mesh's file, which then finds the faces while the
    backend only recognises them; None for the backend's own detector, which also stands in, with a warning, for a mesh
    that does not open, unless it is needed. The lab's pack always finds its drawn people itself. Raises AnalyzerError
    with the command that helps when nothing is installed or the pack is missing, ValueError for another backend.
    """
    chosen = one_of(backend, BACKENDS, "backend")
    if not isinstance(pack, str):
        one_of(pack, (AUTO_PACK, *sorted(packs)), "pack")
    if pack != AUTO_PACK and pack not in packs:
        found = ", ".join(sorted(packs)) or "none"
        raise AnalyzerError(
            f"The face model pack '{pack}' was not found (found: {found}): unzip it into "
            f"models/insightface/models/{pack}."
        )
    name = _choose(packs) if pack == AUTO_PACK else pack
    if chosen == "dlib":
        return _opened("dlib", packs, "", detection_size, mesh, mesh_needed)
    if chosen == "insightface":
        if name is None:
            raise AnalyzerError(
                "No insightface model pack was found: unzip one (buffalo_l, antelopev2, AuraFace) into "
                "models/insightface/models, or choose the backend dlib."
            )
        return _opened("insightface", packs, name, detection_size, mesh, mesh_needed)
    if name is not None and (insightface_available() or pack != AUTO_PACK):
        try:
            return _opened("insightface", packs, name, detection_size, mesh, mesh_needed, second=dlib_available())
        except AnalyzerError as error:
            if pack != AUTO_PACK or not dlib_available():
                raise
            _warn_once(f"{error} dlib is used instead.")
    if dlib_available():
        return _opened("dlib", packs, "", detection_size, mesh, mesh_needed)
    raise AnalyzerError(
        f"No face analyzer is installed: run `{INSTALL_DLIB}` (nothing else to download) or `{INSTALL_INSIGHTFACE}` "
        "(and add a model pack) in ComfyUI's Python."
    )


def close_analyzers() -> None:
    """Let go of every open analyzer, and of what was warned of."""
    with _lock:
        _open.clear()
        _told.clear()


def _warn_once(words: str) -> None:
    if words not in _told:
        _told.add(words)
        logging.warning("EditedID: %s", words)


def _opened(backend: str, packs: Packs, pack: str, size: int, mesh: Path | None, mesh_needed: bool,
            second: bool = False) -> FaceAnalyzer:
    """second: dlib's recogniser beside the backend's, where a mesh finds the faces."""
    mesh = None if pack in _ONLY_WHEN_NAMED else mesh
    key = (backend, pack, str(packs.get(pack, "")), size, str(mesh or ""), second)
    with _lock:
        # one that was opened with its own detector does not serve where the mesh is asked for
        if key not in _open or (mesh is not None and mesh_needed and not isinstance(_open[key], ComposedAnalyzer)):
            row, geometry = BACKEND_ROWS[backend], _geometry(mesh, mesh_needed)
            opened = _started(backend, lambda: row.open(packs, pack, size, geometry is not None))
            _open[key] = (cast(FaceAnalyzer, opened) if geometry is None
                          else ComposedAnalyzer(geometry, cast(FaceRecogniser, opened), _second_opinion() if second
                                                else None))
        return _open[key]


def _started(backend: str, opens: Callable[[], Opened]) -> Opened:
    """What `opens` gives. Raises AnalyzerError for a backend that is installed and cannot be imported: a missing system
    library, another numpy, a broken wheel."""
    try:
        return opens()
    except AnalyzerError:
        raise
    except (Exception, SystemExit) as error:
        raise AnalyzerError(
            f"The face analyzer {backend} is installed but does not start ({cause(error)}): run "
            f"`{BACKEND_ROWS[backend].install} --force-reinstall` in ComfyUI's Python, or choose another backend."
        ) from error


def _second_opinion() -> FaceRecogniser | None:
    """dlib's recogniser, or None where it does not start: nobody asked for it."""
    try:
        return cast(FaceRecogniser, _started("dlib", DlibRecogniser))
    except AnalyzerError as error:
        _warn_once(f"The guard has no second opinion. {error}")
        return None


def _geometry(mesh: Path | None, needed: bool) -> MeshAnalyzer | None:
    """The face mesh, or None where there is none or where one that is not needed does not open."""
    if mesh is None:
        return None
    try:
        return MeshAnalyzer(mesh)
    except AnalyzerError as error:
        if needed:
            raise
        _warn_once(f"{error} The backend's own detector is used instead.")
        return None


def _choose(packs: Packs) -> str | None:
    """The pack that "auto" means, or None."""
    by_lower = {name.lower(): name for name in sorted(packs)}
    for name in _PREFERRED:
        if name in by_lower:
            return by_lower[name]
    others = [name for lower, name in by_lower.items() if lower not in _ONLY_WHEN_NAMED]
    return others[0] if others else None
