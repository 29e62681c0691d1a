"""Eyeballs, glasses, hats, scarves, collars and earrings: meshes of one fixed topology, hidden where not worn."""

from __future__ import annotations

import math

import numpy as np
import torch

from .geometry import Body, Shape
from .hats import Hats
from .meshes import Prop, grid, hidden, tube
from .scenes import CLOTHES, Scenes


class Props:
    """Builds what is worn, for whole batches."""

    def __init__(self, body: Body) -> None:
        self.body, self.device = body, body.device
        template = body.template
        x, y, z = template[:, 0], template[:, 1], template[:, 2]
        self.ears = [
            torch.nonzero((x * s > 0.70) & (y > 7.2) & (y < 7.4) & (z > -0.2) & (z < 0.75))[:, 0] for s in (1, -1)
        ]
        self.lobes = [
            torch.nonzero((x * s > 0.62) & (y > 6.86) & (y < 6.95) & (z > 0.1) & (z < 0.55))[:, 0] for s in (1, -1)
        ]
        self.nasion = int(((x.abs() * 3) + (y - 7.345).abs() + 0.3 * (1.6 - z)).argmin())
        self.hats = Hats(body)
        self._prepare_neck()

    def _prepare_neck(self) -> None:
        """For each direction around the neck, vertices of its outline at a few heights."""
        template = self.body.template
        self.neck_turn = torch.arange(48, device=self.device) * (2 * math.pi / 48)
        rows = []
        for height in (5.86, 6.0, 6.14, 6.26):
            near = (template[:, 1] - height).abs() < 0.07
            use = torch.nonzero(near & (template[:, 0].abs() < 0.95) & (self.body.turn < 0.99))[:, 0]
            p = template[use] - torch.tensor([0.0, height, 0.18], device=self.device)
            flat = torch.nn.functional.normalize(p[:, [0, 2]], dim=-1)
            direction = torch.stack([torch.sin(self.neck_turn), torch.cos(self.neck_turn)], -1)
            score = direction @ flat.T - 0.6 * (template[use, 1] - height).abs() / 0.07 * 0.02
            rows.append(use[score.argmax(1)])
        self.neck_vertex = torch.stack(rows)

    def eyes(self, shape: Shape) -> list[Prop]:
        """Two balls."""
        rows, columns = 20, 28
        theta = torch.linspace(0.0, math.pi, rows, device=self.device)
        phi = torch.arange(columns, device=self.device) * (2 * math.pi / columns)
        unit = torch.stack(
            [
                torch.sin(theta)[:, None] * torch.cos(phi),
                torch.sin(theta)[:, None] * torch.sin(phi),
                torch.cos(theta)[:, None].expand(-1, columns),
            ],
            -1,
        ).reshape(-1, 3)
        return [
            Prop(
                shape.eye_centre[:, k, None] + shape.eye_radius[:, k, None, None] * unit,
                grid(rows, columns),
                0,
                unit[:, :2],
            )
            for k in range(2)
        ]

    def glasses(self, scenes: Scenes, shape: Shape) -> list[Prop]:
        """Frame and lenses, rigid on nose and ears."""
        v = {
            k: scenes.values[k].to(self.device).float()
            for k in ("rim_square", "rim_width", "rim_height", "rim_thick", "glasses")
        }
        eyes, nasion = shape.eye_neutral, shape.neutral[:, self.nasion]
        n = len(eyes)
        spacing = (eyes[:, 0, 0] - eyes[:, 1, 0]).abs()
        half = 0.395 * spacing * (1 + 0.10 * v["rim_width"])
        tall = half * v["rim_height"]
        front = torch.maximum(nasion[:, 2] + 0.05, eyes[..., 2].amax(1) + shape.eye_radius.mean(1) + 0.14)
        middle = eyes.mean(1)
        angle = torch.arange(48, device=self.device) * (2 * math.pi / 48)
        cosine, sine = torch.cos(angle), torch.sin(angle)
        power = v["rim_square"][:, None]
        shape_x = torch.sign(cosine) * cosine.abs() ** power
        shape_y = torch.sign(sine) * sine.abs() ** power
        out: list[Prop] = []
        rims, ends = [], []
        for s in (1.0, -1.0):
            cx = middle[:, 0] + s * (0.5 * spacing + 0.02)
            cy = middle[:, 1] - 0.05
            x = cx[:, None] + half[:, None] * shape_x
            y = cy[:, None] + tall[:, None] * shape_y * (1 + 0.06 * s * shape_x)
            z = front[:, None] - 0.20 * (x - middle[:, :1]) ** 2 - 0.05 * (middle[:, 1:2] - y)
            rims.append(torch.stack([x, y, z], -1))
            points, tris = tube(rims[-1], v["rim_thick"], 8, True)
            out.append(
                hidden(Prop(points, tris, 1, torch.zeros(points.shape[1], 2, device=self.device)), v["glasses"])
            )
            edge = torch.stack(
                [cx + s * half, cy + 0.35 * tall, front - 0.20 * (cx + s * half - middle[:, 0]) ** 2], -1
            )
            ends.append(edge)
            share = torch.linspace(0, 1, 5, device=self.device)[:, None]
            fill = torch.stack(
                [
                    cx[:, None, None] + share * (x - cx[:, None])[:, None],
                    cy[:, None, None] + share * (y - cy[:, None])[:, None],
                    (
                        front[:, None, None]
                        - 0.20 * (cx[:, None, None] + share * (x - cx[:, None])[:, None] - middle[:, :1, None]) ** 2
                        - 0.05 * (middle[:, 1:2, None] - (cy[:, None, None] + share * (y - cy[:, None])[:, None]))
                    ),
                ],
                -1,
            )
            out.append(
                hidden(
                    Prop(fill.reshape(n, -1, 3), grid(5, 48), 2, torch.zeros(240, 2, device=self.device)), v["glasses"]
                )
            )
        inner = [rims[0][:, 22], rims[1][:, 2]]
        t = torch.linspace(0, 1, 9, device=self.device)[:, None]
        bridge = inner[0][:, None] * (1 - t) + inner[1][:, None] * t
        bump = torch.sin(math.pi * t)[:, 0]
        bridge = bridge + torch.stack([0 * bump, 0.05 * bump, 0.04 * bump], -1)
        points, tris = tube(bridge, v["rim_thick"], 8, False)
        out.append(hidden(Prop(points, tris, 1, torch.zeros(points.shape[1], 2, device=self.device)), v["glasses"]))
        for k, s in ((0, 1.0), (1, -1.0)):
            ear = shape.neutral[:, self.ears[k]].mean(1) + torch.tensor([-0.09 * s, 0.15, -0.02], device=self.device)
            t = torch.linspace(0, 1, 14, device=self.device)[:, None]
            path = ends[k][:, None] * (1 - t) + ear[:, None] * t
            path = path + torch.stack([s * 0.07 * torch.sin(math.pi * t[:, 0].sqrt()), 0 * t[:, 0], 0 * t[:, 0]], -1)
            points, tris = tube(path, v["rim_thick"] * 0.9, 8, False)
            out.append(
                hidden(Prop(points, tris, 1, torch.zeros(points.shape[1], 2, device=self.device)), v["glasses"])
            )
        return [Prop(self.body.pose(p.points, shape.rotation, 1.0), p.tris, p.kind, p.uv) for p in out]

    def neck(self, scenes: Scenes, shape: Shape) -> list[Prop]:
        """Scarf and collar around the neck."""
        ring = shape.posed[:, self.neck_vertex]  # (n, 4, 48, 3)
        n = len(ring)
        for _ in range(6):
            ring = 0.25 * ring.roll(1, 2) + 0.5 * ring + 0.25 * ring.roll(-1, 2)
        centre = ring.mean(2, keepdim=True)
        out = torch.nn.functional.normalize((ring - centre) * torch.tensor([1.0, 0.0, 1.0], device=self.device), dim=-1)
        phi = torch.arange(14, device=self.device) * (2 * math.pi / 14)
        turn = self.neck_turn
        fold = 0.025 * torch.sin(7 * turn[:, None] + 2 * torch.sin(3 * turn)[:, None] + 3 * phi) + 0.02 * torch.sin(
            3 * turn[:, None] - phi
        )
        path = ring[:, 1] + out[:, 1] * 0.17
        path = path.roll(1, 1) * 0.25 + path * 0.5 + path.roll(-1, 1) * 0.25
        tall = (
            torch.cos(phi)[None, None, :, None]
            * (0.26 + fold)[None, ..., None]
            * torch.tensor([0.0, 1.0, 0.0], device=self.device)
        )
        wide = torch.sin(phi)[None, None, :, None] * (0.17 + fold)[None, ..., None] * out[:, 1, :, None]
        points = (path[:, :, None] + tall + wide).reshape(n, -1, 3)
        tris = grid(48, 14)
        last, j = 47 * 14, np.arange(14)
        k = (j + 1) % 14
        tris = np.concatenate([tris, np.stack([last + j, last + k, k], 1), np.stack([last + j, k, j], 1)]).astype(
            np.int32
        )
        uv = torch.stack(torch.broadcast_tensors(turn[:, None] / 6.283, phi[None] / 6.283), -1).reshape(-1, 2)
        scarf = hidden(Prop(points, tris, 4, uv), scenes.scarf.to(self.device).float())
        is_shirt = (scenes.clothes.to(self.device) == CLOTHES.index("shirt")).float() * (
            1 - scenes.scarf.to(self.device).float()
        )
        front = torch.cos(turn)
        up = torch.tensor([0.0, 1.0, 0.0], device=self.device)
        base = 0.5 * (ring[:, 0] + ring[:, 1])
        gap = ((front - 0.93) / 0.07).clamp(0, 1)[:, None]
        rows = []
        for lift, away in (
            (-0.03, 0.05),
            (0.12, 0.045),
            (0.23, 0.05),
            (0.25, 0.085),
            (0.20, 0.13),
            (0.06, 0.20),
            (-0.05, 0.24),
        ):
            dip = 0.22 * ((front - 0.55) / 0.45).clamp(0, 1)[:, None] ** 1.5
            rows.append(base + out[:, 0] * (away + 0.04 * gap) + up * (lift - dip * (1.0 if lift > 0 else 0.6)))
        collar_points = torch.stack(rows, 1).reshape(n, -1, 3)
        collar = hidden(Prop(collar_points, grid(7, 48), 5, torch.zeros(7 * 48, 2, device=self.device)), is_shirt)
        return [scarf, collar]

    def earrings(self, scenes: Scenes, shape: Shape) -> list[Prop]:
        """Small balls on the lobes."""
        out = []
        for k in range(2):
            lobe = shape.posed[:, self.lobes[k]]
            low = lobe[..., 1].argmin(1)
            place = lobe[torch.arange(len(lobe), device=self.device), low] + torch.tensor(
                [0.0, 0.02, 0.03], device=self.device
            )
            theta, phi = (
                torch.linspace(0, math.pi, 7, device=self.device),
                torch.arange(10, device=self.device) * (2 * math.pi / 10),
            )
            unit = torch.stack(
                [
                    torch.sin(theta)[:, None] * torch.cos(phi),
                    torch.cos(theta)[:, None].expand(-1, 10),
                    torch.sin(theta)[:, None] * torch.sin(phi),
                ],
                -1,
            ).reshape(-1, 3)
            points = place[:, None] + 0.038 * unit
            out.append(hidden(Prop(points, grid(7, 10), 6, unit[:, :2]), scenes.earring.to(self.device).float()))
        return out

    def all(self, scenes: Scenes, shape: Shape) -> list[Prop]:
        """Everything, always in the same order."""
        return [
            *self.eyes(shape),
            *self.glasses(scenes, shape),
            *self.hats.worn(scenes, shape),
            *self.neck(scenes, shape),
            *self.earrings(scenes, shape),
        ]
