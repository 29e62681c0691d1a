"""What the two attention nodes configure, and the same resolved for one model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from .blocks import Available, BlockChoice, Layer, detail_blocks, parse_blocks, structure_blocks

Donor = Literal["original", "edited"]


@dataclass(frozen=True)
class Disentangle:
    """Which source keys a query may see (METHOD §5).

    With `strength` 1, face queries never see the edit's element keys and element queries never see the
    original's; between 0 and 1 the result is blended with the undivided one. `start`, `end`: window as
    share of the denoising run, 0 at pure noise, 1 at the clean picture.
    """

    strength: float = 1.0
    start: float = 0.0
    end: float = 1.0


@dataclass(frozen=True)
class Entangle:
    """Structure and detail gates of the original into the target (METHOD §5).

    `structure`, `detail` in [0, 1]: strengths; `donor`: whose attention outputs fill the face in the
    structure gate (the original brings its shape and its light, the edit keeps its own light); windows as
    in `Disentangle`; `blocks`: lists for the two gates, see `parse_blocks`; `agreement` in [-1, 1]: cosine
    of target and donor outputs at which a gate is half open, None for always open; `sharpness` of it;
    `overlap` in [0, 1], the paper's run only: weight a of the face where its hard mask and the elements' overlap,
    b = 1 - a goes to the elements; `pose`: pose distance in eye distances at which the face's share in both gates is
    halved, None for the same share in any pose.
    """

    structure: float = 0.5
    detail: float = 1.0
    donor: Donor = "edited"
    structure_window: tuple[float, float] = (0.0, 0.5)
    detail_window: tuple[float, float] = (0.2, 1.0)
    structure_blocks: str = "auto"
    detail_blocks: str = "auto"
    agreement: float | None = 0.0
    sharpness: float = 10.0
    overlap: float = 0.5
    pose: float | None = None

    def face_share(self, pose_distance: float) -> float:
        """1 / (1 + (d / pose)^2), the face's share in the gates at a pose distance d >= 0 (**ours**)."""
        return 1.0 if self.pose is None else 1.0 / (1.0 + (pose_distance / self.pose) ** 2)


@dataclass(frozen=True)
class Gate:
    """One gate resolved for a model: strength, sigmas (high, low) between which it acts, and its blocks."""

    strength: float
    sigma_high: float
    sigma_low: float
    blocks: BlockChoice

    def at(self, layer: Layer, sigma: float) -> bool:
        """Whether the gate acts on this layer at this sigma."""
        return self.strength > 0 and self.sigma_low <= sigma <= self.sigma_high and layer in self.blocks


@dataclass(frozen=True)
class Plan:
    """The gates of one run. `divide`: the disentangle strength over its own window, as a gate on all blocks."""

    structure: Gate
    detail: Gate
    divide: Gate
    donor: Donor
    agreement: float | None
    sharpness: float

    def wants(self, layer: Layer, sigma: float) -> bool:
        """Whether any gate needs source features of this layer at this sigma."""
        return self.structure.at(layer, sigma) or self.detail.at(layer, sigma)


def make_plan(entangle: Entangle, disentangle: Disentangle, available: Available,
              percent_to_sigma: Callable[[float], float]) -> Plan:
    """Resolve windows and block lists for one model; raises ValueError for blocks it does not have."""
    everywhere = BlockChoice(frozenset((p, b) for p, numbers in available.items() for b in numbers))

    def gate(strength: float, window: tuple[float, float], blocks: BlockChoice) -> Gate:
        # percent 0 is "before anything": the host answers with a huge sigma, which is what is meant
        return Gate(strength, float(percent_to_sigma(window[0])), float(percent_to_sigma(window[1])), blocks)

    structure = parse_blocks(entangle.structure_blocks, available, structure_blocks(available), "structure_blocks")
    detail = parse_blocks(entangle.detail_blocks, available, detail_blocks(available), "detail_blocks")
    return Plan(
        gate(entangle.structure, entangle.structure_window, structure),
        gate(entangle.detail, entangle.detail_window, detail),
        gate(disentangle.strength, (disentangle.start, disentangle.end), everywhere),
        entangle.donor, entangle.agreement, entangle.sharpness,
    )
