"""Hair of people in scenes: scalp, brows, lashes and beard as lines in the world."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from .dice import Dice
from .geometry import Body, Shape, normals
from .guides import GUIDES, KNOTS, FaceRoots, Guides
from .people import People
from .scenes import STYLES, Scenes
from .surface import on

PARTS = ("hair", "brows", "lashes", "beard")


@dataclass(frozen=True, eq=False)
class Strands:
    """points (n, S, KNOTS, 3), width (n, S, KNOTS) in decimetres (0 hides), colour (n, S, 3) linear, part (S,)."""

    points: torch.Tensor
    width: torch.Tensor
    colour: torch.Tensor
    part: torch.Tensor


def hair_colour(melanin: torch.Tensor, red: torch.Tensor, grey: torch.Tensor) -> torch.Tensor:
    """Linear colours (..., 3) of melanin 0..1, its redness, and grey.

    Absorption of eumelanin and pheomelanin after d'Eon et al. (2011).
    """
    dark = torch.tensor([0.53, 0.68, 0.86], device=melanin.device)
    ginger = torch.tensor([0.187, 0.4, 1.05], device=melanin.device)
    amount = (0.25 * melanin + 1.25 * melanin ** 2.2)[..., None]
    colour = 0.56 * torch.exp(-4.6 * amount * ((1 - red[..., None]) * dark + red[..., None] * ginger))
    white = torch.tensor([0.42, 0.42, 0.43], device=melanin.device)
    return torch.lerp(colour, white, grey[..., None])


class Hair:
    """Fixed guides and roots on a device."""

    def __init__(self, body: Body, guides: Guides, roots: FaceRoots) -> None:
        self.body, self.roots, device = body, roots, body.device
        to = lambda a: torch.as_tensor(a, device=device)  # noqa: E731 - a cast used on eight lines
        self.lines, self.near, self.cover = to(guides.lines), to(guides.near), to(guides.cover)
        self.handles, self.weights = to(guides.handles), to(guides.handle_weights)
        self.brow_place, self.lash_share = to(roots.brow_place).float(), to(roots.lash_share).float()
        self.lash_upper, self.lash_side = to(roots.lash_upper).float(), to(roots.lash_side).float()
        self.beard_place, self.beard_share = to(roots.beard_place).float(), to(roots.beard_share).float()

    def warp(self, points: torch.Tensor, weights: torch.Tensor, shape: Shape) -> torch.Tensor:
        """Template points (n or 1, P, 3) carried to the people's neutral heads by handle weights (n or 1, P, H)."""
        move = shape.neutral[:, self.handles] - self.body.template[self.handles]
        return points + weights @ move

    def scalp(self, people: People, scenes: Scenes, shape: Shape, children: int,
              dice: Dice) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
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
        kind = {"buzz": (0.06, 0.0, 0.0), "shaved": (0.06, 0.0, 0.0), "afro": (0.07, 0.05, 1.0), "curls": (0.05, 0.045, 0.75),
                "crop": (0.06, 0.004, 0.0), "long": (0.05, 0.0, 0.0), "bob": (0.045, 0.0, 0.0)}
        per = torch.tensor([kind.get(x, (0.04, 0.0, 0.0)) for x in name], device=device)
        spread, curl = per[:, 0, None, None], per[:, 1]
        own_curl = (people.trait("curl").to(device) - 0.25).clamp(min=0)
        curl = torch.maximum(curl, 0.055 * own_curl * (torch.tensor([x not in ("buzz", "shaved", "crop", "ponytail") for x in name],
                                                                   device=device)))
        # children: a guide each, moved sideways, a little above or below it
        offset = gauss(GUIDES, children, 3) * spread[..., None] * torch.tensor([1.0, 1.0, 1.0], device=device)
        root_normal = normal[:, :, :1]
        offset = offset - 0.75 * (offset * root_normal).sum(-1, keepdim=True) * root_normal
        clump = 1 - 0.45 * t
        points = guide[:, :, None] + offset[:, :, :, None] * clump[:, None]
        depth = 0.045 * (rand(GUIDES, children, 1, 1) - 0.75)
        points = points + normal[:, :, None] * depth * (t[:, None] + 0.2).clamp(max=1)
        # waves and curls around the guide, frizz along it
        tangent = torch.nn.functional.normalize(guide.diff(dim=2, append=2 * guide[:, :, -1:] - guide[:, :, -2:-1]), dim=-1)
        side = torch.nn.functional.normalize(torch.linalg.cross(tangent, normal), dim=-1)
        phase = 6.283 * rand(GUIDES, 1, 1) + 0.7 * gauss(GUIDES, children, 1)
        length = guide.diff(dim=2).norm(dim=-1).sum(-1)
        turns = (1.2 + 2.6 * length * torch.where(curl > 0.03, 1.2, 0.45)[:, None]).clamp(max=4.5)
        angle = 6.283 * turns[:, :, None, None] * t + phase
        swing = curl[:, None, None, None] * torch.minimum(t * 4, torch.ones_like(t))
        points = points + (torch.cos(angle) * swing)[..., None] * side[:, :, None] + (torch.sin(angle) * swing)[..., None] * normal[:, :, None]
        wave = 0.012 * messy * torch.sin(6.283 * (0.5 + 1.5 * rand(GUIDES, children, 1)) * t + 6.283 * rand(GUIDES, children, 1))
        stray = torch.where(rand(GUIDES, children, 1) < 0.06, 3.5, 1.0)
        points = points + (wave * stray * t)[..., None] * side[:, :, None]
        points = points + ((0.008 * messy * stray * gauss(GUIDES, children, 1)) * t ** 1.5)[..., None] * normal[:, :, None]
        # mirrored styles
        centre = shape.neutral[:, :, 0].mean(1)[:, None, None, None]
        points = points.reshape(n, -1, KNOTS, 3)
        flipped = torch.stack([2 * centre - points[..., 0:1], points[..., 1:2], points[..., 2:3]], -1)[..., 0, :]
        points = torch.where(mirror > 0, points, flipped)
        # cut: long styles shorter, ends of uneven length
        cut = scenes.length.to(device)[:, None] * torch.tensor([x in ("long", "bob", "curls", "afro") for x in name], device=device)[:, None]
        cut = torch.where(cut > 0, cut, torch.ones_like(cut)) * (0.82 + 0.18 * rand(GUIDES * children))
        width = (0.0050 * (1 - 0.55 * t ** 2)).expand(n, GUIDES * children, KNOTS) * (t[None, None] <= cut[..., None])
        start = 0.16 * rand(GUIDES * children) ** 2                     # an uneven hair line
        width = width * (t[None, None] >= start[..., None])
        width = width * torch.tensor([x != "shaved" for x in name], device=device)[:, None, None]
        width = self._thin(people, scenes, points, width, dice)
        colour = self._colours(people, width.shape[1], dice)
        return points, width, colour

    def _thin(self, people: People, scenes: Scenes, points: torch.Tensor, width: torch.Tensor,
              dice: Dice) -> torch.Tensor:
        """Takes away what grows where a receding or bald head has none."""
        bald = people.trait("bald").to(self.body.device)
        root = points[:, :, 0]
        crown = ((root[..., 1] - 7.95 + 0.15 * (root[..., 2] < 0)) / 0.15).clamp(0, 1) * bald[:, None]
        keep = dice.uniform(crown.shape[1]) > 0.985 * crown
        return width * keep[..., None]

    def _colours(self, people: People, count: int, dice: Dice, greying: float = 1.0) -> torch.Tensor:
        """(n, count, 3): each strand a little different; grey comes strand by strand."""
        device, n = self.body.device, len(people)
        trait = {k: people.trait(k).to(device)[:, None].expand(n, count) for k in ("hair_melanin", "hair_red", "grey")}
        noise = dice.normal(count)
        melanin = (trait["hair_melanin"] * (1 + 0.05 * noise)).clamp(0.03, 1)
        grey = (dice.uniform(count) < trait["grey"] * 0.95 * greying).float() * (0.75 + 0.25 * trait["grey"])
        return hair_colour(melanin, trait["hair_red"], grey) * torch.exp(0.11 * dice.normal(count, 1))

    def lying(self, root: torch.Tensor, normal: torch.Tensor, direction: torch.Tensor, length: torch.Tensor,
              rise: float) -> torch.Tensor:
        """Short hairs (n, P, KNOTS, 3) that leave the skin by `rise` and bend back to it."""
        direction = torch.nn.functional.normalize(direction - (direction * normal).sum(-1, keepdim=True) * normal, dim=-1)
        t = torch.linspace(0, 1, KNOTS, device=root.device)[:, None]
        return root[:, :, None] + length[..., None, None] * (direction[:, :, None] * t + normal[:, :, None] * rise * (t - 0.75 * t * t)
                                                             + normal[:, :, None] * 0.01)

    def brows(self, people: People, face: torch.Tensor, normal: torch.Tensor,
              dice: Dice) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Strands of the brows on the face before it turns."""
        device, n = self.body.device, len(people)
        trait = {k: people.trait(k).to(device)[:, None] for k in ("brow_thick", "brow_arch", "brow_height", "brow_dense",
                                                                   "brow_gap", "brow_length", "brow_dark", "lines")}
        root, up = on(self.roots.brow, face), torch.nn.functional.normalize(on(self.roots.brow, normal), dim=-1)
        share, above, side = self.brow_place[:, 0], self.brow_place[:, 1], self.brow_place[:, 2]
        above = above - trait["brow_arch"] * 0.026 * torch.exp(-(((share - 0.68) / 0.22) ** 2)) - 0.018 * trait["brow_height"]
        inner, outer = -0.02 + 0.045 * trait["brow_gap"], 0.99 + 0.05 * trait["brow_length"]
        taper = ((share - inner) / 0.16).clamp(0, 1) * (0.38 + 0.62 * ((outer - share) / 0.5).clamp(0, 1))
        half = 0.046 * (0.42 + 0.75 * trait["brow_thick"]) * taper.clamp(0, 1) ** 0.7
        away = (above.abs() / half.clamp(min=1e-3))
        chance = trait["brow_dense"] * (1.15 - away ** 2).clamp(0, 1) * (share > inner) * (share < outer)
        chance = chance * (0.55 + 0.45 * ((share - inner) / 0.25).clamp(0, 1))
        keep = dice.uniform(len(share)) < chance
        angle = torch.deg2rad(torch.tensor(1.0, device=device)) * (58 * torch.exp(-((share - inner) / 0.20).clamp(min=0)) - 20 * (share - 0.5).clamp(min=0)
                - 22 * (above / half.clamp(min=1e-3)).clamp(-1.2, 1.2) * (share > 0.25)
                + 11 * dice.normal(len(share)))
        zero = torch.zeros_like(angle)
        direction = torch.stack([torch.cos(angle) * side, torch.sin(angle), zero], -1)
        length = (0.075 + 0.02 * trait["brow_thick"]) * (0.75 + 0.5 * dice.uniform(len(share))) * (1 - 0.3 * (share - 0.6).clamp(0, 1)) * (0.62 + 0.38 * ((share - inner) / 0.25).clamp(0, 1))
        points = self.lying(root, up, direction, length, 0.25)
        t = torch.linspace(0, 1, KNOTS, device=device)
        width = 0.0019 * (1 - 0.7 * t) * keep[..., None]
        colour = self._colours(people, len(share), dice, 0.4)
        dark = 0.85 - 0.35 * trait["brow_dark"][..., None]
        return points, width, colour * dark

    def lashes(self, people: People, face: torch.Tensor, normal: torch.Tensor,
               dice: Dice) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Lashes on the lids before the head turns."""
        device, n = self.body.device, len(people)
        root = on(self.roots.lash, face)
        upper, side, share = self.lash_upper, self.lash_side, self.lash_share
        amount = people.trait("lashes").to(device)[:, None] * (1 + 0.35 * people.trait("make_up").to(device)[:, None])
        count = len(upper)
        vary = dice.normal(count, 2)
        out = side * (0.9 * (share - 0.35)) + 0.10 * vary[..., 0]
        lift = torch.where(upper > 0, 0.02, -0.35) + 0.06 * vary[..., 1]
        direction = torch.stack([out, lift.expand(n, -1), torch.ones(n, count, device=device)], -1)
        direction = torch.nn.functional.normalize(direction, dim=-1)
        length = torch.where(upper > 0, 0.060, 0.024) * (0.6 + 0.6 * amount) * (0.65 + 0.5 * share) * (0.8 + 0.4 * dice.uniform(count))
        t = torch.linspace(0, 1, KNOTS, device=device)[:, None]
        bend = torch.stack([torch.zeros_like(share), torch.where(upper > 0, 0.55, -0.15), torch.full_like(share, -0.35)], -1)
        points = root[:, :, None] + length[..., None, None] * (direction[:, :, None] * t + bend[:, None] * t * t)
        width = (0.0022 * (1 - 0.75 * t[:, 0])) * torch.where(upper > 0, 1.0, 0.5)[:, None]
        melanin = people.trait("hair_melanin").to(device)
        colour = hair_colour((0.6 + 0.4 * melanin).clamp(0, 1), people.trait("hair_red").to(device), 0 * melanin) * 0.5
        return points, width.expand(n, -1, -1), colour[:, None].expand(n, count, 3)

    def beard(self, people: People, scenes: Scenes, face: torch.Tensor, normal: torch.Tensor,
              dice: Dice) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Beard on the face before it turns; from stubble to full."""
        device, n = self.body.device, len(people)
        root, up = on(self.roots.beard, face), torch.nn.functional.normalize(on(self.roots.beard, normal), dim=-1)
        place, count = self.beard_place, len(self.beard_place)
        amount = scenes.beard.to(device)[:, None]
        lip = (place[:, 1] > 6.74) & (place[:, 0].abs() < 0.30)
        cheek = ((place[:, 0].abs() - 0.36) / 0.08).clamp(0, 1) * people.trait("cheek_beard").to(device)[:, None].lt(0.25)
        chance = self.beard_share * (0.45 + 0.8 * amount).clamp(max=1.0) * (amount > 0.03) * (1 - 0.92 * cheek)
        only = people.trait("moustache").to(device)[:, None] * (amount > 0.12) * (amount < 0.45)
        chance = torch.where((only > 0) & ~lip, 0.3 * chance, chance)
        keep = dice.uniform(count) < chance
        side = torch.sign(place[:, 0])
        vary = dice.normal(count, 3)
        direction = torch.stack([torch.where(lip, 0.9 * side, 0.28 * side), torch.where(lip, -0.75, -1.0).float(), torch.full_like(side, 0.1)], -1) + 0.30 * vary
        length = (0.010 + 0.19 * amount ** 1.7) * (0.55 + 0.6 * dice.uniform(count)) * torch.where(lip, 0.62, 1.0)
        length = length * (0.7 + 0.6 * ((6.62 - place[:, 1]) / 0.35).clamp(0, 1) * (place[:, 0].abs() < 0.35))
        points = self.lying(root, up, direction, length, 0.55)
        if bool((people.trait("curl") > 0.3).any()):
            t = torch.linspace(0, 1, KNOTS, device=device)
            swing = 0.010 * (people.trait("curl").to(device) - 0.2).clamp(0, 1)[:, None, None] * amount[..., None] * torch.sin(9 * t + 6 * vary[..., :1])
            points = points + swing[..., None] * torch.nn.functional.normalize(torch.linalg.cross(direction, up), dim=-1)[:, :, None]
        t = torch.linspace(0, 1, KNOTS, device=device)
        width = 0.0026 * (1 - 0.6 * t) * keep[..., None]
        return points, width, 0.8 * self._colours(people, count, dice)

    def all(self, people: People, scenes: Scenes, shape: Shape, children: int) -> Strands:
        """Every strand, posed."""
        dice = Dice(people.marks, self.body.device, 1)
        device = self.body.device
        normal = normals(shape.face, self.body.tris)
        parts = [self.scalp(people, scenes, shape, children, dice), self.brows(people, shape.face, normal, dice),
                 self.lashes(people, shape.face, normal, dice), self.beard(people, scenes, shape.face, normal, dice)]
        points = torch.cat([p for p, _, _ in parts], 1)
        share = torch.ones(points.shape[:3], device=device)
        count = parts[0][0].shape[1]
        share[:, :count] = ((points[:, :count, :, 1] - 5.95) / 0.7).clamp(0, 1)
        posed = self.body.pose(points, shape.rotation, share)
        part = torch.cat([torch.full((p.shape[1],), k, device=device) for k, (p, _, _) in enumerate(parts)])
        return Strands(posed, torch.cat([w.expand(len(people), -1, -1) for _, w, _ in parts], 1),
                       torch.cat([c for _, _, c in parts], 1), part)


