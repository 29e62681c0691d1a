"""Light on surfaces and hair: key light with a shadow map, sky and ground, two wide fills."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from .scenes import Scenes

normalise = torch.nn.functional.normalize


@dataclass(frozen=True, eq=False)
class Lights:
    """The scenes' lights on the device, each (n, 3) or (n,)."""

    key: torch.Tensor
    key_colour: torch.Tensor
    size: torch.Tensor
    sky: torch.Tensor
    ground: torch.Tensor
    fill: torch.Tensor
    fill_colour: torch.Tensor
    rim: torch.Tensor
    rim_colour: torch.Tensor
    panes: torch.Tensor

    @staticmethod
    def of(scenes: Scenes, device: torch.device) -> Lights:
        """The lights of scenes."""
        get = lambda name: scenes.values[name].to(device)  # noqa: E731 - ten casts
        return Lights(normalise(get("key_direction"), dim=-1), get("key_colour"), get("key_size"), get("sky"), get("ground"),
                      normalise(get("fill_direction"), dim=-1), get("fill_colour"), normalise(get("rim_direction"), dim=-1),
                      get("rim_colour"), get("panes"))

    def at(self, index: torch.Tensor) -> Lights:
        """The lights at samples: index (N,) of the scene."""
        return Lights(*(getattr(self, name)[index] for name in self.__dataclass_fields__))


def dot(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Row-wise product, (N, 1)."""
    return (a * b).sum(-1, keepdim=True)


def ambient(lights: Lights, normal: torch.Tensor) -> torch.Tensor:
    """Irradiance / pi of sky, ground and fills, (N, 3)."""
    up = 0.5 + 0.5 * normal[:, 1:2]
    out = torch.lerp(lights.ground, lights.sky, up * up * (3 - 2 * up))
    out = out + lights.fill_colour * ((dot(normal, lights.fill) + 0.6) / 1.6).clamp(min=0) ** 1.5
    return out + lights.rim_colour * ((dot(normal, lights.rim) + 0.15) / 1.15).clamp(min=0) ** 1.5


def key_diffuse(lights: Lights, normal: torch.Tensor, wrap: torch.Tensor) -> torch.Tensor:
    """Key light's irradiance / pi without shadow; wrap (3,) or (N, 3): how far it bends around the terminator."""
    bend = wrap + 0.55 * lights.size[:, None]
    return lights.key_colour * ((dot(normal, lights.key) + bend) / (1 + bend)).clamp(min=0) ** (1 + 0.5 * bend)


def surface_shine(lights: Lights, normal: torch.Tensor, view: torch.Tensor, rough: torch.Tensor, lit: torch.Tensor,
                  reflectance: float = 0.035) -> torch.Tensor:
    """Specular light (N, 3) of GGX under the key light and of the surroundings, for rough (N,) and lit (N, 1)."""
    alpha = (rough ** 2 + 0.10 * lights.size).clamp(0.02, 1)[:, None]
    half = normalise(view + lights.key, dim=-1)
    nh, nl, nv = dot(normal, half).clamp(min=0), dot(normal, lights.key).clamp(min=0), dot(normal, view).clamp(0.05, 1)
    d = alpha ** 2 / (math.pi * (nh ** 2 * (alpha ** 2 - 1) + 1) ** 2)
    fresnel = reflectance + (1 - reflectance) * (1 - dot(half, view).clamp(0, 1)) ** 5
    g = 1.0 / (4 * (nl * (1 - alpha / 2) + alpha / 2) * (nv * (1 - alpha / 2) + alpha / 2))
    key = (d * fresnel * g).clamp(max=8) * nl * lights.key_colour * math.pi * lit
    edge = reflectance + (1 - rough[:, None]) * 0.5 * (1 - nv) ** 5
    mirror = 2 * dot(normal, view) * normal - view
    return key + edge * ambient(lights, mirror) * (1 - 0.5 * rough[:, None])


def window(lights: Lights, mirror: torch.Tensor) -> torch.Tensor:
    """What a wet eye mirrors (N, 3): a window, a softbox or the sun, and a faint room."""
    helper = torch.tensor([0.0, 1.0, 0.0], device=mirror.device).expand_as(mirror)
    right = normalise(torch.linalg.cross(helper, lights.key), dim=-1)
    up = torch.linalg.cross(lights.key, right)
    x, y, z = dot(mirror, right)[:, 0], dot(mirror, up)[:, 0], dot(mirror, lights.key)[:, 0]
    half = 0.12 + 0.32 * lights.size
    soft = 0.06
    inside = torch.sigmoid((half - x.abs()) / (soft * 0.5)) * torch.sigmoid((half * 1.25 - y.abs()) / (soft * 0.5)) * (z > 0)
    bar = torch.where((lights.panes > 1.5) & (lights.size > 0.4), 1 - torch.exp(-((x / 0.04) ** 2)), torch.ones_like(x))
    power = (0.62 / (half * half)).clamp(max=30)
    return (inside * bar * power)[:, None] * lights.key_colour + 0.25 * ambient(lights, mirror)


def hair_light(lights: Lights, tangent: torch.Tensor, view: torch.Tensor, colour: torch.Tensor, lit: torch.Tensor,
               open_sky: torch.Tensor, tilt: torch.Tensor) -> torch.Tensor:
    """Hair's colour (N, 3): scattered light, a white highlight shifted to the root and a coloured one to the tip.

    tangent: root to tip. lit (N, 1): share of the key light, open_sky (N, 1): share of the surroundings that arrives.
    tilt (N, 1): each strand's own shift of the highlights. After Kajiya and Kay (1989), Marschner et al. (2003).
    """
    out = torch.zeros_like(colour)
    for direction, power, share in ((lights.key, lights.key_colour, lit), (lights.rim, lights.rim_colour, open_sky),
                                    (lights.fill, lights.fill_colour, open_sky)):
        tl, tv = dot(tangent, direction), dot(tangent, view)
        sine = (1 - tl ** 2).clamp(min=0).sqrt()
        front = 0.5 + 0.5 * dot(direction, view)
        half = torch.asin(tl.clamp(-1, 1)) + torch.asin(tv.clamp(-1, 1))
        first = torch.exp(-((half - 0.10 + tilt) / 0.16) ** 2)
        second = torch.exp(-((half + 0.14 + tilt) / 0.26) ** 2)
        scatter = 0.62 * sine * (0.45 + 0.55 * front)
        glow = torch.exp(-((half + 0.05) / 0.25) ** 2) * (1 - front) ** 3 * 0.9
        out = out + power * share * (colour * scatter + 0.045 * first * front + (0.40 * second * front + glow) * colour ** 0.9)
    sky = torch.lerp(lights.ground, lights.sky, 0.65)
    return out + colour * sky * open_sky * 0.72
