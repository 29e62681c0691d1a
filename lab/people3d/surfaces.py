"""Shades the surface samples: skin, cloth, teeth, eyes and things worn."""

from __future__ import annotations

import torch

from .face_hair import hair_colour
from .geometry import rotate
from .light import Lights, ambient, dot, key_diffuse, normalise, surface_shine, window
from .mesh import PROP, Anatomy
from .samples import MASKS, Chunk, Shaded, Surface
from .scenes import STYLES
from .skin import cloth, iris, skin, smooth
from .strands import Hair

EYE_POINTS = 20 * 28
"""Vertices of one eyeball, see `Props.eyes`."""
WORN = {1: "glasses", 3: "hat", 4: "clothes", 5: "clothes", 6: "neck_ears"}
"""Kinds of props, see `meshes.KINDS`, and the mask they belong to."""


class Shader:
    """Shades samples with the anatomy's fixed values."""

    def __init__(self, anatomy: Anatomy, hair: Hair) -> None:
        self.anatomy, self.cover, self.device = anatomy, hair.cover, anatomy.body.device

    def shade(self, chunk: Chunk, s: Surface) -> Shaded:
        """Everything about the samples."""
        out = Shaded.empty(len(s.picture), self.device)
        line = s.mix_own(self.anatomy.neckline[chunk.scenes.clothes.to(self.device)])
        clothed = (s.part == 0) & (line > 0)
        for rows, paint in (
            ((s.part == 0) & ~clothed, self._skin),
            ((s.part > 0) & (s.part < PROP), self._mouth),
            ((s.part == PROP), self._eyes),
            (s.part > PROP, self._things),
        ):
            at = torch.nonzero(rows)[:, 0]
            if len(at):
                paint(chunk, s.at(at), out, at)
        at = torch.nonzero(clothed)[:, 0]
        if len(at):
            self._cloth(chunk, s.at(at), out, at, line[at])
        return out

    def _skin(self, chunk: Chunk, s: Surface, out: Shaded, at: torch.Tensor) -> None:
        people, scenes, device = chunk.people, chunk.scenes, self.device
        hair = hair_colour(*(people.trait(k).to(device) for k in ("hair_melanin", "hair_red", "grey")))
        style = scenes.style.to(device)
        bald = people.trait("bald").to(device)[s.picture] * ((s.place[:, 1] - 7.9) / 0.15).clamp(0, 1)
        shaved = torch.where(style[s.picture] == STYLES.index("shaved"), 0.35, 1.0)
        cover = s.mix_own(self.cover[style]) * (1 - 0.9 * bald) * shaved
        beard = s.mix(self.anatomy.beard) * (scenes.beard.to(device)[s.picture] * 2.2).clamp(0, 1)
        look = skin(s.place, s.masks, cover, beard, s.marks, s.traits, hair[s.picture])
        bump = rotate(look.bump[:, None], chunk.shape.rotation[s.picture])[:, 0]
        bumped = normalise(s.normal - (bump - dot(bump, s.normal) * s.normal), dim=-1)
        here = chunk.lights.at(s.picture)
        wrap, red, deep = (
            torch.tensor(v, device=device) for v in ((0.30, 0.15, 0.08), (0.75, 0.95, 1.0), (0.75, 0.95, 1.05))
        )
        out.light[at] = (
            key_diffuse(here, 0.5 * (bumped + s.normal), wrap) * s.lit**red
            + ambient(here, normalise(bumped + s.normal, dim=-1)) * s.sky**deep
        )
        out.albedo[at], out.flesh[at] = look.albedo, 1.0
        shine = surface_shine(here, bumped, s.view, look.rough, s.lit * s.sky)
        out.colour[at] = shine * (look.shine[:, None] * (0.35 + 0.65 * s.sky))
        out.parts[at] = skin_parts(s.place, s.masks)

    def _cloth(self, chunk: Chunk, s: Surface, out: Shaded, at: torch.Tensor, line: torch.Tensor) -> None:
        get = lambda name: chunk.scenes.values[name].to(self.device)[s.picture]  # noqa: E731 - four look-ups
        look = cloth(s.place, get("cloth_colour"), get("cloth_second"), get("pattern"), get("seed"))
        normal = normalise(s.normal - (look.bump - dot(look.bump, s.normal) * s.normal), dim=-1)
        hem = 1 - 0.55 * smooth(-line, -0.05, -0.0)[:, None]
        out.colour[at] = hem * matte(look.albedo, look.rough, look.shine, normal, s, chunk.lights.at(s.picture))
        out.parts[at, MASKS.index("clothes")] = 1.0

    def _mouth(self, chunk: Chunk, s: Surface, out: Shaded, at: torch.Tensor) -> None:
        """Teeth and tongue, darker towards the throat."""
        colour = lambda *v: torch.tensor(v, device=self.device)  # noqa: E731 - three colours
        white = colour(0.80, 0.72, 0.60) * (0.8 + 0.3 * s.traits["teeth"][:, None])
        gum = smooth((s.place[:, 1] - 6.66).abs(), 0.085, 0.11)[:, None]
        paint = torch.where(
            (s.part < 3)[:, None],
            torch.lerp(white, colour(0.35, 0.11, 0.10).expand_as(white), gum),
            colour(0.36, 0.12, 0.11),
        )
        depth = smooth(s.place[:, 2], 1.05, 1.44)[:, None] * (1 - 0.35 * s.place[:, :1].abs() / 0.2).clamp(0.3, 1)
        even = torch.ones(len(at), device=self.device)
        dim = s.lit * 0.6 + 0.4, (0.35 + 0.65 * s.sky).clamp(max=1)
        out.colour[at] = matte(
            paint * depth**1.5, 0.28 * even, 0.3 * even, s.normal, s, chunk.lights.at(s.picture), *dim
        )
        out.parts[at, MASKS.index("mouth")] = 1.0

    def _eyes(self, chunk: Chunk, s: Surface, out: Shaded, at: torch.Tensor) -> None:
        for k in range(2):
            first = len(self.anatomy.template) + k * EYE_POINTS
            rows = torch.nonzero((s.corners[:, 0] >= first) & (s.corners[:, 0] < first + EYE_POINTS))[:, 0]
            if len(rows):
                out.colour[at[rows]] = self._eye(chunk, s.at(rows), k)
        out.parts[at, MASKS.index("eyes")] = 1.0

    def _eye(self, chunk: Chunk, s: Surface, k: int) -> torch.Tensor:
        """Colour of an eyeball's samples: iris and white under shade, and the mirror image of the light."""
        gaze = torch.deg2rad(chunk.scenes.gaze.to(self.device)[s.picture])
        yaw, pitch = gaze[:, 0] + (-0.03 if k == 0 else 0.03), gaze[:, 1]  # eyes meet on something near
        forward = torch.stack(
            [torch.sin(yaw) * torch.cos(pitch), -torch.sin(pitch), torch.cos(yaw) * torch.cos(pitch)], -1
        )
        right = normalise(torch.stack([forward[:, 2], torch.zeros_like(yaw), -forward[:, 0]], -1), dim=-1)
        up = torch.linalg.cross(forward, right)
        turn, here = chunk.shape.rotation[s.picture], chunk.lights.at(s.picture)
        out = normalise(s.world - chunk.shape.eye_centre[s.picture, k], dim=-1)
        head = rotate(out[:, None], -turn)[:, 0]
        local = torch.cat([dot(head, right), dot(head, up), dot(head, forward)], -1)
        size = 0.435 * (1 + 0.03 * s.traits["iris_size"])
        upper, lower = smooth(head[:, 1], 0.02, 0.42)[:, None], smooth(-head[:, 1], 0.25, 0.5)[:, None]
        corner = smooth(head[:, 0].abs(), 0.45, 0.85)[:, None]
        shade = (1 - 0.60 * upper) * (1 - 0.35 * corner) * (1 - 0.25 * lower) * (0.55 + 0.45 * s.sky)
        wrap = torch.tensor([0.3, 0.25, 0.22], device=self.device)
        diffuse = key_diffuse(here, out, wrap) * s.lit.clamp(min=0.15) + ambient(here, out)
        within = smooth(-local[:, :2].norm(dim=-1) / size, -1.12, -0.95)[:, None] * (local[:, 2:] > 0)
        bulge = normalise(local * (1 + within * torch.tensor([0.55, 0.55, 0.0], device=self.device)), dim=-1)
        normal = rotate((bulge[:, :1] * right + bulge[:, 1:2] * up + bulge[:, 2:] * forward)[:, None], turn)[:, 0]
        mirror = 2 * dot(normal, s.view) * normal - s.view
        fresnel = 0.028 + 0.6 * (1 - dot(normal, s.view).clamp(0, 1)) ** 5
        glint = window(here, mirror) * fresnel * (0.45 + 0.55 * s.lit) * (1 - 0.5 * upper)
        return iris(local, s.traits, s.marks, size) * diffuse * shade + 2.0 * glint

    def _things(self, chunk: Chunk, s: Surface, out: Shaded, at: torch.Tensor) -> None:
        """Frames, hats, scarves, collars, earrings."""
        uv = sum(s.weights[:, k, None] * chunk.mesh.uv[s.corners[:, k]] for k in range(3))
        for number, mask in WORN.items():
            rows = torch.nonzero(s.part == PROP + number)[:, 0]
            if len(rows):
                out.colour[at[rows]] = self._thing(chunk, s.at(rows), number, uv[rows])
                out.parts[at[rows], MASKS.index(mask)] = 1.0

    def _thing(self, chunk: Chunk, s: Surface, number: int, uv: torch.Tensor) -> torch.Tensor:
        get = lambda name: chunk.scenes.values[name].to(self.device)[s.picture]  # noqa: E731 - look-ups of one kind
        even, here = torch.ones(len(s.picture), device=self.device), chunk.lights.at(s.picture)
        if number == 1:
            return matte(get("rim_paint"), 0.28 * even, 1.6 * even, s.normal, s, here)
        if number == 6:
            gold, silver = (torch.tensor(v, device=self.device) for v in ((0.6, 0.42, 0.15), (0.6, 0.6, 0.6)))
            return matte(
                torch.where((s.marks % 2 == 0)[:, None], gold, silver), 0.25 * even, 6.0 * even, s.normal, s, here
            )
        local = s.world if number == 5 else torch.stack([uv[:, 0] * 7, uv[:, 1] * 3, torch.zeros_like(uv[:, 0])], 1)
        first = {3: "hat_colour", 4: "scarf_colour", 5: "cloth_colour"}[number]
        second = "hat_second" if number == 3 else "cloth_second"
        pattern = get("pattern") * ((get("hat") == 1) & (number == 3))
        look = cloth(local, get(first), get(second), pattern, get("seed"), 0.05 if number == 4 else 0.03)
        amount = 0.35 if number == 3 else 0.5
        normal = normalise(s.normal - amount * (look.bump - dot(look.bump, s.normal) * s.normal), dim=-1)
        return matte(look.albedo, 0.85 * even, 0.25 * even, normal, s, here)


