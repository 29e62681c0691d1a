"""Source features kept from the inversion for the way down (METHOD.md §3, replay)."""

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

    def bytes(self) -> int:
        return sum(t.numel() * t.element_size() for t in (self.outputs, self.keys, self.values) if t is not None)


@dataclass(eq=False)
class FeatureRecord:
    """Features of one run by (step, layer), within `budget` bytes; it lives and dies with the run.

    Once the budget is passed nothing more is kept and `overflowed` is set: the run then evaluates its
    sources again beside the target.
    """

    budget: int
    used: int = 0
    overflowed: bool = False
    kept: dict[tuple[int, Layer], SourceFeatures] = field(default_factory=dict)

    def put(self, step: int, layer: Layer, features: SourceFeatures) -> None:
        if self.overflowed:
            return
        self.used += features.bytes()
        if self.used > self.budget:
            self.overflowed = True
            self.kept.clear()
            return
        self.kept[step, layer] = features

    def get(self, step: int, layer: Layer) -> SourceFeatures | None:
        return self.kept.get((step, layer))
