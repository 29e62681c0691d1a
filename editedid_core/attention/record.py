"""Source features kept from the inversion for the way down (METHOD §3, replay)."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from .blocks import Layer


@dataclass(frozen=True, eq=False)
class SourceFeatures:
    """Attention of both sources in one layer, image tokens only, row 0 original, row 1 edited.

    `outputs`: (2, n, C) or heads first (2, H, n, D); `keys`, `values`: as the model passes them, with the
    token axis narrowed to the n image tokens. Each is None when no gate needs it.
    """

    outputs: Tensor | None
    keys: Tensor | None
    values: Tensor | None

    def in_main_memory(self) -> SourceFeatures:
        """The same on the CPU."""
        return SourceFeatures(*(t if t is None else t.cpu() for t in (self.outputs, self.keys, self.values)))

    def bytes(self) -> int:
        """Memory of the tensors."""
        return sum(t.numel() * t.element_size() for t in (self.outputs, self.keys, self.values) if t is not None)


@dataclass(eq=False)
class FeatureRecord:
    """Features of one run by (step, layer); it lives and dies with the run.

    Up to `budget` bytes stay on the model's device, the next `host_budget` bytes go to main memory. Past
    both nothing is kept and `overflowed` is set: the run then evaluates its sources again beside the target.
    """

    budget: int
    host_budget: int = 0
    used: int = 0
    host_used: int = 0
    overflowed: bool = False
    kept: dict[tuple[int, Layer], SourceFeatures] = field(default_factory=dict)

    def put(self, step: int, layer: Layer, features: SourceFeatures) -> None:
        """Keep the features where there is room for them."""
        size = features.bytes()
        if self.overflowed:
            return
        if self.used + size <= self.budget:
            self.used += size
            self.kept[step, layer] = features
        elif self.host_used + size <= self.host_budget:
            self.host_used += size
            self.kept[step, layer] = features.in_main_memory()
        else:
            self.overflowed = True
            self.kept.clear()

    def get(self, step: int, layer: Layer) -> SourceFeatures | None:
        """The features of a layer at a step, or None where none were kept."""
        return self.kept.get((step, layer))
