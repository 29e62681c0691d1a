"""Train the lab's face detector: ``python -m lab.train.detector``.

The file it writes is an insightface detection model (the SCRFD layout: nine outputs, strides 8, 16 and 32, two
anchors, five points), which ``insightface.app.FaceAnalysis`` loads as it loads any other.
"""
from __future__ import annotations

import argparse
import json
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from .. import portraits
from .arithmetic import mixed
from .judge_data import Faces, PictureBank, Views, bank, people
from .judge_nets import ANCHORS, STRIDES, Detector
from .loop import Budget, pick_device, placed, train
from .onnx_file import save
from .parallel import spread

NOMINAL = ((20.0, 40.0), (80.0, 160.0), (320.0, 512.0))
"""The face size in pixels that each anchor of each stride is for."""

SIZES = (384, 640, 192, 480, 320, 640, 128, 384)
"""Sides of the training canvases, drawn in turn. Users' detectors see 640 px, so most faces there are large."""

PEOPLE_SEED = 13
"""Portrait crops are of people that neither recogniser is trained on."""

CHECK_SEED = 43_000_000
"""Triples and groups that the figures are of; no split and no training has their people."""

Seen = tuple[np.ndarray, list[np.ndarray]]


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
    # 0.002 of the face's size is half a percent of the eye distance: down to there every gain counts in full
    point_error = functional.smooth_l1_loss(away, torch.zeros_like(away), beta=0.002, reduction="none").mean(-1)
    away = (box[found] - box_truth[found]) / size
    box_error = functional.smooth_l1_loss(away, torch.zeros_like(away), beta=0.02, reduction="none").mean(-1)
    # The score also says how good the points are, so that the best of several anchors survives the suppression.
    truth = found.float()
    truth[found] = 1 - 0.3 * (point_error.detach() / 0.02).clamp(max=1)
    chance = score.sigmoid()
    focal = functional.binary_cross_entropy_with_logits(score, truth, reduction="none")
    focal = focal * (truth - chance).square()
    count = found.sum().clamp(min=1)
    return (focal[weight >= 0].sum() + 60 * point_error.sum() + 2 * box_error.sum()) / count


@dataclass(frozen=True, eq=False)
class Draw:
    """The views of a training step; ``batch`` of them at 320 px, more of smaller ones."""

    pictures: PictureBank
    batch: int
    seed: int

    def __call__(self, step: int) -> Views:
        side = SIZES[step % len(SIZES)]
        count = max(2, round(self.batch * (320 / side) ** 1.4))
        return self.pictures.draw(np.random.default_rng((self.seed, step)), count, side)


def fit(draw: Draw, seconds: float, checkpoint: Path, device: torch.device, workers: int = 0) -> tuple[Detector, int]:
    """Train from nothing, or on from ``checkpoint``; the network and its steps."""
    torch.manual_seed(draw.seed)
    network = placed(Detector(), device)

    def loss(views: Views) -> Tensor:
        # bfloat16 would round the points by up to half a percent of the eye distance; a GPU does without
        with (mixed(device) if device.type == "cpu" else nullcontext()):
            outputs = network(_input(views.canvas, device))
        return detector_loss(outputs, views.faces(device), views.canvas.shape[1])

    steps = train(network, draw, loss, Budget(seconds), checkpoint, workers)
    return network.eval(), steps


def _input(canvas: np.ndarray, device: torch.device) -> Tensor:
    """Pictures (B, H, W, 3) uint8 as the network wants them, in channels-last order."""
    return (torch.from_numpy(canvas).to(device).permute(0, 3, 1, 2).float() - 127.5) / 128


def _triple(seed: int) -> list[Seen]:
    triple = portraits.make_triple(seed)
    return [(shot.image, [shot.landmarks]) for shot in (triple.original, triple.ideal, triple.drifted)]


def _group(seed: int) -> list[Seen]:
    truth = portraits.group_picture(seed, 4, size=256).truth
    return [(truth.image, [one.landmarks for one in truth.people])]


