"""Train the dense landmarks of the lab's face pack: ``python -m lab.train.landmarks``.

68 points in the iBUG order, read by insightface's own landmark class: it cuts a square of one and a half times the
detector's box, and takes the network's numbers as places in it, -1 to 1.
"""
from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from editedid_core.geometry.landmarks import MIRRORED, five_of_68

from .. import portraits
from .judge_data import SEED_SPACE, degrade, face_box
from .judge_nets import LANDMARKS, DenseLandmarks
from .loop import Budget, pick_device, placed, train
from .onnx_file import save
from .parallel import spread

SIDE = 192
"""Of the square; insightface takes a network with this input for landmarks."""
MARGIN = 1.5
"""Side of insightface's square in parts of the box's longer side."""
SEED = 41
BATCH = 24


def square(box: np.ndarray, side: int = SIDE) -> np.ndarray:
    """insightface's map (2, 3) from picture pixels to its square of ``side`` pixels, for a box (xyxy)."""
    scale = side / (MARGIN * max(box[2] - box[0], box[3] - box[1]))
    middle = np.array([box[0] + box[2], box[1] + box[3]]) / 2
    return np.column_stack([np.eye(2) * scale, side / 2 - scale * middle])


def _shot(number: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """One portrait (S, S, 3) uint8 and its dense points."""
    index, seed = number
    rng = np.random.default_rng((SEED_SPACE, seed, index))
    scene = portraits.crop_scene(rng) if rng.random() < 0.25 else portraits.sample_scene(rng)
    shot = portraits.render(portraits.sample_identity(rng), scene, size=192)
    return np.round(np.clip(shot.image, 0, 1) * 255).astype(np.uint8), shot.dense


def shots(cache: Path, count: int, seed: int, workers: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Portraits (N, 192, 192, 3) uint8 and dense points (N, 68, 2), rendered once and kept in ``cache``."""
    files = [cache / f"shots_{count}_{seed}_{part}.npy" for part in ("pictures", "points")]
    if not files[1].is_file():  # the last one written
        pictures, points = zip(*spread(_shot, [(index, seed) for index in range(count)], workers))
        cache.mkdir(parents=True, exist_ok=True)
        np.save(files[0], np.stack(pictures))
        np.save(files[1], np.stack(points).astype(np.float32))
    return np.load(files[0], mmap_mode="r"), np.load(files[1])


@dataclass(frozen=True, eq=False)
class Squares:
    """Squares (B, 3, S, S) as insightface hands them to the network, and where the points are in them (B, 68, 2)."""

    pictures: np.ndarray
    points: np.ndarray


@dataclass(frozen=True, eq=False)
class Draw:
    """The squares of a training step: boxes a little off, heads turned, pictures as they come."""

    pictures: np.ndarray
    points: np.ndarray
    batch: int
    seed: int
    clean: bool = False

    def __call__(self, step: int) -> Squares:
        rng = np.random.default_rng((self.seed, step))
        chosen = (np.arange(step * self.batch, (step + 1) * self.batch) if self.clean
                  else rng.integers(len(self.points), size=self.batch))
        views, places = zip(*(self._view(rng, int(index)) for index in chosen))
        return Squares(np.stack(views), np.stack(places))

    def _view(self, rng: np.random.Generator, index: int) -> tuple[np.ndarray, np.ndarray]:
        picture, dense = np.asarray(self.pictures[index]), self.points[index].astype(np.float64)
        turn = 0.0 if self.clean or rng.random() < 0.4 else rng.normal(0, 0.2)
        spin = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        map_to = square(face_box((five_of_68(dense) @ spin.T).astype(np.float32)))
        if not self.clean:
            grow = np.exp(rng.normal(0, 0.05))
            map_to = np.column_stack([map_to[:, :2] * grow,
                                      (map_to[:, 2] - SIDE / 2) * grow + SIDE / 2 + rng.normal(0, 0.03 * SIDE, 2)])
        map_to[:, :2] = map_to[:, :2] @ spin
        view = cv2.warpAffine(picture, map_to, (SIDE, SIDE))
        dense = dense @ map_to[:, :2].T + map_to[:, 2]
        if not self.clean:
            if rng.random() < 0.5:
                view, dense = np.ascontiguousarray(view[:, ::-1]), (dense * (-1, 1) + (SIDE - 1, 0))[MIRRORED]
            view = degrade(view, rng, 0.2)
        places = (dense / (SIDE / 2) - 1).astype(np.float32)
        return ((view.astype(np.float32) - 127.5) / 128).transpose(2, 0, 1), places


def fit(draw: Draw, seconds: float, checkpoint: Path, device: torch.device,
        workers: int = 0) -> tuple[DenseLandmarks, int]:
    """Train from nothing, or on from ``checkpoint``; the network and its steps."""
    torch.manual_seed(draw.seed)
    network = placed(DenseLandmarks(), device)

    def loss(batch: Squares) -> Tensor:
        squares = torch.from_numpy(batch.pictures).to(device, memory_format=torch.channels_last)
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            found = network(squares).view(-1, LANDMARKS, 2)
        off = (found.float() - torch.from_numpy(batch.points).to(device)).norm(dim=-1)
        return (off + 0.02 * torch.log1p(off / 0.02)).mean()  # the last pixel counts as well

    steps = train(network, draw, loss, Budget(seconds, rate=0.01), checkpoint, workers)
    return network.cpu().eval(), steps


@torch.no_grad()
def figures(network: DenseLandmarks, pictures: np.ndarray, points: np.ndarray) -> dict[str, float]:
    """Mean error on unseen people as a share of the eye distance, of all points and by part of the face."""
    batch = Draw(pictures, points, len(points), 0, clean=True)(0)
    found = torch.cat([network(part) for part in torch.from_numpy(batch.pictures).split(50)]).view(-1, LANDMARKS, 2)
    off = np.linalg.norm(found.numpy() - batch.points, axis=-1)
    eyes = np.linalg.norm(batch.points[:, 42:48].mean(1) - batch.points[:, 36:42].mean(1), axis=-1)[:, None]
    parts = {"all": slice(0, 68), "jaw": slice(0, 17), "brows": slice(17, 27), "nose": slice(27, 36),
             "eyes": slice(36, 48), "mouth": slice(48, 68)}
    return {f"error_{name}": float((off[:, part] / eyes).mean()) for name, part in parts.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("lab/models/insightface/lab/landmarks.onnx"))
    parser.add_argument("--cache", type=Path, required=True, help="folder for rendered pictures and checkpoints")
    parser.add_argument("--seconds", type=float, default=1500, help="processor seconds; clock seconds on a GPU")
    parser.add_argument("--pictures", type=int, default=12_000)
    parser.add_argument("--batch", type=int, default=BATCH, help="squares a step")
    parser.add_argument("--workers", type=int, default=0, help="processes that draw batches ahead")
    parser.add_argument("--render", type=int, help="processes that render; default as --workers")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    render = options.workers if options.render is None else options.render
    pictures, points = shots(options.cache, options.pictures, options.seed, render)
    unseen = shots(options.cache, 300, options.seed + 1, render)
    print("pictures rendered", flush=True)
    draw = Draw(pictures, points, options.batch, options.seed)
    network, steps = fit(draw, options.seconds, options.cache / "landmarks.pt", pick_device(options.device),
                         options.workers)
    found = figures(network, *unseen)
    notes = {"licence": "GPL-3.0", "made_by": "lab.train.landmarks"} | {k: f"{v:.5f}" for k, v in found.items()}
    batch = {"input": {0: "faces"}, "points": {0: "faces"}}
    save(network, torch.zeros(1, 3, SIDE, SIDE), options.out, ["points"], batch, notes)
    print(json.dumps({"steps": steps, "weights": sum(p.numel() for p in network.parameters())} | found))


if __name__ == "__main__":
    main()
