"""Hair of the face: brows, lashes and beard as lines on it, and the colour of hair."""

from __future__ import annotations

import torch

from .dice import Dice
from .geometry import Body
from .guides import KNOTS, FaceRoots
from .people import People
from .scenes import Scenes
from .surface import on


def hair_colour(melanin: torch.Tensor, red: torch.Tensor, grey: torch.Tensor) -> torch.Tensor:
    """Linear colours (..., 3) of melanin 0..1, its redness, and grey.

    Absorption of eumelanin and pheomelanin after d'Eon et al. (2011).
    """
    dark = torch.tensor([0.53, 0.68, 0.86], device=melanin.device)
    ginger = torch.tensor([0.187, 0.4, 1.05], device=melanin.device)
    amount = (0.25 * melanin + 1.25 * melanin**2.2)[..., None]
    colour = 0.56 * torch.exp(-4.6 * amount * ((1 - red[..., None]) * dark + red[..., None] * ginger))
    white = torch.tensor([0.33, 0.325, 0.32], device=melanin.device)
    return torch.lerp(colour, white, grey[..., None])


class FaceHair:
    """Fixed roots of the face's hair on a device."""

    def __init__(self, body: Body, roots: FaceRoots) -> None:
        self.body, self.roots, device = body, roots, body.device
        to = lambda a: torch.as_tensor(a, device=device)  # noqa: E731 - a cast used on six lines
        self.brow_place, self.lash_share = to(roots.brow_place).float(), to(roots.lash_share).float()
        self.lash_upper, self.lash_side = to(roots.lash_upper).float(), to(roots.lash_side).float()
        self.beard_place, self.beard_share = to(roots.beard_place).float(), to(roots.beard_share).float()

    def colours(self, people: People, count: int, dice: Dice, greying: float = 1.0) -> torch.Tensor:
        """(n, count, 3): each strand a little different; grey comes strand by strand."""
        device, n = self.body.device, len(people)
        trait = {k: people.trait(k).to(device)[:, None].expand(n, count) for k in ("hair_melanin", "hair_red", "grey")}
        noise = dice.normal(count)
        melanin = (trait["hair_melanin"] * (1 + 0.05 * noise) * (1 - 0.35 * trait["grey"])).clamp(0.03, 1)
        grey = (dice.uniform(count) < trait["grey"] * 0.95 * greying).float() * (0.40 + 0.60 * trait["grey"])
        return hair_colour(melanin, trait["hair_red"], grey) * torch.exp(0.11 * dice.normal(count, 1))

    def lying(
        self, root: torch.Tensor, normal: torch.Tensor, direction: torch.Tensor, length: torch.Tensor, rise: float
    ) -> torch.Tensor:
        """Short hairs (n, P, KNOTS, 3) that leave the skin by `rise` and bend back to it."""
        direction = torch.nn.functional.normalize(
            direction - (direction * normal).sum(-1, keepdim=True) * normal, dim=-1
        )
        t = torch.linspace(0, 1, KNOTS, device=root.device)[:, None]
        return root[:, :, None] + length[..., None, None] * (
            direction[:, :, None] * t + normal[:, :, None] * rise * (t - 0.75 * t * t) + normal[:, :, None] * 0.01
        )

    def brows(
        self, people: People, face: torch.Tensor, normal: torch.Tensor, dice: Dice
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Strands of the brows on the face before it turns."""
        device = self.body.device
        trait = {
            k: people.trait(k).to(device)[:, None]
            for k in (
                "brow_thick",
                "brow_arch",
                "brow_height",
                "brow_dense",
                "brow_gap",
                "brow_length",
                "brow_dark",
                "lines",
            )
        }
        root, up = on(self.roots.brow, face), torch.nn.functional.normalize(on(self.roots.brow, normal), dim=-1)
        share, above, side = self.brow_place[:, 0], self.brow_place[:, 1], self.brow_place[:, 2]
        above = (
            above
            - trait["brow_arch"] * 0.026 * torch.exp(-(((share - 0.68) / 0.22) ** 2))
            - 0.018 * trait["brow_height"]
        )
        inner, outer = -0.02 + 0.045 * trait["brow_gap"], 0.99 + 0.05 * trait["brow_length"]
        taper = ((share - inner) / 0.16).clamp(0, 1) * (0.38 + 0.62 * ((outer - share) / 0.5).clamp(0, 1))
        half = 0.046 * (0.42 + 0.75 * trait["brow_thick"]) * taper.clamp(0, 1) ** 0.7
        away = above.abs() / half.clamp(min=1e-3)
        chance = trait["brow_dense"] * (1.15 - away**2).clamp(0, 1) * (share > inner) * (share < outer)
        chance = chance * (0.55 + 0.45 * ((share - inner) / 0.25).clamp(0, 1))
        keep = dice.uniform(len(share)) < chance
        angle = torch.deg2rad(torch.tensor(1.0, device=device)) * (
            58 * torch.exp(-((share - inner) / 0.20).clamp(min=0))
            - 20 * (share - 0.5).clamp(min=0)
            - 22 * (above / half.clamp(min=1e-3)).clamp(-1.2, 1.2) * (share > 0.25)
            + 11 * dice.normal(len(share))
        )
        zero = torch.zeros_like(angle)
        direction = torch.stack([torch.cos(angle) * side, torch.sin(angle), zero], -1)
        length = (
            (0.075 + 0.02 * trait["brow_thick"])
            * (0.75 + 0.5 * dice.uniform(len(share)))
            * (1 - 0.3 * (share - 0.6).clamp(0, 1))
            * (0.62 + 0.38 * ((share - inner) / 0.25).clamp(0, 1))
        )
        points = self.lying(root, up, direction, length, 0.25)
        t = torch.linspace(0, 1, KNOTS, device=device)
        width = 0.0019 * (1 - 0.7 * t) * keep[..., None]
        colour = self.colours(people, len(share), dice, 0.15)
        dark = 0.85 - 0.35 * trait["brow_dark"][..., None]
        return points, width, colour * dark

    def lashes(
        self, people: People, face: torch.Tensor, normal: torch.Tensor, dice: Dice
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
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
        length = (
            torch.where(upper > 0, 0.060, 0.024)
            * (0.6 + 0.6 * amount)
            * (0.65 + 0.5 * share)
            * (0.8 + 0.4 * dice.uniform(count))
        )
        t = torch.linspace(0, 1, KNOTS, device=device)[:, None]
        bend = torch.stack(
            [torch.zeros_like(share), torch.where(upper > 0, 0.55, -0.15), torch.full_like(share, -0.35)], -1
        )
        points = root[:, :, None] + length[..., None, None] * (direction[:, :, None] * t + bend[:, None] * t * t)
        width = (0.0022 * (1 - 0.75 * t[:, 0])) * torch.where(upper > 0, 1.0, 0.5)[:, None]
        melanin = people.trait("hair_melanin").to(device)
        colour = hair_colour((0.6 + 0.4 * melanin).clamp(0, 1), people.trait("hair_red").to(device), 0 * melanin) * 0.5
        return points, width.expand(n, -1, -1), colour[:, None].expand(n, count, 3)

    def beard(
        self, people: People, scenes: Scenes, face: torch.Tensor, normal: torch.Tensor, dice: Dice
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Beard on the face before it turns; from stubble to full."""
        device = self.body.device
        root, up = on(self.roots.beard, face), torch.nn.functional.normalize(on(self.roots.beard, normal), dim=-1)
        place, count = self.beard_place, len(self.beard_place)
        amount = scenes.beard.to(device)[:, None]
        lip = (place[:, 1] > 6.74) & (place[:, 0].abs() < 0.30)
        cheek = ((place[:, 0].abs() - 0.36) / 0.08).clamp(0, 1) * people.trait("cheek_beard").to(device)[:, None].lt(
            0.25
        )
        chance = self.beard_share * (0.45 + 0.8 * amount).clamp(max=1.0) * (amount > 0.03) * (1 - 0.92 * cheek)
        only = people.trait("moustache").to(device)[:, None] * (amount > 0.12) * (amount < 0.45)
        chance = torch.where((only > 0) & ~lip, 0.3 * chance, chance)
        keep = dice.uniform(count) < chance
        side = torch.sign(place[:, 0])
        vary = dice.normal(count, 3)
        direction = (
            torch.stack(
                [
                    torch.where(lip, 0.9 * side, 0.28 * side),
                    torch.where(lip, -0.75, -1.0).float(),
                    torch.full_like(side, 0.1),
                ],
                -1,
            )
            + 0.30 * vary
        )
        length = (0.010 + 0.19 * amount**1.7) * (0.55 + 0.6 * dice.uniform(count)) * torch.where(lip, 0.62, 1.0)
        length = length * (0.7 + 0.6 * ((6.62 - place[:, 1]) / 0.35).clamp(0, 1) * (place[:, 0].abs() < 0.35))
        points = self.lying(root, up, direction, length, 0.55)
        if bool((people.trait("curl") > 0.3).any()):
            t = torch.linspace(0, 1, KNOTS, device=device)
            swing = (
                0.010
                * (people.trait("curl").to(device) - 0.2).clamp(0, 1)[:, None, None]
                * amount[..., None]
                * torch.sin(9 * t + 6 * vary[..., :1])
            )
            points = (
                points
                + swing[..., None]
                * torch.nn.functional.normalize(torch.linalg.cross(direction, up), dim=-1)[:, :, None]
            )
        t = torch.linspace(0, 1, KNOTS, device=device)
        width = 0.0026 * (1 - 0.6 * t) * keep[..., None]
        return points, width, 0.8 * self.colours(people, count, dice)
