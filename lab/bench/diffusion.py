"""The methods that need a diffusion model: latent paste and image-to-image by stock nodes, and the pack's own node."""
from __future__ import annotations

import importlib
import json
from dataclasses import dataclass, field
from pathlib import Path
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

STEPS = 20
"""Steps of a whole denoising run; image-to-image runs its strength's share of them."""


@dataclass(frozen=True)
class Ours:
    """One way to call Restore Identity: inputs that differ from what the node does out of the box."""

    inputs: dict[str, Any] = field(default_factory=dict)


DIFFUSION: dict[str, float | Ours | None] = {
    "latent_paste": None,
    "img2img_0.3": 0.3,
    "img2img_0.5": 0.5,
    "img2img_0.7": 0.7,
    "paper_6": Ours({"mode": "paper 6 steps", "face_shape": 0.0}),  # its shape is ours, not the paper's
    "paper_50": Ours({"mode": "paper 50 steps", "face_shape": 0.0}),
    "replay": Ours({"mode": "replay"}),
    "lockstep": Ours({"mode": "lock-step"}),
    "default": Ours(),
}
"""Latent paste, image-to-image by strength, and the settings of Restore Identity by name."""


class DiffusionMethods:
    """A host in this process with one of the lab's checkpoints; counts the model's sample-evaluations."""

    def __init__(self, family: str, models: Path, host: Host | None = None,
                 checkpoint: Checkpoint | None = None) -> None:
        checkpoint = checkpoint or of_the_lab(family)
        self.evaluations = 0
        self.crop_size = checkpoint.crop
        self.host = Host.start() if host is None else host
        self.file = checkpoint.file
        self.model, _, self.vae = self.host.node("CheckpointLoaderSimple")().load_checkpoint(self.file)
        self.model.model.diffusion_model.register_forward_pre_hook(self.count)
        self.models = models
        self._analyzer: Any = None

    def count(self, module: Any, arguments: tuple[Any, ...]) -> None:
        """Forward hook of the diffusion network."""
        self.evaluations += len(arguments[0])

    def run(self, name: str, case: Case) -> Array:
        """The method's picture for a case."""
        with torch.inference_mode():
            how = DIFFUSION[name]
            if isinstance(how, Ours):
                return self.restore([case.original], case.edited, how.inputs)[0]
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

        nothing = empty_conditioning(self.model)
        masked = self.host.node("SetLatentNoiseMask")().set_mask({"samples": latent}, mask[None])[0]
        sampler = self.host.node("KSampler")()
        steps = max(1, round(STEPS * strength))
        done = sampler.sample(
            self.model, seed % 2**32, steps, 1.0, "dpmpp_2m", "normal", nothing, nothing, masked, strength
        )
        return done[0]["samples"]

    def restore(self, originals: list[Array], edited: Array, inputs: dict[str, Any],
                analyzer: Any = None) -> tuple[Array, dict[str, Any]]:
        """Restore Identity with its own defaults but for ``inputs``; the picture and the node's report.

        ``originals``: photos of one size. ``analyzer``: the lab's pack where None.
        """
        with torch.inference_mode():
            entries = self.restore_node.define_schema().inputs
            values = {entry.id: entry.default for entry in entries if getattr(entry, "default", None) is not None}
            values |= {"crop_size": self.crop_size, "no_face": "pass through", "min_similarity": -1.0} | inputs
            photos, picture = torch.from_numpy(np.stack(originals)), torch.from_numpy(np.ascontiguousarray(edited))
            output = self.restore_node.execute(model=self.model, vae=self.vae, original=photos, edited=picture[None],
                                               analyzer=analyzer or self.analyzer, **values)
        return output.result[0][0].float().numpy(), json.loads(output.result[4])

    @property
    def restore_node(self) -> Any:
        """The class of the pack's node as the host loaded it."""
        return self.host.node("EditedIDRestoreIdentity")

    def saved_file(self, name: str) -> Path:
        """A file that a node saved in the host's output folder."""
        return Path(importlib.import_module("folder_paths").get_output_directory()) / name

    @property
    def analyzer(self) -> Any:
        """The lab's face pack, opened when it is first needed."""
        if self._analyzer is None:
            from editedid_core.faces.analyzers.insightface_backend import InsightFaceAnalyzer

            self._analyzer = InsightFaceAnalyzer("lab", self.models / "insightface" / "lab")
        return self._analyzer


def _stitched(case: Case, crop: Array, frame: NDArray[np.float64]) -> Array:
    """The crop laid back through the face's mask; outside it not a bit changes."""
    height, width = case.edited.shape[:2]
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    layer = cv2.warpAffine(crop, inverse_affine(frame), (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    mask = face_mask(case.edited_points, case.edited.shape)[..., None]
    return np.where(mask > 0, case.edited + mask * (np.clip(layer, 0, 1) - case.edited), case.edited).astype(np.float32)
