"""What skin, eyes, cloth and things look like at a point: colour, roughness, bump. Evaluated at samples, no texture."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from .native import noise

MELANIN = (1.92, 2.30, 2.78)
HAEMOGLOBIN = (0.06, 0.62, 0.50)
PALE = (0.80, 0.56, 0.44)
"""Skin without melanin and with little blood, linear."""


@dataclass(frozen=True, eq=False)
class Look:
    """albedo (N, 3) linear, rough (N,), shine (N,) specular strength, bump (N, 3) added to the normal in the template's
    space."""

    albedo: torch.Tensor
    rough: torch.Tensor
    shine: torch.Tensor
    bump: torch.Tensor


def smooth(x: torch.Tensor, low: float, high: float) -> torch.Tensor:
    """Smooth step."""
    t = ((x - low) / (high - low)).clamp(0, 1)
    return t * t * (3 - 2 * t)


def blob(p: torch.Tensor, x: float, y: float, width: float, height: float) -> torch.Tensor:
    """A soft spot on both halves of the face."""
    return torch.exp(-0.5 * (((p[:, 0].abs() - x) / width) ** 2 + ((p[:, 1] - y) / height) ** 2))


def crease(p: torch.Tensor, line: tuple[tuple[float, float], ...], width: float) -> torch.Tensor:
    """A soft polyline on both halves of the face."""
    x, y = p[:, 0].abs(), p[:, 1]
    nearest = torch.full_like(x, 1e3)
    for (ax, ay), (bx, by) in zip(line[:-1], line[1:]):
        dx, dy = bx - ax, by - ay
        t = (((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy)).clamp(0, 1)
        nearest = torch.minimum(nearest, (x - ax - t * dx) ** 2 + (y - ay - t * dy) ** 2)
    return torch.exp(-nearest / (2 * width * width))


NASOLABIAL = ((0.155, 6.985), (0.215, 6.87), (0.262, 6.74), (0.272, 6.63))
BAG = ((0.165, 7.285), (0.24, 7.225), (0.33, 7.222), (0.42, 7.27))
CROW = (((0.485, 7.35), (0.60, 7.40)), ((0.49, 7.335), (0.61, 7.335)), ((0.485, 7.315), (0.60, 7.27)))
FROWN = ((0.055, 7.44), (0.06, 7.60))
MARIONETTE = ((0.235, 6.65), (0.262, 6.50))
LASH_LINE = ((0.172, 7.330), (0.215, 7.366), (0.262, 7.385), (0.318, 7.389), (0.372, 7.375), (0.425, 7.345))
BROW_LINE = ((0.085, 7.512), (0.205, 7.540), (0.325, 7.562), (0.43, 7.566), (0.565, 7.510))


def skin(p: torch.Tensor, masks: torch.Tensor, cover: torch.Tensor, beard: torch.Tensor, marks: torch.Tensor,
         t: dict[str, torch.Tensor], hair: torch.Tensor) -> Look:
    """Skin at template points p (N, 3).

    masks (N, 4): lips, eyelids, ears, inside of the mouth. cover, beard (N,): hair roots. marks (N,): seeds.
    t: traits at the samples. hair (N, 3): colour of the hair.
    """
    device = p.device
    lips, lids, ears, inside = masks.unbind(1)
    pore, fine, mid, wide = (noise(p, marks + k, cell) for k, cell in enumerate((0.011, 0.026, 0.075, 0.28)))
    front = smooth(p[:, 2], 0.3, 0.9)
    nose = torch.exp(-0.5 * ((p[:, 0] / 0.13) ** 2 + ((p[:, 1] - 7.0) / 0.11) ** 2)) * smooth(p[:, 2], 1.2, 1.4)
    cheeks = blob(p, 0.36, 7.02, 0.17, 0.15)
    blood = 0.30 * cheeks + 0.38 * nose + 0.22 * blob(p, 0.0, 6.42, 0.15, 0.1) + 0.45 * ears + 0.30 * blob(p, 0.30, 7.40, 0.14, 0.05)
    blood = blood * front + 0.13 * wide[:, 0] + 0.10 * mid[:, 0] + 0.06 * fine[:, 0] - 0.10
    blood = blood * (0.55 + 0.9 * t["blood"]) + 0.5 * t["ruddy"] * (cheeks + nose) * (1 + 1.2 * mid[:, 0])
    blood = blood * (1 - 0.45 * t["melanin"])
    dark = (0.05 * wide[:, 0] + 0.035 * mid[:, 0] + 0.025 * fine[:, 0]) * (0.4 + 1.2 * t["melanin"])
    socket = blob(p, 0.25, 7.30, 0.13, 0.055) * (1 - 0.5 * lids)
    dark = dark + socket * (0.05 + 0.14 * t["circles"]) * (0.6 + t["melanin"]) + 0.06 * smooth(p[:, 1], 7.75, 8.0) * t["melanin"]
    dark = dark + 0.03 * smooth(-p[:, 1], -6.25, -6.0)
    spot = noise(p, marks + 11, 0.034)[:, 0]
    zone = front * torch.exp(-0.5 * (((p[:, 1] - 7.1) / 0.28) ** 2 + ((p[:, 0].abs() - 0.15) / 0.32) ** 2))
    dark = dark + 0.30 * t["freckles"] * smooth(spot + 0.25 * wide[:, 0], 0.36, 0.62) * zone
    mole = noise(p, marks + 12, 0.05)[:, 0]
    dark = dark + 0.5 * smooth(mole, 0.90, 0.945) * smooth(t["moles"] - 0.35, 0.0, 0.5)
    blood = blood + 0.25 * socket * t["circles"] * (1 - t["melanin"])
    melanin = (t["melanin"] + dark).clamp(0.0, 1.1)
    pale = torch.tensor(PALE, device=device) * (1 + t["undertone"][:, None] * torch.tensor([0.01, -0.015, -0.045], device=device))
    colour = pale * torch.exp(-melanin[:, None] * torch.tensor(MELANIN, device=device)
                              - (0.35 + blood)[:, None] * torch.tensor(HAEMOGLOBIN, device=device))
    # lips
    lip = smooth(lips, 0.25, 0.75)
    rose = colour * torch.stack([0.92 - 0.03 * t["lip_hue"], 0.60 - 0.02 * t["lip_hue"], 0.64 + 0.03 * t["lip_hue"]], 1)
    rose = rose * (1.05 - 0.35 * t["lip_dark"])[:, None]
    stick = torch.stack([0.40 - 0.1 * t["lip_dark"], 0.055 + 0.03 * t["lip_hue"], 0.075 + 0.02 * t["lip_hue"]], 1).clamp(0.02, 1)
    rose = torch.lerp(rose, stick, (0.75 * smooth(t["make_up"], 0.3, 0.9))[:, None])
    rose = rose * (1 + 0.10 * fine[:, :1] + 0.06 * pore[:, :1])
    colour = torch.lerp(colour, rose, 0.9 * lip[:, None])
    # lids, lash line, make-up
    edge = crease(p, LASH_LINE, 0.0065) * (0.35 + 0.35 * t["lashes"] + 0.3 * t["make_up"])
    colour = colour * (1 - 0.8 * edge.clamp(0, 1))[:, None]
    colour = colour * (1 - 0.16 * lids[:, None] * torch.tensor([0.25, 0.6, 0.5], device=device))
    shadow = blob(p, 0.31, 7.43, 0.13, 0.045) * smooth(t["make_up"], 0.25, 0.9)
    colour = colour * (1 - 0.35 * shadow[:, None] * torch.tensor([0.7, 0.9, 0.8], device=device))
    blush = blob(p, 0.42, 7.05, 0.14, 0.10) * t["make_up"]
    colour = colour * (1 - 0.18 * blush[:, None] * torch.tensor([0.1, 1.0, 0.8], device=device))
    deep = smooth(inside, 0.3, 0.8) * (1 - lip)
    colour = torch.lerp(colour, torch.tensor([0.14, 0.028, 0.026], device=device).expand_as(colour), deep[:, None])
    # lines of age and expression
    age = t["lines"]
    fold = 1.1 * crease(p, NASOLABIAL, 0.016) + 0.6 * crease(p, BAG, 0.011) + 0.4 * crease(p, MARIONETTE, 0.012)
    eyes = sum(crease(p, line, 0.006) for line in CROW) * 0.55
    brow = 0.5 * crease(p, FROWN, 0.008)
    wavy = p[:, 1] + 0.02 * torch.sin(5 * p[:, 0] + 6 * wide[:, 0]) - 0.04 * p[:, 0].abs()
    rows = torch.exp(-0.5 * ((torch.remainder(wavy - 7.64, 0.105) - 0.05) / 0.008) ** 2) * smooth(wavy, 7.62, 7.68) * smooth(-wavy, -7.98, -7.9)
    forehead = 0.5 * rows * smooth(-p[:, 0].abs(), -0.48, -0.25) * (0.6 + 0.6 * wide[:, 0])
    lines = ((0.12 + 0.9 * age) * fold + age * (eyes + brow + forehead)) * front
    colour = colour * (1 - 0.17 * lines.clamp(0, 1.3)[:, None] * torch.tensor([0.7, 1.0, 1.0], device=device))
    # hair roots and stubble
    root = (cover * (0.8 + 0.35 * pore[:, 0])).clamp(0, 1)[:, None]
    colour = torch.lerp(colour, torch.minimum(hair * 0.8, colour * 0.8), 0.88 * root)
    grain = (0.75 + 0.5 * pore[:, 0]).clamp(0, 1.2)
    colour = torch.lerp(colour, torch.minimum(0.5 * hair + 0.3 * colour, colour), (0.5 * beard * grain)[:, None].clamp(0, 0.8))
    line = torch.tensor(0.0, device=device) + 0.030 * t["brow_arch"] * torch.exp(-(((p[:, 0].abs() - 0.41) / 0.11) ** 2)) + 0.018 * t["brow_height"]
    q = torch.stack([p[:, 0], p[:, 1] - line], 1)
    under = crease(q, BROW_LINE, 0.019) * smooth(p[:, 2], 0.7, 0.9) * (0.3 + 0.4 * t["brow_thick"])
    colour = torch.lerp(colour, torch.minimum(0.6 * hair + 0.25 * colour, colour), (0.70 * under * t["brow_dense"])[:, None])
    # bump: pores and folds, as a gradient in the template's space
    strength = (0.00045 + 0.0006 * t["pores"])[:, None] * (1 - 0.7 * lip[:, None])
    bump = strength * pore[:, 1:] + 0.8 * strength * fine[:, 1:] + 0.0005 * (0.4 + t["lines"])[:, None] * mid[:, 1:]
    crinkle = noise(p * torch.tensor([1.0, 0.14, 0.4], device=device), marks + 5, 0.013)
    bump = bump + 0.0022 * lip[:, None] * crinkle[:, 1:]
    bump = bump * (1 - smooth(cover, 0.2, 0.7))[:, None]
    zone = nose + blob(p, 0.0, 7.72, 0.30, 0.14) + 0.5 * blob(p, 0.0, 6.40, 0.12, 0.08) + 0.4 * cheeks
    rough = 0.60 - (0.06 + 0.14 * t["oil"]) * zone.clamp(0, 1) * front + 0.04 * fine[:, 0]
    rough = rough * (1 - lip) + lip * (0.42 - 0.10 * t["make_up"])
    rough = torch.lerp(rough, torch.tensor(0.25, device=device), deep)
    shine = 0.9 * (1 - 0.6 * cover.clamp(0, 1)) * (1 - 0.3 * pore[:, 0].abs())
    return Look(colour.clamp(0.003, 0.95), rough.clamp(0.22, 0.9), shine, bump)


def iris(local: torch.Tensor, t: dict[str, torch.Tensor], marks: torch.Tensor, size: torch.Tensor) -> torch.Tensor:
    """Colour (N, 3) of an eyeball at local (N, 3): right, up, along the gaze, of unit length. size: sine of the iris' edge."""
    device = local.device
    radius = (local[:, :2].norm(dim=-1) / size).clamp(max=5)
    radius = torch.where(local[:, 2] > 0, radius, torch.full_like(radius, 5.0))
    angle = torch.atan2(local[:, 1], local[:, 0])
    spokes = torch.stack([torch.cos(angle) * 3, torch.sin(angle) * 3, radius * 0.5], 1)
    fibre = noise(spokes, marks + 21, 0.22)[:, 0] + 0.6 * noise(spokes, marks + 22, 0.09)[:, 0]
    dark, mid = torch.tensor([0.030, 0.014, 0.007], device=device), torch.tensor([0.15, 0.066, 0.022], device=device)
    blue, green = torch.tensor([0.14, 0.24, 0.34], device=device), torch.tensor([0.15, 0.19, 0.09], device=device)
    light, hue = t["eye_light"][:, None], t["eye_hue"][:, None]
    pale = torch.lerp(blue, green.expand(len(local), 3), hue)
    base = torch.where(light < 0.5, torch.lerp(dark.expand_as(pale), mid.expand_as(pale), (2 * light).clamp(0, 1)),
                       torch.lerp(mid.expand_as(pale), pale, (2 * light - 1).clamp(0, 1)))
    collar = torch.exp(-((radius - 0.45) / 0.13) ** 2)[:, None] * light
    colour = base * (1 + 0.38 * fibre[:, None]) * (1.2 - 0.35 * radius[:, None].clamp(0, 1) ** 3)
    colour = torch.lerp(colour, mid * 1.4 * (1 + 0.3 * fibre[:, None]), 0.5 * collar)
    ring = torch.exp(-((radius - 0.97) / 0.10) ** 2)[:, None]
    colour = colour.clamp(0.004, 1) * (1 - 0.75 * ring)
    pupil = 1 - smooth(radius, 0.34, 0.40)
    colour = colour * (1 - pupil[:, None]) + 0.002 * pupil[:, None]
    vein = noise(local * torch.tensor([1.0, 3.0, 1.0], device=device), marks + 23, 0.12)[:, 0]
    outer = (local[:, 0].abs() - 0.35).clamp(0, 1)
    sclera = torch.tensor([0.66, 0.60, 0.565], device=device) * (1 - outer[:, None] * torch.tensor([0.25, 0.55, 0.6], device=device))
    sclera = sclera * (1 - (0.10 * vein.clamp(min=0))[:, None] * torch.tensor([0.2, 1.0, 1.0], device=device))
    return torch.lerp(colour, sclera, smooth(radius, 0.95, 1.08)[:, None])


