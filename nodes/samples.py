"""Sample Pictures: rendered people that come with the pack, to try the nodes without files of one's own."""

from pathlib import Path

import numpy as np
import torch
from comfy_api.latest import io
from PIL import Image

from ..editedid_core.choices import one_of
from .given import checked
from .sampling import CATEGORY
from .show import preview

FOLDER = Path(__file__).resolve().parents[1] / "samples"
KINDS = ("portrait", "group", "frames")
PEOPLE = (1, 2, 3)
FRAMES, PAN = 6, 4
"""Pictures of the short sequence, and pixels that its camera moves from one to the next."""


class SamplePictures(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="EditedIDSamplePictures",
            display_name="Sample Pictures",
            category=CATEGORY,
            description="Rendered people that come with the pack: the photo or photos, and an edit in which the faces "
            "drifted. To try Restore Identity without files of your own; put Load Image in its place for yours.",
            search_aliases=["example picture", "test image", "demo picture"],
            inputs=[
                io.Combo.Input("kind", options=list(KINDS), default=KINDS[0],
                               tooltip="portrait: one person. group: three people in one edit, with a photo of each. "
                               "frames: the portrait as a short sequence."),
            ],
            outputs=[
                io.Image.Output(display_name="original", tooltip="The photo or photos with the true faces."),
                io.Image.Output(display_name="edited", tooltip="The edit in which the faces drifted."),
            ],
        )

    @classmethod
    @checked
    def execute(cls, kind: str) -> io.NodeOutput:
        chosen = one_of(kind, KINDS, "kind")
        photos, edits = (torch.cat([_picture(f"{name}_{person}") for person in PEOPLE]) for name in ("photo", "edit"))
        original, edited = photos[:1], edits[:1]
        if chosen == "group":
            original, edited = photos.flip(0), torch.cat(list(edits), dim=1)[None]
        elif chosen == "frames":
            side = edits.shape[2] - (FRAMES - 1) * PAN
            edited = torch.cat([edits[:1, :side, i * PAN:i * PAN + side] for i in range(FRAMES)])
        return io.NodeOutput(original, edited, ui=preview(edited, cls))


def _picture(name: str) -> torch.Tensor:
    """(1, H, W, 3) in [0, 1]."""
    picture = np.asarray(Image.open(FOLDER / f"{name}.jpg").convert("RGB"), dtype=np.float32)
    return torch.from_numpy(picture / 255)[None]


NODES = [SamplePictures]
