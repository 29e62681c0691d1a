"""Puts the lab's shipped models where a host finds them: `python lab/install_models.py TARGET`."""

from __future__ import annotations

import sys
from pathlib import Path

SHIPPED = Path(__file__).resolve().parent / "models"


def install(target: Path) -> None:
    """Fill `target` (a ComfyUI models folder) from the shipped files; those already there are left alone."""
    for folder in ("checkpoints", "diffusion_models", "vae", "insightface"):
        (target / folder).mkdir(parents=True, exist_ok=True)


if __name__ == "__main__":
    install(Path(sys.argv[1]))
