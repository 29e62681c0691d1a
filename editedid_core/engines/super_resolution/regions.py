"""What the model may do in each of two regions of a crop: the face is held to its start, the surroundings are free but
for the small picture's colours (**ours**)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from .bands import low_band

_RIDGE = 1e-3


@dataclass(frozen=True, eq=False)
class ColourProbe:
    """A linear map from a latent cell to the mean colour of its pixels, and back. weight: (C, 3); bias: (3,); back:
    (3, C), the smallest change of a latent that changes the colour so."""

    weight: Tensor
    bias: Tensor
    back: Tensor

    @staticmethod
    def fitted(latents: Tensor, pictures: Tensor) -> ColourProbe:
        """The least-squares map from latents (N, C, h, w) to pictures (N, 3, S, S), whatever VAE made them."""
        pooled = F.adaptive_avg_pool2d(pictures, (latents.shape[-2], latents.shape[-1]))
        cells = pooled.movedim(1, -1).reshape(-1, 3).double()
        given = latents.movedim(1, -1).reshape(-1, latents.shape[1]).double()
        middle, bias = given.mean(0), cells.mean(0)
        off = given - middle
        ridge = _RIDGE * off.square().mean() * len(off) * torch.eye(off.shape[1], dtype=off.dtype, device=off.device)
        weight = torch.linalg.solve(off.T @ off + ridge, off.T @ (cells - bias))
        back = torch.linalg.pinv(weight)
        return ColourProbe(*(x.to(latents) for x in (weight, bias - middle @ weight, back)))

    def colours(self, latent: Tensor) -> Tensor:
        """(N, C, h, w) -> (N, 3, h, w)."""
        return torch.einsum("nchw,ck->nkhw", latent, self.weight) + self.bias[:, None, None]

    def change(self, colours: Tensor) -> Tensor:
        """A change of colours (N, 3, h, w) as a change of the latent (N, C, h, w)."""
        return torch.einsum("nkhw,kc->nchw", colours, self.back)


@dataclass(frozen=True, eq=False)
class TwoRegions:
    """start: (1, C, h, w), the clean latent that the run begins with. face: (1, 1, h, w) in [0, 1]. freedom: how far
    the model may leave the start in the face, 0 to 1. goal: (1, 3, h, w), colours of the small picture; cells: true
    pixels it holds a side. until: position up to which the surroundings are held to it. redraw: whether they are free
    at all."""

    start: Tensor
    face: Tensor
    freedom: float
    probe: ColourProbe
    goal: Tensor
    cells: float
    until: float
    redraw: bool

    def hold(self, denoised: Tensor, position: float) -> Tensor:
        """The model's estimate (1, C, h, w) of the clean latent at a position of the run, as it may be."""
        outside = denoised if self.redraw else self.start
        if self.redraw and position <= self.until:
            outside = denoised + self.probe.change(low_band(self.goal - self.probe.colours(denoised), self.cells))
        inside = torch.lerp(self.start, denoised, self.freedom)
        return torch.lerp(outside, inside, self.face.expand_as(inside))
