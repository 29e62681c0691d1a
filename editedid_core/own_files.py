"""The numbers that come with the pack, as files of tensors beside the modules that use them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numpy.typing import NDArray


def read_own(file: Path) -> dict[str, NDArray[Any]]:
    """The arrays of one of the pack's own files, by name. Raises ValueError, one sentence, where it is missing, may
    not be read or is damaged."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return load_file(str(file))
    except (OSError, SafetensorError) as error:
        raise ValueError(f"The pack's own file {file} cannot be read ({error}): let ComfyUI's user read it, or install "
                         "the pack again.") from error
