"""The pictures of a folder in the host's input folder, one by one."""

from __future__ import annotations

from pathlib import Path

import folder_paths
import numpy as np
import torch
from PIL import Image, ImageOps

ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")


def pictures_in(folder: str) -> list[Path]:
    """The picture files of that folder, ordered by name. Raises ValueError where it is not in the input folder, does
    not exist, or holds none."""
    root = Path(folder_paths.get_input_directory())
    inside = folder.replace("\\", "/").strip()
    if inside.startswith("/") or ":" in inside or ".." in inside.split("/"):
        raise ValueError(f"folder '{folder}' is not in ComfyUI's input folder: put the pictures into a folder there, "
                         "and give its name.")
    try:
        found = sorted((file for file in (root / inside).iterdir() if file.suffix.lower() in ENDINGS),
                       key=lambda file: file.name.lower())
    except (FileNotFoundError, NotADirectoryError):
        raise ValueError(f"folder '{folder}' is not there: make it in ComfyUI's input folder ({root}).") from None
    except (OSError, ValueError) as error:  # ValueError: no path at all
        raise ValueError(f"folder '{folder}' cannot be read ({getattr(error, 'strerror', None) or error}): let "
                         "ComfyUI's user read it, or give another one.") from None
    if not found:
        raise ValueError(f"folder '{folder}' holds no picture: put {', '.join(ENDINGS)} files into it.")
    return found


def picture_at(folder: str, number: int) -> tuple[Path, int]:
    """The file with that number, from 1, and how many there are. Raises ValueError past the last."""
    files = pictures_in(folder)
    if number > len(files):
        raise ValueError(f"number {number} is past the last of {len(files)} pictures in folder '{folder}': set number "
                         f"to 1 to {len(files)}.")
    return files[number - 1], len(files)


def read_picture(file: Path) -> torch.Tensor:
    """(1, H, W, 3) in [0, 1], upright as its camera noted. Raises ValueError where the file is no picture."""
    try:
        with Image.open(file) as opened:
            upright = ImageOps.exif_transpose(opened)
            if upright.mode.startswith("I"):  # 16 bits
                grey = np.asarray(upright, dtype=np.float32) / 65535
                return torch.from_numpy(np.stack([grey] * 3, axis=-1))[None].clamp(0, 1)
            picture = np.asarray(upright.convert("RGB"), dtype=np.float32)
    except (OSError, SyntaxError, ValueError) as error:
        raise ValueError(f"folder: {file.name} cannot be read as a picture ({error}): replace or remove it; the other "
                         "pictures are not affected.") from error
    return torch.from_numpy(picture / 255)[None]
