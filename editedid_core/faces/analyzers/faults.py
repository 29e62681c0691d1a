"""What goes wrong with an analyzer, in one sentence that names the cause, the device and the way out."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

Doing = Literal["opening", "finding faces", "recognising a face"]

_MEMORY = ("out of memory", "failed to allocate memory", "bad_alloc", "bad allocation", "cublas_status_alloc_failed",
           "cudnn_status_alloc_failed", "cuda_error_out_of_memory", "available memory of")
_PROVIDER = ("executionprovider", "execution provider", "cuda_path", "libcudart", "libcublas", "libcudnn", "libcufft",
             "onnxruntime_providers", "cuda driver", "cuda failure", "no kernel image", "no cuda-capable",
             "cudnn_status_not_initialized", "cublas_status_not_initialized", "invalid device ordinal", "calling cuda")
_SHOWN = 200
"""Characters of what was raised in a sentence."""


class AnalyzerError(RuntimeError):
    """An analyzer that cannot work, told in a sentence with the remedy."""


def is_installed(*modules: str) -> bool:
    """Whether packages are installed. Imports none of them, so that one of them may still not start."""
    try:
        return all(importlib.util.find_spec(module) is not None for module in modules)
    except (ImportError, ValueError, AttributeError):  # another pack put a module of its own in one's place
        return True


def require_readable(file: Path, remedy: str) -> None:
    """Raise AnalyzerError, naming what ails it, for a file that is missing or cannot be read.

    remedy: what brings the file, as "download its pack again". Networks say of such a file that it is damaged.
    """
    try:
        with file.open("rb") as opened:
            opened.read(1)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise AnalyzerError(f"The model file {file} is missing: {remedy}.") from error
    except OSError as error:
        raise AnalyzerError(f"The model file {file} cannot be read ({error.strerror or error}): let ComfyUI's user "
                            "read it.") from error


@contextmanager
def in_words(name: str, doing: Doing, device: str, elsewhere: str) -> Iterator[None]:
    """Raise AnalyzerError, from its cause, for whatever fails within.

    name: of the analyzer or its file. device: on which it works, as "the graphics card" or "the CPU". elsewhere: the
    other ways, as "choose the backend dlib". Errors that are in words already pass.
    """
    try:
        yield
    except AnalyzerError:
        raise
    except Exception as error:
        raise AnalyzerError(f"{name} {_told(error, doing, device)}{elsewhere}. ({cause(error)})") from error


def is_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out."""
    return isinstance(error, MemoryError) or any(words in str(error).lower() for words in _MEMORY)


def is_provider(error: BaseException) -> bool:
    """Whether an error says that onnxruntime cannot use the device."""
    return any(words in str(error).lower() for words in _PROVIDER)


def _told(error: BaseException, doing: Doing, device: str) -> str:
    if is_memory(error):
        return f"ran out of memory on {device} while {doing}: free some of it, or "
    if is_provider(error):
        return f"cannot use {device} while {doing}: "
    return f"failed on {device} while {doing}: "


def cause(error: BaseException) -> str:
    """What was raised, on one line, short: some packages raise a page of advice."""
    words = " ".join(str(error).split())
    shortened = words if len(words) <= _SHOWN else words[:_SHOWN] + "..."
    return f"{type(error).__name__}: {shortened}" if words else type(error).__name__
