"""Adaptive Mixing Sampler."""

import logging
from dataclasses import replace
from typing import Any

import torch
from comfy_api.latest import io

from ..editedid_core.choices import one_of
from ..editedid_core.comfy.empty_prompt import prompt_without_words
from ..editedid_core.comfy.model_files import with_files
from ..editedid_core.comfy.model_profile import unknown_file
from ..editedid_core.comfy.progress import stop_if_asked
from ..editedid_core.comfy.sampling import sample_pair
from ..editedid_core.config import RestoreConfig
from ..editedid_core.engines.edited_id.settings import MODES, SampleSettings
from ..editedid_core.pictures import is_no_mask
from ..editedid_core.restore.curve import curve_picture
from .amounts import amount_fault, amount_input, chosen_amount
from .given import GRAPH, checked, files_of_input
from .show import preview
from .sizes import AUTO

CATEGORY = "image/identity restoration"
DEFAULTS = RestoreConfig().sampling
LEAST_STRENGTH = 0.05


def mode_input(advanced: bool = False) -> io.Combo.Input:
    return io.Combo.Input(
        "mode", options=list(MODES), default=DEFAULTS.mode, advanced=advanced,
        tooltip="auto: replay, or lock-step on most transformers. replay: inverts both pictures and replays them. "
        "lock-step: no inversion, least memory. paper 6 steps, paper 50 steps: EditedID by the paper's text, with all "
        "numbers set. paper, official code: as the published code does it. paper: the paper's run with the numbers "
        "below and the gates on the model.",
    )


def settings_inputs(standard: SampleSettings = DEFAULTS, one_node: bool = False) -> list[Any]:
    """The inputs that the sampling nodes share, with defaults from `standard`. `one_node`: for the node that does
    everything, which asks how much in words of its own and hides the rest."""
    mixing = standard.mixing
    return [
        io.Int.Input("steps", default=standard.steps, min=1, max=200, advanced=one_node,
                     tooltip="Steps of the whole denoising run. The node uses the last `strength` share of them."),
        _strength_input(standard, "how much (strength)" if one_node else None),
        io.Float.Input("init_weight", default=mixing.init_weight, min=0.0, max=0.5, step=0.01, advanced=True,
                       tooltip="Mixing weight at the start (the paper uses 0 to 0.1). The adaptive law raises it "
                       "from step to step."),
        io.Int.Input("final_steps", default=mixing.final_steps, min=0, max=200, advanced=True,
                     tooltip="Number of last steps in which the mixing weight is set to its maximum, 0.5."),
        io.Float.Input("solver_start", default=standard.solver_window[0], min=0.0, max=1.0, step=0.01, advanced=True,
                       tooltip="Where DPM-Solver++ takes over from DDIM: 0 is the run's first (noisiest) step, 1 "
                       "the finished picture."),
        io.Float.Input("solver_end", default=standard.solver_window[1], min=0.0, max=1.0, step=0.01, advanced=True,
                       tooltip="Where DPM-Solver++ ends: 0 is the run's first (noisiest) step, 1 the finished "
                       "picture."),
        io.Float.Input("cfg", default=standard.cfg, min=0.0, max=30.0, step=0.1, advanced=True,
                       tooltip="Guidance of the restored picture. 1 is best; higher values take twice as long and "
                       "drift."),
        io.Int.Input("noise_pattern", default=standard.noise_seed, min=0, max=0xFFFFFFFF, advanced=True,
                     tooltip="Number of the known noise that both pictures start from. The same number gives the "
                     "same result."),
    ]


def late_inputs(standard: SampleSettings = DEFAULTS) -> list[Any]:
    """Shared inputs that were added later: last and optional, so that older saved workflows still fit."""
    return [
        io.Int.Input("null_text", default=standard.null_text, min=0, max=500, optional=True, advanced=True,
                     tooltip="Mode paper with cfg above 1: updates of each null-text embedding; 0 for none. More "
                     "updates bring both pictures back more exactly and take longer."),
        _freedom_input(standard),
    ]


