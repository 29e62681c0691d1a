"""The methods that need a host: latent paste and image-to-image by stock nodes, and the pack's own runner."""
from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from editedid_core.geometry.affine import apply, crop_frame, inverse_affine

from ..checkpoints import Checkpoint, of_the_lab
from ..inprocess import Host
from .rivals import Case, face_mask, relit

Array = NDArray[np.float32]

RESTORE = "EditedIDRestoreIdentity"
STEPS = 20
"""Steps of a whole denoising run; image-to-image runs its strength's share of them."""


@dataclass(frozen=True)
class Ours:
    """One way to run the pack: values of its configuration, by path, that differ from what is shipped."""

    values: Mapping[str, Any] = field(default_factory=dict)


SHAPED = {"shape.face_shape": 1.0}
UNSHAPED = {"shape.face_shape": 0.0}
"""Shaping is the pack's own, not the paper's."""
COMPOSITE = {"engine": "composite"}

DIFFUSION: dict[str, float | Ours | None] = {
    "latent_paste": None,
    "img2img_0.3": 0.3,
    "img2img_0.5": 0.5,
    "img2img_0.7": 0.7,
    "paper_6": Ours({"sampling.mode": "paper 6 steps", **UNSHAPED}),
    "paper_50": Ours({"sampling.mode": "paper 50 steps", **UNSHAPED}),
    "paper_official": Ours({"sampling.mode": "paper, official code", **UNSHAPED}),
    "replay": Ours({"sampling.mode": "replay"}),
    "lockstep": Ours({"sampling.mode": "lock-step"}),
    "no_diffusion_face_shape_1": Ours({**COMPOSITE, **SHAPED}),
    "default_face_shape_1": Ours(SHAPED),
    "no_diffusion_face_shape_0": Ours({**COMPOSITE, **UNSHAPED}),
    "default_face_shape_0": Ours(UNSHAPED),
    "no_diffusion": Ours(COMPOSITE),
    "no_model": Ours({**COMPOSITE, "crop.size": None}),
    "default": Ours(),
    "fast": Ours({"quality": "fast"}),
    "best": Ours({"quality": "best"}),
}
"""Latent paste, image-to-image by strength, and the pack's configurations by name: the shipped defaults, and the same
crops without diffusion. "no_model" has crops of the size that is usual without a model."""

HERE = {"find.no_face": "pass through", "match.min_similarity": -1.0}
"""Values that the lab sets in every run: each edited face is paired, however far it drifted, and none ends the run."""


class UnavailableError(RuntimeError):
    """The pack as it is has nothing that this change could change."""


