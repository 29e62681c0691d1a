"""From a node's inputs to the runner: chooses the engine and calls it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch

from ..editedid_core.comfy import vae as host_vae
from ..editedid_core.comfy.crop_conditioning import crop_conditioning
from ..editedid_core.comfy.crop_patches import crop_patches
from ..editedid_core.comfy.empty_prompt import prompt_without_words
from ..editedid_core.comfy.fit_identity import with_identity
from ..editedid_core.comfy.folders import default_pack, insightface_packs, mesh_weights
from ..editedid_core.comfy.model_files import NO_FILES, ModelFiles, with_files
from ..editedid_core.comfy.model_profile import (
    check_latent,
    check_prompt,
    gates_can_reach,
    native_size,
    profile_of,
    unknown_file,
)
from ..editedid_core.comfy.progress import stop_if_asked
from ..editedid_core.comfy.region_sampling import sample_regions
from ..editedid_core.comfy.sampling import DISENTANGLE_KEY, ENTANGLE_KEY, sample_pair
from ..editedid_core.comfy.wanted_amounts import wanted_by
from ..editedid_core.config import RestoreConfig
from ..editedid_core.crops.cut import NATURAL_SIZES
from ..editedid_core.engines.composite import CompositeEngine
from ..editedid_core.engines.edited_id.engine import EditedIDEngine, Sampled
from ..editedid_core.engines.edited_id.presets import PAPER_PRESETS
from ..editedid_core.engines.edited_id.settings import SampleSettings
from ..editedid_core.engines.protocol import Engine, FaceJob, FaceResult
from ..editedid_core.engines.super_resolution.engine import Network, RegionTask, SuperResolutionEngine
from ..editedid_core.faces.analyzers.protocol import FaceAnalyzer
from ..editedid_core.faces.analyzers.registry import AUTO_PACK, load_analyzer
from ..editedid_core.records import Identity
from ..editedid_core.restore.report import Restoration
from ..editedid_core.restore.resume import FinishedFaces
from ..editedid_core.restore.runner import restore
from ..editedid_core.ticks import Say, silent, within

FINISHED = FinishedFaces()
"""What an interrupted batch has restored; closed at the end of each run."""

FAR_OFF = 1.6
"""Ratio of a crop to the model's own size from which a warning is due."""
NO_MODEL = ("model and vae are not both connected: the photo's face was put in without diffusion. Connect both to "
            "restore with the model.")
NO_MESH = ("The face mesh is not installed, with which faces on photographs come out better: the help page of Load "
           "Face Analyzer has the one command that brings it.")
UNGATED = ("The attention of this model cannot be reached, so that no gates act: faces are restored by mixing alone. A "
           "loader whose model ComfyUI knows gives it gates.")


def best_analyzer() -> FaceAnalyzer:
    """The best analyzer on this machine, for nodes whose analyzer input is not connected."""
    return load_analyzer("auto", insightface_packs(), default_pack(), mesh=mesh_weights())


def with_gates(model: Any, config: RestoreConfig) -> Any:
    """The model with the configuration's gates, unless the user set gates with ID Entanglement."""
    options = model.model_options.get("transformer_options", {})
    if ENTANGLE_KEY in options or config.sampling.mode in PAPER_PRESETS:  # the presets bring their own
        return model
    clone = model.clone()
    given = clone.model_options["transformer_options"]
    given[ENTANGLE_KEY] = config.entangle
    given.setdefault(DISENTANGLE_KEY, config.disentangle)
    return clone


