"""Beanies, caps and fedoras on a dome around the head."""

from __future__ import annotations

import math

import torch

from .geometry import Body, Shape
from .meshes import Prop, grid, hidden
from .scenes import Scenes


class Hats:
    """For each direction of a dome, the head's farthest vertex near it."""

    def __init__(self, body: Body) -> None:
        self.body, self.device = body, body.device
        template = self.body.template
        self.crown = torch.tensor([0.0, 7.55, 0.45], device=self.device)
        rows, columns = 26, 96
        lift = torch.linspace(-0.12, math.pi / 2 - 0.01, rows, device=self.device)
        turn = torch.arange(columns, device=self.device) * (2 * math.pi / columns)
        self.dome = torch.stack(
            [
                torch.cos(lift)[:, None] * torch.sin(turn),
                torch.sin(lift)[:, None].expand(-1, columns),
                torch.cos(lift)[:, None] * torch.cos(turn),
            ],
            -1,
        )
        self.dome_lift, self.dome_turn = lift, turn
        use = torch.nonzero(
            (self.body.turn > 0.98) & (template[:, 1] > 7.0) & ((template[:, 0].abs() < 0.70) | (template[:, 1] > 7.45))
        )[:, 0]
        offset = template[use] - self.crown
        radius = offset.norm(dim=-1)
        near = self.dome.reshape(-1, 3) @ (offset / radius[:, None]).T
        best = torch.where(near > 0.985, radius, -1.0).argmax(1)
        self.dome_vertex = use[best]

    def radius(self, scenes: Scenes, shape: Shape) -> tuple[torch.Tensor, torch.Tensor]:
        """Radius (n, rows, columns) of the hat's dome around `crown`; height of its rim, radians (n, columns)."""
        rows, columns = self.dome.shape[:2]
        radius = (shape.neutral[:, self.dome_vertex] - self.crown).norm(dim=-1).reshape(-1, 1, rows, columns)
        for _ in range(4):
            ring = torch.nn.functional.pad(radius, (2, 2, 0, 0), mode="circular")
            radius = torch.nn.functional.avg_pool2d(ring, (1, 5), stride=1)
            stack = torch.nn.functional.pad(radius, (0, 0, 1, 1), mode="replicate")
            radius = torch.nn.functional.avg_pool2d(stack, (3, 1), stride=1)
        radius = radius[:, 0]
        tilt = torch.deg2rad(scenes.hat_tilt.to(self.device))[:, None]
        kind = scenes.hat.to(self.device)[:, None]
        front = torch.cos(self.dome_turn)[None]
        rim = (
            torch.where(kind == 1, 0.12, torch.where(kind == 2, 0.16, 0.14))
            + (0.20 + 0.5 * tilt) * (0.5 + 0.5 * front)
            + 0.02
        )
        return radius, rim

    def worn(self, scenes: Scenes, shape: Shape) -> list[Prop]:
        """A beanie, a cap or a fedora."""
        kind = scenes.hat.to(self.device)
        n = len(kind)
        radius, rim = self.radius(scenes, shape)
        rows, columns = self.dome.shape[:2]
        share = torch.linspace(0, 1, rows, device=self.device)
        lift = rim[:, None] + share[None, :, None] ** 0.9 * (math.pi / 2 - 0.004 - rim[:, None])
        place = (lift - self.dome_lift[0]) / (self.dome_lift[-1] - self.dome_lift[0]) * (rows - 1)
        low = place.floor().long().clamp(0, rows - 2)
        f = place - low
        r = radius.gather(1, low) * (1 - f) + radius.gather(1, low + 1) * f
        turn = self.dome_turn[None, None]
        beanie = (kind == 1).float()[:, None, None]
        fedora = (kind == 3).float()[:, None, None]
        ribs = 0.012 * torch.cos(34 * turn).abs() * torch.cos(lift)
        cuff = 0.045 * (lift < rim[:, None] + 0.30)
        slack = 0.10 * torch.sin(lift.clamp(0, math.pi / 2)) ** 2
        r = (
            r
            + 0.075
            + beanie * (cuff + ribs + slack)
            + (1 - beanie) * 0.03
            + fedora * (0.16 * torch.sin(lift) - 0.10 * torch.sin(lift) ** 6)
        )
        direction = torch.stack(
            [torch.cos(lift) * torch.sin(turn), torch.sin(lift), torch.cos(lift) * torch.cos(turn)], -1
        )
        points = self.crown + direction * r[..., None]
        uv = torch.stack(torch.broadcast_tensors(turn[0] / (2 * math.pi), share[:, None]), -1).reshape(-1, 2)
        worn = (kind > 0).float()
        dome = hidden(Prop(points.reshape(n, -1, 3), grid(rows, columns)[:, [0, 2, 1]], 3, uv), worn)
        edge = points[:, 0]  # brim of cap and fedora: rings outwards from the rim
        out = torch.nn.functional.normalize(edge - self.crown, dim=-1) * torch.tensor(
            [1.0, 0.0, 1.0], device=self.device
        )
        ring = torch.linspace(0, 1, 6, device=self.device)[None, :, None]
        front = torch.cos(self.dome_turn)[None, None]
        cap = 0.62 * torch.sqrt((front - 0.42).clamp(min=0) / 0.58)
        reach = torch.where(
            (kind == 2)[:, None, None], cap, torch.where((kind == 3)[:, None, None], 0.42 + 0.05 * front, 0.0)
        )
        drop = torch.where(
            (kind == 2)[:, None, None],
            -0.16 * ring**1.3 * (front.clamp(min=0)),
            0.05 * ring**2 * (1 - 1.8 * front.abs()),
        )
        drop = drop - torch.where(
            (kind == 2)[:, None, None], 0.10 * torch.sin(self.dome_turn)[None, None] ** 2 * ring, 0.0
        )
        brim = edge[:, None] + out[:, None] * (reach * ring)[..., None] + torch.stack([0 * drop, drop, 0 * drop], -1)
        brim = torch.cat([brim, brim.flip(1) - torch.tensor([0.0, 0.022, 0.0], device=self.device)], 1)
        shown = ((kind == 2) | (kind == 3)).float()
        flat = torch.zeros(12 * columns, 2, device=self.device)
        brim_prop = hidden(Prop(brim.reshape(n, -1, 3), grid(12, columns), 3, flat), shown)
        return [Prop(self.body.pose(p.points, shape.rotation, 1.0), p.tris, p.kind, p.uv) for p in (dome, brim_prop)]
