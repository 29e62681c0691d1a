"""The cache: what was found, made and measured, by the content it was made of. A run that stopped goes on from it."""
from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from editedid_core.faces.analyzers.protocol import FaceAnalyzer
from editedid_core.records import Face

from .records import Picture

ROOT = Path(__file__).resolve().parents[2]
DEFAULT = ROOT / ".run" / "photos"
ARRAYS = ("box", "points", "embedding", "dense", "mesh")
"""Of a face, as its record names them."""


def key(*parts: Any) -> str:
    """A name for whatever can be written as bytes, an array or JSON."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            digest.update(f"{part.dtype}{part.shape}".encode() + np.ascontiguousarray(part).tobytes())
        else:
            digest.update(part if isinstance(part, bytes) else json.dumps(part, sort_keys=True, default=str).encode())
        digest.update(b"\0")
    return digest.hexdigest()[:32]


@cache
def code(*places: str) -> str:
    """A name for the state of source files: what code has made is made again when the code changes.

    places: files and folders below the repository's root.
    """
    digest = hashlib.sha256()
    for file in sorted(file for place in places for file in _sources(ROOT / place)):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _sources(place: Path) -> Iterable[Path]:
    return [place] if place.is_file() else place.rglob("*.py")


class Store:
    """Files below a folder, each written whole or not at all, so that several processes may share it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, kind: str, name: str, end: str) -> Path:
        return self.folder / kind / name[:2] / f"{name}{end}"

    def figures(self, kind: str, name: str, make: Callable[[], Any]) -> Any:
        """JSON by name; made and kept where it is not there yet."""
        file = self.path(kind, name, ".json")
        if file.is_file():
            return json.loads(file.read_text(encoding="utf-8"))
        made = make()
        self.write(file, json.dumps(made).encode())
        return made

    def picture(self, kind: str, name: str) -> Picture | None:
        file = self.path(kind, name, ".png")
        if not file.is_file():
            return None
        with Image.open(file) as image:
            return np.array(image)

    def keep_picture(self, kind: str, name: str, picture: Picture) -> None:
        file = self.path(kind, name, ".png")
        file.parent.mkdir(parents=True, exist_ok=True)
        partial = file.with_suffix(f".{os.getpid()}.part")
        Image.fromarray(picture).save(partial, "PNG", compress_level=3)
        os.replace(partial, file)

    def write(self, file: Path, content: bytes) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        partial = file.with_suffix(f".{os.getpid()}.part")
        partial.write_bytes(content)
        os.replace(partial, file)


class KeptAnalyzer:
    """A face analyzer that remembers what it found, in this process and in the cache; detection is most of a run."""

    def __init__(self, analyzer: FaceAnalyzer, store: Store) -> None:
        self._analyzer = analyzer
        self._store = store
        self._code = code("editedid_core/faces/analyzers")

    @property
    def name(self) -> str:
        return self._analyzer.name

    @property
    def licence(self) -> str:
        return self._analyzer.licence

    def find(self, image: Picture, threshold: float = 0.5) -> list[Face]:
        name = key(image, threshold, self.name, self._code)
        found = self._store.figures("faces", name, lambda: [_plain(f) for f in self._analyzer.find(image, threshold)])
        return [_face(entry) for entry in found]


def _plain(face: Face) -> dict[str, Any]:
    arrays = {name: getattr(face, name) for name in ARRAYS}
    lists = {name: None if value is None else np.asarray(value, np.float64).tolist() for name, value in arrays.items()}
    return lists | {"score": float(face.score), "frame": face.frame, "image_size": list(face.image_size)}


def _face(entry: dict[str, Any]) -> Face:
    arrays = {name: None if entry[name] is None else np.array(entry[name], np.float32)
              for name in ARRAYS}
    return Face(**arrays, score=entry["score"], frame=entry["frame"], image_size=tuple(entry["image_size"]))
