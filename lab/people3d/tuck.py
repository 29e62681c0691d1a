"""Hair under a hat: what would stick out of it is drawn in, what hangs below it lies close."""

from __future__ import annotations

import math

import torch

from .geometry import Shape, rotate
from .hats import Hats
from .scenes import Scenes
from .skin import smooth
from .strands import Strands


def tuck(strands: Strands, hats: Hats, scenes: Scenes, shape: Shape) -> Strands:
    """The strands as hats leave them; the same ones where nobody wears one."""
    if not bool((scenes.hat > 0).any()):
        return strands
    body, n = hats.body, len(scenes)
    radius, rim = hats.radius(scenes, shape)
    rows, columns = radius.shape[1:]
    centre = body.pose(hats.crown.expand(n, 1, 3), shape.rotation, 1.0)
    local = rotate(strands.points - centre[:, :, None], -shape.rotation)
    r = local.norm(dim=-1)
    lift = torch.asin((local[..., 1] / r.clamp(min=1e-6)).clamp(-1, 1))
    turn = torch.atan2(local[..., 0], local[..., 2])
    j = (turn / (2 * math.pi) * columns).round().long() % columns
    span = hats.dome_lift[-1] - hats.dome_lift[0]
    i = ((lift - hats.dome_lift[0]) / span * (rows - 1)).round().long().clamp(0, rows - 1)
    limit = radius.reshape(n, -1).gather(1, (i * columns + j).reshape(n, -1)).reshape(r.shape) + 0.045
    edge = rim.gather(1, j.reshape(n, -1)).reshape(r.shape)
    worn = (scenes.hat.to(body.device) > 0)[:, None, None] & (strands.part == 0)[None, :, None]
    under = lift > edge - 0.05
    close = limit + 0.02 + 0.9 * smooth(edge - 0.05 - lift, 0.0, 0.5)
    share = torch.where(worn, (torch.where(under, limit, close) / r).clamp(max=1), torch.ones_like(r))
    points = rotate(local * share[..., None], shape.rotation) + centre[:, :, None]
    return Strands(points, strands.width, strands.colour, strands.part)
