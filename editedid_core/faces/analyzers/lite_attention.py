"""The three operations of MediaPipe's attention mesh that TensorFlow Lite lacks (version 2 of each).

They cut a patch of features around the lips or an eye, level with it, and bring what is found there back.
Source: Grishchenko et al. 2020, "Attention Mesh"; mediapipe/util/tflite/operations (Apache-2.0) for the conventions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F


def landmarks_to_matrix(landmarks: torch.Tensor, options: Mapping[str, Any]) -> torch.Tensor:
    """The map from a patch's pixels to the place that some landmarks take.

    landmarks: (N, K, 3), x and y in the network's input pixels. options: the two landmarks whose line is made level
    (left_rotation_idx, right_rotation_idx), the ones the patch holds (subset_idxs), the patch's width and height, and
    how much wider and higher than their box it is (scale_x, scale_y).
    Returns (N, 4, 4).
    """
    xy = landmarks[..., :2]
    line = xy[:, options["right_rotation_idx"]] - xy[:, options["left_rotation_idx"]]
    turn = options["target_rotation_radians"] - torch.atan2(line[:, 1], line[:, 0])
    cos, sin = torch.cos(turn), torch.sin(turn)
    level = torch.stack([torch.stack([cos, -sin], -1), torch.stack([sin, cos], -1)], -2)  # (N, 2, 2)
    inside = xy[:, options["subset_idxs"]] @ level.mT
    low, high = inside.amin(1), inside.amax(1)
    size = xy.new_tensor([options["output_width"], options["output_height"]])
    scale = (high - low) * xy.new_tensor([options["scale_x"], options["scale_y"]]) / size
    linear = level.mT * scale[:, None, :]
    centre = (((low + high) / 2)[:, None] @ level)[:, 0]
    matrix = torch.eye(4, dtype=xy.dtype, device=xy.device).repeat(len(xy), 1, 1)
    matrix[:, :2, :2] = linear
    matrix[:, :2, 3] = centre - (linear @ (size / 2)[:, None])[..., 0]
    return matrix


def resample_patch(features: torch.Tensor, matrix: torch.Tensor, options: Mapping[str, Any]) -> torch.Tensor:
    """Features (N, C, H, W) read bilinearly on a patch; zero outside. matrix: (N, 4, 4), patch to feature pixels.

    Returns (N, C, output_height, output_width).
    """
    height, width = features.shape[2:]
    ys = torch.arange(options["output_height"], dtype=features.dtype, device=features.device) + 0.5
    xs = torch.arange(options["output_width"], dtype=features.dtype, device=features.device) + 0.5
    places = torch.stack(torch.meshgrid(xs, ys, indexing="xy"), -1)  # (h, w, 2)
    places = places @ matrix[:, None, :2, :2].mT + matrix[:, None, None, :2, 3]
    size = features.new_tensor([width, height])
    patch = F.grid_sample(features, places / size * 2 - 1, "bilinear", "border", align_corners=False)
    inside = ((places >= 0.5) & (places <= size - 0.5)).all(-1)
    return patch * inside[:, None]


def move_landmarks(landmarks: torch.Tensor, matrix: torch.Tensor) -> torch.Tensor:
    """Landmarks (N, K, 2 or more) of a patch in the pixels that `matrix` (N, 4, 4) leads to; the rest is kept."""
    xy = landmarks[..., :2] @ matrix[:, :2, :2].mT + matrix[:, None, :2, 3]
    return torch.cat([xy, landmarks[..., 2:]], -1)