def fitting_amounts(config: RestoreConfig, model: Any) -> tuple[RestoreConfig, dict[str, Any]]:
    """The configuration with what the model wants where nothing is set, and for the report what that led to and why."""
    wanted = wanted_by(model, config.sampling.mode, config.sampling.sigma_floor)
    fitted = replace(config, sampling=config.sampling.as_wanted(wanted), entangle=config.entangle.as_wanted(wanted))
    if config.sampling.mode in PAPER_PRESETS:
        return fitted, {"why": f"all numbers are those of the mode {config.sampling.mode}"}
    gates = model.model_options.get("transformer_options", {}).get(ENTANGLE_KEY) or config.entangle
    asked = {"strength": config.sampling.strength, "freedom": config.sampling.freedom}
    told = {"strength": fitted.sampling.share, "freedom": fitted.sampling.leash}
    if gates_can_reach(model):
        asked |= {"structure": gates.structure, "detail": gates.detail}
        told |= dict(zip(("structure", "detail"), gates.as_wanted(wanted).strengths))
    own = [name for name, value in asked.items() if value is not None]
    why = f"what a {wanted.kind} model wants ({wanted.why})"
    return fitted, {**told, "why": why if not own else f"set by hand: {', '.join(own)}; the rest {why}"}


def make_engine(config: RestoreConfig, model: Any, vae: Any, positive: Any = None, negative: Any = None) -> Engine:
    """The engine that `config` names. `positive`, `negative` None means an empty conditioning."""
    config = config.resolved()
    if config.engine == "composite":
        return CompositeEngine()
    if config.engine == "super resolution" and (model is None or vae is None):
        return SuperResolutionEngine(config.super_resolution)
    gated = with_gates(model, config) if gates_can_reach(model) else model
    return _OnHost(gated, vae, positive, negative, config)


@dataclass(frozen=True, eq=False)
class _OnHost:
    """EditedID on the host's model and VAE. The prompt is told in the edit's coordinates, and cut to each crop."""

    model: Any
    vae: Any
    positive: Any
    negative: Any
    config: RestoreConfig

    def run(self, job: FaceJob) -> FaceResult:
        def encode(picture: torch.Tensor) -> torch.Tensor:
            latent = host_vae.encode(self.vae, picture)
            check_latent(self.model, latent, "vae")
            return latent

        def sample(original: torch.Tensor, edited: torch.Tensor, face_mask: torch.Tensor, element_mask: torch.Tensor,
                   settings: SampleSettings, others: torch.Tensor | None) -> Sampled:
            cells = (edited.shape[-2], edited.shape[-1])
            said: list[str] = []
            positive, negative = (crop_conditioning(one, job.place, cells, job.bent, said.append)
                                  for one in (self.positive, self.negative))
            model = crop_patches(self.model, job.place, job.bent, said.append)
            done = sample_pair(model, positive, negative, original, edited, face_mask, element_mask, settings, others,
                               without_face(model, self.vae, job), within(job.say, 0.1, 0.9))
            return Sampled(done.latent, done.evaluations, done.mode, (*done.notes, *dict.fromkeys(said)))

        c = self.config
        if c.engine == "super resolution":
            return self._super_resolution(job, encode).run(job)
        return EditedIDEngine(encode, sample, partial(host_vae.decode, self.vae),
                              c.sampling, c.strength_by_drift, c.detail).run(job)

    def _super_resolution(self, job: FaceJob, encode: Callable[[torch.Tensor], torch.Tensor]) -> SuperResolutionEngine:
        def sample(task: RegionTask) -> tuple[torch.Tensor, int, tuple[str, ...]]:
            cells, said = (task.start.shape[-2], task.start.shape[-1]), list[str]()
            positive = crop_conditioning(self.positive, job.place, cells, note=said.append)
            model = crop_patches(self.model, job.place, note=said.append)
            latent, evaluations = sample_regions(model, positive, task, within(job.say, 0.1, 0.9))
            return latent, evaluations, tuple(dict.fromkeys(said))

        network = Network(encode, partial(host_vae.decode, self.vae), sample)
        return SuperResolutionEngine(self.config.super_resolution, network)


def without_face(model: Any, vae: Any, job: FaceJob) -> torch.Tensor | None:
    """Latents of all pictures of a job in grey where the face goes, for a model that reads such; else None."""
    profile = profile_of(model)
    if profile is None or profile.concat != "masked picture":
        return None
    anew = (job.weight > 0.5)[None, :, :, None]
    pictures = torch.cat([job.original, job.edited, job.others])
    grey = torch.where(anew.to(pictures.device), 0.5, pictures)
    return torch.cat([host_vae.encode(vae, picture[None]) for picture in grey])


