"""How standard normal numbers become a person: which targets, how much, which colours.

A person is one row of `SIZE` standard normals. Everything is made from it at once for a whole batch.
"""

from __future__ import annotations

import math

import torch

Row = dict[str, torch.Tensor]

ANCESTRIES = ("african", "asian", "caucasian")
TRAITS = (
    "woman",
    "age",
    "african",
    "asian",
    "caucasian",
    "melanin",
    "undertone",
    "blood",
    "freckles",
    "moles",
    "lines",
    "oil",
    "lip_hue",
    "lip_dark",
    "hair_melanin",
    "hair_red",
    "grey",
    "eye_light",
    "eye_hue",
    "brow_thick",
    "brow_arch",
    "brow_height",
    "brow_dense",
    "brow_gap",
    "brow_length",
    "brow_dark",
    "hairline",
    "bald",
    "curl",
    "beard",
    "moustache",
    "cheek_beard",
    "make_up",
    "lashes",
    "circles",
    "ruddy",
    "pores",
    "part",
    "cut",
    "hair_long",
    "hair_volume",
    "earring",
    "glasses",
    "teeth",
    "iris_size",
)
SIZE = 420
"""Numbers a person is made of; the unused ones are kept so that a new trait does not change old people."""
FIRST_OF_SHAPE = 50
"""From here on the numbers are of the shape."""


def uniform(z: torch.Tensor) -> torch.Tensor:
    """Standard normal to 0..1."""
    return 0.5 * (1 + torch.erf(z / math.sqrt(2.0)))


def make_traits(z: torch.Tensor) -> Row:
    """Every trait of (n, SIZE) standard normals, each (n,). 0..1 where not said otherwise in the code."""
    u = uniform(z)
    t: Row = {}
    t["woman"] = ((u[:, 0] < 0.5).float() * 0.92 + 0.04 + 0.03 * z[:, 1].clamp(-1.3, 1.3)).clamp(0, 1)
    woman = t["woman"] > 0.5
    t["age"] = 18 + 62 * u[:, 2] ** 1.5  # years
    old = ((t["age"] - 40) / 40).clamp(0, 1)
    kind = (u[:, 3] * 3).clamp(0, 2.999)  # one ancestry leads, the others mix in
    mixed = torch.stack(
        [torch.exp(4.5 * torch.relu(1 - (kind - 0.5 - k).abs()) + 0.7 * z[:, 4 + k]) for k in range(3)], 1
    )
    mixed = mixed / mixed.sum(1, keepdim=True)
    for k, name in enumerate(ANCESTRIES):
        t[name] = mixed[:, k]
    t["melanin"] = (0.10 + 0.66 * mixed[:, 0] + 0.17 * mixed[:, 1] + 0.11 * z[:, 7]).clamp(0.02, 0.97)
    t["undertone"] = z[:, 8].clamp(-2, 2)  # yellow to pink
    t["blood"] = (0.5 + 0.2 * z[:, 9]).clamp(0, 1)
    fair = (1 - t["melanin"] / 0.4).clamp(0, 1)
    t["freckles"] = ((z[:, 10] - 0.7) * 0.8).clamp(0, 1) * fair
    t["moles"] = u[:, 11] ** 2
    t["lines"] = (((t["age"] - 30) / 42).clamp(0, 1) + 0.1 * z[:, 12]).clamp(0, 1)
    t["oil"] = u[:, 13]
    t["lip_hue"], t["lip_dark"] = z[:, 14].clamp(-2, 2), (0.4 + 0.2 * z[:, 15]).clamp(0, 1)
    light = (mixed[:, 2] * 1.25 - 0.2).clamp(0, 1)
    t["hair_melanin"] = (1 - light * (0.05 + 0.9 * u[:, 16])).clamp(0.08, 1)
    red = (u[:, 17] > 0.88).float() * light
    t["hair_red"] = (0.25 + 0.15 * z[:, 18] + 0.75 * red).clamp(0, 1)
    t["hair_melanin"] = torch.where(red > 0.4, 0.5 + 0.2 * u[:, 16], t["hair_melanin"])
    t["grey"] = (2.2 * ((t["age"] - 46) / 40).clamp(0, 1) ** 1.3 + 0.25 * z[:, 19] - 0.3 - 0.3 * woman.float()).clamp(
        0, 1
    )
    t["eye_light"] = (light * 1.15 * u[:, 20] - 0.05).clamp(0, 1)
    t["eye_hue"] = u[:, 21]
    t["brow_thick"] = (torch.where(woman, 0.34, 0.6) + 0.17 * z[:, 22]).clamp(0.08, 1)
    t["brow_arch"] = torch.where(woman, 0.55, 0.2) + 0.3 * z[:, 23]
    t["brow_height"] = torch.where(woman, 0.25, -0.1) + 0.4 * z[:, 24]
    t["brow_dense"] = (torch.where(woman, 0.6, 0.75) + 0.17 * z[:, 25]).clamp(0.2, 1)
    t["brow_gap"], t["brow_length"] = z[:, 26].clamp(-2, 2), z[:, 27].clamp(-2, 2)
    t["brow_dark"] = u[:, 28]
    t["hairline"] = (0.3 + 0.18 * z[:, 29] + torch.where(woman, 0.0, 0.4) * old).clamp(0, 1)
    t["bald"] = (~woman & (u[:, 30] < 0.10 + 0.35 * old)).float()
    t["curl"] = (0.12 + 0.25 * z[:, 31] + 0.8 * (mixed[:, 0] - 0.35).clamp(0, 1)).clamp(0, 1)
    style = u[:, 32]  # men: none, stubble, short, full
    t["beard"] = torch.where(
        woman,
        0.0,
        torch.where(style < 0.4, 0.12 * style, torch.where(style < 0.6, 0.25, torch.where(style < 0.82, 0.55, 1.0))),
    ) * torch.where(mixed[:, 1] > 0.55, 0.7, 1.0)
    t["moustache"] = torch.where(woman, 0.0, (u[:, 33] > 0.9).float())
    t["cheek_beard"] = u[:, 34]
    t["make_up"] = torch.where(woman, ((u[:, 35] - 0.35) * 1.6).clamp(0, 1), 0.0)
    t["lashes"] = (torch.where(woman, 0.75, 0.45) + 0.15 * z[:, 36]).clamp(0.2, 1)
    t["circles"] = (0.35 + 0.2 * z[:, 37] + 0.3 * old).clamp(0, 1)
    t["ruddy"] = u[:, 38] ** 2 * fair
    t["pores"] = (0.5 + 0.2 * z[:, 39] + 0.2 * old - 0.15 * woman.float()).clamp(0, 1)
    t["part"] = torch.where(u[:, 40] < 0.5, -1.0, 1.0)
    t["cut"] = u[:, 41]  # which haircut
    t["hair_long"], t["hair_volume"] = u[:, 42], z[:, 43].clamp(-2, 2)
    t["earring"] = torch.where(woman, (u[:, 44] < 0.45).float(), (u[:, 44] < 0.04).float())
    t["glasses"] = u[:, 45]
    t["teeth"], t["iris_size"] = u[:, 46], z[:, 47].clamp(-2, 2)
    return t
