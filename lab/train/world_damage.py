"""Careless composites in batches on the device, and how bad each is: `lab.train.damage` for the rendered world.

The kinds of the drawn world's critic, and five more: one half of a beard or of a face, wax, bent glasses, a wrong gaze.
All pictures (B,3,S,S) in [0,1], points (B,5,2) in pixels.
"""
from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from .damage import CUT_FREE, CUT_UNIT, GHOST_FREE, GHOST_UNIT, LIGHT_FREE, LIGHT_UNIT

KINDS = ("ghost", "relit_ghost", "paste", "hard_cut", "misaligned", "smear", "double_edge", "wrong_light", "blocks",
         "relit", "half", "wax", "bent", "gaze", "ghost", "relit_ghost")
"""The damage that is hardest to see stands twice."""
MOVED_UNIT = 0.06
"""Mean difference that counts as bad where something stands in the wrong place."""


def crop_maps(five: Tensor, size: int) -> Tensor:
    """Maps (B,2,3) from crop to picture: `editedid_core.geometry.affine.crop_frame` in batches."""
    eyes, mouth = five[:, :2].mean(1), five[:, 3:].mean(1)
    across, down = five[:, 1] - five[:, 0], mouth - eyes
    side = 2 * torch.maximum(2.0 * across.norm(dim=1), 1.8 * down.norm(dim=1)).clamp(min=2)
    level = across.norm(dim=1) > 0.2 * down.norm(dim=1)
    along = torch.where(level[:, None], across, torch.stack((down[:, 1], -down[:, 0]), 1))
    along = F.normalize(along, dim=1) * (side / size)[:, None]
    linear = torch.stack((torch.stack((along[:, 0], -along[:, 1]), 1), torch.stack((along[:, 1], along[:, 0]), 1)), 1)
    centre = eyes + 0.35 * down
    return torch.cat((linear, (centre - linear.sum(2) * (size - 1) / 2)[..., None]), 2)


def blur(x: Tensor, sigma: float) -> Tensor:
    """A Gaussian with replicated borders."""
    reach = max(1, round(3 * sigma))
    taps = torch.arange(-reach, reach + 1, device=x.device, dtype=x.dtype)
    kernel = (-0.5 * (taps / sigma) ** 2).exp()
    kernel = (kernel / kernel.sum()).expand(x.shape[1], 1, -1)
    x = F.pad(x, (reach, reach, reach, reach), mode="replicate")
    x = F.conv2d(x, kernel[:, :, None, :], groups=x.shape[1])
    return F.conv2d(x, kernel[:, :, :, None], groups=x.shape[1])


def pixels(size: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """Rows and columns (1,S,S)."""
    y, x = torch.meshgrid(*(torch.arange(size, device=like.device, dtype=like.dtype),) * 2, indexing="ij")
    return y[None], x[None]


def disc(centre: Tensor, radius: Tensor, size: int, stretch: float = 1.0) -> Tensor:
    """(B,1,S,S) ones inside circles (B,2), (B,), `stretch` times as high as wide."""
    y, x = pixels(size, centre)
    away = (x - centre[:, 0, None, None]) ** 2 + ((y - centre[:, 1, None, None]) / stretch) ** 2
    return (away < radius[:, None, None] ** 2).to(centre)[:, None]


def face_mask(points: Tensor, size: int, grow: Tensor, feather: float) -> Tensor:
    """(B,1,S,S) soft ellipses round faces that stand level."""
    eyes, mouth = points[:, :2].mean(1), points[:, 3:].mean(1)
    unit = torch.maximum((points[:, 1] - points[:, 0]).norm(dim=1), 0.9 * (mouth - eyes).norm(dim=1))
    return blur(disc(eyes + 0.4 * (mouth - eyes), 1.05 * unit * grow, size, 1.4 / 1.05), feather)


def relight(picture: Tensor, reference: Tensor, sigma: float) -> Tensor:
    """`picture` with the low-passed light of `reference`."""
    return (picture * (blur(reference, sigma) + 0.02) / (blur(picture, sigma) + 0.02)).clamp(0, 1)


def edges(x: Tensor) -> Tensor:
    """(B,S,S) length of the grey picture's gradient, Sobel over four."""
    grey = F.pad(x.mean(1, keepdim=True), (1, 1, 1, 1), mode="replicate")
    sobel = torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]], device=x.device, dtype=x.dtype) / 4
    both = F.conv2d(grey, torch.stack((sobel, sobel.T))[:, None])
    return both.square().sum(1).clamp(min=1e-12).sqrt()


