"""What the registry of ComfyUI would publish: the clone without what .comfyignore names."""

from __future__ import annotations

import fnmatch
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from .paths import PACK_NAME, ROOT

_NEVER = (".git", ".run", "__pycache__")


def ignored(name: str, patterns: Sequence[str]) -> bool:
    """Whether a file (relative, with slashes) is left out: by a folder ending in a slash, or by its own name."""
    return any(name.startswith(one) if one.endswith("/") else fnmatch.fnmatch(name, one) for one in patterns)


def published_files(root: Path = ROOT) -> list[Path]:
    """The files, relative to the clone, in order."""
    lines = (root / ".comfyignore").read_text(encoding="utf-8").splitlines()
    patterns = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    return sorted(file for file in _files(root) if not ignored(file.as_posix(), patterns))


def _files(root: Path) -> Iterator[Path]:
    """Every file but those in _NEVER, which are not searched: they hold tens of thousands."""
    for folder, below, names in os.walk(root):
        below[:] = [name for name in below if name not in _NEVER]
        yield from (Path(folder, name).relative_to(root) for name in names if name not in _NEVER)


def publish(folder: Path) -> Path:
    """Copy them into `folder` under the pack's name, fresh; returns the copy."""
    target = folder / PACK_NAME
    shutil.rmtree(target, ignore_errors=True)
    for file in published_files():
        (target / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / file, target / file)
    return target
