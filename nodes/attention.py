"""Attention Disentangle and ID Entanglement: MODEL -> MODEL, configuration only.

Both store an immutable setting on a clone of the model. It acts on the rows of the Adaptive Mixing Sampler; any other
sampler gives exactly the plain result.
"""

from dataclasses import replace
from typing import Any

from comfy_api.latest import io

from ..editedid_core.choices import one_of
from ..editedid_core.comfy.block_files import read_block_file
from ..editedid_core.comfy.model_profile import attention_blocks
from ..editedid_core.comfy.sampling import DISENTANGLE_KEY, ENTANGLE_KEY
from ..editedid_core.config import RestoreConfig
from ..editedid_core.engines.edited_id.attention.probe import GateName, read_choice
from ..editedid_core.engines.edited_id.attention.settings import DONORS, make_plan
from .amounts import amount_fault, amount_input, chosen_amount
from .given import checked
from .sizes import AUTO

CATEGORY = "image/identity restoration"
DEFAULTS = RestoreConfig()


def with_option(model: Any, key: str, setting: object) -> Any:
    """A clone of the model that carries a setting."""
    clone = model.clone()
    clone.model_options["transformer_options"][key] = setting
    return clone


def _window(start: float, end: float, start_name: str, end_name: str) -> tuple[float, float]:
    if end < start:
        raise ValueError(f"{end_name} ({end}) lies before {start_name} ({start}); swap the two.")
    return start, end


def _block_list(text: str, gate: GateName, model: Any) -> str:
    """The list itself, or the list in the Layer Probe file that the text names."""
    if not text.strip().lower().endswith(".json"):
        return text
    name = f"{gate}_blocks"
    return read_choice(read_block_file(text, name), gate, attention_blocks(model), name)


class AttentionDisentangle(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="EditedIDAttentionDisentangle",
            display_name="Attention Disentangle",
            category=CATEGORY,
            description="Keeps the two pictures apart inside the model: the face looks only at the original's "
            "face, glasses and hats only at the edit's. Acts together with ID Entanglement, in the Adaptive Mixing "
            "Sampler and Restore Identity.",
            search_aliases=["attention gate", "disentangle", "cross attention", "separate features"],
            inputs=[
                io.Model.Input("model", tooltip="The diffusion model; it is cloned, not changed."),
                io.Float.Input("strength", default=DEFAULTS.disentangle.strength, min=0.0, max=1.0, step=0.05,
                               tooltip="1 keeps the two pictures fully apart; 0 lets every part see both."),
                io.Float.Input("start_percent", default=DEFAULTS.disentangle.start, min=0.0, max=1.0, step=0.01,
                               advanced=True, tooltip="Where it begins: 0 is the run's first (noisiest) step, 1 the "
                               "finished picture."),
                io.Float.Input("end_percent", default=DEFAULTS.disentangle.end, min=0.0, max=1.0, step=0.01,
                               advanced=True, tooltip="Where it ends: 0 is the run's first (noisiest) step, 1 the "
                               "finished picture."),
            ],
            outputs=[io.Model.Output(display_name="model", tooltip="The model with the setting: connect it to "
                                     "ID Entanglement, the Adaptive Mixing Sampler or Restore Identity.")],
        )

    @classmethod
    @checked
    def execute(cls, model: Any, strength: float, start_percent: float, end_percent: float) -> io.NodeOutput:
        start, end = _window(start_percent, end_percent, "start_percent", "end_percent")
        setting = replace(DEFAULTS.disentangle, strength=strength, start=start, end=end)
        return io.NodeOutput(with_option(model, DISENTANGLE_KEY, setting))


