"""What a node was given, checked against its own schema before it runs. A link can bring anything, and nothing."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from comfy_api.latest import io

from ..editedid_core.choices import number_in, one_of, shown
from ..editedid_core.comfy.model_files import ModelFiles, files_before
from ..editedid_core.pictures import VAE_REMEDY, require_finite

PICTURES = {"IMAGE": "a picture", "MASK": "a mask"}
REMEDIES = {"CLIP": " This checkpoint brings no text encoder: load one with Load CLIP, or work without a prompt.",
            "VAE": " This checkpoint brings no VAE: load the model's with Load VAE."}
"""What to do about a socket that carries nothing, by type."""
SOCKETS = {"MODEL": ("get_model_object", "a model"), "CLIP": ("tokenize", "a text encoder"), "VAE": ("encode", "a VAE"),
           "EDITEDID_ANALYZER": ("find", "Load Face Analyzer"), "EDITEDID_FACES": ("in_frame", "Detect Faces"),
           "EDITEDID_PAIRS": ("pairs", "Match Faces"), "EDITEDID_PASTE": ("crops", "Crop Face Pairs"),
           "EDITEDID_IDENTITY": ("context", "Fit Identity")}
"""By type, what a value of a socket has, and what to connect."""
BRIGHT = 2.0
"""Mean of a picture above which its values are no fractions but bytes; highlights beyond 1 are left alone."""

GRAPH = [io.Hidden.prompt, io.Hidden.unique_id]
"""What a node's schema asks for to see the graph before it."""


def files_of_input(cls: Any) -> ModelFiles:
    """The files that the graph loads for a node's input `model`; none known where no graph runs."""
    hidden = getattr(cls, "hidden", None)
    return files_before(getattr(hidden, "prompt", None), getattr(hidden, "unique_id", None))


def checked(execute: Callable[..., io.NodeOutput]) -> Callable[..., io.NodeOutput]:
    """A node's `execute` that first checks what it was given: choices, then numbers, switches and texts, then sockets.

    Choices must be among their options, numbers in the range of their widget; pictures, masks and latents must be
    there, and pictures and masks must hold fractions. A choice or a text that the node's `validate_inputs` names
    is the node's own to check where a text comes, or a number beside choices that are numbers. Raises ValueError, one
    sentence that names the input, for anything else.
    """
    signature = inspect.signature(execute)
    of_class, *_ = signature.parameters
    more = next((name for name, p in signature.parameters.items() if p.kind is p.VAR_KEYWORD), "")

    @functools.wraps(execute)
    def run(cls: Any, *args: Any, **kwargs: Any) -> io.NodeOutput:
        given = signature.bind_partial(cls, *args, **kwargs).arguments
        values = {**given, **given.get(more, {})}
        inputs = [one for one in cls.define_schema().inputs if one.id in values]
        own = inspect.signature(cls.validate_inputs).parameters
        for one in sorted(inputs, key=lambda one: _ORDER.get(one.get_io_type(), len(_ORDER))):
            numbers = _numbers_beside(getattr(one, "options", None) or ())
            told = one.get_io_type() in ("COMBO", "STRING") and isinstance(values[one.id], (str, *numbers))
            if not (one.id in own and told):
                values[one.id] = _checked(one, values[one.id])
        return execute(cls, **{name: value for name, value in values.items() if name not in (of_class, more)})

    return run


def _numbers_beside(choices: Iterable[str]) -> tuple[type, ...]:
    """Kinds of numbers that may stand for choices: fractions where some are, whole ones where some are numbers."""
    parted = [str(choice).partition(".") for choice in choices]
    if any(whole.isdigit() and part.isdigit() for whole, _, part in parted):
        return int, float
    return (int,) if any(whole.isdigit() and not point for whole, point, _ in parted) else ()


_ORDER = {"COMBO": 0, "INT": 1, "FLOAT": 1, "BOOLEAN": 1, "STRING": 1}


def _checked(one: Any, value: Any) -> Any:
    kind = one.get_io_type()
    if value is None and one.optional and getattr(one, "default", None) is None:
        return value  # not connected
    if kind == "COMBO":
        return one_of(value, one.options, one.id)
    if kind in ("INT", "FLOAT"):
        return number_in(value, one.min, one.max, kind == "INT", one.id)
    if kind == "BOOLEAN" and not isinstance(value, int):
        raise ValueError(f"{one.id} is {shown(value)}: give true or false.")
    if kind == "STRING" and not isinstance(value, str):
        raise ValueError(f"{one.id} is {shown(value)}: give a text.")
    if kind in PICTURES:
        if not isinstance(value, torch.Tensor):
            raise ValueError(f"{one.id} is {shown(value)}: connect {PICTURES[kind]}.")
        if kind == "MASK":
            value = value.float() if value.dtype == torch.bool else value
        if not value.is_floating_point():
            raise ValueError(f"{one.id} is {PICTURES[kind]} of whole numbers: connect one with values from 0 to 1.")
        require_finite(value, one.id, VAE_REMEDY if kind == "IMAGE" else "connect another mask")
        if kind == "IMAGE" and value.numel() and float(value.mean()) > BRIGHT:
            raise ValueError(f"{one.id} is a picture with values up to {float(value.max()):g}: connect one with values "
                             "from 0 to 1, as Load Image gives it.")
    if kind == "LATENT" and not (isinstance(value, Mapping) and isinstance(value.get("samples"), torch.Tensor)):
        raise ValueError(f"{one.id} is {shown(value)}: connect a latent, as VAE Encode gives it.")
    if value is None or kind == "VAE" and getattr(value, "first_stage_model", value) is None:
        raise ValueError(f"{one.id} is empty: the node that is connected to it gives nothing." + REMEDIES.get(kind, ""))
    has, words = SOCKETS.get(kind, ("", ""))
    if has and (isinstance(value, str) or not hasattr(value, has)):
        raise ValueError(f"{one.id} is {shown(value)}: connect {words}.")
    return value
