"""Block choices as files: where a probe saves one, and where ID Entanglement finds it by name."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path, PurePosixPath, PureWindowsPath
from tempfile import TemporaryFile

import folder_paths

FOLDER = "editedid"
LARGEST = 4_000_000
"""Bytes; a probe of the largest models is far below."""


def read_block_file(name: str, input_name: str) -> str:
    """The content of a probe's JSON in ComfyUI's input, models/editedid, models or output folder.

    `name`: relative to one of them. Raises ValueError, naming `input_name`, where there is no such file, where the
    name leads out of these folders, or where it cannot be read.
    """
    file = _find(name.strip(), input_name)
    try:
        if file.stat().st_size > LARGEST:
            raise ValueError(f"{input_name}: {name} is too large for a block choice; take one of Layer Probe's.")
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{input_name}: {name} cannot be read; choose one that Layer Probe saved.") from error


def check_target(prefix: str) -> None:
    """Raise ValueError, one sentence, where a file of that prefix cannot be written or leads out of the output folder.
    """
    try:
        folder = folder_paths.get_save_image_path(prefix, folder_paths.get_output_directory())[0]
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ValueError(
            f"filename_prefix: nothing can be written at {prefix} in the output folder ({error.strerror or error}); "
            "choose another prefix, or let ComfyUI's user write there."
        ) from error
    except Exception as error:  # the host's own, of no other kind
        raise ValueError(f"filename_prefix: {prefix} leads out of the output folder; give the name of a file in it."
                         ) from error


def save_block_file(content: str, prefix: str) -> str:
    """Write a probe's JSON into the output folder under a new name; returns the name that `read_block_file` takes.

    Raises what the host raises for a prefix that leads out of the output folder, and OSError, with nothing left behind,
    where the file cannot be written.
    """
    folder, filename, counter, subfolder, _ = folder_paths.get_save_image_path(
        prefix, folder_paths.get_output_directory())
    name = f"{filename}_{counter:05}_.json"
    file = Path(folder) / name
    try:
        file.write_text(content, encoding="utf-8")
    except OSError:
        with suppress(OSError):  # half a file would be taken for a whole one
            file.unlink()
        raise
    return (PurePosixPath(subfolder.replace("\\", "/")) / name).as_posix()


def _find(name: str, input_name: str) -> Path:
    parts = PureWindowsPath(name)  # reads both kinds of slashes, and drive letters
    if parts.is_absolute() or parts.drive or parts.root or ".." in parts.parts:
        raise ValueError(f"{input_name}: {name} leads out of ComfyUI's folders; give the name of a file in its input, "
                         "models or output folder.")
    models = Path(folder_paths.models_dir)
    roots = (Path(folder_paths.get_input_directory()), models / FOLDER, models,
             Path(folder_paths.get_output_directory()))
    for root in roots:
        file = root.joinpath(*parts.parts)
        try:
            if file.is_file():
                return file
        except OSError:  # a folder that cannot be read has no such file
            continue
    raise ValueError(f"{input_name}: there is no file {name} in ComfyUI's input, models or output folder; save one "
                     "with Layer Probe, or give auto or a list of blocks.")
