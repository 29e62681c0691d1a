"""Embedding files of the host: where a fitted identity is kept, and how far a fit is that was interrupted."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import folder_paths
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.utils._pytree import tree_leaves

from .token_fit import FitState

PHOTOS, KEY = "editedid.photos", "editedid.fit"
"""Metadata of a file: digest of the photos that it was fitted on, and of all that its numbers depend on."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*(/[A-Za-z0-9][A-Za-z0-9_.-]*)*")
_ENDINGS = (".safetensors", ".pt", ".bin")
_PARTS = ("vectors", "mean", "square", "best")
_FINGERPRINT = 16
"""Numbers of each weight that a model's fingerprint looks at."""


@dataclass(frozen=True)
class EmbeddingFile:
    """The file of `embedding:name` in the host's first folder of embeddings, and the state of its fit beside it, which
    the host does not list."""

    name: str
    path: Path

    @staticmethod
    def of(name: str) -> EmbeddingFile:
        """Raises ValueError, one sentence, for a name that a prompt cannot hold, and where nothing can be written."""
        if not _NAME.fullmatch(name) or name.lower().endswith(_ENDINGS):
            raise ValueError(f"name is {name!r}: give letters, digits, _ and - alone, without a file's ending, such as "
                             "anna or people/anna.")
        path = Path(_folder()) / f"{name}.safetensors"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
            with TemporaryFile(dir=path.parent):
                pass
        except OSError as error:
            raise ValueError(f"name: nothing can be written at {name} in the folder of embeddings "
                             f"({error.strerror or error}); choose another name, or let ComfyUI's user write there."
                             ) from error
        return EmbeddingFile(name, path)

    @property
    def state_path(self) -> Path:
        return self.path.with_name(f"{self.path.stem}.fitting")

    def read(self) -> tuple[dict[str, Tensor], dict[str, str]]:
        """Vectors and metadata of the file, both empty where there is none that can be read."""
        return _read(self.path) or ({}, {})

    def require_photos(self, photos: str) -> None:
        """Raise ValueError where the file belongs to somebody else, by the digest of the photos."""
        if self.path.exists() and self.read()[1].get(PHOTOS) != photos:
            raise ValueError(f"name: there is an embedding {self.name} already, made of other photos; choose another "
                             "name, or delete the file.")

    def write(self, vectors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
        """Write the file whole and drop the state. Raises OSError with nothing left behind."""
        _write(self.path, dict(vectors), metadata)
        with suppress(OSError):
            self.state_path.unlink()

    def keep(self, state: FitState, key: str) -> None:
        """Write how far a fit is, whole. Raises OSError."""
        tensors = {f"{part}.{name}": rows for part in _PARTS for name, rows in getattr(state, part).items()}
        told = {"updates": state.updates, "errors": state.errors, "checked": state.checked}
        _write(self.state_path, tensors, {KEY: key, **{name: json.dumps(value) for name, value in told.items()}})

    def kept(self, key: str) -> FitState | None:
        """The state of an interrupted fit of the same kind; None where there is none that can be read."""
        found = _read(self.state_path)
        if found is None or found[1].get(KEY) != key:
            return None
        tensors, told = found
        by_part: dict[str, dict[str, Tensor]] = {part: {} for part in _PARTS}
        for name, rows in tensors.items():
            part, _, encoder = name.partition(".")
            by_part[part][encoder] = rows
        updates, errors, checked = (json.loads(told[name]) for name in ("updates", "errors", "checked"))
        return FitState(updates, by_part["vectors"], by_part["mean"], by_part["square"], by_part["best"], tuple(errors),
                        checked)


def _folder() -> str:
    """The host's first folder of embeddings; other packs may have taken its list away."""
    try:
        return next(iter(folder_paths.get_folder_paths("embeddings")))
    except (KeyError, StopIteration, TypeError):
        return os.path.join(folder_paths.models_dir, "embeddings")


def digest(*parts: Any) -> str:
    """A short name of values and tensors: the same for the same."""
    found = hashlib.sha256()
    for part in parts:
        if isinstance(part, Tensor):
            found.update(repr(tuple(part.shape)).encode())
            found.update(part.detach().float().cpu().contiguous().numpy().tobytes())
        else:
            found.update(repr(part).encode())
    return found.hexdigest()[:32]


def fingerprint(patcher: Any) -> str:
    """The own name of what a ModelPatcher holds: by the names, shapes and first numbers of its weights, and by what a
    LoRA does to them."""
    found = hashlib.sha256()
    for name, weight in sorted(patcher.model.state_dict().items()):
        found.update(f"{name}{tuple(weight.shape)}".encode())
        for strength, change, of_model, *_ in patcher.patches.get(name, ()):
            found.update(f"{strength}{of_model}".encode())
            for one in tree_leaves(getattr(change, "weights", change)):
                if isinstance(one, Tensor):
                    found.update(_some(one))
        own = patcher.backup.get(name)  # of a weight that the host has changed for a LoRA, maybe another clone's
        found.update(_some(weight if own is None else own.weight))
    return found.hexdigest()[:32]


def _some(weight: Tensor) -> bytes:
    """The first numbers of a weight."""
    return weight.flatten()[:_FINGERPRINT].detach().cpu().float().contiguous().numpy().tobytes()


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]] | None:
    try:
        with safe_open(str(path), framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, dict(file.metadata() or {})
    except (OSError, SafetensorError):
        return None


def _write(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write beside the file first, so that it is whole or as it was. Raises OSError."""
    beside = path.with_name(f"{path.name}.writing")
    plain = {name: rows.detach().to("cpu", torch.float32).contiguous().clone() for name, rows in tensors.items()}
    try:
        save_file(plain, str(beside), dict(metadata))
        os.replace(beside, path)
    except BaseException as error:
        with suppress(OSError):
            beside.unlink()
        if isinstance(error, SafetensorError):  # a full disk, in the words of the library
            raise OSError(str(error)) from error
        raise
