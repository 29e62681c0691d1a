"""Model folders of the host that the pack reads. Nothing here fails because of what lies on the disk."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any

import folder_paths

from ..faces.analyzers.mesh_weights import FOLDER, find_mesh_weights
from ..faces.analyzers.registry import AUTO_PACK

DEFAULT_PACK_VARIABLE = "EDITEDID_FACE_PACK"
_NOT_PACKS = ("lost+found",)


def default_pack() -> str:
    """The pack that "auto" means on this machine: an operator's choice in the environment, else still "auto"."""
    return os.environ.get(DEFAULT_PACK_VARIABLE, AUTO_PACK)


def insightface_packs() -> dict[str, Path]:
    """The insightface packs on this machine: name to the folder that holds its .onnx files.

    Looks in models/insightface and models/insightface/models (also where extra_model_paths.yaml points), and finds
    packs that were unzipped one folder too deep. The host asks when it starts: a folder that cannot be read is left
    out with one warning, and the host's own list of folders is only read.
    """
    packs: dict[str, Path] = {}
    for root in _roots("insightface"):
        for parent in (root, root / "models"):
            found = _entries(parent)
            packs = {**_packs_among(found or ()), **packs}
            if found is None:  # a folder that cannot be read is told of once
                break
    return packs


def mesh_weights() -> Path | None:
    """The face mesh's file in models/editedid (also where extra_model_paths.yaml points), or None."""
    return find_mesh_weights(_roots(FOLDER))


def _roots(kind: str) -> list[Path]:
    """The folders of a kind of models, the host's own last. Other packs may have registered the kind otherwise than the
    host does; what is no path is left out."""
    registered: Any = folder_paths.folder_names_and_paths.get(kind)
    folders: Any = registered[0] if isinstance(registered, (tuple, list)) and registered else ()
    if isinstance(folders, str) or not isinstance(folders, Iterable):
        folders = [folders]
    given = [str(one) for one in folders if isinstance(one, (str, os.PathLike))]
    return [Path(one) for one in dict.fromkeys([*given, os.path.join(folder_paths.models_dir, kind)])]


def _packs_among(entries: Iterable[os.DirEntry[str]]) -> dict[str, Path]:
    """The packs among what lies in a folder: those folders that hold .onnx files, or whose folder of the same name
    does."""
    packs = {}
    for entry in entries:
        if entry.name.startswith(".") or entry.name in _NOT_PACKS or not _is(entry.is_dir, entry):
            continue
        folder = Path(entry.path)
        inside = _entries(folder) or []
        if _holds_networks(inside):
            packs[entry.name] = folder
        elif any(one.name == entry.name for one in inside) and _holds_networks(_entries(folder / entry.name) or []):
            packs[entry.name] = folder / entry.name
    return packs


def _holds_networks(entries: Iterable[os.DirEntry[str]]) -> bool:
    """Whether there are .onnx files; those that begin with a dot are another system's notes about files."""
    return any(entry.name.endswith(".onnx") and not entry.name.startswith(".") and _is(entry.is_file, entry)
               for entry in entries)


def _entries(folder: Path) -> list[os.DirEntry[str]] | None:
    """What lies in a folder, by name; nothing where there is no such folder, None where it cannot be read."""
    try:
        with os.scandir(folder) as found:
            return sorted(found, key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except (OSError, ValueError) as error:  # ValueError: what was configured can be no path
        _warn_once(str(folder), getattr(error, "strerror", None) or str(error))
        return None


def _is(kind: Callable[[], bool], entry: os.DirEntry[str]) -> bool:
    """Whether what lies there, or where a link leads, is of a kind; not where that cannot be told."""
    try:
        return kind()
    except OSError as error:
        _warn_once(entry.path, error.strerror or str(error))
        return False


@cache
def _warn_once(folder: str, why: str) -> None:
    """The host asks for every list again and again; its log is told once a process."""
    logging.warning("EditedID: the model folder %s cannot be read (%s) and is left out.", folder, why)
