"""Parts of a Face: how much of each part of a face comes from the photo."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from comfy_api.latest import io

from ..editedid_core.choices import one_of
from ..editedid_core.masks.part_weights import NAMES, PRESETS, PartWeights
from .faces import CATEGORY
from .given import checked

AUTO = -1.0
"""The value of a part's input that leaves the part to the preset, and there to the masks."""
NO_PRESET = "automatic"
_WHERE = {
    "eyes": "the eyes with their lids", "brows": "the brows", "nose": "the nose", "mouth": "lips and teeth",
    "beard": "chin, jaw and upper lip, where a beard grows", "skin": "forehead, cheeks, and what is no other part",
    "outline": "the rim of the face",
}


def parts_input(advanced: bool = True) -> io.String.Input:
    return io.String.Input("parts", default=str(PartWeights()), optional=True, advanced=advanced,
                           tooltip="How much of each part of the face comes from the photo: a preset such as 'keep the "
                           "new smile', or weights such as mouth=0, eyes=0.5 (0: the edit's, 1: the photo's). Parts: "
                           f"{', '.join(NAMES)}. Parts of a Face writes it for you.")


class FaceParts(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="EditedIDFaceParts",
            display_name="Parts of a Face",
            category=CATEGORY,
            description="Says how much of each part of a face comes from the photo: keep the new smile, the make-up or "
            "the beard of the edit, or set the parts one by one. For parts of Restore Identity or Crop Face Pairs.",
            search_aliases=["keep smile", "keep expression", "keep make-up", "keep beard", "face mask"],
            inputs=[
                io.Combo.Input("preset", options=[NO_PRESET, *PRESETS], default=NO_PRESET,
                               tooltip="Which parts stay the edit's. The first leaves each part to the masks: the "
                               "photo's, unless the two pictures differ too much there."),
                *(io.Float.Input(name, default=AUTO, min=AUTO, max=1.0, step=0.05,
                                 tooltip=f"The photo's share of {_WHERE[name]}: 0 keeps the edit's, 1 takes the "
                                 "photo's; below 0 the preset decides.") for name in NAMES),
            ],
            outputs=[io.String.Output(display_name="parts", tooltip="For parts of Restore Identity or Crop Face "
                                      "Pairs.")],
        )

    @classmethod
    @checked
    def execute(cls, preset: str, **weights: Any) -> io.NodeOutput:
        chosen = one_of(preset, (NO_PRESET, *PRESETS), "preset")
        base = PRESETS.get(chosen, PartWeights())
        own = {name: float(weight) for name, weight in weights.items() if weight >= 0}
        return io.NodeOutput(str(PartWeights(**{**asdict(base), **own})))


NODES = [FaceParts]
