"""Shadows of the key light, through hair and around soft edges, and the dimness of crowded places."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from .backdrop import blur
from .light import Lights
from .mesh import LENS, Mesh, basis
from .native import Raster
from .strands import Strands

SIDE, SPAN = 512, 5.0
"""Side of a shadow map in samples and in decimetres."""
SCALE = SIDE / SPAN
TAPS = 10


@dataclass(frozen=True, eq=False)
class ShadowMap:
    """maps (n, SIDE, SIDE): depth from the key light. axes (n, 2, 3). centre (3,)."""

    maps: torch.Tensor
    axes: torch.Tensor
    centre: torch.Tensor

    @staticmethod
    def of(mesh: Mesh, strands: Strands, lights: Lights) -> ShadowMap:
        """Draws the scene from the key light: every other strand, twice as wide."""
        axes, n = basis(lights.key), len(lights.key)
        centre = torch.tensor([0.0, 6.9, 0.5], device=axes.device)

        def project(points: torch.Tensor) -> torch.Tensor:
            flat = points.reshape(n, -1, 3) - centre
            depth = 20 - (flat * lights.key[:, None]).sum(-1, keepdim=True)
            depth = torch.where(flat.abs().amax(-1, keepdim=True) > 100, torch.zeros_like(depth), depth)
            return torch.cat([flat @ axes.transpose(1, 2) * SCALE + SIDE / 2, depth], -1).reshape(points.shape)

        raster = Raster(n, SIDE, SIDE, axes.device)
        raster.triangles(project(mesh.points), mesh.tris[mesh.part != LENS].contiguous())
        raster.strands(project(strands.points[:, ::2]), strands.width[:, ::2] * (2 * SCALE))
        return ShadowMap(raster.depth(), axes, centre)

    def lit(self, points: torch.Tensor, index: torch.Tensor, lights: Lights, hair: torch.Tensor) -> torch.Tensor:
        """Share of the key light (N, 1) at points (N, 3) of pictures index (N,).

        Light that passes hair fades with the depth of hair for hair (N,), and is cut off for surfaces.
        """
        local = points - self.centre
        x = (local * self.axes[index, 0]).sum(-1) * SCALE + SIDE / 2
        y = (local * self.axes[index, 1]).sum(-1) * SCALE + SIDE / 2
        depth = 20 - (local * lights.key[index]).sum(-1)
        radius = 1.2 + 13.0 * lights.size[index]
        turn = (x * 12.9898 + y * 78.233).sin() * 43758.5453 % 6.2832
        total = torch.zeros_like(x)
        for k in range(TAPS):
            reach = radius * math.sqrt((k + 0.5) / TAPS)
            angle = turn + 2.399963 * k
            i = (y + reach * torch.sin(angle)).long().clamp(0, SIDE - 1)
            j = (x + reach * torch.cos(angle)).long().clamp(0, SIDE - 1)
            gap = depth - self.maps[index, i, j]
            hard = (gap < 0.05 + 0.010 * reach).float()
            soft = torch.exp(-(gap - 0.03).clamp(min=0) / 0.16)
            total = total + torch.where(hair, soft, hard)
        return (total / TAPS)[:, None]


def crowding(depth: torch.Tensor, samples: int, size: int) -> torch.Tensor:
    """Share of open sky (n, H, W) by what stands in front nearby: depth against blurred depth (Luft et al., 2006)."""
    coarse = depth[:, ::samples, ::samples]
    empty = torch.isinf(coarse)
    far = torch.where(empty, torch.zeros_like(coarse), coarse)
    back = far + empty.float() * (far.amax((1, 2), keepdim=True) + 0.6)
    out = torch.ones_like(coarse)
    for share, strength in ((0.02, 0.9), (0.06, 0.8)):
        wide = blur(back[:, None], max(0.6, share * size))[:, 0]
        out = out * (1 - strength * ((back - wide - 0.01) / 0.45).clamp(0, 0.75))
    return torch.nn.functional.interpolate(out[:, None], scale_factor=samples, mode="bilinear", align_corners=False)[
        :, 0
    ]
