"""The solver family: Euler/DDIM and DPM-Solver++(2M) as one step with a scheduled history (METHOD §2)."""

from __future__ import annotations

import math

from torch import Tensor


def extrapolate(value: Tensor, previous: Tensor | None, order: float, h: float, h_last: float) -> Tensor:
    """The 2M estimate D + order / (2 r) * (D - D_prev) with r = h_last / h (DPM-Solver++, eq. of 2M).

    `previous` None or `order` 0 gives the first-order estimate. Any shape.
    """
    if previous is None or order == 0.0:
        return value
    return value + order * h / (2.0 * h_last) * (value - previous)


def log_step(rho: float, rho_next: float) -> float:
    """h = lambda_next - lambda, positive when denoising, negative when inverting."""
    return math.log(rho / rho_next)


def step(y: Tensor, denoised: Tensor, rho: float, rho_next: float) -> Tensor:
    """One Euler/DDIM step y' = y + (rho' - rho) * (y - D) / rho, up or down."""
    return y + (rho_next - rho) / rho * (y - denoised)