@torch.no_grad()
def errors(network: Detector, seen: list[Seen], side: int, centred: bool = True) -> tuple[float, int, int]:
    """Mean error of the points as a share of the eye distance, missed faces, and false anchors of sure score.

    ``centred`` minds that enlarging keeps pixel borders in place, not pixel centres; insightface does not mind it.
    """
    device = next(network.parameters()).device
    off, missed, false = [], 0, 0
    for picture, faces in seen:
        image = np.round(np.clip(picture, 0, 1) * 255).astype(np.uint8)
        enlarged = side / max(image.shape[:2])
        height, width = (round(length * enlarged) for length in image.shape[:2])
        canvas = np.zeros((side, side, 3), np.uint8)  # as insightface does
        canvas[:height, :width] = cv2.resize(image, (width, height))
        outputs = network(_input(canvas[None], device))
        score = torch.cat(outputs[:len(STRIDES)], 1)[0, :, 0].sigmoid().cpu().numpy()
        parts = []
        for stride, points in zip(STRIDES, outputs[2 * len(STRIDES):]):
            cells = side // stride
            cell = np.stack(np.meshgrid(np.arange(cells), np.arange(cells)), -1).reshape(-1, 1, 1, 2)
            parts.append(((points[0].cpu().numpy().reshape(cells * cells, ANCHORS, 5, 2) + cell) * stride)
                         .reshape(-1, 5, 2))
        found = np.concatenate(parts) / enlarged + (0.5 / enlarged - 0.5 if centred else 0.0)
        belongs = np.zeros(len(found), bool)
        for truth in faces:
            eyes = float(np.linalg.norm(truth[1] - truth[0]))
            near = np.linalg.norm(found.mean(1) - truth.mean(0), axis=-1) < 0.8 * max(eyes, 4.0)
            belongs |= near
            best = int(np.where(near, score, -1).argmax())
            if not near[best] or score[best] < 0.3:
                missed += 1
            else:
                off.append(float(np.linalg.norm(found[best] - truth, axis=1).mean()) / eyes)
        false += int(((score > 0.5) & ~belongs).sum())
    return float(np.mean(off)) if off else 1.0, missed, false


def figures(network: Detector, triples: list[Seen], groups: list[Seen]) -> dict[str, float]:
    """Errors on pictures of unseen people at the detection sizes that matter."""
    found: dict[str, float] = {}
    for name, seen, side in (("192", triples, 192), ("384", triples, 384), ("640", triples, 640),
                             ("groups_512", groups, 512), ("groups_640", groups, 640)):
        found[f"points_{name}"], found[f"missed_{name}"], found[f"false_{name}"] = errors(network, seen, side)
    for side in (384, 640):
        found[f"points_{side}_corner"] = errors(network, triples, side, centred=False)[0]
    return found


def export(network: Detector, path: Path, found: dict[str, float]) -> None:
    """Write the onnx file with insightface's conventions (dynamic sides, scores as probabilities)."""
    network.probabilities = True
    names = [f"{kind}_{stride}" for kind in ("score", "box", "points") for stride in STRIDES]
    dynamic = {"input": {2: "height", 3: "width"}, **{name: {1: f"rows_{name}"} for name in names}}
    notes = {"licence": "GPL-3.0", "made_by": "lab.train.detector", "anchors": str(ANCHORS)}
    notes |= {name: f"{value:.5f}" for name, value in found.items()}
    save(network.cpu(), torch.zeros(1, 3, 128, 128), path, names, dynamic, notes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("lab/models/insightface/lab/detector.onnx"))
    parser.add_argument("--cache", type=Path, required=True, help="folder for rendered pictures and checkpoints")
    parser.add_argument("--seconds", type=float, default=1260, help="processor seconds; clock seconds on a GPU")
    parser.add_argument("--pictures", type=int, default=700, help="wide and group pictures to render")
    parser.add_argument("--people", type=int, default=700, help="persons (and look-alikes) to render in portrait crops")
    parser.add_argument("--scenes", type=int, default=5)
    parser.add_argument("--batch", type=int, default=5, help="views of 320 px a step")
    parser.add_argument("--workers", type=int, default=0, help="processes that draw batches ahead")
    parser.add_argument("--render", type=int, help="processes that render; default as --workers")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    render = options.workers if options.render is None else options.render
    pictures = bank(options.cache, options.pictures, options.seed, render)
    pictures = pictures.joined(people(options.cache, options.people, options.scenes, PEOPLE_SEED, render))
    triples = [one for some in spread(_triple, range(CHECK_SEED, CHECK_SEED + 24), render) for one in some]
    groups = [one for some in spread(_group, range(CHECK_SEED, CHECK_SEED + 16), render) for one in some]
    print("pictures rendered", flush=True)
    draw = Draw(pictures, options.batch, options.seed)
    device = pick_device(options.device)
    network, steps = fit(draw, options.seconds, options.cache / "detector.pt", device, options.workers)
    found = figures(network, triples, groups)
    export(network, options.out, found)
    print(json.dumps({"steps": steps, "weights": sum(p.numel() for p in network.parameters())} | found))


if __name__ == "__main__":
    main()