def cloth(p: torch.Tensor, colour: torch.Tensor, second: torch.Tensor, pattern: torch.Tensor, seed: torch.Tensor,
          knit: float = 0.02) -> Look:
    """Cloth at points p (N, 3): plain, striped, heather or checked."""
    fine, fold, large = noise(p, seed + 31, knit), noise(p, seed + 32, 0.22), noise(p, seed + 33, 0.55)
    stripe = smooth(torch.sin(p[:, 1] * 2 * math.pi / 0.42), -0.15, 0.15)
    check = 0.5 * smooth(torch.sin(p[:, 0] * 2 * math.pi / 0.36), -0.1, 0.1) + 0.5 * smooth(torch.sin(p[:, 1] * 2 * math.pi / 0.36), -0.1, 0.1)
    heather = (0.5 + 0.7 * fine[:, 0]).clamp(0, 1) * 0.6
    share = torch.where(pattern == 1, stripe, torch.where(pattern == 2, heather, torch.where(pattern == 3, check, torch.zeros_like(check))))
    albedo = torch.lerp(colour, second, share[:, None]) * (1 + 0.10 * fine[:, :1] + 0.08 * fold[:, :1])
    bump = 0.0035 * fine[:, 1:] * 0.5 + 0.028 * fold[:, 1:] * 1.0 + 0.03 * large[:, 1:]
    return Look(albedo.clamp(0.003, 0.9), torch.full_like(share, 0.85), torch.full_like(share, 0.25), bump)