class DiffusionMethods:
    """A host in this process with one of the lab's checkpoints; counts the model's sample-evaluations.

    analyzer: finds the faces, the lab's face pack where None. prompt: CONDITIONING for every face; None is zeros."""

    def __init__(self, family: str, models: Path, host: Host | None = None, checkpoint: Checkpoint | None = None,
                 analyzer: Any = None, prompt: Any = None) -> None:
        checkpoint = checkpoint or of_the_lab(family)
        self.evaluations = 0
        self.crop_size = checkpoint.crop
        self.host = Host.start() if host is None else host
        self.file = checkpoint.file
        self.model, _, self.vae = self.host.node("CheckpointLoaderSimple")().load_checkpoint(self.file)
        self.model.model.diffusion_model.register_forward_pre_hook(self.count)
        self.models = models
        self.prompt = prompt
        if analyzer is not None:
            self.analyzer = analyzer

    def count(self, module: Any, arguments: tuple[Any, ...]) -> None:
        """Forward hook of the diffusion network."""
        self.evaluations += len(arguments[0])

    def run(self, name: str, case: Case) -> Array:
        """The method's picture for a case."""
        with torch.inference_mode():
            how = DIFFUSION[name]
            if isinstance(how, Ours):
                return self.restore([case.original], case.edited, how.values)[0]
            return self._in_crop(case, how)

    def _in_crop(self, case: Case, strength: float | None) -> Array:
        """Latent paste (no strength) or image-to-image over the relit paste, in a face crop, cropped and stitched."""
        side = (self.crop_size, self.crop_size)
        frame = crop_frame(case.edited_points, self.crop_size)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        edited, original = (
            np.asarray(cv2.warpAffine(picture, frame, side, flags=flags, borderMode=cv2.BORDER_REPLICATE))
            for picture in (case.edited, relit(case))
        )
        points = apply(inverse_affine(frame), case.edited_points).astype(np.float32)
        mask = torch.from_numpy(face_mask(points, edited.shape))
        pasted = edited + mask[..., None].numpy() * (original - edited)
        if strength is None:
            first, second = self._encode(original), self._encode(edited)
            weight = functional.interpolate(mask[None, None], second.shape[-2:], mode="area")
            latent = second + weight * (first - second)
        else:
            latent = self._image_to_image(self._encode(pasted), mask, strength, case.seed)
        crop = self.vae.decode(latent)[0, ..., :3].float().numpy()
        return _stitched(case, crop, frame)

    def _encode(self, crop: NDArray[Any]) -> torch.Tensor:
        return self.vae.encode(torch.from_numpy(np.ascontiguousarray(crop))[None])

    def _image_to_image(self, latent: torch.Tensor, mask: torch.Tensor, strength: float, seed: int) -> torch.Tensor:
        from editedid_core.comfy.model_profile import empty_conditioning

        nothing = self.prompt or empty_conditioning(self.model)
        masked = self.host.node("SetLatentNoiseMask")().set_mask({"samples": latent}, mask[None])[0]
        sampler = self.host.node("KSampler")()
        steps = max(1, round(STEPS * strength))
        done = sampler.sample(
            self.model, seed % 2**32, steps, 1.0, "dpmpp_2m", "normal", nothing, nothing, masked, strength
        )
        return done[0]["samples"]

    def pack(self, name: str) -> ModuleType:
        """A module of the pack as the host loaded it, such as "nodes.run"; the lab's own imports are other objects."""
        package = self.host.node(RESTORE).__module__.rsplit(".nodes.", 1)[0]
        return importlib.import_module(f"{package}.{name}")

    def config(self, values: Mapping[str, Any]) -> Any:
        """The pack's RestoreConfig for this model with values by path. Raises UnavailableError where one does not
        fit."""
        try:
            return self.pack("editedid_core.config").RestoreConfig().changed(
                {"crop.size": self.crop_size, **HERE, **values})
        except ValueError as reason:
            raise UnavailableError(str(reason)) from reason

    def restore(self, originals: list[Array], edited: Array, values: Mapping[str, Any], analyzer: Any = None,
                model: Any = None) -> tuple[Array, dict[str, Any]]:
        """The pack's runner with its defaults but for ``values``; the picture and its report.

        ``originals``: photos of one size. ``analyzer``, ``model``: the lab's where None.
        """
        with torch.inference_mode():
            photos, picture = torch.from_numpy(np.stack(originals)), torch.from_numpy(np.ascontiguousarray(edited))
            done, _ = self.pack("nodes.run").run_restoration(
                self.config(values), photos, picture[None], model or self.model, self.vae, analyzer or self.analyzer,
                self.prompt)
        return done.image[0].float().numpy(), done.report()

    @cached_property
    def model_in_half(self) -> Any:
        """The model in bfloat16, counted as the other one is."""
        folders, sd = importlib.import_module("folder_paths"), importlib.import_module("comfy.sd")
        file = folders.get_full_path_or_raise("checkpoints", self.file)
        model = sd.load_checkpoint_guess_config(file, output_vae=False, output_clip=False,
                                                model_options={"dtype": torch.bfloat16})[0]
        model.model.diffusion_model.register_forward_pre_hook(self.count)
        return model

    def saved_file(self, name: str) -> Path:
        """A file that a node saved in the host's output folder."""
        return Path(importlib.import_module("folder_paths").get_output_directory()) / name

    @cached_property
    def analyzer(self) -> Any:
        """The lab's face pack, opened when it is first needed."""
        from editedid_core.faces.analyzers.insightface_backend import InsightFaceAnalyzer

        return InsightFaceAnalyzer("lab", self.models / "insightface" / "lab")


def _stitched(case: Case, crop: Array, frame: NDArray[np.float64]) -> Array:
    """The crop laid back through the face's mask; outside it not a bit changes."""
    height, width = case.edited.shape[:2]
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    layer = cv2.warpAffine(crop, inverse_affine(frame), (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    mask = face_mask(case.edited_points, case.edited.shape)[..., None]
    return np.where(mask > 0, case.edited + mask * (np.clip(layer, 0, 1) - case.edited), case.edited).astype(np.float32)
