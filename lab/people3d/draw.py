"""Draws people in scenes: surfaces and hair into one depth buffer, shading of the samples, picture and truth."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from .backdrop import backdrops, blur
from .camera import Camera, look
from .finish import develop
from .geometry import Body, Shape, normals, rotate
from .guides import make_face_roots, make_guides
from .head import load_head
from .light import Lights, ambient, dot, hair_light, key_diffuse, normalise, surface_shine, window
from .native import Raster
from .people import People
from .props import Prop, Props
from .scenes import CLOTHES, Scenes
from .skin import cloth, iris, skin, smooth
from .strands import Hair, Strands, hair_colour
from .surface import FrontView
from .truth import Landmarks

MASKS = ("face", "lips", "nose", "eyes", "brows", "mouth", "hair", "beard", "glasses", "hat", "clothes", "neck_ears")
PROP = 10
"""Part number of the first kind of prop; below it the parts of the head."""
SHADOW, SHADOW_SPAN = 512, 5.0
"""Side of a shadow map in samples and in decimetres."""
TAPS = 10
PAINTED = ("melanin", "undertone", "blood", "freckles", "moles", "lines", "oil", "lip_hue", "lip_dark", "eye_light", "eye_hue",
           "brow_thick", "brow_arch", "brow_height", "brow_dense", "make_up", "lashes", "circles", "ruddy", "pores", "teeth",
           "iris_size")
"""Traits that colours depend on."""


@dataclass(frozen=True, eq=False)
class Picture:
    """One chunk: pictures (n, 3, S, S), landmarks (n, 68, 2), and truth or None."""

    pictures: torch.Tensor
    landmarks: torch.Tensor
    visibility: torch.Tensor | None
    masks: dict[str, torch.Tensor] | None
    depth: torch.Tensor | None


@dataclass(frozen=True, eq=False)
class _Mesh:
    """All surfaces of a chunk in one: points and normals (n, P, 3), tris (T, 3), part (T,), uv (P, 2)."""

    points: torch.Tensor
    normals: torch.Tensor
    tris: torch.Tensor
    part: torch.Tensor
    uv: torch.Tensor


class Painter:
    """Everything fixed, on one device."""

    def __init__(self, device: torch.device) -> None:
        head = load_head()
        view = FrontView(head)
        self.device, self.body = device, Body(head, device)
        self.landmarks = Landmarks(view)
        self.hair = Hair(self.body, make_guides(head), make_face_roots(head, view))
        self.props = Props(self.body)
        to = lambda a: torch.as_tensor(a, device=device)  # noqa: E731 - a cast used on four lines
        self.template, self.masks = self.body.template, to(head.masks)
        self.part = to(head.part).int()
        self.neckline = self._necklines(self.template, self.body.turn)
        self.beard_area = self._beard()
        self.open = self._open_sky()

    def _beard(self) -> torch.Tensor:
        from .guides import beard_area

        return torch.as_tensor(beard_area(self.template.cpu().numpy(), self.masks[:, 0].cpu().numpy()), device=self.device).float()

    @staticmethod
    def _necklines(p: torch.Tensor, turn: torch.Tensor) -> torch.Tensor:
        """(C, V): above 0 there is cloth, for each kind of clothes."""
        x, y, z = p.unbind(1)
        base = torch.hypot(x / 0.74, (z - 0.22) / 0.72) + (6.05 - y) * 0.9
        deep = smooth(z, 0.3, 0.8)
        rows = {"crew": base - 1.16, "wide": base - 1.42 - 0.15 * deep,
                "v-neck": base - 1.12 - 1.0 * deep * (1 - x.abs() / 0.62).clamp(min=0),
                "turtleneck": torch.where(p[:, 1] > 5.7, 6.36 - y + 0.12 * deep, base - 0.2),
                "shirt": base - 0.98 - 0.75 * deep * (1 - x.abs() / 0.34).clamp(min=0)}
        return torch.stack([torch.where((y > 6.5) | ((y > 5.95) & (z > 0.74)) | ((turn > 0.8) & (z > 0.4)), torch.full_like(y, -1.0), rows[name]) for name in CLOTHES])

    def _open_sky(self) -> torch.Tensor:
        """(V,) share of the surroundings that each vertex of the template sees, by depth maps from many sides."""
        count = 48
        k = torch.arange(count, device=self.device) + 0.5
        z = 1 - 2 * k / count
        phi = k * 2.399963
        direction = torch.stack([(1 - z * z).sqrt() * torch.cos(phi), z, (1 - z * z).sqrt() * torch.sin(phi)], 1)
        basis = torch.stack(_basis(direction), 1)                       # (count, 2, 3)
        centre = torch.tensor([0.0, 6.7, 0.4], device=self.device)
        p = self.template - centre
        side = 320
        xy = torch.einsum("vd,cbd->cvb", p, basis) * (side / 6.4) + side / 2
        depth = 20 - p @ direction.T
        points = torch.cat([xy, depth.T[..., None]], -1)
        raster = Raster(count, side, side, self.device)
        raster.triangles(points, self.body.tris)
        near = raster.depth()
        at = xy.long().clamp(0, side - 1)
        seen = near[torch.arange(count, device=self.device)[:, None], at[..., 1], at[..., 0]] > depth.T - 0.05
        normal = normals(self.template[None], self.body.tris)[0]
        weight = (normal @ direction.T).clamp(min=0).T
        return (weight * seen).sum(0) / weight.sum(0).clamp(min=1e-6)

    def _mesh(self, scenes: Scenes, shape: Shape, props: list[Prop]) -> _Mesh:
        """Body with its cloth pushed out, and props."""
        normal = normals(shape.posed, self.body.tris)
        line = self.neckline[scenes.clothes.to(self.device)]
        thick = torch.where(scenes.clothes.to(self.device) == CLOTHES.index("turtleneck"), 0.09, 0.06)[:, None]
        points = shape.posed + normal * (thick * smooth(line, -0.01, 0.06))[..., None]
        points = points + normal * (0.05 * smooth(line, 0.05, 0.5))[..., None]
        parts, tris, number, uv = [points], [self.body.tris], [self.part], [torch.zeros(points.shape[1], 2, device=self.device)]
        offset = points.shape[1]
        for prop in props:
            parts.append(prop.points)
            tris.append(torch.as_tensor(prop.tris, device=self.device).int() + offset)
            number.append(torch.full((len(prop.tris),), PROP + prop.kind, dtype=torch.int32, device=self.device))
            uv.append(prop.uv)
            offset += prop.points.shape[1]
        all_points, all_tris = torch.cat(parts, 1), torch.cat(tris).contiguous()
        return _Mesh(all_points, normals(all_points, all_tris), all_tris, torch.cat(number), torch.cat(uv))

    def _tuck(self, scenes: Scenes, shape: Shape, strands: Strands) -> Strands:
        """Hair under the hat: what would stick out of it is drawn in, what grows under it is left out."""
        if not bool((scenes.hat > 0).any()):
            return strands
        radius, rim = self.props.hat_radius(scenes, shape)
        rows, columns = radius.shape[1:]
        centre = self.body.pose(self.props.crown.expand(len(scenes), 1, 3), shape.rotation, 1.0)
        local = rotate(strands.points - centre[:, :, None], -shape.rotation)
        r = local.norm(dim=-1)
        lift = torch.asin((local[..., 1] / r.clamp(min=1e-6)).clamp(-1, 1))
        turn = torch.atan2(local[..., 0], local[..., 2])
        j = (turn / (2 * math.pi) * columns).round().long() % columns
        i = ((lift - self.props.dome_lift[0]) / (self.props.dome_lift[-1] - self.props.dome_lift[0]) * (rows - 1)).round().long().clamp(0, rows - 1)
        flat = i * columns + j
        limit = radius.reshape(len(scenes), -1).gather(1, flat.reshape(len(scenes), -1)).reshape(flat.shape) + 0.045
        edge = rim.gather(1, j.reshape(len(scenes), -1)).reshape(j.shape)
        under = (lift > edge - 0.05) & (scenes.hat.to(self.device) > 0)[:, None, None] & (strands.part == 0)[None, :, None]
        share = torch.where(under, (limit / r).clamp(max=1), torch.ones_like(r))
        points = rotate(local * share[..., None], shape.rotation) + centre[:, :, None]
        below = smooth(edge - 0.05 - lift, 0.0, 0.5)                    # hair just below the rim lies close
        close = torch.where((scenes.hat.to(self.device) > 0)[:, None, None] & (strands.part == 0)[None, :, None] & ~under,
                            ((limit + 0.02 + 0.9 * below) / r).clamp(max=1), torch.ones_like(r))
        points = torch.where(under[..., None], points, rotate(local * close[..., None], shape.rotation) + centre[:, :, None])
        return Strands(points, strands.width, strands.colour, strands.part)

    def _shadow(self, mesh: _Mesh, strands: Strands, lights: Lights) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Depth maps (n, SHADOW, SHADOW) from the key light, the light's axes (n, 2, 3) and centres (n, 3)."""
        axes = torch.stack(_basis(lights.key), 1)
        centre = torch.tensor([0.0, 6.9, 0.5], device=self.device).expand(len(axes), 3)
        scale = SHADOW / SHADOW_SPAN

        def project(points: torch.Tensor) -> torch.Tensor:
            flat = points.reshape(len(axes), -1, 3) - centre[:, None]
            xy = flat @ axes.transpose(1, 2) * scale + SHADOW / 2
            depth = 20 - (flat * lights.key[:, None]).sum(-1, keepdim=True)
            depth = torch.where(flat.abs().amax(-1, keepdim=True) > 100, torch.zeros_like(depth), depth)
            return torch.cat([xy, depth], -1).reshape(points.shape)

        raster = Raster(len(axes), SHADOW, SHADOW, self.device)
        solid = mesh.part != PROP + 2
        raster.triangles(project(mesh.points), mesh.tris[solid].contiguous())
        use = slice(0, None, 2)
        raster.strands(project(strands.points[:, use]), strands.width[:, use] * (2 * scale))
        return raster.depth(), axes, centre

    def _lit(self, shadow: tuple[torch.Tensor, torch.Tensor, torch.Tensor], points: torch.Tensor, index: torch.Tensor,
             lights: Lights, hair: torch.Tensor) -> torch.Tensor:
        """Share of the key light (N, 1) at points (N, 3). Behind hair it fades with the depth of hair passed."""
        maps, axes, centre = shadow
        local = points - centre[index]
        scale = SHADOW / SHADOW_SPAN
        x = (local * axes[index, 0]).sum(-1) * scale + SHADOW / 2
        y = (local * axes[index, 1]).sum(-1) * scale + SHADOW / 2
        depth = 20 - (local * lights.key[index]).sum(-1)
        radius = 1.2 + 13.0 * lights.size[index]
        turn = (x * 12.9898 + y * 78.233).sin() * 43758.5453 % 6.2832
        total = torch.zeros_like(x)
        for k in range(TAPS):
            reach = radius * math.sqrt((k + 0.5) / TAPS)
            angle = turn + 2.399963 * k
            i = (y + reach * torch.sin(angle)).long().clamp(0, SHADOW - 1)
            j = (x + reach * torch.cos(angle)).long().clamp(0, SHADOW - 1)
            gap = depth - maps[index, i, j]
            slack = 0.05 + 0.010 * reach
            hard = (gap < slack).float()
            soft = torch.exp(-(gap - 0.03).clamp(min=0) / 0.16)
            total = total + torch.where(hair, soft, hard)
        return (total / TAPS)[:, None]

    def draw(self, people: People, scenes: Scenes, size: int, truth: bool, samples: int, children: int) -> Picture:
        """One chunk of people."""
        device, n = self.device, len(people)
        shape = self.body.shape(people, scenes)
        camera, points68 = look(scenes, shape, self.body, self.landmarks, size)
        lights = Lights.of(scenes, device)
        strands = self._tuck(scenes, shape, self.hair.all(people, scenes, shape, children))
        mesh = self._mesh(scenes, shape, self.props.all(scenes, shape))
        side = size * samples

        def place(p: torch.Tensor) -> torch.Tensor:
            q = camera.pixels(p)
            depth = torch.where((p.abs().amax(-1) > 1e5) | (q[..., 2] < 0.5), torch.zeros_like(q[..., 2]), q[..., 2])
            return torch.cat([(q[..., :2] + 0.5) * samples, depth[..., None]], -1)

        raster = Raster(n, side, side, device)
        where = place(mesh.points)
        solid = mesh.part != PROP + 2
        tris, part = mesh.tris[solid].contiguous(), mesh.part[solid]
        raster.triangles(where, tris)
        hair_at = place(strands.points)
        per_depth = samples / camera.scale                              # samples a decimetre at depth 1
        widths = strands.width * per_depth[:, None, None] / hair_at[..., 2].clamp(min=0.5)
        widths = torch.where(widths > 0, widths.clamp(min=0.35), widths)
        raster.strands(hair_at, widths)
        depth, number, weight = raster.resolve()
        glass = Raster(n, side, side, device)
        glass.triangles(where, mesh.tris[~solid].contiguous())
        glass_depth, glass_number, glass_weight = glass.resolve()
        shadow = self._shadow(mesh, strands, lights)
        crowd = self._crowding(depth, camera, samples, size)

        index, row, column = torch.nonzero(number >= 0, as_tuple=True)
        ray = camera.rays((column + 0.5) / samples - 0.5, (row + 0.5) / samples - 0.5, index)
        z = depth[index, row, column]
        world = camera.eye[index] + ray * z[:, None]
        view = normalise(-ray, dim=-1)
        which, w = number[index, row, column].long(), weight[index, row, column]
        is_hair = which >= len(tris)
        lit = self._lit(shadow, world, index, lights, is_hair)
        open_sky = crowd[index, row, column][:, None]
        colour = torch.zeros(len(index), 3, device=device)
        light = torch.zeros_like(colour)
        skinny = torch.zeros(len(index), 1, device=device)
        kind = torch.zeros(len(index), len(MASKS), device=device) if truth else None
        here = lights.at
        # hair
        at = torch.nonzero(is_hair)[:, 0]
        if len(at):
            knots = strands.points.shape[2]
            strand, knot = (which[at] - len(tris)) // (knots - 1), (which[at] - len(tris)) % (knots - 1)
            i = index[at]
            a, b = strands.points[i, strand, knot], strands.points[i, strand, knot + 1]
            tangent = normalise(b - a, dim=-1)
            paint = strands.colour[i, strand]
            tilt = ((strand * 7919 % 1013).float() / 1013 - 0.5)[:, None] * 0.16
            hidden = lit[at]
            small = strands.part[strand] > 0
            hidden = torch.where(small[:, None], 0.35 + 0.65 * hidden, hidden)
            sky = torch.where(small[:, None], 0.85 * open_sky[at].clamp(min=0.6), open_sky[at])
            colour[at] = hair_light(here(i), tangent, view[at], paint, hidden, sky, tilt)
            if kind is not None:
                row_of = torch.tensor([6, 4, 3, 7], device=device)
                kind[at, row_of[strands.part[strand]]] = 1.0
        # surfaces
        at = torch.nonzero(~is_hair)[:, 0]
        corner = tris[which[at]].long()
        share = torch.stack([1 - w[at].sum(1), w[at, 0], w[at, 1]], 1)
        i = index[at]
        normal = sum(share[:, k, None] * mesh.normals[i, corner[:, k]] for k in range(3))
        normal = normalise(normal, dim=-1)
        normal = torch.where(dot(normal, view[at]) < 0, -normal, normal)
        face = part[which[at]]
        vertices = len(self.template)

        def mix(values: torch.Tensor) -> torch.Tensor:
            c = corner.clamp(max=vertices - 1)
            return sum(share[:, k].reshape(-1, *[1] * (values.dim() - 1)) * values[c[:, k]] for k in range(3))  # type: ignore[return-value]

        def mix_of(values: torch.Tensor) -> torch.Tensor:
            c = corner.clamp(max=vertices - 1)
            return sum(share[:, k] * values[i, c[:, k]] for k in range(3))  # type: ignore[return-value]

        place_t, masks = mix(self.template), mix(self.masks)
        traits = {name: people.trait(name).to(device)[i] for name in PAINTED}
        marks = people.marks.to(device)[i].int()
        result = self._surfaces(scenes, people, shape, mesh, i, face, place_t, masks, traits, marks, normal, view[at], world[at],
                                lit[at], open_sky[at] * torch.where(face == 0, mix(self.open).clamp(0, 1) ** 1.25, torch.ones_like(lit[at][:, 0]))[:, None],
                                lights, mix_of, corner, share)
        colour[at], light[at], skinny[at], paint_at, parts = result
        albedo = torch.zeros_like(colour)
        albedo[at] = paint_at
        if kind is not None:
            kind[at] = parts
        return self._compose(people, scenes, camera, lights, size, samples, index, row, column, colour, light, skinny, albedo, kind, depth,
                             (glass_depth, glass_number, glass_weight, mesh, ~solid), points68, truth)

    def _crowding(self, depth: torch.Tensor, camera: Camera, samples: int, size: int) -> torch.Tensor:
        """Share of open sky (n, H, W) by what stands in front nearby: depth against blurred depth (Luft et al., 2006)."""
        coarse = depth[:, ::samples, ::samples]
        far = torch.where(torch.isinf(coarse), torch.zeros_like(coarse), coarse)
        solid = (~torch.isinf(coarse)).float()
        back = far + (1 - solid) * (far.amax((1, 2), keepdim=True) + 0.6)
        out = torch.ones_like(coarse)
        for share, strength in ((0.02, 0.9), (0.06, 0.8)):
            smooth_depth = blur(back[:, None], max(0.6, share * size))[:, 0]
            out = out * (1 - strength * ((back - smooth_depth - 0.01) / 0.45).clamp(0, 0.75))
        return torch.nn.functional.interpolate(out[:, None], scale_factor=samples, mode="bilinear", align_corners=False)[:, 0]

    def _surfaces(self, scenes: Scenes, people: People, shape: Shape, mesh: _Mesh, i: torch.Tensor, face: torch.Tensor,
                  place: torch.Tensor, masks: torch.Tensor, traits: dict[str, torch.Tensor], marks: torch.Tensor,
                  normal: torch.Tensor, view: torch.Tensor, world: torch.Tensor, lit: torch.Tensor, sky: torch.Tensor,
                  lights: Lights, mix_of: object, corner: torch.Tensor, share: torch.Tensor
                  ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Colour, light to be scattered in skin, share of skin, albedo of skin, and parts of surface samples.

        The skin's colour is split: `colour` holds what is mirrored, `light` its irradiance; albedo joins after the blur.
        """
        device = self.device
        count = len(i)
        colour, light = torch.zeros(count, 3, device=device), torch.zeros(count, 3, device=device)
        flesh = torch.zeros(count, 1, device=device)
        parts = torch.zeros(count, len(MASKS), device=device)
        albedo = torch.zeros(count, 3, device=device)
        hair = hair_colour(people.trait("hair_melanin").to(device), people.trait("hair_red").to(device),
                           people.trait("grey").to(device))
        line = mix_of(self.neckline[scenes.clothes.to(device)])  # type: ignore[operator]
        clothed = (face == 0) & (line > 0)
        body = torch.nonzero((face == 0) & ~clothed)[:, 0]
        if len(body):
            style_cover = self.hair.cover[scenes.style.to(device)]
            cover = mix_of(style_cover)[body]  # type: ignore[operator]
            bald = people.trait("bald").to(device)[i[body]] * ((place[body, 1] - 7.9) / 0.15).clamp(0, 1)
            cover = cover * (1 - 0.9 * bald) * torch.where(scenes.style.to(device)[i[body]] == 12, 0.35, 1.0)
            beard = (sum(share[body, k] * self.beard_area[corner[body, k]] for k in range(3))
                     * (scenes.beard.to(device)[i[body]] * 2.2).clamp(0, 1))
            t = {k: v[body] for k, v in traits.items()}
            look_ = skin(place[body], masks[body], cover, beard, marks[body], t, hair[i[body]])
            bump = rotate(look_.bump[:, None], shape.rotation[i[body]])[:, 0]
            n_ = normal[body]
            bumped = normalise(n_ - (bump - dot(bump, n_) * n_), dim=-1)
            here, v = lights.at(i[body]), view[body]
            wrap = torch.tensor([0.30, 0.15, 0.08], device=device)
            light[body] = (key_diffuse(here, 0.5 * (bumped + n_), wrap) * (lit[body] * torch.ones(3, device=device)) ** torch.tensor([0.75, 0.95, 1.0], device=device)
                           + ambient(here, normalise(bumped + n_, dim=-1)) * sky[body] ** torch.tensor([0.75, 0.95, 1.05], device=device))
            albedo[body] = look_.albedo
            colour[body] = surface_shine(here, bumped, v, look_.rough, lit[body] * sky[body]) * (look_.shine[:, None] * (0.35 + 0.65 * sky[body]))
            flesh[body] = 1.0
            parts[body] = self._skin_parts(place[body], masks[body])
        at = torch.nonzero(clothed)[:, 0]
        if len(at):
            s = i[at]
            get = lambda name: scenes.values[name].to(device)[s]  # noqa: E731 - three look-ups of the same kind
            look_ = cloth(place[at], get("cloth_colour"), get("cloth_second"), get("pattern"), get("seed"))
            n_ = normalise(normal[at] - (look_.bump - dot(look_.bump, normal[at]) * normal[at]), dim=-1)
            self._matte(colour, at, look_.albedo, look_.rough, look_.shine, n_, view, lit, sky, lights.at(s))
            edge = 1 - 0.55 * smooth(-line[at], -0.05, -0.0)[:, None]
            colour[at] = colour[at] * edge
            parts[at, 10] = 1.0
        at = torch.nonzero((face >= 1) & (face < PROP))[:, 0]
        if len(at):
            tooth = (face[at] < 3)[:, None]
            white = torch.tensor([0.66, 0.60, 0.50], device=device) * (0.75 + 0.3 * traits["teeth"][at][:, None])
            gum = smooth((place[at, 1] - 6.66).abs(), 0.085, 0.11)[:, None]
            paint = torch.where(tooth, torch.lerp(white, torch.tensor([0.35, 0.11, 0.10], device=device).expand_as(white), gum),
                                torch.tensor([0.36, 0.12, 0.11], device=device))
            inside = smooth(place[at, 2], 1.05, 1.44)[:, None] * (1 - 0.35 * place[at, :1].abs() / 0.2).clamp(0.3, 1)
            self._matte(colour, at, paint * inside ** 1.5, torch.full((len(at),), 0.28, device=device), torch.full((len(at),), 0.8, device=device),
                        normal[at], view, lit, sky * 0.6, lights.at(i[at]))
            parts[at, 5] = 1.0
        for k in range(2):
            first = len(self.template) + k * (mesh_eye := 20 * 28)
            at = torch.nonzero((face == PROP) & (corner[:, 0] >= first) & (corner[:, 0] < first + mesh_eye))[:, 0]
            if len(at):
                colour[at] = self._eye(scenes, shape, k, i[at], world[at], view[at], lit[at], sky[at], lights.at(i[at]),
                                       {n_: v[at] for n_, v in traits.items()}, marks[at])
                parts[at, 3] = 1.0
        uv = sum(share[:, k, None] * mesh.uv[corner[:, k]] for k in range(3))
        for number, part_row in ((1, 8), (3, 9), (4, 10), (5, 10), (6, 11)):
            at = torch.nonzero(face == PROP + number)[:, 0]
            if not len(at):
                continue
            s = i[at]
            get = lambda name: scenes.values[name].to(device)[s]  # noqa: E731,B023 - used at once
            rough, shine = torch.full((len(at),), 0.85, device=device), torch.full((len(at),), 0.25, device=device)
            n_ = normal[at]
            if number == 1:
                paint, rough, shine = get("rim_paint"), torch.full_like(rough, 0.28), torch.full_like(shine, 1.6)
            elif number == 6:
                paint = torch.where((marks[at] % 2 == 0)[:, None], torch.tensor([0.6, 0.42, 0.15], device=device), torch.tensor([0.6, 0.6, 0.6], device=device))
                rough, shine = torch.full_like(rough, 0.25), torch.full_like(shine, 6.0)
            else:
                local = torch.stack([uv[at, 0] * 7, uv[at, 1] * 3, torch.zeros_like(uv[at, 0])], 1)
                name = {3: "hat_colour", 4: "scarf_colour", 5: "cloth_colour"}[number]
                second = {3: "hat_second", 4: "cloth_second", 5: "cloth_second"}[number]
                pattern = torch.where((get("hat") == 1) & (number == 3), get("pattern"), torch.zeros_like(get("pattern"))) if number == 3 else get("pattern") * 0
                look_ = cloth(local if number != 5 else world[at], get(name), get(second), pattern, get("seed"), 0.03 if number != 4 else 0.05)
                amount = 0.35 if number == 3 else 0.5
                paint = look_.albedo
                n_ = normalise(n_ - amount * (look_.bump - dot(look_.bump, n_) * n_), dim=-1)
            self._matte(colour, at, paint, rough, shine, n_, view, lit, sky, lights.at(s))
            parts[at, part_row] = 1.0
        return colour, light, flesh, albedo, parts

    def _matte(self, colour: torch.Tensor, at: torch.Tensor, albedo: torch.Tensor, rough: torch.Tensor, shine: torch.Tensor,
               normal: torch.Tensor, view: torch.Tensor, lit: torch.Tensor, sky: torch.Tensor, here: Lights) -> None:
        """Writes the colour of plain surfaces."""
        wrap = torch.full((3,), 0.08, device=self.device)
        diffuse = key_diffuse(here, normal, wrap) * lit[at] + ambient(here, normal) * sky[at]
        colour[at] = albedo * diffuse + surface_shine(here, normal, view[at], rough, lit[at]) * shine[:, None] * (0.4 + 0.6 * sky[at])

    @staticmethod
    def _skin_parts(p: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
        """(N, 12) what each point of skin belongs to."""
        x, y, z = p[:, 0].abs(), p[:, 1], p[:, 2]
        lips = smooth(masks[:, 0], 0.35, 0.65)
        inside = smooth(masks[:, 3], 0.35, 0.65) * (1 - lips)
        low = 6.32 + 0.55 * (x / 0.62).clamp(max=1.2) ** 3.2
        face = smooth(y, 0.0, 0.0001) * smooth(y - low, -0.03, 0.03) * smooth(-y, -8.02, -7.95) * smooth(z, 0.30, 0.45) * smooth(-x, -0.70, -0.66)
        nose = smooth(-x + 0.075 + 0.11 * smooth(7.36 - y, 0.0, 0.34), -0.02, 0.02) * smooth(-y, -7.36, -7.30) * smooth(y, 6.905, 6.935) * smooth(z, 1.1, 1.2)
        out = torch.zeros(len(p), len(MASKS), device=p.device)
        out[:, 1], out[:, 5] = lips, inside
        rest = 1 - lips - inside
        out[:, 2] = nose * rest
        out[:, 0] = face * (rest - out[:, 2]).clamp(min=0)
        out[:, 11] = (1 - out.sum(1)).clamp(min=0)
        return out

    def _eye(self, scenes: Scenes, shape: Shape, k: int, i: torch.Tensor, world: torch.Tensor, view: torch.Tensor, lit: torch.Tensor,
             sky: torch.Tensor, here: Lights, t: dict[str, torch.Tensor], marks: torch.Tensor) -> torch.Tensor:
        """Colour of an eyeball's samples."""
        device = self.device
        gaze = torch.deg2rad(scenes.gaze.to(device)[i])
        yaw = gaze[:, 0] + (-0.03 if k == 0 else 0.03)                 # eyes meet on something near
        forward = torch.stack([torch.sin(yaw) * torch.cos(gaze[:, 1]), -torch.sin(gaze[:, 1]), torch.cos(yaw) * torch.cos(gaze[:, 1])], -1)
        right = normalise(torch.stack([forward[:, 2], torch.zeros_like(yaw), -forward[:, 0]], -1), dim=-1)
        up = torch.linalg.cross(forward, right)
        out = normalise(world - shape.eye_centre[i, k], dim=-1)
        local_head = rotate(out[:, None], -shape.rotation[i])[:, 0]
        local = torch.stack([dot(local_head, right)[:, 0], dot(local_head, up)[:, 0], dot(local_head, forward)[:, 0]], -1)
        size = 0.435 * (1 + 0.03 * t["iris_size"])
        paint = iris(local, t, marks, size)
        upper = smooth(local_head[:, 1], 0.02, 0.42)[:, None]
        corner = smooth(local_head[:, 0].abs(), 0.45, 0.85)[:, None]
        lower = smooth(-local_head[:, 1], 0.25, 0.5)[:, None]
        shade = (1 - 0.60 * upper) * (1 - 0.35 * corner) * (1 - 0.25 * lower)
        diffuse = key_diffuse(here, out, torch.tensor([0.3, 0.25, 0.22], device=device)) * lit.clamp(min=0.15) + ambient(here, out)
        within = smooth(-local[:, :2].norm(dim=-1) / size, -1.12, -0.95)[:, None] * (local[:, 2:] > 0)
        bulge = normalise(local * torch.tensor([1.0, 1.0, 1.0], device=device) + within * torch.tensor([0.55, 0.55, 0.0], device=device) * local, dim=-1)
        normal_head = bulge[:, :1] * right + bulge[:, 1:2] * up + bulge[:, 2:] * forward
        normal = rotate(normal_head[:, None], shape.rotation[i])[:, 0]
        mirror = 2 * dot(normal, view) * normal - view
        fresnel = 0.028 + 0.6 * (1 - dot(normal, view).clamp(0, 1)) ** 5
        glint = window(here, mirror) * fresnel * (0.45 + 0.55 * lit) * (1 - 0.5 * upper)
        return paint * diffuse * shade * (0.55 + 0.45 * sky) + glint * 2.0

    def _compose(self, people: People, scenes: Scenes, camera: Camera, lights: Lights, size: int, samples: int,
                 index: torch.Tensor, row: torch.Tensor, column: torch.Tensor, colour: torch.Tensor, light: torch.Tensor,
                 skinny: torch.Tensor, paint: torch.Tensor, kind: torch.Tensor | None, depth: torch.Tensor,
                 glass: tuple[torch.Tensor, torch.Tensor, torch.Tensor, _Mesh, torch.Tensor], points68: torch.Tensor,
                 truth: bool) -> Picture:
        """Samples to pixels: subsurface blur, glass, backdrop, development, truth."""
        device, n, side = self.device, len(people), size * samples
        canvas = torch.zeros(n, side, side, 3, device=device)
        canvas[index, row, column] = colour
        flesh = torch.zeros(n, side, side, 1, device=device)
        flesh[index, row, column] = skinny
        glow = torch.zeros(n, side, side, 3, device=device)
        glow[index, row, column] = light
        albedo = torch.zeros(n, side, side, 3, device=device)
        albedo[index, row, column] = paint
        cover = torch.zeros(n, side, side, 1, device=device)
        cover[index, row, column] = 1.0
        lens_depth, lens_number, lens_weight, mesh, is_lens = glass
        scattered = self._scatter(glow, flesh, camera, size, samples)
        canvas = canvas + flesh * albedo * scattered
        alpha = cover
        back = backdrops(scenes, size, device)
        back = torch.nn.functional.interpolate(back, scale_factor=samples, mode="nearest").permute(0, 2, 3, 1)
        canvas = canvas + (1 - alpha) * back * self._back_level(lights)[:, None, None, None]
        i, r, c = torch.nonzero((lens_number >= 0) & (lens_depth < depth), as_tuple=True)
        if len(i):
            canvas = self._lens(canvas, scenes, camera, lights, mesh, is_lens, lens_number, lens_weight, i, r, c, samples)
        linear = torch.nn.functional.avg_pool2d(canvas.permute(0, 3, 1, 2), samples)
        pictures = develop(linear, scenes, self._exposure(light, skinny, index, n))
        landmarks = camera.pixels(points68)
        visibility = masks = flat_depth = None
        if truth and kind is not None:
            layers = torch.zeros(n, side, side, len(MASKS), device=device)
            layers[index, row, column] = kind
            pooled = torch.nn.functional.avg_pool2d(layers.permute(0, 3, 1, 2), samples)
            masks = {name: pooled[:, k].clamp(0, 1) for k, name in enumerate(MASKS)}
            at = ((landmarks[..., :2] + 0.5) * samples).long()
            inside = ((at >= 0) & (at < side)).all(-1)
            at = at.clamp(0, side - 1)
            front = torch.stack([depth[torch.arange(n, device=device)[:, None], (at[..., 1] + dy).clamp(0, side - 1), (at[..., 0] + dx).clamp(0, side - 1)]
                                 for dx, dy in ((0, 0), (-2, 0), (2, 0), (0, -2), (0, 2))]).median(0).values
            visibility = inside & (front > landmarks[..., 2] - 0.12)
            flat_depth = depth[:, samples // 2::samples, samples // 2::samples]
        return Picture(pictures, landmarks[..., :2], visibility, masks, flat_depth)

    def _scatter(self, glow: torch.Tensor, flesh: torch.Tensor, camera: Camera, size: int, samples: int) -> torch.Tensor:
        """Light spread under the skin: two widths a channel, within the skin."""
        small = torch.nn.functional.avg_pool2d(torch.cat([glow * flesh, flesh], -1).permute(0, 3, 1, 2), samples)
        unit = size / 2.5                                               # pixels a decimetre in a crop
        outs = []
        for channel, width in enumerate((0.034, 0.016, 0.010)):
            near = blur(small[:, [channel, 3]], 0.35 * width * unit)
            far = blur(small[:, [channel, 3]], 1.3 * width * unit)
            outs.append(0.55 * near[:, :1] / near[:, 1:].clamp(min=1e-3) + 0.45 * far[:, :1] / far[:, 1:].clamp(min=1e-3))
        wide = torch.nn.functional.interpolate(torch.cat(outs, 1), scale_factor=samples, mode="bilinear", align_corners=False)
        coarse = torch.nn.functional.interpolate(small[:, :3] / small[:, 3:].clamp(min=1e-3), scale_factor=samples, mode="bilinear", align_corners=False)
        detail = glow - coarse.permute(0, 2, 3, 1) * 1.0
        return (wide.permute(0, 2, 3, 1) + 0.35 * detail).clamp(min=0)

    @staticmethod
    def _back_level(lights: Lights) -> torch.Tensor:
        """How bright the backdrop is against the person, (n,)."""
        level = (lights.sky + 0.35 * lights.key_colour).mean(-1)
        return (0.35 + 0.65 * level.clamp(0.1, 1.4))

    def _exposure(self, light: torch.Tensor, skinny: torch.Tensor, index: torch.Tensor, n: int) -> torch.Tensor:
        """(n,) gain that brings the face's light to a usual level, as a camera's metering would."""
        amount = light.mean(-1) * skinny[:, 0]
        total = torch.zeros(n, device=self.device).index_add_(0, index, amount)
        count = torch.zeros(n, device=self.device).index_add_(0, index, skinny[:, 0])
        return (0.95 / (total / count.clamp(min=1)).clamp(min=0.02)).clamp(0.3, 4.0)

    def _lens(self, canvas: torch.Tensor, scenes: Scenes, camera: Camera, lights: Lights, mesh: _Mesh, is_lens: torch.Tensor,
              number: torch.Tensor, weight: torch.Tensor, i: torch.Tensor, r: torch.Tensor, c: torch.Tensor, samples: int) -> torch.Tensor:
        """Glass over what is behind it: tint, dark sunglasses, a faint mirror image."""
        device = self.device
        corner = mesh.tris[is_lens][number[i, r, c].long()].long()
        w = weight[i, r, c]
        share = torch.stack([1 - w.sum(1), w[:, 0], w[:, 1]], 1)
        normal = normalise(sum(share[:, k, None] * mesh.normals[i, corner[:, k]] for k in range(3)), dim=-1)
        view = normalise(-camera.rays((c + 0.5) / samples - 0.5, (r + 0.5) / samples - 0.5, i), dim=-1)
        normal = torch.where(dot(normal, view) < 0, -normal, normal)
        mirror = 2 * dot(normal, view) * normal - view
        dark = scenes.sunglasses.to(device)[i][:, None].float()
        tint = scenes.tint.to(device)[i][:, None]
        behind = canvas[i, r, c]
        passed = behind * torch.lerp(1 - tint * torch.tensor([0.6, 0.5, 1.0], device=device), torch.tensor([0.07, 0.06, 0.055], device=device).expand_as(behind), dark)
        edge = 0.02 + 0.05 * dark + 0.5 * (1 - dot(normal, view).clamp(0, 1)) ** 5
        canvas[i, r, c] = passed + edge * window(lights.at(i), mirror) * (0.35 + 0.65 * dark)
        return canvas


def _basis(direction: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Two unit vectors (n, 3) across each direction (n, 3)."""
    helper = torch.where(direction[:, 1:2].abs() < 0.9, torch.tensor([0.0, 1.0, 0.0], device=direction.device),
                         torch.tensor([1.0, 0.0, 0.0], device=direction.device))
    first = normalise(torch.linalg.cross(helper, direction), dim=-1)
    return first, torch.linalg.cross(direction, first)
