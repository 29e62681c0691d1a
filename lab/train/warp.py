"""Similarity transforms and warps of picture batches, for the training of the judges."""
from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

ARCFACE_POINTS = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]],
    dtype=np.float32,
)
"""Where insightface's norm_crop puts the five points in its 112 px crop."""


def fit_similarity(source: Tensor, target: Tensor) -> Tensor:
    """Least-squares similarities with ``target = A @ [source, 1]``; points (B, K, 2), result (B, 2, 3)."""
    source_mean, target_mean = source.mean(1, keepdim=True), target.mean(1, keepdim=True)
    a, b = source - source_mean, target - target_mean
    size = a.square().sum((1, 2)).clamp(min=1e-8)
    cosine = (a * b).sum((1, 2)) / size
    sine = (a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]).sum(1) / size
    rotation = torch.stack([torch.stack([cosine, -sine], -1), torch.stack([sine, cosine], -1)], 1)
    shift = target_mean[:, 0] - (rotation @ source_mean[:, 0, :, None])[..., 0]
    return torch.cat([rotation, shift[..., None]], -1)


def move_points(points: Tensor, matrix: Tensor) -> Tensor:
    """Points (B, K, 2) through affine matrices (B, 2, 3)."""
    return points @ matrix[:, :, :2].transpose(1, 2) + matrix[:, None, :, 2]


def invert(matrix: Tensor) -> Tensor:
    """The inverse of affine matrices (B, 2, 3)."""
    linear = torch.linalg.inv(matrix[:, :, :2])
    return torch.cat([linear, -linear @ matrix[:, :, 2:]], -1)


def warp(pictures: Tensor, to_source: Tensor, size: int, padding: str = "zeros") -> Tensor:
    """Square outputs (B, C, size, size) of pictures (B, C, H, W) sampled bilinearly.

    ``to_source`` (B, 2, 3) maps output pixels to source pixels; pixel centres are whole numbers.
    """
    height, width = pictures.shape[-2:]
    rows, columns = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    grid = torch.stack([columns, rows], -1).reshape(1, -1, 2).to(pictures)
    grid = move_points(grid.expand(len(pictures), -1, -1), to_source.to(pictures))
    grid = grid * 2 / torch.tensor([width - 1, height - 1]).to(grid) - 1
    grid = grid.reshape(len(pictures), size, size, 2)
    return functional.grid_sample(pictures, grid, mode="bilinear", padding_mode=padding, align_corners=True)
