"""Meshes of things worn: grids of points and tubes, hidden where not worn."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

KINDS = ("eye", "frame", "lens", "hat", "scarf", "collar", "earring")


@dataclass(frozen=True, eq=False)
class Prop:
    """points (n, P, 3) in the world, tris (T, 3), kind index into KINDS, uv (P, 2) for patterns."""

    points: torch.Tensor
    tris: np.ndarray
    kind: int
    uv: torch.Tensor


def grid(rows: int, columns: int, closed: bool = True) -> np.ndarray:
    """Triangles (T, 3) of a grid of points, columns closed to a ring or not."""
    i = np.arange(rows - 1)[:, None] * columns
    j = np.arange(columns if closed else columns - 1)[None]
    k = (j + 1) % columns
    quad = np.stack([i + j, i + k, i + columns + k, i + columns + j], -1).reshape(-1, 4)
    return np.concatenate([quad[:, [0, 1, 2]], quad[:, [0, 2, 3]]]).astype(np.int32)


def tube(path: torch.Tensor, radius: torch.Tensor, sides: int, closed: bool) -> tuple[torch.Tensor, np.ndarray]:
    """Tubes around paths (n, K, 3) of radius (n,) or (n, K): points (n, K * sides, 3) and triangles."""
    if closed:
        tangent = path.roll(-1, 1) - path.roll(1, 1)
    else:
        tangent = torch.cat([path[:, 1:2] - path[:, :1], path[:, 2:] - path[:, :-2], path[:, -1:] - path[:, -2:-1]], 1)
    tangent = torch.nn.functional.normalize(tangent, dim=-1)
    helper = torch.tensor([0.31, 0.2, 0.93], device=path.device).expand_as(tangent)
    a = torch.nn.functional.normalize(torch.linalg.cross(tangent, helper), dim=-1)
    b = torch.linalg.cross(tangent, a)
    angle = torch.arange(sides, device=path.device) * (2 * math.pi / sides)
    ring = torch.cos(angle)[:, None] * a[:, :, None] + torch.sin(angle)[:, None] * b[:, :, None]
    size = radius[:, None] if radius.dim() == 1 else radius
    points = path[:, :, None] + size[..., None, None] * ring
    tris = grid(path.shape[1], sides)
    if closed:
        last = (path.shape[1] - 1) * sides
        j = np.arange(sides)
        k = (j + 1) % sides
        tris = np.concatenate([tris, np.stack([last + j, last + k, k], 1), np.stack([last + j, k, j], 1)])
    return points.reshape(len(path), -1, 3), tris.astype(np.int32)


def hidden(prop: Prop, worn: torch.Tensor) -> Prop:
    """The prop where worn (n,) is above one half, far behind the camera elsewhere."""
    keep = (worn > 0.5)[:, None, None]
    return Prop(torch.where(keep, prop.points, torch.full_like(prop.points, 1e6)), prop.tris, prop.kind, prop.uv)
