"""Where things are: the clone, its one git-ignored folder, and the cache outside the clone."""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RUN = ROOT / ".run"
BASE = RUN / "base"
MODELS = RUN / "models"
RESULTS = RUN / "results"
LOGS = RUN / "logs"
PACK_NAME = "ComfyUI-EditedID"


def cache_dir() -> Path:
    """Folder of downloads that outlive a clone: EDITEDID_CACHE, else the platform's cache folder."""
    chosen = os.environ.get("EDITEDID_CACHE")
    if chosen:
        return Path(chosen).expanduser().resolve()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")) / "editedid" / "cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "editedid"
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "editedid"
