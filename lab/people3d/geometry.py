"""Vertices of people in scenes: targets, pose of the head, eyes, camera. Batched torch."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import torch

from .expressions import UNITS
from .head import Head
from .people import People
from .scenes import Scenes


@dataclass(frozen=True, eq=False)
class Shape:
    """neutral and posed: (n, V, 3) in decimetres, the person without and with expression and turn.
    rotation (n, 3): rotation vector of the head. pivot (3,). eye_centre (n, 2, 3) posed, eye_radius (n, 2)."""

    neutral: torch.Tensor
    face: torch.Tensor
    posed: torch.Tensor
    rotation: torch.Tensor
    pivot: torch.Tensor
    eye_centre: torch.Tensor
    eye_neutral: torch.Tensor
    eye_radius: torch.Tensor


def rotate(points: torch.Tensor, vector: torch.Tensor, share: torch.Tensor | float = 1.0) -> torch.Tensor:
    """Points (n, ..., 3) turned by `share` of the rotation vectors (n, 3); share broadcasts to (n, ...). Rodrigues."""
    angle = vector.norm(dim=-1, keepdim=True).clamp(min=1e-8)
    shape = (len(vector),) + (1,) * (points.dim() - 2)
    axis = (vector / angle).reshape(*shape, 3).expand_as(points)
    turn = angle.reshape(*shape, 1) * (share.unsqueeze(-1) if isinstance(share, torch.Tensor) else share)
    cosine, sine = torch.cos(turn), torch.sin(turn)
    return (
        points * cosine
        + torch.linalg.cross(axis, points) * sine
        + axis * (axis * points).sum(-1, keepdim=True) * (1 - cosine)
    )


def rotation_vector(yaw: torch.Tensor, pitch: torch.Tensor, roll: torch.Tensor) -> torch.Tensor:
    """Rotation vectors (n, 3) of yaw about y, then pitch about x, then roll about z (applied roll first), degrees."""
    y, p, r = (torch.deg2rad(a) / 2 for a in (yaw, pitch, roll))
    zero = torch.zeros_like(y)

    def product(a: list[torch.Tensor], b: list[torch.Tensor]) -> list[torch.Tensor]:
        return [
            a[0] * b[0] - a[1] * b[1] - a[2] * b[2] - a[3] * b[3],
            a[0] * b[1] + a[1] * b[0] + a[2] * b[3] - a[3] * b[2],
            a[0] * b[2] - a[1] * b[3] + a[2] * b[0] + a[3] * b[1],
            a[0] * b[3] + a[1] * b[2] - a[2] * b[1] + a[3] * b[0],
        ]

    q = product(
        product([torch.cos(y), zero, torch.sin(y), zero], [torch.cos(p), torch.sin(p), zero, zero]),
        [torch.cos(r), zero, zero, torch.sin(r)],
    )
    vector = torch.stack(q[1:], -1)
    size = vector.norm(dim=-1, keepdim=True)
    return vector / size.clamp(min=1e-8) * 2 * torch.atan2(size, q[0].unsqueeze(-1))


class Body:
    """The head's fixed data on a device."""

    def __init__(self, head: Head, device: torch.device) -> None:
        to = lambda a: torch.as_tensor(a, device=device)  # noqa: E731 - a name for a cast used on ten lines
        self.head, self.device = head, device
        self.base, self.count = to(head.base), len(head.turn)
        identity = [k for k, name in enumerate(head.names) if "-" in name]
        self.identity = torch.tensor(identity)
        self.units = torch.tensor([head.names.index(u) for u in UNITS])
        self.shape_targets = to(head.targets[identity]).reshape(len(identity), -1)
        self.unit_targets = to(head.targets[self.units.numpy()]).reshape(len(UNITS), -1)
        warnings.filterwarnings("ignore", message=".*[Ss]parse.*")
        m = head.matrix.tocsr()
        self.matrix = torch.sparse_csr_tensor(
            torch.from_numpy(m.indptr.astype("int64")),
            torch.from_numpy(m.indices.astype("int64")),
            torch.from_numpy(m.data.astype("float32")),
            size=m.shape,
        ).to(device)
        self.turn, self.template = to(head.turn), to(head.template[: self.count])
        self.tris, self.pivot = to(head.tris), to(head.pivot).float()
        self.eyes = [to(e) for e in head.eyes]

    def _subdivide(self, base: torch.Tensor) -> torch.Tensor:
        n = len(base)
        flat = base.permute(1, 0, 2).reshape(base.shape[1], -1)
        return (self.matrix @ flat).reshape(-1, n, 3).permute(1, 0, 2).contiguous()

    def shape(self, people: People, scenes: Scenes) -> Shape:
        """The people's vertices in the scenes."""
        n = len(people)
        weights = people.shape[:, self.identity].to(self.device)
        base = self.base + (weights @ self.shape_targets).reshape(n, -1, 3)
        moved = base + (scenes.units.to(self.device) @ self.unit_targets).reshape(n, -1, 3)
        both = self._subdivide(torch.cat([base, moved]))
        neutral, face = both[:n], both[n:, : self.count]
        centre, radius = [], []
        for eye in self.eyes:
            points = neutral[:, eye]
            low, high = points.amin(1), points.amax(1)
            centre.append(0.5 * (low + high))
            radius.append(0.5 * (high - low)[:, :2].mean(-1))
        vector = rotation_vector(*(scenes.values[k].to(self.device) for k in ("yaw", "pitch", "roll")))
        posed = self.pose(face, vector, self.turn.expand(n, -1))
        eyes = torch.stack(centre, 1)
        return Shape(
            neutral[:, : self.count],
            face,
            posed,
            vector,
            self.pivot,
            self.pose(eyes, vector, 1.0),
            eyes,
            torch.stack(radius, 1),
        )

    def pose(self, points: torch.Tensor, vector: torch.Tensor, share: torch.Tensor | float) -> torch.Tensor:
        """Points (n, ..., 3) of the neutral body, turned with the head by `share`."""
        return rotate(points - self.pivot, vector, share) + self.pivot


def normals(points: torch.Tensor, tris: torch.Tensor) -> torch.Tensor:
    """Unit vertex normals (n, V, 3), weighted by area."""
    a, b, c = (points[:, tris[:, k].long()] for k in range(3))
    face = torch.linalg.cross(b - a, c - a)
    out = torch.zeros_like(points)
    for k in range(3):
        out.index_add_(1, tris[:, k].long(), face)
    return torch.nn.functional.normalize(out, dim=-1)
