"""Puts the lab's shipped models where a host finds them: `python lab/install_models.py TARGET`.

TARGET is laid out as ComfyUI's `models` folder: packed checkpoints are expanded into `checkpoints`, the face packs go
into `insightface`, and the text encoder of the rendered world's models is made in `text_encoders` when they are there.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent))

from lab import models_io

SHIPPED = Path(__file__).resolve().parent / "models"


def install(target: Path, shipped: Path = SHIPPED) -> None:
    """Fill `target` from the shipped files; what is there and not older than its source is left alone."""
    for folder in ("checkpoints", "insightface"):
        (target / folder).mkdir(parents=True, exist_ok=True)
    for packed in sorted(shipped.glob("*.safetensors")):
        expanded = target / "checkpoints" / packed.name
        if _stale(expanded, packed):
            models_io.expand(packed, expanded)
    if any(shipped.glob("people_*.safetensors")):
        from lab.train import text  # needs torch, which whoever expands the older models may not have

        encoder = target / "text_encoders" / text.FILE
        if _stale(encoder, Path(text.__file__)):
            text.write_file(encoder)
    for model in sorted(shipped.glob("insightface/*/*.onnx")):
        copy = target / model.relative_to(shipped)
        if _stale(copy, model):
            copy.parent.mkdir(parents=True, exist_ok=True)
            part = copy.with_name(f"{copy.name}.part")
            shutil.copyfile(model, part)
            part.replace(copy)


def _stale(made: Path, source: Path) -> bool:
    return not made.exists() or made.stat().st_mtime < source.stat().st_mtime


if __name__ == "__main__":
    install(Path(sys.argv[1]))
