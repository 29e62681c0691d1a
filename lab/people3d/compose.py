"""From samples to pixels: light under the skin, glass, backdrop, truth."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from .backdrop import backdrops, blur
from .camera import Camera
from .finish import develop
from .light import Lights, dot, normalise, window
from .mesh import LENS
from .native import Raster
from .samples import MASKS, Chunk, Shaded

SPREAD = (0.034, 0.016, 0.010)
"""How far red, green and blue light travels under the skin, decimetres."""


@dataclass(frozen=True, eq=False)
class Picture:
    """One chunk: pictures (n, 3, S, S), landmarks (n, 68, 2), and truth or None."""

    pictures: torch.Tensor
    landmarks: torch.Tensor
    visibility: torch.Tensor | None
    masks: dict[str, torch.Tensor] | None
    depth: torch.Tensor | None


@dataclass(frozen=True, eq=False)
class Where:
    """Places of N samples: picture, row and column (N,); depth (n, H, W) of all; samples a pixel, size in pixels."""

    picture: torch.Tensor
    row: torch.Tensor
    column: torch.Tensor
    depth: torch.Tensor
    samples: int
    size: int

    def spread(self, values: torch.Tensor) -> torch.Tensor:
        """Values (N, C) as pictures (n, H, W, C), zero where nothing is."""
        out = torch.zeros(*self.depth.shape, values.shape[1], device=values.device)
        out[self.picture, self.row, self.column] = values
        return out


def compose(
    chunk: Chunk, camera: Camera, where: Where, shaded: Shaded, corners: torch.Tensor, marks: torch.Tensor, truth: bool
) -> Picture:
    """The chunk's pictures. corners (n, P, 3): the mesh in samples and depth. marks (n, 68, 3): landmarks, world."""
    flesh = where.spread(shaded.flesh)
    scattered = scatter(where.spread(shaded.light), flesh, where)
    canvas = where.spread(shaded.colour) + flesh * where.spread(shaded.albedo) * scattered
    back = backdrops(chunk.scenes, where.size, canvas.device)
    back = torch.nn.functional.interpolate(back, scale_factor=where.samples, mode="nearest").permute(0, 2, 3, 1)
    level = 0.35 + 0.65 * (chunk.lights.sky + 0.35 * chunk.lights.key_colour).mean(-1).clamp(0.1, 1.4)
    canvas = canvas + torch.isinf(where.depth)[..., None] * back * level[:, None, None, None]
    glass(canvas, chunk, camera, where, corners)
    linear = torch.nn.functional.avg_pool2d(canvas.permute(0, 3, 1, 2), where.samples)
    pictures = develop(linear, chunk.scenes, exposure(shaded, where))
    landmarks = camera.pixels(marks)
    if not truth:
        return Picture(pictures, landmarks[..., :2], None, None, None)
    pooled = torch.nn.functional.avg_pool2d(where.spread(shaded.parts).permute(0, 3, 1, 2), where.samples).clamp(0, 1)
    middle = slice(where.samples // 2, None, where.samples)
    return Picture(
        pictures,
        landmarks[..., :2],
        visible(landmarks, where),
        {name: pooled[:, k] for k, name in enumerate(MASKS)},
        where.depth[:, middle, middle],
    )


def scatter(light: torch.Tensor, flesh: torch.Tensor, where: Where) -> torch.Tensor:
    """Light (n, H, W, 3) spread under the skin: two widths a channel, within the skin, and a little of the detail."""
    small = torch.nn.functional.avg_pool2d(torch.cat([light * flesh, flesh], -1).permute(0, 3, 1, 2), where.samples)
    unit = where.size / 2.5  # pixels a decimetre in a crop
    out = []
    for channel, width in enumerate(SPREAD):
        near, far = (blur(small[:, [channel, 3]], k * width * unit) for k in (0.35, 1.3))
        out.append(0.55 * near[:, :1] / near[:, 1:].clamp(min=1e-3) + 0.45 * far[:, :1] / far[:, 1:].clamp(min=1e-3))

    def large(image: torch.Tensor) -> torch.Tensor:
        image = torch.nn.functional.interpolate(image, scale_factor=where.samples, mode="bilinear", align_corners=False)
        return image.permute(0, 2, 3, 1)

    detail = light - large(small[:, :3] / small[:, 3:].clamp(min=1e-3))
    return (large(torch.cat(out, 1)) + 0.35 * detail).clamp(min=0)


def exposure(shaded: Shaded, where: Where) -> torch.Tensor:
    """(n,) gain that brings the light on the skin to a usual level, as a camera's metering would."""
    total, count = (torch.zeros(len(where.depth), device=where.depth.device) for _ in range(2))
    total.index_add_(0, where.picture, shaded.light.mean(-1) * shaded.flesh[:, 0])
    count.index_add_(0, where.picture, shaded.flesh[:, 0])
    return (0.95 / (total / count.clamp(min=1)).clamp(min=0.02)).clamp(0.3, 4.0)


def visible(landmarks: torch.Tensor, where: Where) -> torch.Tensor:
    """(n, 68) bool: whether nothing lies more than a finger's breadth before the landmarks (n, 68, 3), pixels."""
    side, picture = where.depth.shape[-1], torch.arange(len(landmarks), device=landmarks.device)[:, None]
    at = ((landmarks[..., :2] + 0.5) * where.samples).long()
    inside = ((at >= 0) & (at < side)).all(-1)
    near = [
        where.depth[picture, (at[..., 1] + dy).clamp(0, side - 1), (at[..., 0] + dx).clamp(0, side - 1)]
        for dx, dy in ((0, 0), (-2, 0), (2, 0), (0, -2), (0, 2))
    ]
    return inside & (torch.stack(near).median(0).values > landmarks[..., 2] - 0.12)


def glass(canvas: torch.Tensor, chunk: Chunk, camera: Camera, where: Where, corners: torch.Tensor) -> None:
    """Glass over what is behind it, in place: tint, dark sunglasses, a faint mirror image."""
    device, mesh = canvas.device, chunk.mesh
    tris = mesh.tris[mesh.part == LENS].contiguous()
    raster = Raster(*where.depth.shape, device)
    raster.triangles(corners, tris)
    depth, number, weight = raster.resolve()
    i, r, c = torch.nonzero((number >= 0) & (depth < where.depth), as_tuple=True)
    if not len(i):
        return
    corner, w = tris[number[i, r, c].long()].long(), weight[i, r, c]
    share = torch.stack([1 - w.sum(1), w[:, 0], w[:, 1]], 1)
    normal = normalise(sum(share[:, k, None] * mesh.normals[i, corner[:, k]] for k in range(3)), dim=-1)
    x, y = ((v + 0.5) / where.samples - 0.5 for v in (c, r))
    view = normalise(-camera.rays(x, y, i), dim=-1)
    normal = torch.where(dot(normal, view) < 0, -normal, normal)
    mirror = 2 * dot(normal, view) * normal - view
    dark = chunk.scenes.sunglasses.to(device)[i][:, None].float()
    clear = 1 - chunk.scenes.tint.to(device)[i][:, None] * torch.tensor([0.6, 0.5, 1.0], device=device)
    smoke = torch.tensor([0.07, 0.06, 0.055], device=device).expand_as(clear)
    edge = 0.02 + 0.05 * dark + 0.5 * (1 - dot(normal, view).clamp(0, 1)) ** 5
    lights: Lights = chunk.lights.at(i)
    canvas[i, r, c] = canvas[i, r, c] * torch.lerp(clear, smoke, dark) + edge * window(lights, mirror) * (
        0.35 + 0.65 * dark
    )
