"""Train the lab's face detector: ``python -m lab.train.detector``.

The file it writes is an insightface detection model (the SCRFD layout: nine outputs, strides 8, 16 and 32, two
anchors, five points), which ``insightface.app.FaceAnalysis`` loads as it loads any other.
"""
from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from .judge_data import Faces, PictureBank, bank, people
from .judge_nets import ANCHORS, STRIDES, Detector
from .loop import Budget, pick_device, placed, train
from .onnx_file import save

NOMINAL = ((20.0, 40.0), (80.0, 160.0), (320.0, 512.0))
"""The face size in pixels that each anchor of each stride is for."""

SIZES = ((320, 5), (480, 3), (192, 12), (480, 3), (128, 20), (320, 5), (480, 3))
"""Training canvases, side and batch, drawn in turn. Users' detectors see 640 px, so most faces there are large."""


def targets(faces: Faces, side: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """What each anchor should say.

    Returns weight (B, N; 1 for a face, 0 for none, -1 for do not care), box (B, N, 4) and points (B, N, 10) in
    strides, and size (B, N): the face's size in strides, the unit of the errors.
    """
    parts = []
    size = ((faces.boxes[..., 2] - faces.boxes[..., 0]) * (faces.boxes[..., 3] - faces.boxes[..., 1])).sqrt()
    middle = (faces.boxes[..., :2] + faces.boxes[..., 2:]) / 2
    for stride, nominal in zip(STRIDES, NOMINAL):
        cells = side // stride
        rows, columns = torch.meshgrid(torch.arange(cells), torch.arange(cells), indexing="ij")
        cell = torch.stack([columns, rows], -1).reshape(-1, 2).float().to(size) * stride
        away = (cell[None, :, None] - middle[:, None]).abs().amax(-1)
        reach = (size * 0.15)[:, None]
        near = away <= reach.clamp(min=0.6 * stride)
        about = away <= (2 * reach).clamp(min=1.2 * stride)
        per_anchor = []
        for anchor in nominal:
            ratio = (size / anchor)[:, None]
            fits = (ratio > 0.62) & (ratio < 1.6) & (faces.kind == 1)[:, None]
            blurred = (ratio > 0.45) & (ratio < 2.2) & (faces.kind != 0)[:, None]
            distance = torch.where(near & fits, away, torch.inf)
            best = distance.argmin(-1)
            weight = torch.where((near & fits).any(-1), 1.0, torch.where((about & blurred).any(-1), -1.0, 0.0))
            chosen = best[..., None]
            box = faces.boxes.gather(1, chosen.expand(-1, -1, 4))
            points = faces.points.flatten(2).gather(1, chosen.expand(-1, -1, 10))
            box = torch.cat([cell[None] - box[..., :2], box[..., 2:] - cell[None]], -1) / stride
            points = (points - cell.repeat(1, 5)[None]) / stride
            per_anchor.append((weight, box, points, size.gather(1, best) / stride))
        parts.append([torch.stack(pair, 2).flatten(1, 2) for pair in zip(*per_anchor)])
    weight, box, points, size = (torch.cat(part, 1) for part in zip(*parts))
    return weight, box, points, size


def detector_loss(outputs: tuple[Tensor, ...], faces: Faces, side: int) -> Tensor:
    """Focal score loss, and absolute box and point errors as shares of the face's size."""
    levels = len(STRIDES)
    score = torch.cat(outputs[:levels], 1)[..., 0].float()
    box = torch.cat(outputs[levels:2 * levels], 1).float()
    points = torch.cat(outputs[2 * levels:], 1).float()
    weight, box_truth, point_truth, size = targets(faces, side)
    found = weight == 1
    size = size[found][:, None]
    away = (points[found] - point_truth[found]) / size
    point_error = functional.smooth_l1_loss(away, torch.zeros_like(away), beta=0.01, reduction="none").mean(-1)
    away = (box[found] - box_truth[found]) / size
    box_error = functional.smooth_l1_loss(away, torch.zeros_like(away), beta=0.02, reduction="none").mean(-1)
    # The score also says how good the points are, so that the best of several anchors survives the suppression.
    truth = found.float()
    truth[found] = 1 - 0.3 * (point_error.detach() / 0.04).clamp(max=1)
    chance = score.sigmoid()
    focal = functional.binary_cross_entropy_with_logits(score, truth, reduction="none")
    focal = focal * (truth - chance).square()
    count = found.sum().clamp(min=1)
    return (focal[weight >= 0].sum() + 25 * point_error.sum() + 2 * box_error.sum()) / count


def fit(pictures: PictureBank, seconds: float, seed: int, checkpoint: Path, device: torch.device) -> Detector:
    """Train from nothing, or on from ``checkpoint``."""
    torch.manual_seed(seed)
    network = placed(Detector(), device)

    def loss(step: int) -> Tensor:
        rng = np.random.default_rng((seed, step))
        side, batch = SIZES[step % len(SIZES)]
        canvas, faces = pictures.draw(rng, batch, side)
        canvas = ((canvas * 255 - 127.5) / 128).to(device, memory_format=torch.channels_last)
        with torch.autocast(device.type, torch.bfloat16):
            outputs = network(canvas)
        return detector_loss(outputs, faces.to(device), side)

    steps = train(network, loss, Budget(seconds), checkpoint)
    print(f"{steps} steps")
    return network.cpu().eval()


def export(network: Detector, path: Path) -> None:
    """Write the onnx file with insightface's conventions (dynamic sides, scores as probabilities)."""
    network.probabilities = True
    names = [f"{kind}_{stride}" for kind in ("score", "box", "points") for stride in STRIDES]
    dynamic = {"input": {2: "height", 3: "width"}, **{name: {1: f"rows_{name}"} for name in names}}
    notes = {"licence": "GPL-3.0", "made_by": "lab.train.detector", "anchors": str(ANCHORS)}
    save(network, torch.zeros(1, 3, 128, 128), path, names, dynamic, notes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("lab/models/insightface/lab/detector.onnx"))
    parser.add_argument("--cache", type=Path, required=True, help="folder for rendered pictures and checkpoints")
    parser.add_argument("--seconds", type=float, default=1260)
    parser.add_argument("--pictures", type=int, default=700, help="wide and group pictures to render")
    parser.add_argument("--people", type=int, default=700, help="persons (and look-alikes) to render in portrait crops")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    pictures = bank(options.cache, options.pictures, options.seed).joined(people(options.cache, options.people, 5, 12))
    device = pick_device(options.device)
    network = fit(pictures, options.seconds, options.seed, options.cache / "detector.pt", device)
    export(network, options.out)


if __name__ == "__main__":
    main()
