"""What the knobs are turned on: pictures, faces, crops and models, and the rest of the graph that shows an effect."""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .. import toys
from ..checkpoints import of_the_lab
from ..demo_pictures import DEMO_SEED, default_triple
from ..inprocess import Host
from ..portraits import group_picture, make_triple, triple_split
from ..portraits.triples import Triple
from .conditions import Condition, make, more_photos
from .diffusion import DiffusionMethods
from .null_text import open_text_layers

LEFT_OUT: Any = type("LeftOut", (), {"__repr__": lambda self: "left out"})()
"""The value of an optional socket to which nothing is connected."""

Seen = Sequence[Tensor | str]
"""What is looked at of a node's outputs: pictures in [0, 1], texts and figures as text."""
Look = Callable[[Sequence[Any]], Seen]

OF_THE_SAME_LATENT = {"unet": "sd15", "dit": "sd3"}
"""By family, the toy that takes its latents: another model for a model socket."""


@dataclass(frozen=True)
class Trial:
    """How one input is tried. values: in place of points of its range. given: other inputs under which it has a
    meaning. look: in place of the node's own. may_fail: a ValueError is an outcome like another."""

    values: tuple[Any, ...] | None = None
    given: Mapping[str, Any] = field(default_factory=dict)
    look: Look | None = None
    may_fail: bool = False


@dataclass(frozen=True)
class Subject:
    """One node. sockets: what is connected (and widgets that have to differ from the shipped default, such as a crop
    of the lab model's own size). look: what is seen of its outputs. trials: inputs that need more than their range."""

    sockets: Mapping[str, Any]
    look: Look
    trials: Mapping[str, Trial]


def defaults(node: Any) -> dict[str, Any]:
    """The shipped values of a node's widgets."""
    return {entry.id: entry.default for entry in node.define_schema().inputs
            if getattr(entry, "default", None) is not None}


def picture(image: NDArray[np.float32]) -> Tensor:
    """(H, W, 3) as a batch of one."""
    return torch.from_numpy(np.ascontiguousarray(image, dtype=np.float32))[None]


