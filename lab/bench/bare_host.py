"""The host's model code alone, without its server and nodes: on the CPU or on a graphics card.

Call `start` before anything else imports `comfy`: the host reads its arguments once.
"""
from __future__ import annotations

import importlib
import os
import platform
import sys
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[2]


def start(gpu: bool, host: Path | None = None) -> torch.device:
    """Import the host (default: the one run.py prepared) and return the device it will use.

    Attention is the one that graphics cards get by default, PyTorch's fused one, on the CPU as well.
    """
    if host is None:
        if "EDITEDID_HOST" not in os.environ:
            raise RuntimeError("No host is prepared: start this through run.py bench.")
        host = Path(os.environ["EDITEDID_HOST"])
    if gpu and not torch.cuda.is_available():
        raise SystemExit("--gpu: PyTorch sees no graphics card here.")
    clone = {"", str(ROOT), str(Path.cwd())} if Path.cwd() == ROOT else {str(ROOT)}
    sys.path[:] = [str(host), *(entry for entry in sys.path if entry not in clone), str(ROOT)]
    arguments = sys.argv
    sys.argv = ["comfyui", "--use-pytorch-cross-attention", *([] if gpu else ["--cpu"])]
    try:
        importlib.import_module("comfy.options").enable_args_parsing()
        importlib.import_module("comfy.cli_args")
    finally:
        sys.argv = arguments
    importlib.import_module("comfy.sd")
    return torch.device("cuda", torch.cuda.current_device()) if gpu else torch.device("cpu")


def machine(device: torch.device) -> str:
    """What ran, in words: the graphics card's name, or the class of the processor."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{platform.machine()} processor, {torch.get_num_threads()} thread(s)"