def matte(
    albedo: torch.Tensor,
    rough: torch.Tensor,
    shine: torch.Tensor,
    normal: torch.Tensor,
    s: Surface,
    here: Lights,
    lit: torch.Tensor | None = None,
    sky: torch.Tensor | None = None,
) -> torch.Tensor:
    """Colour (N, 3) of plain surfaces; lit and sky (N, 1) instead of the samples' own."""
    lit, sky = s.lit if lit is None else lit, s.sky if sky is None else sky
    diffuse = (
        key_diffuse(here, normal, torch.full((3,), 0.08, device=albedo.device)) * lit + ambient(here, normal) * sky
    )
    return albedo * diffuse + surface_shine(here, normal, s.view, rough, lit) * shine[:, None] * (0.4 + 0.6 * sky)


def skin_parts(p: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    """(N, 12) what each point of skin belongs to."""
    x, y, z = p[:, 0].abs(), p[:, 1], p[:, 2]
    lips = smooth(masks[:, 0], 0.35, 0.65)
    inside = smooth(masks[:, 3], 0.35, 0.65) * (1 - lips)
    low = 6.32 + 0.55 * (x / 0.62).clamp(max=1.2) ** 3.2
    face = smooth(y - low, -0.03, 0.03) * smooth(-y, -8.02, -7.95) * smooth(z, 0.30, 0.45) * smooth(-x, -0.70, -0.66)
    wing = 0.075 + 0.11 * smooth(7.36 - y, 0.0, 0.34)
    nose = smooth(wing - x, -0.02, 0.02) * smooth(-y, -7.36, -7.30) * smooth(y, 6.905, 6.935) * smooth(z, 1.1, 1.2)
    out = torch.zeros(len(p), len(MASKS), device=p.device)
    rest = 1 - lips - inside
    out[:, 1], out[:, 5], out[:, 2] = lips, inside, nose * rest
    out[:, 0] = face * (rest - out[:, 2]).clamp(min=0)
    out[:, 11] = (1 - out.sum(1)).clamp(min=0)
    return out