def severity(out: Tensor, edited: Tensor, original: Tensor, relit: Tensor, mask: Tensor) -> Tensor:
    """(B,) how damaged, 0 to 1: as `damage.severity`, against the layers, inside the mask and along its border."""
    fine = out - blur(out, 3.0)
    off = [blur((fine - (layer - blur(layer, 3.0))).abs().mean(1, keepdim=True), 1.0)
           for layer in (edited, original, relit)]
    inside = (mask > 0.05).to(out)
    area = inside.sum((1, 2, 3)).clamp(min=1)
    ghost = (torch.stack(off).amin(0) * inside).sum((1, 2, 3)) / area
    border = blur((mask - blur(mask, 1.5)).abs(), 1.0)[:, 0]
    weight = border / (border.sum((1, 2), keepdim=True) + 1e-6)
    cut = ((edges(out) - torch.maximum(edges(edited), edges(relit))).clamp(min=0) * weight).sum((1, 2))
    light = ((blur(out, 8.0) - blur(edited, 8.0)).abs().mean(1, keepdim=True) * inside).sum((1, 2, 3)) / area
    parts = ((ghost - GHOST_FREE, GHOST_UNIT), (cut - CUT_FREE, CUT_UNIT), (light - LIGHT_FREE, LIGHT_UNIT))
    return 1 - (-torch.stack([amount.clamp(min=0) / one for amount, one in parts]).sum(0)).exp()


def resampled(x: Tensor, shift: Tensor) -> Tensor:
    """`x` read at its own pixels plus a shift (B,2,S,S) in pixels (x, y)."""
    size = x.shape[-1]
    y, across = pixels(size, x)
    grid = torch.stack((across + shift[:, 0], y + shift[:, 1]), -1) * 2 / (size - 1) - 1
    return F.grid_sample(x, grid, mode="bilinear", padding_mode="border", align_corners=True)


def moved(x: Tensor, share: Tensor) -> Tensor:
    """Shifted by a share (B,) of the side in random directions, and turned and scaled a little."""
    n, size = len(x), x.shape[-1]
    angle = 6.2832 * torch.rand(n, device=x.device)
    turn, grow = 0.6 * share * torch.randn_like(share), share * torch.randn_like(share)
    y, across = pixels(size, x)
    y, across = y - size / 2, across - size / 2
    wide = (-1, 1, 1)
    right = (0.7 * share * size * angle.cos()).view(wide) + across * grow.view(wide) - y * turn.view(wide)
    down = (0.7 * share * size * angle.sin()).view(wide) + y * grow.view(wide) + across * turn.view(wide)
    return resampled(x, torch.stack((right, down), 1))


