"""Command-line options for a checkpoint of the user's own instead of the lab's."""
from __future__ import annotations

import argparse

from ..checkpoints import Checkpoint


def add_own_checkpoint(parser: argparse.ArgumentParser) -> None:
    """--checkpoint and --crop-size."""
    parser.add_argument("--checkpoint", metavar="NAME", help="a checkpoint as ComfyUI lists it, instead of the lab's "
                        "(with run.py's --comfyui PATH one of your own); --family says what it is")
    parser.add_argument("--crop-size", type=int, help="side of the face crops in pixels that it wants, such as 512")


def own_checkpoint(options: argparse.Namespace, parser: argparse.ArgumentParser) -> Checkpoint | None:
    """What the two options say; None for the lab's own."""
    if options.checkpoint is None:
        return None
    if options.crop_size is None:
        parser.error("--checkpoint needs --crop-size: 512 for SD 1.5, 1024 for SDXL, SD3 and FLUX")
    return Checkpoint(options.checkpoint, options.crop_size)
