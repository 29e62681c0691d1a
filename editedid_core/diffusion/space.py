"""One noise space for eps, v and flow models (METHOD §2)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

FLOW_SIGMA_CEILING = 0.98
"""Rectified flow has rho = inf at sigma 1; trajectories start no higher than this."""


@dataclass(frozen=True)
class NoiseSpace:
    """Maps a model's own (x, sigma) to (y, rho), in which every family obeys dy/drho = noise estimate.

    `flow` False: x = x0 + sigma * n (eps and v models in ComfyUI's sigma space), so y = x and rho = sigma.
    `flow` True: x = (1 - sigma) * x0 + sigma * n (rectified flow), so y = x / (1 - sigma),
    rho = sigma / (1 - sigma).
    """

    flow: bool

    def rho(self, sigma: float) -> float:
        """Noise-to-signal ratio of a sigma; flow sigmas must be below 1."""
        if not self.flow:
            return sigma
        if not 0.0 <= sigma < 1.0:
            raise ValueError(f"A flow sigma must lie in [0, 1), got {sigma}.")
        return sigma / (1.0 - sigma)

    def sigma(self, rho: float) -> float:
        """Inverse of `rho`."""
        return rho / (1.0 + rho) if self.flow else rho

    def to_model(self, y: Tensor, rho: float) -> Tensor:
        """The model's input x for the state y, any shape."""
        return y / (1.0 + rho) if self.flow else y
