"""The side of the face crops as a choice: the model's own size, or a number."""

from typing import Any

from comfy_api.latest import io

AUTO = "auto"
_SIZES = (128, 256, 384, 512, 640, 768, 896, 1024, 1280, 1536, 2048)
LEAST, MOST = 64, 2048
STEP = 8
"""Pixels that every VAE of pictures works in."""


def size_input(name: str, **settings: Any) -> io.Combo.Input:
    """A choice of the crop's side: auto first."""
    return io.Combo.Input(
        name, options=[AUTO, *(str(size) for size in _SIZES)], default=AUTO, **settings,
        tooltip="Side of the face crop in pixels. auto: the size of pictures that the model was made for; without a "
        "model 512, or 1024 for a large face.",
    )


def chosen_size(value: Any, name: str) -> int | None:
    """The side in pixels, None for auto. Older workflows and the API give a number.

    Raises ValueError, naming the input, for anything that is no side from 64 to 2048.
    """
    if value == AUTO:
        return None
    try:
        size = 0 if isinstance(value, bool) else int(value)
    except (TypeError, ValueError):
        size = 0
    if not LEAST <= size <= MOST:
        raise ValueError(f"{name} is {value!r}: choose {AUTO} or a number of pixels from {LEAST} to {MOST}.")
    return size


def size_fault(value: Any, name: str) -> bool | str:
    """What a node's `validate_inputs` answers for such a choice; one that comes from another node is not known yet."""
    try:
        size = chosen_size(AUTO if value is None else value, name)
    except ValueError as fault:
        return str(fault)
    if size is None or size % STEP == 0:
        return True
    lower = size - size % STEP
    return f"{name} {size} does not fit: take a multiple of {STEP}, such as {lower} or {lower + STEP}."
