"""All surfaces of a chunk of pictures as one mesh, and what is fixed at the vertices of the head."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from .geometry import Body, Shape, normals
from .guides import beard_area
from .native import Raster
from .props import Prop
from .scenes import CLOTHES, Scenes
from .skin import smooth

PROP = 10
"""Part number of the first kind of prop; below it the parts of the head."""
LENS = PROP + 2
VIEWS, VIEW_SIDE, VIEW_SPAN = 48, 320, 6.4
"""Depth maps that tell how much sky a vertex sees: their number, side in samples and in decimetres."""


@dataclass(frozen=True, eq=False)
class Mesh:
    """points and normals (n, P, 3), tris (T, 3) int32, part (T,), uv (P, 2)."""

    points: torch.Tensor
    normals: torch.Tensor
    tris: torch.Tensor
    part: torch.Tensor
    uv: torch.Tensor


class Anatomy:
    """Values at the V vertices of the head: masks, where beards grow, necklines, share of open sky."""

    def __init__(self, body: Body) -> None:
        self.body, self.template = body, body.template
        self.masks = torch.as_tensor(body.head.masks, device=body.device)
        self.part = torch.as_tensor(body.head.part, device=body.device).int()
        place, lips = self.template.cpu().numpy(), body.head.masks[:, 0]
        self.beard = torch.as_tensor(beard_area(place, lips), device=body.device).float()
        self.neckline = necklines(self.template, body.turn)
        self.open = open_sky(body)

    def assemble(self, scenes: Scenes, shape: Shape, props: list[Prop]) -> Mesh:
        """Body with its cloth pushed out, and props."""
        body, kind = self.body, scenes.clothes.to(self.body.device)
        normal = normals(shape.posed, body.tris)
        line = self.neckline[kind]
        thick = torch.where(kind == CLOTHES.index("turtleneck"), 0.09, 0.06)[:, None]
        points = shape.posed + normal * (thick * smooth(line, -0.01, 0.06) + 0.05 * smooth(line, 0.05, 0.5))[..., None]
        parts, tris, number = [points], [body.tris], [self.part]
        uv = [torch.zeros(points.shape[1], 2, device=body.device)]
        offset = points.shape[1]
        for prop in props:
            parts.append(prop.points)
            tris.append(torch.as_tensor(prop.tris, device=body.device).int() + offset)
            number.append(torch.full((len(prop.tris),), PROP + prop.kind, dtype=torch.int32, device=body.device))
            uv.append(prop.uv)
            offset += prop.points.shape[1]
        every, all_tris = torch.cat(parts, 1), torch.cat(tris).contiguous()
        return Mesh(every, normals(every, all_tris), all_tris, torch.cat(number), torch.cat(uv))


def necklines(p: torch.Tensor, turn: torch.Tensor) -> torch.Tensor:
    """(C, V): above 0 there is cloth, for each kind of clothes, at template points (V, 3)."""
    x, y, z = p.unbind(1)
    base = torch.hypot(x / 0.74, (z - 0.22) / 0.72) + (6.05 - y) * 0.9
    deep = smooth(z, 0.3, 0.8)
    rows = {
        "crew": base - 1.16,
        "wide": base - 1.42 - 0.15 * deep,
        "v-neck": base - 1.12 - 1.0 * deep * (1 - x.abs() / 0.62).clamp(min=0),
        "turtleneck": torch.where(y > 5.7, 6.36 - y + 0.12 * deep, base - 0.2),
        "shirt": base - 0.98 - 0.75 * deep * (1 - x.abs() / 0.34).clamp(min=0),
    }
    head = (y > 6.5) | ((y > 5.95) & (z > 0.74)) | ((turn > 0.8) & (z > 0.4))
    return torch.stack([torch.where(head, torch.full_like(y, -1.0), rows[name]) for name in CLOTHES])


def basis(direction: torch.Tensor) -> torch.Tensor:
    """Two unit vectors (n, 2, 3) across each direction (n, 3)."""
    high, side = (torch.tensor(v, device=direction.device) for v in ((0.0, 1.0, 0.0), (1.0, 0.0, 0.0)))
    helper = torch.where(direction[:, 1:2].abs() < 0.9, high, side)
    first = torch.nn.functional.normalize(torch.linalg.cross(helper, direction), dim=-1)
    return torch.stack([first, torch.linalg.cross(direction, first)], 1)


def open_sky(body: Body) -> torch.Tensor:
    """(V,) share of the surroundings that each vertex of the template sees, by depth maps from many sides."""
    device = body.device
    k = torch.arange(VIEWS, device=device) + 0.5
    z, turn = 1 - 2 * k / VIEWS, k * 2.399963
    direction = torch.stack([(1 - z * z).sqrt() * torch.cos(turn), z, (1 - z * z).sqrt() * torch.sin(turn)], 1)
    p = body.template - torch.tensor([0.0, 6.7, 0.4], device=device)
    place = torch.einsum("vd,cbd->cvb", p, basis(direction)) * (VIEW_SIDE / VIEW_SPAN) + VIEW_SIDE / 2
    depth = (20 - p @ direction.T).T
    raster = Raster(VIEWS, VIEW_SIDE, VIEW_SIDE, device)
    raster.triangles(torch.cat([place, depth[..., None]], -1), body.tris)
    at = place.long().clamp(0, VIEW_SIDE - 1)
    seen = raster.depth()[torch.arange(VIEWS, device=device)[:, None], at[..., 1], at[..., 0]] > depth - 0.05
    weight = (normals(body.template[None], body.tris)[0] @ direction.T).clamp(min=0).T
    return (weight * seen).sum(0) / weight.sum(0).clamp(min=1e-6)
