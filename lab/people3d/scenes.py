"""How people are seen: expression, pose, lens, light, hair style, things worn, backdrop, camera."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from .expressions import EXPRESSION_ODDS, EXPRESSIONS, UNITS, expression
from .people import People

STYLES = (
    "bob",
    "bob side",
    "long",
    "ponytail",
    "short swept",
    "short quiff",
    "short parted",
    "short cropped",
    "buzz",
    "afro",
    "curls",
    "crop",
    "shaved",
)
WOMEN_CUTS = (0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 10, 9, 6)
MEN_CUTS = (4, 4, 5, 5, 6, 6, 7, 7, 8, 11, 11, 9, 2)
HATS = ("none", "beanie", "cap", "fedora")
LIGHTS = ("studio", "window", "overcast", "sun", "room", "night")
LIGHT_ODDS = (0.22, 0.24, 0.2, 0.12, 0.14, 0.08)
CLOTHES = ("crew", "v-neck", "turtleneck", "shirt", "wide")
FRAMINGS = ("crop", "portrait", "mixed")


@dataclass(frozen=True, eq=False)
class Scenes:
    """n scenes. values: field -> (n, ...) tensor on the CPU; `values["seed"]` decides whatever is left to chance.

    yaw, pitch, roll: degrees; yaw > 0 turns the face to the viewer's right, pitch > 0 down. units: (n, E) weights of
    `UNITS`. gaze (n, 2): degrees right and down of straight ahead. frame: eye distance as a share of the side.
    """

    values: dict[str, torch.Tensor]

    def __len__(self) -> int:
        return len(self.values["seed"])

    def __getitem__(self, index: slice | torch.Tensor | list[int]) -> Scenes:
        return Scenes({k: v[index] for k, v in self.values.items()})

    def __getattr__(self, name: str) -> torch.Tensor:
        if name != "values" and name in self.values:
            return self.values[name]
        raise AttributeError(name)

    def replace(self, **fields: torch.Tensor) -> Scenes:
        """The scenes with some fields changed. Raises ValueError for an unknown field."""
        if unknown := set(fields) - set(self.values):
            raise ValueError(f"unknown field of a scene: {', '.join(sorted(unknown))}")
        return Scenes({**self.values, **fields})

    @staticmethod
    def cat(parts: Sequence[Scenes]) -> Scenes:
        """Several groups as one."""
        return Scenes({k: torch.cat([p.values[k] for p in parts]) for k in parts[0].values})


class _Dice:
    """Random tensors of one length from one CPU generator."""

    def __init__(self, n: int, generator: torch.Generator | None) -> None:
        self.n, self.generator = n, generator

    def normal(self, scale: float = 1.0, *shape: int) -> torch.Tensor:
        return torch.randn(self.n, *shape, generator=self.generator) * scale

    def uniform(self, low: float = 0.0, high: float = 1.0, *shape: int) -> torch.Tensor:
        return torch.rand(self.n, *shape, generator=self.generator) * (high - low) + low

    def choose(self, odds: Sequence[float]) -> torch.Tensor:
        return torch.multinomial(torch.tensor(odds), self.n, replacement=True, generator=self.generator)

    def chance(self, share: Any) -> torch.Tensor:
        return self.uniform() < share

    def colour(self, low: float = 0.03, high: float = 0.6, grey: float = 0.55) -> torch.Tensor:
        """(n, 3) linear colours, mostly muted as clothes are."""
        level = low * (high / low) ** self.uniform()[:, None]
        hue = torch.rand(self.n, 3, generator=self.generator)
        hue = hue / hue.mean(1, keepdim=True)
        share = self.uniform()[:, None] ** 1.5 * (1 - grey) * 1.6
        return (level * (1 + share * (hue - 1))).clamp(0.004, 0.85)


def own_style(people: People) -> torch.Tensor:
    """(n,) the haircut that each person usually wears, index into STYLES."""
    cut = (people.trait("cut") * 12.999).long().clamp(0, 12)
    style = torch.where(people.trait("woman") > 0.5, torch.tensor(WOMEN_CUTS)[cut], torch.tensor(MEN_CUTS)[cut])
    curly = (people.trait("african") > 0.5) & (people.trait("curl") > 0.4)
    style = torch.where(curly & (cut % 2 == 0), torch.where(people.trait("woman") > 0.5, 10, 8), style)
    return torch.where((people.trait("bald") > 0.5), torch.where(cut % 2 == 0, 8, 12), style)


def sample_scenes(n: int, generator: torch.Generator | None, people: People | None, framing: str = "mixed") -> Scenes:
    """n scenes at random. `people`: who will be seen, so that hair, beard and what is worn fit.

    Raises ValueError for an unknown framing.
    """
    if framing not in FRAMINGS:
        raise ValueError(f"unknown framing {framing!r}; choose one of {', '.join(FRAMINGS)}")
    d = _Dice(n, generator)
    v: dict[str, torch.Tensor] = {"seed": torch.randint(1 << 30, (n,), generator=generator).int()}
    v["yaw"] = torch.where(d.chance(0.78), d.normal(9.0), d.normal(21.0)).clamp(-45, 45)
    v["pitch"] = (d.normal(6.5) + 1).clamp(-24, 24)
    v["roll"] = d.normal(5.0).clamp(-18, 18)
    v["azimuth"], v["elevation"] = d.normal(5.0).clamp(-15, 15), (d.normal(4.0) + 1).clamp(-12, 14)
    v["distance"] = 8.0 * torch.exp(d.uniform(0.0, 1.1))
    kind = d.choose(EXPRESSION_ODDS)
    table = torch.stack([expression(name) for name in EXPRESSIONS])
    v["expression"] = kind
    units = table[kind] * d.uniform(0.45, 1.0)[:, None]
    units = units + (
        d.normal(0.035, len(UNITS))
        * torch.tensor(
            [
                0.0
                if u.startswith(
                    (
                        "eyeBlink",
                        "eyeLook",
                        "jawRight",
                        "jawLeft",
                        "mouthClose",
                        "mouthRoll",
                        "cheekPuff",
                        "mouthF",
                        "noseS",
                        "browDown",
                        "mouthUpper",
                        "eyeWide",
                    )
                )
                else 1.0
                for u in UNITS
            ]
        )
    ).clamp(min=0)
    blink = torch.where(d.chance(0.03), d.uniform(0.75, 1.0), d.normal(0.06).abs() + 0.10)
    v["gaze"] = torch.stack([-0.75 * v["yaw"] + v["azimuth"] * 0.6, -0.6 * v["pitch"] + v["elevation"] * 0.4], 1)
    v["gaze"] = v["gaze"].clamp(-24, 24) * torch.where(d.chance(0.85), 1.0, 0.2)[:, None] + d.normal(3.0, 2)
    v["gaze"][:, 1] = v["gaze"][:, 1].clamp(-14, 14)
    units[:, UNITS.index("eyeBlinkLeft")] += blink
    units[:, UNITS.index("eyeBlinkRight")] += blink
    up, down = (-v["gaze"][:, 1] / 30).clamp(0, 0.7), (v["gaze"][:, 1] / 30).clamp(0, 0.7)
    for side in ("Left", "Right"):
        units[:, UNITS.index("eyeLookUp" + side)] += up
        units[:, UNITS.index("eyeLookDown" + side)] += down
    v["units"] = units
    crop = torch.full((n,), framing == "crop") | (
        d.chance(0.66) if framing == "mixed" else torch.zeros(n, dtype=torch.bool)
    )
    v["cropped"] = crop
    v["frame"] = torch.where(crop, 0.25 * torch.exp(d.normal(0.05)), d.uniform(0.115, 0.19))
    v["shift"] = torch.where(crop[:, None], d.normal(0.012, 2), d.normal(0.035, 2) + torch.tensor([0.0, -0.03]))
    _sample_light(v, d)
    _sample_worn(v, d, people)
    v["backdrop"] = torch.randint(1 << 30, (n,), generator=generator).int()
    v["blur"] = d.uniform(0.25, 1.0)
    v["exposure"], v["warmth"] = d.normal(0.16), d.normal(0.045)
    v["grain"] = d.uniform(0.002, 0.016)
    v["contrast"] = 1 + d.normal(0.06)
    v["saturation"] = 1 + d.normal(0.08)
    v["soft"] = d.uniform(0.0, 0.45)
    return Scenes(v)


def _sample_light(v: dict[str, torch.Tensor], d: _Dice) -> None:
    """Light: a key light (direction, colour, size), sky, ground and two wide fills, all linear."""
    kind = d.choose(LIGHT_ODDS)
    v["light"] = kind

    def pick(*values: float) -> torch.Tensor:
        return torch.tensor(values)[kind]

    side = torch.where(d.chance(0.5), 1.0, -1.0)
    angle = torch.deg2rad(side * (d.uniform() * pick(45, 60, 40, 65, 50, 80) + pick(10, 25, 0, 10, 5, 10)))
    height = torch.deg2rad(d.uniform() * pick(35, 25, 30, 30, 35, 40) + pick(15, 0, 40, 25, 30, 10))
    v["key_direction"] = torch.stack(
        [torch.sin(angle) * torch.cos(height), torch.sin(height), torch.cos(angle) * torch.cos(height)], 1
    )
    v["key_size"] = (pick(0.35, 0.5, 0.9, 0.06, 0.4, 0.25) * torch.exp(d.normal(0.2))).clamp(0.04, 0.95)
    power = pick(1.5, 1.45, 0.55, 2.3, 1.15, 1.5) * torch.exp(d.normal(0.15))
    warm = pick(0.02, -0.03, 0.0, 0.10, 0.14, 0.18) + d.normal(0.03)
    v["key_colour"] = power[:, None] * torch.stack([1 + warm, torch.ones_like(warm), 1 - 1.2 * warm], 1)
    level = pick(0.32, 0.30, 0.85, 0.45, 0.42, 0.12) * torch.exp(d.normal(0.2))
    tint = pick(0.0, -0.02, -0.03, -0.10, 0.05, -0.05) + d.normal(0.02)
    v["sky"] = level[:, None] * torch.stack([1 + tint, torch.ones_like(tint), 1 - tint], 1)
    bounce = pick(0.45, 0.5, 0.35, 0.5, 0.45, 0.35) * torch.exp(d.normal(0.2))
    v["ground"] = v["sky"] * bounce[:, None] * torch.tensor([1.12, 1.0, 0.86])
    turn = torch.deg2rad(-side * d.uniform(50.0, 110.0))
    v["fill_direction"] = torch.stack([torch.sin(turn), 0.15 + 0 * turn, torch.cos(turn)], 1)
    fill = pick(0.35, 0.16, 0.15, 0.2, 0.3, 0.3) * d.uniform(0.4, 1.4)
    hue = 0.06 * d.normal(1.0, 3) * pick(1, 1, 1, 1, 1, 5)[:, None]
    v["fill_colour"] = fill[:, None] * (1 + hue).clamp(0.3, 1.7)
    back = torch.deg2rad(side * d.uniform(130.0, 170.0) * torch.where(d.chance(0.5), 1.0, -1.0))
    v["rim_direction"] = torch.stack([torch.sin(back) * 0.9, 0.45 + 0 * back, torch.cos(back) * 0.9], 1)
    rim = pick(1.2, 0.25, 0.3, 0.6, 0.4, 1.2) * (d.uniform() < pick(0.5, 0.3, 0.3, 0.5, 0.4, 0.6)).float()
    v["rim_colour"] = rim[:, None] * (1 + 2 * hue).clamp(0.3, 1.7)
    v["panes"] = d.uniform(1.0, 3.0).floor()


def _sample_worn(v: dict[str, torch.Tensor], d: _Dice, people: People | None) -> None:
    """Hair style, beard, hat, glasses, earrings, scarf and clothes."""
    n = d.n
    if people is None:
        style = torch.randint(len(STYLES), (n,), generator=d.generator)
        beard, glasses, earring = 0.3 * d.uniform(), d.chance(0.25), d.chance(0.2)
        woman = d.chance(0.5)
    else:
        own = own_style(people)
        woman = people.trait("woman") > 0.5
        other = torch.where(
            woman, torch.tensor(WOMEN_CUTS)[d.choose([1.0] * 13)], torch.tensor(MEN_CUTS)[d.choose([1.0] * 13)]
        )
        style = torch.where(d.chance(0.8) | (people.trait("bald") > 0.5), own, other)
        beard = (people.trait("beard") * torch.exp(d.normal(0.15))).clamp(0, 1.1)
        beard = torch.where(d.chance(0.12), 0.1 * d.uniform(), beard) * (~woman)
        glasses = d.chance(torch.where(people.trait("glasses") > 0.72, 0.7, 0.12))
        earring = d.chance(people.trait("earring") * 0.75)
    v["style"] = style
    v["mirror"] = torch.where(d.chance(0.5), 1.0, -1.0) if people is None else people.trait("part").clone()
    v["beard"] = beard
    v["length"] = d.uniform(0.72, 1.0)
    v["messy"] = d.uniform(0.2, 1.0)
    hat = torch.where(d.chance(0.13), d.choose([0.0, 0.45, 0.4, 0.15]), 0)
    v["hat"] = hat
    v["hat_colour"], v["hat_second"] = d.colour(0.02, 0.5), d.colour(0.02, 0.6)
    v["hat_tilt"] = d.normal(4.0)
    v["glasses"] = glasses
    v["sunglasses"] = d.chance(0.16) & glasses
    shape = d.choose([0.4, 0.35, 0.25])
    v["rim_square"] = torch.tensor([1.0, 0.72, 0.55])[shape] + d.normal(0.04)
    v["rim_width"], v["rim_height"] = d.normal(1.0).clamp(-1.5, 1.5), d.uniform(0.62, 0.95)
    v["rim_thick"] = torch.exp(d.uniform(-4.9, -3.6))
    table = torch.tensor(
        [
            (0.012, 0.011, 0.011),
            (0.07, 0.028, 0.012),
            (0.45, 0.33, 0.12),
            (0.25, 0.25, 0.27),
            (0.10, 0.012, 0.02),
            (0.02, 0.04, 0.09),
            (0.22, 0.12, 0.05),
            (0.55, 0.5, 0.45),
        ]
    )
    v["rim_paint"] = table[d.choose([0.35, 0.15, 0.1, 0.12, 0.06, 0.08, 0.1, 0.04])]
    v["tint"] = d.uniform(0.0, 0.06)
    v["earring"] = earring
    v["scarf"] = d.chance(0.05)
    v["scarf_colour"] = d.colour(0.03, 0.6, 0.3)
    v["clothes"] = d.choose([0.38, 0.2, 0.1, 0.22, 0.1])
    v["cloth_colour"], v["cloth_second"] = d.colour(0.015, 0.65), d.colour(0.015, 0.7)
    v["pattern"] = d.choose([0.55, 0.13, 0.14, 0.18])