class IDEntanglement(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        standard = DEFAULTS.entangle
        return io.Schema(
            node_id="EditedIDEntanglement",
            display_name="ID Entanglement",
            category=CATEGORY,
            description="Lets the original's face shape the result: a structure gate early and a detail gate "
            "late in the denoising run. Acts in the Adaptive Mixing Sampler and Restore Identity.",
            search_aliases=["attention gate", "structure gate", "detail gate", "entangle", "self attention"],
            inputs=[
                io.Model.Input("model", tooltip="The diffusion model; it is cloned, not changed."),
                amount_input("structure", "How much of the attention outputs inside the face comes from the donor. 0 "
                             "turns the gate off."),
                amount_input("detail", "How strongly the face looks at the original's face for detail. 0 turns the "
                             "gate off."),
                io.Combo.Input("donor", options=list(DONORS), default=standard.donor,
                               tooltip="Whose attention outputs the structure gate uses. edited keeps the edit's "
                               "light; original brings the original's shape and light."),
                io.Float.Input("structure_start", default=standard.structure_window[0], min=0.0, max=1.0, step=0.01,
                               advanced=True, tooltip="Where the structure gate opens: 0 is the first step, 1 the "
                               "finished picture."),
                io.Float.Input("structure_end", default=standard.structure_window[1], min=0.0, max=1.0, step=0.01,
                               advanced=True, tooltip="Where the structure gate closes: 0 is the first step, 1 the "
                               "finished picture."),
                io.Float.Input("detail_start", default=standard.detail_window[0], min=0.0, max=1.0, step=0.01,
                               advanced=True, tooltip="Where the detail gate opens: 0 is the first step, 1 the "
                               "finished picture."),
                io.Float.Input("detail_end", default=standard.detail_window[1], min=0.0, max=1.0, step=0.01,
                               advanced=True, tooltip="Where the detail gate closes: 0 is the first step, 1 the "
                               "finished picture."),
                io.String.Input("structure_blocks", default="auto", advanced=True,
                                tooltip="Blocks in which the structure gate acts: auto, early, none, a list such as "
                                "'down, mid' (UNet) or 'double.0-18' (transformer), or a file of Layer Probe."),
                io.String.Input("detail_blocks", default="auto", advanced=True,
                                tooltip="Blocks in which the detail gate acts: auto, early, none, a list such as "
                                "'up.3-8' (UNet) or 'double.10-18, single' (transformer), or a file of Layer Probe."),
                io.Boolean.Input("agreement_gate", default=standard.agreement is not None, advanced=True,
                                 tooltip="Closes the gates where the two pictures differ in pose or something covers "
                                 "the face."),
                io.Float.Input("agreement", default=standard.agreement or 0.0, min=-1.0, max=1.0, step=0.05,
                               advanced=True, tooltip="Likeness (cosine) of the attention outputs at which the "
                               "agreement gate is half open."),
                io.Float.Input("overlap", default=standard.overlap, min=0.0, max=1.0, step=0.05, optional=True,
                               advanced=True, tooltip="Paper modes only: the face's weight where the masks of face and "
                               "elements overlap. The elements get the rest."),
                io.Float.Input("pose", default=standard.pose or 0.0, min=0.0, max=2.0, step=0.01, optional=True,
                               advanced=True, tooltip="Restore Identity only: the difference in pose, in eye "
                               "distances, at which the gates act half as strongly on the face. 0: the same in any "
                               "pose."),
            ],
            outputs=[io.Model.Output(display_name="model", tooltip="The model with the gates: connect it to the "
                                     "Adaptive Mixing Sampler or Restore Identity.")],
        )

    @classmethod
    def validate_inputs(cls, structure: Any = AUTO, detail: Any = AUTO, input_types: Any = None) -> bool | str:
        return amount_fault(cls, input_types, {"structure": 0.0, "detail": 0.0}, (structure, detail))

    @classmethod
    @checked
    def execute(cls, model: Any, structure: str | float, detail: str | float, donor: str, structure_start: float,
                structure_end: float, detail_start: float, detail_end: float, structure_blocks: str,
                detail_blocks: str, agreement_gate: bool, agreement: float,
                overlap: float = DEFAULTS.entangle.overlap, pose: float = 0.0) -> io.NodeOutput:
        setting = replace(
            DEFAULTS.entangle, structure=chosen_amount(structure, "structure"),
            detail=chosen_amount(detail, "detail"), donor=one_of(donor, DONORS, "donor"),
            structure_window=_window(structure_start, structure_end, "structure_start", "structure_end"),
            detail_window=_window(detail_start, detail_end, "detail_start", "detail_end"),
            structure_blocks=_block_list(structure_blocks, "structure", model),
            detail_blocks=_block_list(detail_blocks, "detail", model),
            agreement=agreement if agreement_gate else None, overlap=overlap, pose=pose or None,
        )
        # a wrong block list raises here, on the node that holds it
        make_plan(setting, DEFAULTS.disentangle, attention_blocks(model))
        return io.NodeOutput(with_option(model, ENTANGLE_KEY, setting))


NODES = [AttentionDisentangle, IDEntanglement]
