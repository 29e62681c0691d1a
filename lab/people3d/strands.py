"""Hair of people in scenes: scalp, brows, lashes and beard as lines in the world."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from .dice import Dice
from .face_hair import FaceHair
from .geometry import Body, Shape, normals
from .guides import GUIDES, KNOTS, FaceRoots, Guides
from .people import People
from .scenes import STYLES, Scenes

PARTS = ("hair", "brows", "lashes", "beard")


@dataclass(frozen=True, eq=False)
class Strands:
    """points (n, S, KNOTS, 3), width (n, S, KNOTS) in decimetres (0 hides), colour (n, S, 3) linear, part (S,)."""

    points: torch.Tensor
    width: torch.Tensor
    colour: torch.Tensor
    part: torch.Tensor


class Hair(FaceHair):
    """Fixed guides and roots on a device."""

    def __init__(self, body: Body, guides: Guides, roots: FaceRoots) -> None:
        super().__init__(body, roots)
        to = lambda a: torch.as_tensor(a, device=body.device)  # noqa: E731 - a cast used on two lines
        self.lines, self.near, self.cover = to(guides.lines), to(guides.near), to(guides.cover)
        self.handles, self.weights = to(guides.handles), to(guides.handle_weights)

    def warp(self, points: torch.Tensor, weights: torch.Tensor, shape: Shape) -> torch.Tensor:
        """Template points (n or 1, P, 3) carried to the people's neutral heads by handle weights (n or 1, P, H)."""
        move = shape.neutral[:, self.handles] - self.body.template[self.handles]
        return points + weights @ move

    def scalp(
        self, people: People, scenes: Scenes, shape: Shape, children: int, dice: Dice
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Strands of the scalp: points, width, colour."""
        device, n = self.body.device, len(people)
        style = scenes.style.to(device)
        mirror = scenes.mirror.to(device)[:, None, None, None]
        lines = self.lines[style]
        weights = self.weights[style]
        flat = self.warp(lines.reshape(n, -1, 3), weights, shape)
        near = self.near[style]
        base = shape.neutral.gather(1, near[..., None].expand(-1, -1, 3))
        normal = normals(shape.neutral, self.body.tris).gather(1, near[..., None].expand(-1, -1, 3))
        height = ((flat - base) * normal).sum(-1, keepdim=True)
        flat = flat + normal * (0.012 - height).clamp(0, 0.25)
        name = [STYLES[int(s)] for s in scenes.style]
        rand, gauss = dice.uniform, dice.normal
        guide = flat.reshape(n, GUIDES, KNOTS, 3)
        normal = normal.reshape(n, GUIDES, KNOTS, 3)
        t = torch.linspace(0, 1, KNOTS, device=device)
        messy = scenes.messy.to(device)[:, None, None, None]
        kind = {
            "buzz": (0.06, 0.0, 0.0),
            "shaved": (0.06, 0.0, 0.0),
            "afro": (0.07, 0.05, 1.0),
            "curls": (0.05, 0.045, 0.75),
            "crop": (0.06, 0.004, 0.0),
            "long": (0.05, 0.0, 0.0),
            "bob": (0.045, 0.0, 0.0),
        }
        per = torch.tensor([kind.get(x, (0.04, 0.0, 0.0)) for x in name], device=device)
        spread, curl = per[:, 0, None, None], per[:, 1]
        own_curl = (people.trait("curl").to(device) - 0.25).clamp(min=0)
        curl = torch.maximum(
            curl,
            0.055
            * own_curl
            * (torch.tensor([x not in ("buzz", "shaved", "crop", "ponytail") for x in name], device=device)),
        )
        # children: a guide each, moved sideways, a little above or below it
        offset = gauss(GUIDES, children, 3) * spread[..., None] * torch.tensor([1.0, 1.0, 1.0], device=device)
        root_normal = normal[:, :, :1]
        offset = offset - 0.75 * (offset * root_normal).sum(-1, keepdim=True) * root_normal
        clump = 1 - 0.45 * t
        points = guide[:, :, None] + offset[:, :, :, None] * clump[:, None]
        depth = 0.045 * (rand(GUIDES, children, 1, 1) - 0.75)
        points = points + normal[:, :, None] * depth * (t[:, None] + 0.2).clamp(max=1)
        # waves and curls around the guide, frizz along it
        tangent = torch.nn.functional.normalize(
            guide.diff(dim=2, append=2 * guide[:, :, -1:] - guide[:, :, -2:-1]), dim=-1
        )
        side = torch.nn.functional.normalize(torch.linalg.cross(tangent, normal), dim=-1)
        phase = 6.283 * rand(GUIDES, 1, 1) + 0.7 * gauss(GUIDES, children, 1)
        length = guide.diff(dim=2).norm(dim=-1).sum(-1)
        turns = (1.2 + 2.6 * length * torch.where(curl > 0.03, 1.2, 0.45)[:, None]).clamp(max=4.5)
        angle = 6.283 * turns[:, :, None, None] * t + phase
        swing = curl[:, None, None, None] * torch.minimum(t * 4, torch.ones_like(t))
        points = (
            points
            + (torch.cos(angle) * swing)[..., None] * side[:, :, None]
            + (torch.sin(angle) * swing)[..., None] * normal[:, :, None]
        )
        wave = (
            0.018
            * messy
            * torch.sin(6.283 * (0.5 + 1.5 * rand(GUIDES, children, 1)) * t + 6.283 * rand(GUIDES, children, 1))
        )
        stray = torch.where(rand(GUIDES, children, 1) < 0.06, 3.5, 1.0)
        lock = 0.045 * messy * gauss(GUIDES, 1, 1) * t**1.5  # whole locks leave their line
        points = (
            points
            + (lock + 0 * wave)[..., None] * side[:, :, None]
            + (0.5 * lock.abs() + 0 * wave)[..., None] * normal[:, :, None]
        )
        points = points + (wave * stray * t)[..., None] * side[:, :, None]
        points = (
            points + ((0.014 * messy * stray * gauss(GUIDES, children, 1)) * t**1.5)[..., None] * normal[:, :, None]
        )
        # mirrored styles
        centre = shape.neutral[:, :, 0].mean(1)[:, None, None, None]
        points = points.reshape(n, -1, KNOTS, 3)
        flipped = torch.stack([2 * centre - points[..., 0:1], points[..., 1:2], points[..., 2:3]], -1)[..., 0, :]
        points = torch.where(mirror > 0, points, flipped)
        # cut: long styles shorter, ends of uneven length
        cut = (
            scenes.length.to(device)[:, None]
            * torch.tensor([x in ("long", "bob", "curls", "afro") for x in name], device=device)[:, None]
        )
        cut = torch.where(cut > 0, cut, torch.ones_like(cut)) * (0.82 + 0.18 * rand(GUIDES * children))
        width = (0.0050 * (1 - 0.55 * t**2)).expand(n, GUIDES * children, KNOTS) * (t[None, None] <= cut[..., None])
        start = 0.16 * rand(GUIDES * children) ** 2  # an uneven hair line
        width = width * (t[None, None] >= start[..., None])
        width = width * torch.tensor([x != "shaved" for x in name], device=device)[:, None, None]
        place = lines[:, :, None].expand(-1, -1, children, -1, -1).reshape(n, -1, KNOTS, 3)
        edge = place[..., 1] - 7.90 - 0.70 * (place[..., 2] - 1.18)  # what lies on the bare forehead is left out
        burns = (place[..., 2] > 0.5) & (place[..., 1] < 7.27) & (place[..., 0].abs() > 0.45)  # before the ears
        bare = (edge < -0.02) & (place[..., 1] > 7.6) & (place[..., 2] > 0.75)
        free = torch.tensor(
            [
                x in ("short swept", "short quiff", "short parted", "short cropped", "bob", "bob side", "curls")
                for x in name
            ],
            device=device,
        )
        width = width * (~bare | free[:, None, None])
        short = torch.tensor([x.startswith("short") or x in ("crop", "buzz") for x in name], device=device)
        width = width * ~(burns & short[:, None, None])
        width = self._thin(people, scenes, points, width, dice)
        colour = self.colours(people, width.shape[1], dice)
        return points, width, colour

    def _thin(
        self, people: People, scenes: Scenes, points: torch.Tensor, width: torch.Tensor, dice: Dice
    ) -> torch.Tensor:
        """Takes away what grows where a receding or bald head has none."""
        bald = people.trait("bald").to(self.body.device)
        root = points[:, :, 0]
        crown = ((root[..., 1] - 7.95 + 0.15 * (root[..., 2] < 0)) / 0.15).clamp(0, 1) * bald[:, None]
        keep = dice.uniform(crown.shape[1]) > 0.985 * crown
        return width * keep[..., None]

    def all(self, people: People, scenes: Scenes, shape: Shape, children: int) -> Strands:
        """Every strand, posed."""
        dice = Dice(people.marks, self.body.device, 1)
        device = self.body.device
        normal = normals(shape.face, self.body.tris)
        parts = [
            self.scalp(people, scenes, shape, children, dice),
            self.brows(people, shape.face, normal, dice),
            self.lashes(people, shape.face, normal, dice),
            self.beard(people, scenes, shape.face, normal, dice),
        ]
        points = torch.cat([p for p, _, _ in parts], 1)
        share = torch.ones(points.shape[:3], device=device)
        count = parts[0][0].shape[1]
        share[:, :count] = ((points[:, :count, :, 1] - 5.95) / 0.7).clamp(0, 1)
        posed = self.body.pose(points, shape.rotation, share)
        part = torch.cat([torch.full((p.shape[1],), k, device=device) for k, (p, _, _) in enumerate(parts)])
        return Strands(
            posed,
            torch.cat([w.expand(len(people), -1, -1) for _, w, _ in parts], 1),
            torch.cat([c for _, _, c in parts], 1),
            part,
        )