def _strength_input(standard: SampleSettings, shown: str | None) -> Any:
    told = "How much of the denoising run is redone. 0.05 hardly touches the face; 1 starts from pure noise."
    if standard.strength is None:
        return amount_input("strength", told, LEAST_STRENGTH, words=True, display_name=shown)
    return io.Float.Input("strength", display_name=shown, default=standard.strength, min=LEAST_STRENGTH, max=1.0,
                          step=0.05, tooltip=told)


def _freedom_input(standard: SampleSettings) -> Any:
    told = ("How far the model may leave the two pictures inside the face. 0 only joins them; 1 lets the model paint "
            "freely. With a weak model higher values cost likeness.")
    if standard.freedom is None:
        return amount_input("freedom", told, optional=True, advanced=True)
    return io.Float.Input("freedom", default=standard.freedom, min=0.0, max=1.0, step=0.05, optional=True,
                          advanced=True, tooltip=told)


def clip_input() -> io.Clip.Input:
    return io.Clip.Input("clip", optional=True, tooltip="The text encoder that belongs to the model. It encodes the "
                         "empty prompt, which most models were trained with. Without it zeros stand for that prompt.")


def prompt_input(default: str) -> io.String.Input:
    return io.String.Input("prompt", default=default, optional=True, advanced=True, tooltip="Needs clip. A few words "
                           "for every face, such as: a portrait photo. Empty is the model's own empty prompt, and the "
                           "best start.")


def make_settings(mode: str, steps: int, strength: str | float, init_weight: float, final_steps: int,
                  solver_start: float, solver_end: float, cfg: float, noise_pattern: int,
                  null_text: int = DEFAULTS.null_text, freedom: str | float = AUTO) -> SampleSettings:
    """Node values to the core's settings."""
    chosen = one_of(mode, MODES, "mode")
    if solver_end < solver_start:
        raise ValueError(f"solver_end ({solver_end}) lies before solver_start ({solver_start}); swap the two.")
    mixing = replace(DEFAULTS.mixing, init_weight=init_weight, final_steps=final_steps)
    return replace(DEFAULTS, mode=chosen, steps=steps, strength=chosen_amount(strength, "strength", LEAST_STRENGTH),
                   mixing=mixing, solver_window=(solver_start, solver_end), cfg=cfg, noise_seed=noise_pattern,
                   null_text=null_text, freedom=chosen_amount(freedom, "freedom"))


def run_fault(node: Any, input_types: Any, strength: Any, freedom: Any) -> bool | str:
    """What a node's `validate_inputs` answers for the amounts of a run."""
    return amount_fault(node, input_types, {"strength": LEAST_STRENGTH, "freedom": 0.0}, (strength, freedom))


