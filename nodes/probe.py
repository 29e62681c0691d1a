"""Layer Probe: finds the blocks of a model in which the gates help."""

import logging
from dataclasses import replace
from typing import Any

import torch
from comfy_api.latest import io, ui

from ..editedid_core.choices import one_of
from ..editedid_core.comfy import vae as host_vae
from ..editedid_core.comfy.block_files import check_target, save_block_file
from ..editedid_core.comfy.model_files import with_files
from ..editedid_core.comfy.model_profile import attention_blocks
from ..editedid_core.comfy.progress import show_result, step_counter, stop_if_asked
from ..editedid_core.comfy.sampling import ENTANGLE_KEY, sample_pair
from ..editedid_core.comfy.wanted_amounts import wanted_by
from ..editedid_core.config import RestoreConfig
from ..editedid_core.engines.edited_id.attention.probe import GATES, Measured, probe_blocks
from ..editedid_core.restore.layer_probe import ProbeFace, measure, probe_faces
from .attention import with_option
from .given import GRAPH, checked, files_of_input
from .run import best_analyzer, with_gates
from .sampling import CATEGORY, crop_masks, late_inputs, make_settings, mode_input, settings_inputs
from .types import Analyzer

BOTH = "both"

PROBED = replace(RestoreConfig().sampling, strength=0.8, freedom=1.0)
"""Settings under which the gates show their effect: in a run that is held to the two pictures all blocks look alike."""


class LayerProbe(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="EditedIDLayerProbe",
            display_name="Layer Probe",
            category=CATEGORY,
            description="Finds the attention blocks of a model in which the gates of ID Entanglement do more good than "
            "harm. It leaves out one block after the other on a few faces, and measures. Run it once for a model.",
            search_aliases=["block", "layer", "calibrate", "probe blocks"],
            is_output_node=True,
            hidden=GRAPH,
            inputs=[
                io.Model.Input("model", tooltip="The diffusion model. The node probes the model's ID Entanglement, or "
                               "Restore Identity's own gates if it has none."),
                io.Vae.Input("vae", tooltip="The VAE that belongs to the model."),
                io.Latent.Input("original_latent", tooltip="VAE Encode of the original crops. Three to eight faces are "
                                "enough."),
                io.Latent.Input("edited_latent", tooltip="VAE Encode of the edited crops, one for each original."),
                io.Mask.Input("face_mask", tooltip="The face mask of Crop Face Pairs."),
                io.Combo.Input("gate", options=[BOTH, *GATES], default=BOTH, tooltip="The gate whose blocks to find."),
                io.Int.Input("together", default=1, min=1, max=64, tooltip="Number of neighbouring blocks that are "
                             "left out at once. More is coarser, and so many times faster."),
                io.String.Input("filename_prefix", default="editedid/blocks", tooltip="Name of the file in the output "
                                "folder."),
                mode_input(),
                *settings_inputs(PROBED),
                io.Mask.Input("element_mask", optional=True, tooltip="The element mask of Crop Face Pairs."),
                Analyzer.Input("analyzer", optional=True, tooltip="Load Face Analyzer. Without one the node uses the "
                               "best installed backend."),
                io.Conditioning.Input("positive", optional=True, tooltip="A prompt; few models need one."),
                io.Conditioning.Input("negative", optional=True, tooltip="A negative prompt, used when cfg is not 1."),
                *late_inputs(PROBED),
            ],
            outputs=[
                io.String.Output(display_name="structure_blocks", tooltip="Connect it to structure_blocks of ID "
                                 "Entanglement."),
                io.String.Output(display_name="detail_blocks", tooltip="Connect it to detail_blocks of ID "
                                 "Entanglement."),
                io.String.Output(display_name="file", tooltip="Name of the saved choice. The block inputs of ID "
                                 "Entanglement take this name too."),
                io.String.Output(display_name="report", tooltip="The effect of each block, best first."),
            ],
        )

    @classmethod
    @checked
    def execute(cls, model: Any, vae: Any, original_latent: dict[str, Any], edited_latent: dict[str, Any],
                face_mask: torch.Tensor, gate: str, together: int, filename_prefix: str, mode: str,
                element_mask: torch.Tensor | None = None, analyzer: Any = None, positive: Any = None,
                negative: Any = None, freedom: float = PROBED.leash, **values: Any) -> io.NodeOutput:
        settings = make_settings(mode, freedom=freedom, **values)
        which = one_of(gate, (BOTH, *GATES), "gate")
        check_target(filename_prefix)  # before minutes are spent on what could not be saved
        if analyzer is None:
            analyzer = best_analyzer()
        face, element = crop_masks(original_latent, edited_latent, face_mask, element_mask)
        gated = with_gates(with_files(model, files_of_input(cls)), RestoreConfig())
        setting = gated.model_options["transformer_options"][ENTANGLE_KEY].as_wanted(wanted_by(gated, settings.mode))
        available = attention_blocks(gated)
        gates = [one for one in GATES if which in (BOTH, one) and getattr(setting, one) > 0]
        if not gates:
            raise ValueError("gate: what was chosen is off on this model; give it a strength above 0 in ID "
                             "Entanglement, or choose the other gate.")
        faces = probe_faces(original_latent["samples"], edited_latent["samples"], face, element,
                            lambda latent: host_vae.decode(vae, latent), analyzer, stop_if_asked)
        blocks = sum(len(numbers) for numbers in available.values())
        count = step_counter(len(gates) * (1 + -(-blocks // together)))
        first: list[torch.Tensor] = []  # the first face from the first run, with the gate everywhere

        def measured(structure_blocks: str, detail_blocks: str) -> Measured:
            lists = replace(setting, structure_blocks=structure_blocks, detail_blocks=detail_blocks)
            probed = with_option(gated, ENTANGLE_KEY, lists)

            def restore(one: ProbeFace) -> torch.Tensor:
                done = sample_pair(probed, positive, negative, one.original, one.edited, one.face_mask,
                                   one.element_mask, settings)
                picture = host_vae.decode(vae, done.latent)
                if not first:
                    first.append(picture)
                return picture

            found = measure(faces, restore, analyzer)
            count()
            return found

        name = type(gated.model).__name__
        probe = probe_blocks(name, available, gates, (setting.structure_blocks, setting.detail_blocks), len(faces),
                             measured, together)
        show_result(first[0][..., :3])
        try:
            file = save_block_file(probe.to_json(), filename_prefix)
            saved = f"Saved in the output folder as {file}"
        except OSError as error:  # what took minutes is handed on all the same
            file, saved = "", f"Not saved ({error}): copy the two lists into ID Entanglement's block inputs."
            logging.warning("Layer Probe: the file could not be saved (%s).", error)
        report = f"{probe.text()}\n\n{saved}"
        return io.NodeOutput(probe.structure_blocks, probe.detail_blocks, file, report, ui=ui.PreviewText(report))


NODES = [LayerProbe]