def fitting_crop(config: RestoreConfig, model: Any, vae: Any) -> tuple[RestoreConfig, tuple[str, ...]]:
    """The configuration with a crop that the VAE and the model can take whole, and a sentence where it is another than
    was asked for, or far from the size that the model was made for."""
    asked, native = config.crop.size, native_size(model)
    multiple = host_vae.crop_multiple(vae, model)
    size = host_vae.fitting_size(asked or native or NATURAL_SIZES[0], multiple)
    notes = []
    if asked and size != asked:
        notes.append(f"crop_size {asked} became {size}: this VAE and model work in steps of {multiple} pixels.")
    if asked and native and not 1 / FAR_OFF < asked / native < FAR_OFF:
        notes.append(f"crop_size {asked} is far from {native}, the size that this model was made for; set it to auto "
                     f"or {native}.")
    return config.changed({"crop.size": size}), tuple(notes)


def run_restoration(config: RestoreConfig, original: torch.Tensor, edited: torch.Tensor, model: Any = None,
                    vae: Any = None, analyzer: FaceAnalyzer | None = None, positive: Any = None, negative: Any = None,
                    element_mask: torch.Tensor | None = None, clip: Any = None,
                     say: Say = silent, box: Any = None, files: ModelFiles = NO_FILES,
                    person: Identity | None = None) -> tuple[Restoration, float]:
    """Run the runner on a node's inputs; returns the result and the seconds it took. `say`: told how far it is.

    `clip` encodes the prompts that are not given, once. Without a model or without a VAE the composite runs, and a
    super-resolution composes its bands alone, with a note in the report. `box`: as of `restore`. `files`: that the
    model was read from, as far as the graph tells. `person`: whose tokens stand behind the positive prompt, or in its
    place where there are no words.
    """
    started = time.perf_counter()
    given = (model, vae, positive, negative, clip, person)
    model = with_files(model, files)
    notes: tuple[str, ...] = ()
    amounts: dict[str, Any] = {}
    if config.engine == "super resolution" and (model is None or vae is None):
        config, notes = config.changed({"super_resolution.surroundings": "keep"}), (NO_MODEL,)
    elif config.engine != "composite" and (model is None or vae is None):
        config, notes = replace(config, engine="composite"), (NO_MODEL,)
    elif config.engine != "composite":
        for prompt, name in ((positive, "positive"), (negative, "negative"), (person and person.context, "person")):
            check_prompt(model, prompt, name)
        config, notes = fitting_crop(config, model, vae)
        if config.engine == "edited id":
            config, amounts = fitting_amounts(config, model)
        notes += (note,) if (note := unknown_file(model)) else ()
        notes += () if gates_can_reach(model) or config.engine == "super resolution" else (UNGATED,)
        if positive is None and (person is None or config.prompt):
            positive, note = prompt_without_words(model, clip, config.prompt)
            notes += (note,) if note else ()
        positive = with_identity(positive, person)
        if negative is None and config.sampling.cfg != 1.0:
            negative, _ = prompt_without_words(model, clip)
    engine = make_engine(config, model, vae, positive, negative)
    if edited.shape[0] > 1:
        engine = FINISHED.engine(engine, config, given)
    if analyzer is None:
        say("loading the face analyzer", 0.0)
        analyzer = best_analyzer()
        notes += (NO_MESH,) if default_pack() == AUTO_PACK and mesh_weights() is None else ()
    done = restore(original, edited, analyzer, engine, config, element_mask, stop_if_asked, say, box)
    FINISHED.close()
    profile = None if config.engine == "composite" or model is None else profile_of(model)
    done = replace(done, notes=notes + done.notes, model="" if profile is None else profile.title,
                   amounts=amounts)
    for warning in done.warnings():
        logging.warning("EditedID: %s", warning)
    return done, time.perf_counter() - started
