"""Draws people in scenes: surfaces and hair into one depth buffer, then shading of the samples."""

from __future__ import annotations

import torch

from .camera import Camera, look
from .compose import Picture, Where, compose
from .geometry import Body
from .guides import make_face_roots, make_guides
from .head import load_head
from .light import Lights, dot, hair_light, normalise
from .mesh import LENS, Anatomy, Mesh
from .native import Raster
from .people import People
from .props import Props
from .samples import MASKS, Chunk, Shaded, Surface
from .scenes import Scenes
from .shadow import ShadowMap, crowding
from .strands import Hair, Strands
from .surface import FrontView
from .surfaces import Shader
from .truth import Landmarks
from .tuck import tuck

PAINTED = (
    "melanin",
    "undertone",
    "blood",
    "freckles",
    "moles",
    "lines",
    "oil",
    "lip_hue",
    "lip_dark",
    "eye_light",
    "eye_hue",
    "brow_thick",
    "brow_arch",
    "brow_height",
    "brow_dense",
    "make_up",
    "lashes",
    "circles",
    "ruddy",
    "pores",
    "teeth",
    "iris_size",
)
"""Traits that colours depend on."""
HAIR_MASKS = tuple(MASKS.index(name) for name in ("hair", "brows", "eyes", "beard"))
"""Masks of the parts of `strands.PARTS`."""
THINNEST = 0.35
"""Width of the thinnest strand, samples."""