def composite(edited: Tensor, original: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
    """One careless composite of each row, the kinds in turn, and how bad it is (B,)."""
    made, marks, order = [], [], []
    for place, kind in enumerate(KINDS):
        if place < len(edited):
            rows = torch.arange(place, len(edited), len(KINDS), device=edited.device)
            picture, mark = one_kind(kind, edited[rows], original[rows], points[rows])
            made.append(picture)
            marks.append(mark)
            order.append(rows)
    back = torch.cat(order).argsort()
    return torch.cat(made)[back], torch.cat(marks)[back]


def one_kind(kind: str, edited: Tensor, original: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
    """Composites of one kind and how bad they are."""
    n, size = len(edited), edited.shape[-1]

    def between(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(n, *shape, device=edited.device)

    feather = (1.0, 2.0, 3.0, 5.0)[int(torch.randint(4, ()))]
    mask = face_mask(points, size, between(0.75, 1.05), feather)
    relit = relight(original, edited, 4 + 6 * float(torch.rand(())))
    amount = between(0.1, 0.9, 1, 1, 1)
    either = torch.where(torch.rand(n, 1, 1, 1, device=edited.device) < 0.5, relit, original)
    misplaced = None
    if kind in ("ghost", "relit_ghost"):
        out = edited + amount * mask * ((relit if kind == "relit_ghost" else original) - edited)
    elif kind == "paste":
        out = edited + mask * (original - edited)
    elif kind == "hard_cut":
        mask = (mask > 0.5).to(edited)
        out = edited + mask * (either - edited)
    elif kind == "misaligned":
        layer = moved(either, 0.02 + 0.12 * amount[:, 0, 0, 0])
        out, misplaced = edited + mask * (layer - edited), (layer - relit).abs() * mask
    elif kind == "double_edge":
        out = edited + (0.25 + 0.3 * amount) * mask * (moved(edited, between(0.03, 0.08)) - edited)
    elif kind == "wrong_light":
        y, x = (p / size - 0.5 for p in pixels(size, edited))
        angle = between(0, 6.2832, 1, 1)
        ramp = (angle.cos() * x + angle.sin() * y)[:, None]
        sign = torch.randint(2, (n, 1, 1, 1), device=edited.device) * 2 - 1
        change = sign * (0.05 + 0.25 * amount) + 0.6 * amount * torch.randn_like(amount) * ramp
        tint = 1 + 0.08 * amount * torch.randn(n, 3, 1, 1, device=edited.device)
        out = edited + mask * (edited * (1 + change).clamp(0.2, 2) * tint - edited)
    elif kind in ("smear", "wax", "blocks"):
        if kind != "wax":
            spot = points[torch.arange(n, device=edited.device), torch.randint(5, (n,), device=edited.device)]
            mask = blur(disc(spot, between(0.08, 0.25) * size, size), 1.5)
        out = edited + mask * (_coarse(kind, edited, amount) - edited)
    elif kind == "half":
        y, x = pixels(size, edited)
        nose, angle = points[:, 2], between(-0.5, 0.5, 1, 1)
        side = ((x - nose[:, 0, None, None]) * angle.cos() + (y - nose[:, 1, None, None]) * angle.sin() > 0)
        mask = blur(mask * side[:, None].to(edited), 1.0 + float(torch.rand(())))
        out = edited + mask * (either - edited)
    elif kind == "bent":
        eyes = points[:, :2].mean(1)
        mask = blur(disc(eyes, 0.9 * (points[:, 1] - points[:, 0]).norm(dim=1), size, 0.6), 3.0)
        wave = F.interpolate(torch.randn(n, 2, 5, 5, device=edited.device), (size, size), mode="bicubic")
        out = resampled(edited, mask * wave * (1 + 5 * amount))
        misplaced = (out - edited).abs() * mask
    elif kind == "gaze":
        eye = points[torch.arange(n, device=edited.device), torch.randint(2, (n,), device=edited.device)]
        apart = (points[:, 1] - points[:, 0]).norm(dim=1)
        mask = blur(disc(eye, 0.16 * apart, size), 0.8)
        sign = torch.randint(2, (n, 1, 1, 1), device=edited.device) * 2.0 - 1
        shift = torch.cat((sign, 0.3 * torch.randn_like(sign)), 1) * (0.04 + 0.1 * amount) * apart[:, None, None, None]
        out = edited + mask * (resampled(edited, shift.expand(-1, -1, size, size)) - edited)
        misplaced = (out - edited).abs() * mask
    else:
        out = edited + mask * (relit - edited)
    out = out.clamp(0, 1)
    mark = severity(out, edited, original, relit, mask)
    if misplaced is not None:
        doubled = misplaced.mean((1, 2, 3)) / mask.mean((1, 2, 3)).clamp(min=1e-4)
        mark = 1 - (1 - mark) * (-doubled / MOVED_UNIT).exp()
    return out, mark


def _coarse(kind: str, x: Tensor, amount: Tensor) -> Tensor:
    """A smeared, waxy (fine detail gone, edges kept) or blocky copy."""
    if kind == "smear":
        return torch.lerp(blur(x, 0.9), blur(x, 3.0), amount)
    if kind == "wax":
        soft = blur(x, 2.0)
        keep = ((x - soft).abs().mean(1, keepdim=True) / 0.08).clamp(0, 1)
        return torch.lerp(soft, x, 1 - amount * (1 - keep))
    cell = (3, 4, 6, 8)[int(torch.randint(4, ()))]
    blocks = F.interpolate(F.avg_pool2d(x, cell, ceil_mode=True), scale_factor=cell, mode="nearest")
    return torch.lerp(x, blocks[..., : x.shape[-2], : x.shape[-1]], 0.3 + 0.7 * amount)
