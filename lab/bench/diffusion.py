"""The methods that need a diffusion model: latent paste and image-to-image by stock nodes, and the pack's own node."""
from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from editedid_core.faces.align import apply, crop_frame, invert

from ..inprocess import Host
from .rivals import Case, face_mask, relit

Array = NDArray[np.float32]

SIZE = 128
"""Side of the face crop the lab's models are made for."""

CHECKPOINTS = {"unet": "unet_lab.safetensors", "dit": "dit_lab.safetensors"}

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
    "paper_6": Ours({"mode": "paper", "steps": 6}),
    "paper_50": Ours({"mode": "paper", "steps": 50}),
    "replay": Ours({"mode": "replay"}),
    "lockstep": Ours({"mode": "lock-step"}),
    "default": Ours(),
}
"""Latent paste, image-to-image by strength, and the settings of Restore Identity by name."""


class DiffusionMethods:
    """A host in this process with one of the lab's checkpoints; counts the model's sample-evaluations."""

    def __init__(self, family: str, models: Path) -> None:
        self.evaluations = 0
        self._host = Host.start()
        self._model, _, self._vae = self._host.node("CheckpointLoaderSimple")().load_checkpoint(CHECKPOINTS[family])
        self._model.model.diffusion_model.register_forward_pre_hook(self._count)
        self._models = models
        self._analyzer: Any = None

    def _count(self, module: Any, arguments: tuple[Any, ...]) -> None:
        self.evaluations += len(arguments[0])

    def run(self, name: str, case: Case) -> Array:
        """The method's picture for a case."""
        with torch.inference_mode():
            how = DIFFUSION[name]
            if isinstance(how, Ours):
                return self._restore(case, how)
            return self._in_crop(case, how)

    def _in_crop(self, case: Case, strength: float | None) -> Array:
        """Latent paste (no strength) or image-to-image over the relit paste, in a face crop, cropped and stitched."""
        frame = crop_frame(case.edited_points, SIZE)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        edited, original = (
            np.asarray(cv2.warpAffine(picture, frame, (SIZE, SIZE), flags=flags, borderMode=cv2.BORDER_REPLICATE))
            for picture in (case.edited, relit(case))
        )
        points = apply(invert(frame), case.edited_points).astype(np.float32)
        mask = torch.from_numpy(face_mask(points, edited.shape))
        pasted = edited + mask[..., None].numpy() * (original - edited)
        if strength is None:
            first, second = self._encode(original), self._encode(edited)
            weight = functional.interpolate(mask[None, None], second.shape[-2:], mode="area")
            latent = second + weight * (first - second)
        else:
            latent = self._image_to_image(self._encode(pasted), mask, strength, case.seed)
        crop = self._vae.decode(latent)[0, ..., :3].float().numpy()
        return _stitched(case, crop, frame)

    def _encode(self, crop: NDArray[Any]) -> torch.Tensor:
        return self._vae.encode(torch.from_numpy(np.ascontiguousarray(crop))[None])

    def _image_to_image(self, latent: torch.Tensor, mask: torch.Tensor, strength: float, seed: int) -> torch.Tensor:
        from editedid_core.host.model_info import empty_conditioning

        nothing = empty_conditioning(self._model)
        masked = self._host.node("SetLatentNoiseMask")().set_mask({"samples": latent}, mask[None])[0]
        sampler = self._host.node("KSampler")()
        steps = max(1, round(STEPS * strength))
        done = sampler.sample(
            self._model, seed % 2**32, steps, 1.0, "dpmpp_2m", "normal", nothing, nothing, masked, strength
        )
        return done[0]["samples"]

    def _restore(self, case: Case, how: Ours) -> Array:
        """Restore Identity with its own defaults but for what ``how`` names."""
        node = self._host.node("EditedIDRestoreIdentity")
        entries = node.define_schema().inputs
        inputs = {entry.id: entry.default for entry in entries if getattr(entry, "default", None) is not None}
        inputs |= {"crop_size": SIZE, "no_face": "pass through", "min_similarity": -1.0} | how.inputs
        original, edited = (torch.from_numpy(np.ascontiguousarray(p))[None] for p in (case.original, case.edited))
        output = node.execute(
            model=self._model, vae=self._vae, original=original, edited=edited, analyzer=self._analyzer_of_pack(),
            **inputs,
        )
        return output.result[0][0].float().numpy()

    def _analyzer_of_pack(self) -> Any:
        if self._analyzer is None:
            from editedid_core.faces.analyzers.insightface_backend import InsightFaceAnalyzer

            self._analyzer = InsightFaceAnalyzer("lab", self._models / "insightface" / "lab")
        return self._analyzer


def _stitched(case: Case, crop: Array, frame: NDArray[np.float64]) -> Array:
    """The crop laid back through the face's mask; outside it not a bit changes."""
    height, width = case.edited.shape[:2]
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    layer = cv2.warpAffine(crop, invert(frame), (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    mask = face_mask(case.edited_points, case.edited.shape)[..., None]
    return np.where(mask > 0, case.edited + mask * (np.clip(layer, 0, 1) - case.edited), case.edited).astype(np.float32)