class AdaptiveMixingSampler(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="EditedIDAdaptiveMixingSampler",
            display_name="Adaptive Mixing Sampler",
            category=CATEGORY,
            description="Takes the original's face and the edited face through the diffusion model together and "
            "returns the edited face with the original's identity. Needs no prompt.",
            search_aliases=["inversion", "ddim", "adaptive mixing", "sampler"],
            hidden=GRAPH,
            inputs=[
                io.Model.Input("model", tooltip="The diffusion model, plain or with Attention Disentangle and ID "
                               "Entanglement."),
                io.Latent.Input("original_latent", tooltip="VAE Encode of the original crops."),
                io.Latent.Input("edited_latent", tooltip="VAE Encode of the edited crops, one for each original."),
                io.Mask.Input("face_mask", tooltip="Where the face may change: the face mask of Crop Face Pairs."),
                mode_input(),
                *settings_inputs(),
                io.Conditioning.Input("positive", optional=True, tooltip="A prompt. Without one the node uses an empty "
                                      "conditioning, and most models need no text encoder."),
                io.Conditioning.Input("negative", optional=True, tooltip="A negative prompt, used when cfg is not 1."),
                io.Mask.Input("element_mask", optional=True, tooltip="Things over the face that stay the edit's "
                              "(glasses, hat, hair): the element mask of Crop Face Pairs."),
                *late_inputs(),
                clip_input(),
            ],
            outputs=[
                io.Latent.Output(display_name="restored_latent", tooltip="The restored crops: connect VAE Decode, then "
                                 "Return Detail or Paste Faces."),
                io.Image.Output(display_name="mixing_curve", tooltip="The mixing weight of each step, one line for "
                                "each face."),
            ],
        )

    @classmethod
    def validate_inputs(cls, strength: Any = AUTO, freedom: Any = AUTO, input_types: Any = None) -> bool | str:
        return run_fault(cls, input_types, strength, freedom)

    @classmethod
    @checked
    def execute(cls, model: Any, original_latent: dict[str, Any], edited_latent: dict[str, Any],
                face_mask: torch.Tensor, mode: str, positive: Any = None, negative: Any = None,
                element_mask: torch.Tensor | None = None, clip: Any = None, **values: Any) -> io.NodeOutput:
        settings, model = make_settings(mode, **values), with_files(model, files_of_input(cls))
        notes: list[str] = [note] if (note := unknown_file(model)) else []
        if positive is None:
            positive, note = prompt_without_words(model, clip)
            notes += [note] if note else []
        if negative is None and settings.cfg != 1.0:
            negative, _ = prompt_without_words(model, clip)
        original, edited = original_latent["samples"], edited_latent["samples"]
        face, element = crop_masks(original_latent, edited_latent, face_mask, element_mask)
        results = []
        for i in range(edited.shape[0]):
            stop_if_asked()
            one = slice(i, i + 1)
            results.append(sample_pair(model, positive, negative, original[one], edited[one], face[i], element[i],
                                       settings))
        for note in dict.fromkeys([*notes, *(note for result in results for note in result.notes)]):
            logging.warning("Adaptive Mixing Sampler: %s", note)
        curve = curve_picture([r.curve for r in results])
        latent = {**edited_latent, "samples": torch.cat([r.latent for r in results])}
        latent.pop("noise_mask", None)
        return io.NodeOutput(latent, curve, ui=preview(curve, cls))


def crop_masks(original_latent: dict[str, Any], edited_latent: dict[str, Any], face_mask: torch.Tensor,
               element_mask: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
    """Face and element masks, (N, H, W) each, for N pairs of latents; ValueError where they do not belong together."""
    original, edited = original_latent["samples"], edited_latent["samples"]
    if edited.shape[0] != original.shape[0]:
        raise ValueError(
            f"original_latent holds {original.shape[0]} crops and edited_latent {edited.shape[0]}; encode both "
            "outputs of the same Crop Face Pairs."
        )
    if edited.shape[0] == 0:
        raise ValueError("edited_latent: the batch is empty; no face pair was found to restore.")
    face = _masks(face_mask, edited, "face_mask")
    if not bool(face.any()):
        logging.warning("EditedID: face_mask is empty, so that every crop stays the edit's: connect the face mask of "
                        "Crop Face Pairs.")
    if element_mask is None or is_no_mask(element_mask):
        element_mask = torch.zeros_like(face)
    element = _masks(element_mask, edited, "element_mask")
    if element.shape != face.shape:
        raise ValueError(
            f"element_mask is {tuple(element.shape[1:])} pixels and face_mask {tuple(face.shape[1:])}; connect "
            "both masks of the same Crop Face Pairs."
        )
    return face, element


def _masks(mask: torch.Tensor, latent: torch.Tensor, name: str) -> torch.Tensor:
    """(N, H, W) with one mask for each latent; one mask serves all."""
    mask = mask.reshape(-1, *mask.shape[-2:])
    if mask.shape[0] == 1:
        mask = mask.expand(latent.shape[0], -1, -1)
    if mask.shape[0] != latent.shape[0]:
        raise ValueError(f"{name} holds {mask.shape[0]} masks for {latent.shape[0]} crops; connect one for each crop.")
    height, width = latent.shape[-2:]
    if abs(mask.shape[-2] * width - mask.shape[-1] * height) > 0.02 * mask.shape[-1] * height:
        raise ValueError(
            f"{name} is {mask.shape[-1]}x{mask.shape[-2]} pixels, another shape than the crops "
            f"({width}:{height}); connect the mask of the same Crop Face Pairs."
        )
    return mask


NODES = [AdaptiveMixingSampler]