class Painter:
    """Everything fixed, on one device."""

    def __init__(self, device: torch.device) -> None:
        head = load_head()
        view = FrontView(head)
        self.device, self.body = device, Body(head, device)
        self.landmarks = Landmarks(view)
        self.hair = Hair(self.body, make_guides(head), make_face_roots(head, view))
        self.props, self.anatomy = Props(self.body), Anatomy(self.body)
        self.shader = Shader(self.anatomy, self.hair)

    def draw(
        self,
        people: People,
        scenes: Scenes,
        size: int,
        truth: bool,
        samples: int,
        children: int,
        framed: tuple[People, Scenes] | None = None,
    ) -> Picture:
        """One chunk of people. samples: to a pixel and side. children: strands to a guide. framed: see `World.draw`."""
        shape = self.body.shape(people, scenes)
        camera, marks = look(scenes, shape, self.body, self.landmarks, size)
        if framed:
            others, there = framed
            other = look(there, self.body.shape(others, there), self.body, self.landmarks, size)[0]
            camera = Camera(camera.eye, camera.right, camera.up, camera.forward, other.frame)
        strands = tuck(self.hair.all(people, scenes, shape, children), self.props.hats, scenes, shape)
        mesh = self.anatomy.assemble(scenes, shape, self.props.all(scenes, shape))
        chunk = Chunk(people, scenes, shape, mesh, Lights.of(scenes, self.device))
        side = size * samples
        corners = _in_samples(camera, mesh.points, samples)
        raster = Raster(len(people), side, side, self.device)
        tris = mesh.tris[mesh.part != LENS].contiguous()
        raster.triangles(corners, tris)
        hair = _in_samples(camera, strands.points, samples)
        width = strands.width * (samples / camera.scale)[:, None, None] / hair[..., 2].clamp(min=0.5)
        raster.strands(hair, torch.where(width > 0, width.clamp(min=THINNEST), width))
        depth, number, weight = raster.resolve()
        where = Where(*torch.nonzero(number >= 0, as_tuple=True), depth, samples, size)
        which, weights = (
            number[where.picture, where.row, where.column].long(),
            weight[where.picture, where.row, where.column],
        )
        x, y = ((v + 0.5) / samples - 0.5 for v in (where.column, where.row))
        ray = camera.rays(x, y, where.picture)
        world = camera.eye[where.picture] + ray * depth[where.picture, where.row, where.column][:, None]
        view, is_hair = normalise(-ray, dim=-1), which >= len(tris)
        lit = ShadowMap.of(mesh, strands, chunk.lights).lit(world, where.picture, chunk.lights, is_hair)
        sky = crowding(depth, samples, size)[where.picture, where.row, where.column][:, None]
        shaded = Shaded.empty(len(which), self.device)
        at = torch.nonzero(is_hair)[:, 0]
        if len(at):
            self._hair(
                chunk,
                strands,
                shaded,
                at,
                where.picture[at],
                which[at] - len(tris),
                view[at],
                lit[at],
                sky[at],
                children,
            )
        at = torch.nonzero(~is_hair)[:, 0]
        if len(at):
            s = self._surface(
                chunk, tris, where.picture[at], which[at], weights[at], view[at], world[at], lit[at], sky[at]
            )
            done = self.shader.shade(chunk, s)
            for name in done.__dataclass_fields__:
                getattr(shaded, name)[at] = getattr(done, name)
        return compose(chunk, camera, where, shaded, corners, marks, truth)

    def _hair(
        self,
        chunk: Chunk,
        strands: Strands,
        shaded: Shaded,
        at: torch.Tensor,
        picture: torch.Tensor,
        segment: torch.Tensor,
        view: torch.Tensor,
        lit: torch.Tensor,
        sky: torch.Tensor,
        children: int,
    ) -> None:
        """Colour of hair samples. segment (N,): number of the hair segment."""
        knots = strands.points.shape[2]
        strand, knot = segment // (knots - 1), segment % (knots - 1)
        tangent = normalise(strands.points[picture, strand, knot + 1] - strands.points[picture, strand, knot], dim=-1)
        own, lock = (strand * 7919 % 1013).float() / 1013 - 0.5, (strand // children * 6857 % 977).float() / 977 - 0.5
        small = (strands.part[strand] > 0)[:, None]  # brows, lashes, beard: close to the skin
        lit = torch.where(small, 0.35 + 0.65 * lit, lit)
        sky = torch.where(small, 0.85 * sky.clamp(min=0.6), sky)
        shaded.colour[at] = hair_light(
            chunk.lights.at(picture),
            tangent,
            view,
            strands.colour[picture, strand],
            lit,
            sky,
            (0.30 * own + 0.34 * lock)[:, None],
        )
        shaded.parts[at, torch.tensor(HAIR_MASKS, device=self.device)[strands.part[strand]]] = 1.0

    def _surface(
        self,
        chunk: Chunk,
        tris: torch.Tensor,
        picture: torch.Tensor,
        which: torch.Tensor,
        w: torch.Tensor,
        view: torch.Tensor,
        world: torch.Tensor,
        lit: torch.Tensor,
        sky: torch.Tensor,
    ) -> Surface:
        """The surface samples with all that shading needs."""
        mesh: Mesh = chunk.mesh
        corners, weights = tris[which].long(), torch.stack([1 - w.sum(1), w[:, 0], w[:, 1]], 1)
        normal = normalise(sum(weights[:, k, None] * mesh.normals[picture, corners[:, k]] for k in range(3)), dim=-1)
        normal = torch.where(dot(normal, view) < 0, -normal, normal)
        part = mesh.part[mesh.part != LENS][which]
        traits = {name: chunk.people.trait(name).to(self.device)[picture] for name in PAINTED}
        bare = Surface(
            picture,
            corners,
            weights,
            part,
            world,
            view,
            normal,
            view,
            world,
            lit,
            sky,
            traits,
            chunk.people.marks.to(self.device)[picture].int(),
        )
        place, masks, opened = (bare.mix(v) for v in (self.anatomy.template, self.anatomy.masks, self.anatomy.open))
        opened = torch.where(part == 0, opened.clamp(0, 1) ** 1.25, torch.ones_like(opened))
        return Surface(
            picture,
            corners,
            weights,
            part,
            place,
            masks,
            normal,
            view,
            world,
            lit,
            sky * opened[:, None],
            traits,
            bare.marks,
        )


def _in_samples(camera: Camera, points: torch.Tensor, samples: int) -> torch.Tensor:
    """World points (n, ..., 3) in samples and depth; those of hidden things get depth 0."""
    q = camera.pixels(points)
    hidden = (points.abs().amax(-1) > 1e5) | (q[..., 2] < 0.5)
    depth = torch.where(hidden, torch.zeros_like(q[..., 2]), q[..., 2])
    return torch.cat([(q[..., :2] + 0.5) * samples, depth[..., None]], -1)
