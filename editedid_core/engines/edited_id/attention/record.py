"""Source features kept from the inversion for the way down (METHOD §3, replay)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from .blocks import Layer
from .offload import MainMemory, main_memory

FeatureKey = tuple[int, Layer, bool]
"""Step of the noise grid, layer, and whether outputs are those after the output projection."""
HALF_MAX = float(torch.finfo(torch.float16).max)


@dataclass(frozen=True, eq=False)
class SourceFeatures:
    """Attention of the two sources in one layer, cut to the tokens that a gate reads there.

    Outputs: `original_face`, `edited_face`, `edited_element`; keys and values: `face_keys`, `face_values` of the
    original, `element_keys`, `element_values` of the edited picture. Each (1, ...) as the model passes it, or None
    where no gate needs it.
    """

    original_face: Tensor | None = None
    edited_face: Tensor | None = None
    edited_element: Tensor | None = None
    face_keys: Tensor | None = None
    face_values: Tensor | None = None
    element_keys: Tensor | None = None
    element_values: Tensor | None = None

    def tensors(self) -> list[Tensor]:
        """Those that are there."""
        return [t for t in self._all() if t is not None]

    def each(self, change: Callable[[Tensor], Tensor]) -> SourceFeatures:
        """The same features with every tensor changed."""
        return SourceFeatures(*(t if t is None else change(t) for t in self._all()))

    def _all(self) -> tuple[Tensor | None, ...]:
        return (self.original_face, self.edited_face, self.edited_element, self.face_keys, self.face_values,
                self.element_keys, self.element_values)

    def bytes(self) -> int:
        """Memory of the tensors."""
        return sum(t.numel() * t.element_size() for t in self.tensors())


def in_half_precision(t: Tensor) -> Tensor:
    """fp32 as fp16, the two bytes that a feature is worth; narrower types as they are."""
    return t.clamp(-HALF_MAX, HALF_MAX).half() if t.dtype in (torch.float32, torch.float64) else t


@dataclass(eq=False)
class FeatureRecord:
    """Features of one run by step and layer; it lives and dies with the run.

    Up to `budget` bytes stay on the model's device, the next `host_budget` bytes go to main memory and are brought
    back ahead of their use. Past both nothing is kept and `overflowed` is set: the run then evaluates its sources
    again beside the target.
    """

    budget: int = 0
    host_budget: int = 0
    used: int = 0
    host_used: int = 0
    overflowed: bool = False
    _on_device: dict[FeatureKey, SourceFeatures] = field(default_factory=dict)
    _in_main_memory: MainMemory[FeatureKey, SourceFeatures] | None = None

    def put(self, step: int, layer: Layer, features: SourceFeatures, projected: bool = False) -> None:
        """Keep the features where there is room for them; of a layer met again at a step the last are kept."""
        if self.overflowed:
            return
        key, size = (step, layer, projected), features.bytes()
        known = key in self  # of the same size: the same tokens in the same layer
        if key in self._on_device or (not known and self.used + size <= self.budget):
            self.used += 0 if known else size
            self._on_device[key] = features
        elif known or (size and self.host_used + size <= self.host_budget):
            self.host_used += 0 if known else size
            if self._in_main_memory is None:
                self._in_main_memory = main_memory(features.tensors()[0].device)
            self._in_main_memory.put(key, features)
        else:
            self.clear()
            self.overflowed = True

    def get(self, step: int, layer: Layer, projected: bool = False) -> SourceFeatures | None:
        """The features of a layer at a step on the model's device, or None where none were kept."""
        key = (step, layer, projected)
        if key in self._on_device:
            return self._on_device[key]
        return self._in_main_memory.get(key) if self._in_main_memory is not None else None

    def __contains__(self, key: object) -> bool:
        return key in self._on_device or (self._in_main_memory is not None and key in self._in_main_memory)

    def clear(self) -> None:
        """Let go of all features."""
        self._on_device.clear()
        self._in_main_memory = None
        self.used = self.host_used = 0
