"""The benchmark on photographs: ``python run.py bench photos FOLDER`` (`lab.photos`)."""
from __future__ import annotations

from ..photos.bench import main

__all__ = ["main"]
