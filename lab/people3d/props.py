"""Eyeballs, glasses, hats, scarves, collars and earrings: meshes of one fixed topology, hidden where not worn."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from .geometry import Body, Shape
from .scenes import CLOTHES, Scenes

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


class Props:
    """Builds what is worn, for whole batches."""

    def __init__(self, body: Body) -> None:
        self.body, self.device = body, body.device
        template = body.template
        x, y, z = template[:, 0], template[:, 1], template[:, 2]
        self.ears = [torch.nonzero((x * s > 0.70) & (y > 7.2) & (y < 7.4) & (z > -0.2) & (z < 0.75))[:, 0] for s in (1, -1)]
        self.lobes = [torch.nonzero((x * s > 0.62) & (y > 6.86) & (y < 6.95) & (z > 0.1) & (z < 0.55))[:, 0] for s in (1, -1)]
        self.nasion = int(((x.abs() * 3) + (y - 7.345).abs() + 0.3 * (1.6 - z)).argmin())
        self._prepare_hat()
        self._prepare_neck()

    def _prepare_hat(self) -> None:
        """For each direction of a dome, the head's farthest vertex near it."""
        template = self.body.template
        self.crown = torch.tensor([0.0, 7.55, 0.45], device=self.device)
        rows, columns = 26, 96
        lift = torch.linspace(-0.12, math.pi / 2 - 0.01, rows, device=self.device)
        turn = torch.arange(columns, device=self.device) * (2 * math.pi / columns)
        self.dome = torch.stack([torch.cos(lift)[:, None] * torch.sin(turn), torch.sin(lift)[:, None].expand(-1, columns),
                                 torch.cos(lift)[:, None] * torch.cos(turn)], -1)
        self.dome_lift, self.dome_turn = lift, turn
        use = torch.nonzero((self.body.turn > 0.98) & (template[:, 1] > 7.0) & ((template[:, 0].abs() < 0.70) | (template[:, 1] > 7.45)))[:, 0]
        offset = template[use] - self.crown
        radius = offset.norm(dim=-1)
        near = self.dome.reshape(-1, 3) @ (offset / radius[:, None]).T
        best = torch.where(near > 0.985, radius, -1.0).argmax(1)
        self.dome_vertex = use[best]

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
        unit = torch.stack([torch.sin(theta)[:, None] * torch.cos(phi), torch.sin(theta)[:, None] * torch.sin(phi),
                            torch.cos(theta)[:, None].expand(-1, columns)], -1).reshape(-1, 3)
        return [Prop(shape.eye_centre[:, k, None] + shape.eye_radius[:, k, None, None] * unit, grid(rows, columns), 0,
                     unit[:, :2]) for k in range(2)]

    def glasses(self, scenes: Scenes, shape: Shape) -> list[Prop]:
        """Frame and lenses, rigid on nose and ears."""
        v = {k: scenes.values[k].to(self.device).float() for k in ("rim_square", "rim_width", "rim_height", "rim_thick", "glasses")}
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
        for k, s in ((0, 1.0), (1, -1.0)):
            cx = middle[:, 0] + s * (0.5 * spacing + 0.02)
            cy = middle[:, 1] - 0.05
            x = cx[:, None] + half[:, None] * shape_x
            y = cy[:, None] + tall[:, None] * shape_y * (1 + 0.06 * s * shape_x)
            z = front[:, None] - 0.20 * (x - middle[:, :1]) ** 2 - 0.05 * (middle[:, 1:2] - y)
            rims.append(torch.stack([x, y, z], -1))
            points, tris = tube(rims[-1], v["rim_thick"], 8, True)
            out.append(self._hide(Prop(points, tris, 1, torch.zeros(points.shape[1], 2, device=self.device)), v["glasses"]))
            edge = torch.stack([cx + s * half, cy + 0.35 * tall, front - 0.20 * (cx + s * half - middle[:, 0]) ** 2], -1)
            ends.append(edge)
            share = torch.linspace(0, 1, 5, device=self.device)[:, None]
            fill = torch.stack([cx[:, None, None] + share * (x - cx[:, None])[:, None], cy[:, None, None] + share * (y - cy[:, None])[:, None],
                                (front[:, None, None] - 0.20 * (cx[:, None, None] + share * (x - cx[:, None])[:, None] - middle[:, :1, None]) ** 2
                                 - 0.05 * (middle[:, 1:2, None] - (cy[:, None, None] + share * (y - cy[:, None])[:, None])))], -1)
            out.append(self._hide(Prop(fill.reshape(n, -1, 3), grid(5, 48), 2, torch.zeros(240, 2, device=self.device)), v["glasses"]))
        inner = [rims[0][:, 22], rims[1][:, 2]]
        t = torch.linspace(0, 1, 9, device=self.device)[:, None]
        bridge = inner[0][:, None] * (1 - t) + inner[1][:, None] * t
        bump = torch.sin(math.pi * t)[:, 0]
        bridge = bridge + torch.stack([0 * bump, 0.05 * bump, 0.04 * bump], -1)
        points, tris = tube(bridge, v["rim_thick"], 8, False)
        out.append(self._hide(Prop(points, tris, 1, torch.zeros(points.shape[1], 2, device=self.device)), v["glasses"]))
        for k, s in ((0, 1.0), (1, -1.0)):
            ear = shape.neutral[:, self.ears[k]].mean(1) + torch.tensor([-0.09 * s, 0.15, -0.02], device=self.device)
            t = torch.linspace(0, 1, 14, device=self.device)[:, None]
            path = ends[k][:, None] * (1 - t) + ear[:, None] * t
            path = path + torch.stack([s * 0.07 * torch.sin(math.pi * t[:, 0].sqrt()), 0 * t[:, 0], 0 * t[:, 0]], -1)
            points, tris = tube(path, v["rim_thick"] * 0.9, 8, False)
            out.append(self._hide(Prop(points, tris, 1, torch.zeros(points.shape[1], 2, device=self.device)), v["glasses"]))
        return [Prop(self.body.pose(p.points, shape.rotation, 1.0), p.tris, p.kind, p.uv) for p in out]

    def hat_radius(self, scenes: Scenes, shape: Shape) -> tuple[torch.Tensor, torch.Tensor]:
        """Radius (n, rows, columns) of the hat's dome around `crown` and height of its rim above it, radians (n, columns)."""
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
        rim = torch.where(kind == 1, 0.12, torch.where(kind == 2, 0.16, 0.14)) + (0.20 + 0.5 * tilt) * (0.5 + 0.5 * front) + 0.02
        return radius, rim

    def hat(self, scenes: Scenes, shape: Shape) -> list[Prop]:
        """A beanie, a cap or a fedora."""
        kind = scenes.hat.to(self.device)
        n = len(kind)
        radius, rim = self.hat_radius(scenes, shape)
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
        r = r + 0.075 + beanie * (cuff + ribs + slack) + (1 - beanie) * 0.03 + fedora * (0.16 * torch.sin(lift) - 0.10 * torch.sin(lift) ** 6)
        direction = torch.stack([torch.cos(lift) * torch.sin(turn), torch.sin(lift), torch.cos(lift) * torch.cos(turn)], -1)
        points = self.crown + direction * r[..., None]
        uv = torch.stack(torch.broadcast_tensors(turn[0] / (2 * math.pi), share[:, None]), -1).reshape(-1, 2)
        worn = (kind > 0).float()
        dome = self._hide(Prop(points.reshape(n, -1, 3), grid(rows, columns)[:, [0, 2, 1]], 3, uv), worn)
        edge = points[:, 0]                                             # brim of cap and fedora: rings outwards from the rim
        out = torch.nn.functional.normalize(edge - self.crown, dim=-1) * torch.tensor([1.0, 0.0, 1.0], device=self.device)
        ring = torch.linspace(0, 1, 6, device=self.device)[None, :, None]
        front = torch.cos(self.dome_turn)[None, None]
        cap = 0.62 * torch.sqrt((front - 0.42).clamp(min=0) / 0.58)
        reach = torch.where((kind == 2)[:, None, None], cap, torch.where((kind == 3)[:, None, None], 0.42 + 0.05 * front, 0.0))
        drop = torch.where((kind == 2)[:, None, None], -0.16 * ring ** 1.3 * (front.clamp(min=0)), 0.05 * ring ** 2 * (1 - 1.8 * front.abs()))
        drop = drop - torch.where((kind == 2)[:, None, None], 0.10 * torch.sin(self.dome_turn)[None, None] ** 2 * ring, 0.0)
        brim = edge[:, None] + out[:, None] * (reach * ring)[..., None] + torch.stack([0 * drop, drop, 0 * drop], -1)
        brim = torch.cat([brim, brim.flip(1) - torch.tensor([0.0, 0.022, 0.0], device=self.device)], 1)
        shown = ((kind == 2) | (kind == 3)).float()
        flat = torch.zeros(12 * columns, 2, device=self.device)
        brim_prop = self._hide(Prop(brim.reshape(n, -1, 3), grid(12, columns), 3, flat), shown)
        return [Prop(self.body.pose(p.points, shape.rotation, 1.0), p.tris, p.kind, p.uv) for p in (dome, brim_prop)]

    def neck(self, scenes: Scenes, shape: Shape) -> list[Prop]:
        """Scarf and collar around the neck."""
        ring = shape.posed[:, self.neck_vertex]                         # (n, 4, 48, 3)
        n = len(ring)
        for _ in range(6):
            ring = 0.25 * ring.roll(1, 2) + 0.5 * ring + 0.25 * ring.roll(-1, 2)
        centre = ring.mean(2, keepdim=True)
        out = torch.nn.functional.normalize((ring - centre) * torch.tensor([1.0, 0.0, 1.0], device=self.device), dim=-1)
        phi = torch.arange(14, device=self.device) * (2 * math.pi / 14)
        turn = self.neck_turn
        fold = 0.025 * torch.sin(7 * turn[:, None] + 2 * torch.sin(3 * turn)[:, None] + 3 * phi) + 0.02 * torch.sin(3 * turn[:, None] - phi)
        path = ring[:, 1] + out[:, 1] * 0.17
        path = path.roll(1, 1) * 0.25 + path * 0.5 + path.roll(-1, 1) * 0.25
        tall = torch.cos(phi)[None, None, :, None] * (0.26 + fold)[None, ..., None] * torch.tensor([0.0, 1.0, 0.0], device=self.device)
        wide = torch.sin(phi)[None, None, :, None] * (0.17 + fold)[None, ..., None] * out[:, 1, :, None]
        points = (path[:, :, None] + tall + wide).reshape(n, -1, 3)
        tris = grid(48, 14)
        last, j = 47 * 14, np.arange(14)
        k = (j + 1) % 14
        tris = np.concatenate([tris, np.stack([last + j, last + k, k], 1), np.stack([last + j, k, j], 1)]).astype(np.int32)
        uv = torch.stack(torch.broadcast_tensors(turn[:, None] / 6.283, phi[None] / 6.283), -1).reshape(-1, 2)
        scarf = self._hide(Prop(points, tris, 4, uv), scenes.scarf.to(self.device).float())
        is_shirt = (scenes.clothes.to(self.device) == CLOTHES.index("shirt")).float() * (1 - scenes.scarf.to(self.device).float())
        front = torch.cos(turn)
        up = torch.tensor([0.0, 1.0, 0.0], device=self.device)
        base = 0.5 * (ring[:, 0] + ring[:, 1])
        gap = ((front - 0.93) / 0.07).clamp(0, 1)[:, None]
        rows = []
        for lift, away in ((-0.03, 0.05), (0.12, 0.045), (0.23, 0.05), (0.25, 0.085), (0.20, 0.13), (0.06, 0.20), (-0.05, 0.24)):
            dip = 0.22 * ((front - 0.55) / 0.45).clamp(0, 1)[:, None] ** 1.5
            rows.append(base + out[:, 0] * (away + 0.04 * gap) + up * (lift - dip * (1.0 if lift > 0 else 0.6)))
        collar_points = torch.stack(rows, 1).reshape(n, -1, 3)
        collar = self._hide(Prop(collar_points, grid(7, 48), 5, torch.zeros(7 * 48, 2, device=self.device)), is_shirt)
        return [scarf, collar]

    def earrings(self, scenes: Scenes, shape: Shape) -> list[Prop]:
        """Small balls on the lobes."""
        out = []
        for k in range(2):
            lobe = shape.posed[:, self.lobes[k]]
            low = lobe[..., 1].argmin(1)
            place = lobe[torch.arange(len(lobe), device=self.device), low] + torch.tensor([0.0, 0.02, 0.03], device=self.device)
            theta, phi = torch.linspace(0, math.pi, 7, device=self.device), torch.arange(10, device=self.device) * (2 * math.pi / 10)
            unit = torch.stack([torch.sin(theta)[:, None] * torch.cos(phi), torch.cos(theta)[:, None].expand(-1, 10),
                                torch.sin(theta)[:, None] * torch.sin(phi)], -1).reshape(-1, 3)
            points = place[:, None] + 0.038 * unit
            out.append(self._hide(Prop(points, grid(7, 10), 6, unit[:, :2]), scenes.earring.to(self.device).float()))
        return out

    @staticmethod
    def _hide(prop: Prop, worn: torch.Tensor) -> Prop:
        """The prop where worn (n,) is above one half, far behind the camera elsewhere."""
        keep = (worn > 0.5)[:, None, None]
        return Prop(torch.where(keep, prop.points, torch.full_like(prop.points, 1e6)), prop.tris, prop.kind, prop.uv)

    def all(self, scenes: Scenes, shape: Shape) -> list[Prop]:
        """Everything, always in the same order."""
        return [*self.eyes(shape), *self.glasses(scenes, shape), *self.hat(scenes, shape), *self.neck(scenes, shape),
                *self.earrings(scenes, shape)]


