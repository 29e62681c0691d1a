"""Load Edit From Folder: one picture of a folder a run, for many edits of a person."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..editedid_core.comfy.input_folder import picture_at, read_picture
from .given import checked
from .sampling import CATEGORY
from .show import preview

MOST = 1_000_000


class LoadEditFromFolder(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="EditedIDLoadEditFromFolder",
            display_name="Load Edit From Folder",
            category=CATEGORY,
            description="Loads one picture of a folder, the next one with each run. Set the number of runs beside Run "
            "to the number of pictures: each is restored and saved by itself, and one that fails stops no other.",
            search_aliases=["batch folder", "load images from folder", "image list", "directory", "many pictures"],
            inputs=[
                io.String.Input("folder", default="edits", tooltip="Name of a folder in ComfyUI's input folder."),
                io.Int.Input("number", default=1, min=1, max=MOST,
                             control_after_generate=io.ControlAfterGenerate.increment,
                             tooltip="Which picture, in the order of the file names. It goes up by one with each run."),
            ],
            outputs=[
                io.Image.Output(display_name="edited", tooltip="The picture: connect it to edited of Restore "
                                "Identity."),
                io.String.Output(display_name="name", tooltip="The file's name without its ending: connect it to "
                                 "filename_prefix of Save Image, and the result keeps the name."),
                io.Int.Output(display_name="count", tooltip="How many pictures the folder holds."),
            ],
        )

    @classmethod
    def validate_inputs(cls, folder: Any = "", number: Any = 1) -> bool | str:
        try:
            if isinstance(folder, str) and isinstance(number, int):
                picture_at(folder, number)
        except ValueError as error:
            return str(error)
        return True

    @classmethod
    def fingerprint_inputs(cls, folder: str, number: int) -> Any:
        """Another one where the file has changed since."""
        try:
            file, _ = picture_at(folder, number)
            return str(file), file.stat().st_mtime_ns
        except (OSError, ValueError):
            return None

    @classmethod
    @checked
    def execute(cls, folder: str, number: int) -> io.NodeOutput:
        file, count = picture_at(folder, number)
        picture = read_picture(file)
        return io.NodeOutput(picture, file.stem, count, ui=preview(picture, cls))


NODES = [LoadEditFromFolder]
