"""Fit Identity: a person's photos become tokens of a prompt, on the model that the user has."""

from __future__ import annotations

import json
from typing import Any

import torch
from comfy_api.latest import io, ui

from ..editedid_core.comfy import vae as host_vae
from ..editedid_core.comfy.embedding_file import EmbeddingFile, digest
from ..editedid_core.comfy.fit_identity import FitRequest, fit_identity
from ..editedid_core.comfy.model_files import with_files
from ..editedid_core.comfy.progress import RunProgress, stop_if_asked
from ..editedid_core.comfy.prompt_slots import PLACE
from ..editedid_core.comfy.token_fit import Photos
from ..editedid_core.config import SMALL_FACE
from ..editedid_core.faces.analyzers.protocol import FaceAnalyzer
from ..editedid_core.restore.reference_photos import agreement, face_crops, find_person
from . import types
from .faces import CATEGORY
from .given import GRAPH, checked, files_of_input
from .run import best_analyzer, fitting_crop
from .sizes import AUTO, chosen_size, size_fault, size_input

DEFAULTS = SMALL_FACE.changed({"crop.size": None})
NO_CONSENT = ("consent is empty: say who agreed that this person is fitted, such as 'myself' or 'agreed in writing'; "
              "it is kept in the file.")

UNDECIDED = ("The photos show different people, as many of each: the person of the first photo is fitted. Leave out "
             "the photos of the others.")


class FitIdentity(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        own = DEFAULTS.token_fit
        return io.Schema(
            node_id="EditedIDFitIdentity",
            display_name="Fit Identity",
            category=CATEGORY,
            description="Fits a few tokens on photos of a person, on your own model, which stays as it is. The result "
            "is an embedding file that any prompt takes as embedding:name, and a person for Super-Resolve Face.",
            search_aliases=["textual inversion", "embedding", "train person", "learn face", "idfsr",
                            "token", "personalize", "lora"],
            is_output_node=True,
            hidden=GRAPH,
            inputs=[
                io.Image.Input("references", tooltip="One to twenty sharp photos of the person, as a batch. Photos of "
                               "somebody else are left out and named in the report."),
                io.Model.Input("model", tooltip="The diffusion model. It must follow its prompt. Its gradients are "
                               "held for one picture at a time."),
                io.Clip.Input("clip", tooltip="The text encoder that belongs to the model."),
                io.Vae.Input("vae", tooltip="The VAE that belongs to the model."),
                io.String.Input("name", default="person", tooltip="Name of the file in ComfyUI's folder of embeddings, "
                                "and what a prompt calls it: embedding:person."),
                io.String.Input("consent", default="", tooltip="Who agreed that this person is fitted, such as "
                                "'myself'. It is kept in the file; without it the node refuses."),
                io.Int.Input("tokens", default=own.tokens, min=1, max=32, tooltip="How many tokens hold the person. "
                             "More hold more detail, fit photos too closely, and take room in every prompt."),
                io.Int.Input("updates", default=own.updates, min=1, max=20000, tooltip="Steps of the fit. An "
                             "interrupted fit goes on where it stopped."),
                size_input("crop_size", advanced=True),
                io.String.Input("prompt", default=f"a photo of {PLACE}", advanced=True, tooltip=f"The prompt that the "
                                f"tokens are fitted in; they stand where it says {PLACE}."),
                io.String.Input("start", default="person", advanced=True, tooltip="Words that the tokens begin as."),
                io.Float.Input("rate", default=own.rate, min=0.001, max=1.0, step=0.001, advanced=True, tooltip="Size "
                               "of an update, in sizes of a word's numbers. Lower is slower and safer."),
                io.Float.Input("surroundings", default=own.surroundings, min=0.0, max=1.0, step=0.05, advanced=True,
                               tooltip="What hair and background count against the face. 0 fits the face alone."),
                io.String.Input("licence", default="private", advanced=True, tooltip="Licence of the file, kept in "
                                "it."),
                io.Int.Input("noise_pattern", default=own.noise_seed, min=0, max=2**32 - 1, advanced=True,
                             tooltip="Number of the noise that the fit draws."),
                types.Analyzer.Input("analyzer", optional=True, tooltip="Load Face Analyzer. Without one the node uses "
                                     "the best installed backend."),
            ],
            outputs=[
                types.Identity.Output(display_name="person", tooltip="The fitted person, for Super-Resolve Face."),
                io.String.Output(display_name="embedding", tooltip="What a prompt calls the person: embedding:name."),
                io.String.Output(display_name="report", tooltip="How the model's error fell, and what was left out."),
            ],
        )

    @classmethod
    def validate_inputs(cls, crop_size: Any = AUTO) -> bool | str:
        return size_fault(crop_size, "crop_size")

    @classmethod
    @checked
    def execute(cls, references: torch.Tensor, model: Any, clip: Any, vae: Any, name: str, consent: str, tokens: int,
                updates: int, crop_size: str | int, prompt: str, start: str, rate: float, surroundings: float,
                licence: str, noise_pattern: int, analyzer: FaceAnalyzer | None = None) -> io.NodeOutput:
        if not consent.strip():
            raise ValueError(NO_CONSENT)
        file = EmbeddingFile.of(name.strip())  # before minutes are spent on what could not be saved
        config = DEFAULTS.changed({
            "crop.size": chosen_size(crop_size, "crop_size"), "token_fit.tokens": tokens,
            "token_fit.updates": updates, "token_fit.rate": rate, "token_fit.surroundings": surroundings,
            "token_fit.noise_seed": noise_pattern,
        })
        say, model = RunProgress(), with_files(model, files_of_input(cls))
        say("finding the person", 0.0)
        config, notes = fitting_crop(config, model, vae)
        assert config.crop.size is not None
        photos = find_person(references, analyzer or best_analyzer(), config.find, stop_if_asked)
        found = agreement(photos, config.match.same_person)
        person, others = found.candidates[0], [*found.notes, *([UNDECIDED] if found.tied else [])]
        crops, faces = face_crops(references, person, config.crop.size)
        latents = []
        for crop in crops:
            stop_if_asked()
            latents.append(host_vae.encode(vae, crop[None]))
        told = {"consent": consent.strip(), "licence": licence.strip()}
        shown = digest(*(references[face.frame] for face in person))
        places = digest(*(face.points.round().tolist() for face in person))  # in whole pixels: the same on any device
        request = FitRequest(shown, places, prompt, start, config.token_fit, told)
        fitted_on = Photos(torch.cat(latents), faces)
        identity, errors, note = fit_identity(model, clip, vae, fitted_on, file, request, say)
        report = {
            "embedding": f"embedding:{identity.name}", "photos": len(person), "error_before": errors[0],
            "error_after": min(errors), "errors": errors, "notes": [*notes, *others, *([note] if note else [])], **told,
        }
        text = json.dumps(report, indent=1)
        return io.NodeOutput(identity, f"embedding:{identity.name}", text, ui=ui.PreviewText(text))


NODES = [FitIdentity]
