"""Lens and framing: from the world to the pixels of a picture."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from .geometry import Body, Shape
from .scenes import Scenes
from .truth import Landmarks

FIVE = (slice(36, 42), slice(42, 48), slice(30, 31), slice(48, 49), slice(54, 55))


@dataclass(frozen=True, eq=False)
class Camera:
    """eye, right, up, forward: (n, 3). frame (n, 2, 3): from pixels (centres at whole numbers) to the plane at
    depth 1."""

    eye: torch.Tensor
    right: torch.Tensor
    up: torch.Tensor
    forward: torch.Tensor
    frame: torch.Tensor

    @property
    def scale(self) -> torch.Tensor:
        """(n,) width of a pixel in the plane at depth 1."""
        return self.frame[:, :, 0].norm(dim=-1)

    def plane(self, points: torch.Tensor) -> torch.Tensor:
        """(n, ..., 3): x right, y down at depth 1, and the depth, of world points (n, ..., 3)."""
        shape = (len(points),) + (1,) * (points.dim() - 2) + (3,)
        ray = points - self.eye.view(shape)
        depth = (ray * self.forward.view(shape)).sum(-1)
        safe = depth.clamp(min=1e-3)
        return torch.stack(
            [(ray * self.right.view(shape)).sum(-1) / safe, -(ray * self.up.view(shape)).sum(-1) / safe, depth], -1
        )

    def pixels(self, points: torch.Tensor) -> torch.Tensor:
        """(n, ..., 3): x, y in pixels and depth of world points."""
        p = self.plane(points)
        inverse = torch.linalg.inv(self.frame[:, :, :2])
        shape = (len(points),) + (1,) * (points.dim() - 2) + (2,)
        xy = p[..., :2] - self.frame[:, :, 2].view(shape)
        flat = xy.reshape(len(points), -1, 2) @ inverse.transpose(1, 2)
        return torch.cat([flat.reshape(xy.shape), p[..., 2:]], -1)

    def rays(self, x: torch.Tensor, y: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
        """World directions (N, 3), one decimetre deep, through pixels x, y of pictures index (N,)."""
        m = self.frame[index]
        px, py = m[:, 0, 0] * x + m[:, 0, 1] * y + m[:, 0, 2], m[:, 1, 0] * x + m[:, 1, 1] * y + m[:, 1, 2]
        return self.forward[index] + px[:, None] * self.right[index] - py[:, None] * self.up[index]


def five_points(landmarks: torch.Tensor) -> torch.Tensor:
    """(n, 5, D): eyes, nose, corners of the mouth of landmarks (n, 68, D)."""
    return torch.stack([landmarks[:, part].mean(1) for part in FIVE], 1)


def crop_matrix(
    five: torch.Tensor,
    size: int,
    share: torch.Tensor | float = 0.25,
    shift: torch.Tensor | None = None,
    level: torch.Tensor | None = None,
) -> torch.Tensor:
    """(n, 2, 3): from the pixels of the pack's face crop to the plane of the five points (n, 5, 2).

    The rule is that of `editedid_core/geometry/affine.py`. share 0.25 gives its size, less shows more around it;
    shift (n, 2) moves it by shares of its side; level (n,) bool: whether the line of the eyes is level (always there).
    """
    eyes, mouth = five[:, :2].mean(1), five[:, 3:5].mean(1)
    across, down = five[:, 1] - five[:, 0], mouth - eyes
    wide, tall = across.norm(dim=-1), down.norm(dim=-1)
    side = 2 * torch.maximum(2.0 * wide, 1.8 * tall) * (0.25 / share)
    direction = torch.where((wide > 0.2 * tall)[:, None], across, torch.stack([down[:, 1], -down[:, 0]], -1))
    direction = torch.nn.functional.normalize(direction, dim=-1)
    if level is not None:
        direction = torch.where(level[:, None], direction, torch.tensor([1.0, 0.0], device=five.device))
    linear = (side / size)[:, None, None] * torch.stack(
        [torch.stack([direction[:, 0], -direction[:, 1]], -1), torch.stack([direction[:, 1], direction[:, 0]], -1)], 1
    )
    centre = eyes + 0.35 * down
    if shift is not None:
        centre = centre + shift * side[:, None]
    return torch.cat([linear, (centre - linear @ torch.full((2,), (size - 1) / 2, device=five.device))[..., None]], -1)


def look(scenes: Scenes, shape: Shape, body: Body, landmarks: Landmarks, size: int) -> tuple[Camera, torch.Tensor]:
    """The camera of each scene and the landmarks (n, 68, 3) in the world."""
    device = body.device
    n = len(scenes)
    centre = body.pose(torch.tensor([0.0, 7.1, 0.7], device=device).expand(n, 1, 3), shape.rotation, 1.0)[:, 0]
    a, e = (torch.deg2rad(scenes.values[k].to(device)) for k in ("azimuth", "elevation"))
    back = torch.stack([torch.sin(a) * torch.cos(e), torch.sin(e), torch.cos(a) * torch.cos(e)], -1)
    eye = centre + back * scenes.distance.to(device)[:, None]
    right = torch.nn.functional.normalize(
        torch.linalg.cross(torch.tensor([0.0, 1.0, 0.0], device=device).expand_as(back), back), dim=-1
    )
    up = torch.linalg.cross(back, right)
    points = landmarks.world(shape.posed, eye, up)
    still = Camera(eye, right, up, -back, torch.eye(3, device=device)[:2].expand(n, 2, 3))
    five = five_points(still.plane(points))[..., :2]
    frame = crop_matrix(five, size, scenes.frame.to(device), scenes.shift.to(device), scenes.cropped.to(device))
    return Camera(eye, right, up, -back, frame), points