@dataclass(eq=False)
class World:
    """Everything is made when it is first asked for, and once."""

    methods: DiffusionMethods
    family: str
    models: Path
    run: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def open(cls, family: str, models: Path, host: Host | None = None, crop: int | None = None,
             steps: int | None = None) -> World:
        """`crop`, `steps`: side of the crops and steps of a run, to be quick; the family's own and the default where
        None."""
        own = of_the_lab(family)
        checkpoint = own if crop is None else replace(own, crop=crop)
        return cls(DiffusionMethods(family, models, host, checkpoint), family, models,
                   {} if steps is None else {"steps": steps})

    def call(self, kind: str, **inputs: Any) -> Sequence[Any]:
        """A node's outputs at its defaults but for `inputs`."""
        node = self.methods.host.node(f"EditedID{kind}")
        with torch.inference_mode():
            outputs: Sequence[Any] = node.execute(**{**defaults(node), **inputs}).result
        return outputs

    @cached_property
    def unet(self) -> World:
        """The world of the lab's UNet, with as many steps."""
        if self.family == "unet":
            return self
        return replace(World.open("unet", self.models, self.methods.host, self.methods.crop_size), run=self.run)

    # pictures

    @cached_property
    def triple(self) -> Triple:
        return default_triple()

    @cached_property
    def original(self) -> Tensor:
        return picture(self.triple.original.image)

    @cached_property
    def edited(self) -> Tensor:
        return picture(self.triple.drifted.image)

    @cached_property
    def stranger(self) -> Tensor:
        """A photo of somebody else, of the same size."""
        return picture(make_triple(DEMO_SEED + 1).original.image)

    @cached_property
    def dark(self) -> Tensor:
        """The edit with less light: the same faces at the same places."""
        return 0.6 * self.edited

    @cached_property
    def blank(self) -> Tensor:
        return torch.full_like(self.edited, 0.5)

    @cached_property
    def group(self) -> Tensor:
        """Three people."""
        return picture(group_picture(DEMO_SEED + 1, 3, drift="medium").edited.image)

    @cached_property
    def toned(self) -> tuple[Tensor, Tensor]:
        """A photo, and its edit in which the skin came out in another tone under the same light."""
        triple = make_triple(triple_split("tune", 46)[45], kind="background")
        return picture(triple.original.image), picture(triple.drifted.image)

    @cached_property
    def photos(self) -> tuple[Tensor, Tensor]:
        """Four photos of a person in different poses (4, H, W, 3), and an edit."""
        condition = Condition(photos=4)
        triple = make(DEMO_SEED + 10, condition)  # the likest photo is not the one in the nearest pose
        shown = [triple.original, *more_photos(DEMO_SEED + 10, condition)]
        return torch.cat([picture(photo.image) for photo in shown]), picture(triple.drifted.image)

    @cached_property
    def turned(self) -> tuple[Tensor, Tensor]:
        """A photo and an edit whose heads are turned apart."""
        triple = make(DEMO_SEED + 5, Condition(yaw=30.0))
        return picture(triple.original.image), picture(triple.drifted.image)

    @cached_property
    def nearly_right(self) -> tuple[Tensor, Tensor]:
        """A photo and an edit that drifted little."""
        triple = make_triple(DEMO_SEED, drift="small")
        return picture(triple.original.image), picture(triple.drifted.image)

    @cached_property
    def half_covered(self) -> Tensor:
        """(1, H, W) mask over the right half of the edit's face."""
        mask = torch.zeros(self.edited.shape[:3])
        mask[:, :, int(self.triple.drifted.landmarks[2][0]):] = 1
        return mask

    # faces

    @cached_property
    def analyzer(self) -> Any:
        return self.call("LoadFaceAnalyzer", backend="insightface", pack="lab", detection_size=320)[0]

    @cached_property
    def other_analyzer(self) -> Any:
        return self.call("LoadFaceAnalyzer", backend="dlib")[0]

    def faces(self, image: Tensor) -> Any:
        return self.call("DetectFaces", image=image, analyzer=self.analyzer, no_face="pass through")[0]

    def pairs(self, original: Tensor, edited: Tensor) -> Any:
        return self.call("MatchFaces", original=self.faces(original), edited=self.faces(edited),
                         min_similarity=-1.0)[0]

    @cached_property
    def own_pairs(self) -> Any:
        return self.pairs(self.original, self.edited)

    @cached_property
    def strange_pairs(self) -> Any:
        return self.pairs(self.stranger, self.edited)

    # crops

    def crop(self, original: Tensor, edited: Tensor, pairs: Any, **changes: Any) -> Sequence[Any]:
        """Original, edited, face mask, element mask and paste record."""
        return self.call("CropFacePairs", original_image=original, edited_image=edited, pairs=pairs,
                         **{"size": self.methods.crop_size, **changes})

    @cached_property
    def crops(self) -> Sequence[Any]:
        return self.crop(self.original, self.edited, self.own_pairs)

    @cached_property
    def strange_crops(self) -> Sequence[Any]:
        return self.crop(self.stranger, self.edited, self.strange_pairs)

    @cached_property
    def latents(self) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Of the original's and the edit's crop."""
        original, edited = ({"samples": self.encode(crop)} for crop in self.crops[:2])
        return original, edited

    @cached_property
    def crop_cover(self) -> Tensor:
        """(1, S, S) an element mask over the right half of the crop, which meets the face mask."""
        mask = torch.zeros_like(self.crops[2])
        mask[..., mask.shape[-1] // 2:] = 1
        return mask

    def encode(self, crop: Tensor) -> Tensor:
        with torch.inference_mode():
            return self.methods.vae.encode(crop)

    def decode(self, latent: Tensor) -> Tensor:
        with torch.inference_mode():
            return self.methods.vae.decode(latent)[..., :3].clamp(0, 1)

    # models

    @property
    def model(self) -> Any:
        return self.methods.model

    @cached_property
    def gated(self) -> Any:
        return self.gates(self.model)

    def gates(self, model: Any) -> Any:
        """A model through both attention nodes at their defaults."""
        return self.call("Entanglement", model=self.call("AttentionDisentangle", model=model)[0])[0]

    @cached_property
    def other_model(self) -> Any:
        return toys.make(toys.TOYS[OF_THE_SAME_LATENT[self.family]])

    @cached_property
    def other_vae(self) -> Any:
        """The family's VAE with its weights a little off."""
        vae = self.methods.host.node("CheckpointLoaderSimple")().load_checkpoint(self.methods.file)[2]
        with torch.inference_mode():
            for weights in vae.first_stage_model.parameters():
                weights.mul_(0.97)
        return vae

    @cached_property
    def listening(self) -> Any:
        """The lab's model, which ignores its text, with random weights where text comes in: what guidance and prompts
        act on. Without a text it answers as before."""
        model = self.methods.host.node("CheckpointLoaderSimple")().load_checkpoint(self.methods.file)[0]
        with torch.inference_mode():
            open_text_layers(model, sharpness=8.0)
        return model

    @cached_property
    def listening_gated(self) -> Any:
        return self.gates(self.listening)

    def text(self, seed: int) -> list[Any]:
        """A prompt of random vectors for `listening`."""
        profile = self.methods.pack("editedid_core.comfy.model_profile")
        (zeros, extra), = profile.empty_conditioning(self.listening)
        tokens = torch.randn(1, 7, zeros.shape[-1], generator=torch.Generator().manual_seed(seed))
        return [[tokens, extra]]

    def sampled(self, model: Any, **changes: Any) -> Tensor:
        """What Adaptive Mixing Sampler and VAE Decode make of the crops with a model."""
        original, edited = self.latents
        inputs = {"original_latent": original, "edited_latent": edited, "face_mask": self.crops[2],
                  "element_mask": self.crops[3], **self.run, **changes}
        return self.decode(self.call("AdaptiveMixingSampler", model=model, **inputs)[0]["samples"])

    def sampler_inputs(self, original: Tensor, edited: Tensor) -> dict[str, Any]:
        """The sampler's inputs for another pair of pictures."""
        first, second, face, element, _ = self.crop(original, edited, self.pairs(original, edited))
        return {"original_latent": {"samples": self.encode(first)}, "edited_latent": {"samples": self.encode(second)},
                "face_mask": face, "element_mask": element}
