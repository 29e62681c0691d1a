"""One noise space for eps, v and flow models (METHOD §2)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

FLOW_SIGMA_CEILING = 0.98
"""Rectified flow has rho = inf at sigma 1; runs start no higher than this, which is rho = 49."""

RHO_CEILING = 20.0
"""Runs of eps and v models start no higher. Stable Diffusion ends at 14.6; a schedule with zero terminal
signal-to-noise ratio ends at 4500, where a share of lambda would mean next to nothing."""


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

    def highest_rho(self, sigma_max: float) -> float:
        """The rho of a model's highest sigma, no higher than the ceiling of its kind."""
        return self.rho(min(sigma_max, FLOW_SIGMA_CEILING)) if self.flow else min(sigma_max, RHO_CEILING)

    def to_model(self, y: Tensor, rho: float) -> Tensor:
        """The model's input x for the state y, any shape."""
        return y / (1.0 + rho) if self.flow else y
