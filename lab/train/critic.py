"""Train the lab's critic of realism: ``python -m lab.train.critic``.

It tells true pictures of this world from careless composites of every kind in ``damage.KINDS`` and says how bad.
Its ``floor`` is what nineteen in twenty undamaged pictures stay below, those with a decoder's softness among them:
less than that cannot be told from a true picture.
"""
from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from scipy.stats import spearmanr
from torch import Tensor
from torch.nn import functional

from editedid_core.geometry.affine import compose, crop_frame, fit_similarity

from .. import portraits
from .arithmetic import mixed
from .damage import KINDS, Layers, blur, damaged, face_ellipse
from .judge_nets import Critic
from .loop import Budget, pick_device, placed, train
from .onnx_file import save
from .parallel import spread

SIZE = 96
BATCH = 24
OFTEN = ("ghost", "relit_ghost", "wrong_light")
"""The damage that is hardest to see comes two and a half times as often as any other."""
CHANCE = np.array([2.5 if kind in OFTEN else 1.0 for kind in KINDS])


def cut(picture: np.ndarray, to_picture: np.ndarray) -> np.ndarray:
    """The SIZE px crop whose pixels ``to_picture`` (2, 3) takes to ``picture``."""
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(picture, to_picture, (SIZE, SIZE), flags=flags, borderMode=cv2.BORDER_REPLICATE)


def layers(seed: int) -> tuple[Layers, np.ndarray]:
    """The drifted and the warped original face of a triple in one crop, and a third true crop (the ideal)."""
    triple = portraits.make_triple(seed)
    points = triple.drifted.landmarks
    frame = crop_frame(points, SIZE)
    to_original = compose(fit_similarity(points, triple.original.landmarks), frame)
    in_crop = (points - frame[:, 2]) @ np.linalg.inv(frame[:, :2]).T
    both = Layers(cut(triple.drifted.image, frame), cut(triple.original.image, to_original), in_crop)
    return both, cut(triple.ideal.image, crop_frame(triple.ideal.landmarks, SIZE))


def _layer_bytes(seed: int) -> tuple[np.ndarray, np.ndarray]:
    both, ideal = layers(seed)
    return np.round(np.stack([both.edited, both.original, ideal]) * 255).astype(np.uint8), both.points


def layer_set(cache: Path, name: str, seeds: list[int], workers: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Layers of many triples, rendered once: pictures (N, 3, S, S, 3) uint8 and points (N, 5, 2)."""
    files = [cache / f"layers_{name}_{seeds[0]}_{len(seeds)}_{part}.npy" for part in ("pictures", "points")]
    if not files[1].is_file():  # the last one written
        pictures, points = zip(*spread(_layer_bytes, seeds, workers))
        cache.mkdir(parents=True, exist_ok=True)
        np.save(files[0], np.stack(pictures))
        np.save(files[1], np.stack(points).astype(np.float32))
    return np.load(files[0], mmap_mode="r"), np.load(files[1])


def harmless(picture: np.ndarray, points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """What a good restoration may do to a true picture: a decoder's slight softness in the face, noise, exposure."""
    if rng.random() < 0.5:
        mask = face_ellipse(points, SIZE, rng.uniform(0.8, 1.3), rng.uniform(1, 5))[..., None]
        picture = picture + mask * (blur(picture, rng.uniform(0.25, 0.65)) - picture)
    if rng.random() < 0.4:
        picture = picture * rng.uniform(0.85, 1.15) * rng.uniform(0.95, 1.05, (1, 1, 3))
    if rng.random() < 0.5:
        picture = picture + rng.normal(0, rng.uniform(0, 0.015), picture.shape)
    if rng.random() < 0.5:
        picture = picture[:, ::-1]
    return np.clip(picture, 0, 1).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Crops:
    """Crops (B, S, S, 3) float16 and how damaged each is (B,) float32."""

    crops: np.ndarray
    marks: np.ndarray


@dataclass(frozen=True, eq=False)
class Draw:
    """The crops of a training step: each true face beside a composite of the same face."""

    pictures: np.ndarray
    points: np.ndarray
    batch: int
    seed: int

    def __call__(self, step: int) -> Crops:
        rng = np.random.default_rng((self.seed, step))
        crops, marks = [], []
        for index in rng.integers(len(self.pictures), size=self.batch // 2):
            edited, original, ideal = self.pictures[index].astype(np.float32) / 255
            both = Layers(edited, original, self.points[index])
            kind = KINDS[rng.choice(len(KINDS), p=CHANCE / CHANCE.sum())]
            amount = rng.uniform(0.1, 0.9) if "ghost" in kind else rng.uniform(0, 1)
            picture, mark = damaged(both, kind, amount, rng)
            true = edited if rng.random() < 0.7 else ideal
            crops += [harmless(true, self.points[index], rng), harmless(picture, self.points[index], rng)]
            marks += [0.0, mark]
        return Crops(np.stack(crops).astype(np.float16), np.array(marks, np.float32))


def fit(draw: Draw, seconds: float, checkpoint: Path, device: torch.device, workers: int = 0) -> tuple[Critic, int]:
    """Train from nothing, or on from ``checkpoint``; the network and its steps."""
    torch.manual_seed(draw.seed)
    network = placed(Critic(), device)

    def loss(batch: Crops) -> Tensor:
        crops = torch.from_numpy(batch.crops).to(device).permute(0, 3, 1, 2).float()
        with mixed(device):
            output = network(crops)
        return functional.binary_cross_entropy_with_logits(output.float(), torch.from_numpy(batch.marks).to(device))

    steps = train(network, draw, loss, Budget(seconds), checkpoint, workers)
    return network.cpu().eval(), steps


@torch.no_grad()
def figures(network: Critic, pictures: np.ndarray, points: np.ndarray) -> dict[str, float]:
    """On unseen people: the floor, how much of each damage is told from true pictures, and the rank correlation."""
    def scores(crops: list[np.ndarray]) -> np.ndarray:
        return network(torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2)).sigmoid().numpy()

    rng = np.random.default_rng(0)
    true = np.sort(scores([crop.astype(np.float32) / 255 for crop in pictures[:, [0, 2]].reshape(-1, SIZE, SIZE, 3)]))
    undamaged = [harmless(crop.astype(np.float32) / 255, points[index], rng)
                 for index in range(len(pictures)) for crop in pictures[index, [0, 2]]]
    found = {"floor": float(np.quantile(scores(undamaged), 0.95))}
    marks, given = [], []
    for kind in KINDS:
        made = []
        for index in range(len(pictures)):
            edited, original, _ = pictures[index].astype(np.float32) / 255
            made.append(damaged(Layers(edited, original, points[index]), kind, rng.uniform(0.2, 0.8), rng))
        score = scores([picture for picture, _ in made])
        found[f"auc_{kind}"] = float(np.searchsorted(true, score).mean() / len(true))
        marks += [mark for _, mark in made]
        given += score.tolist()
    found["rank_correlation"] = float(spearmanr(marks, given).statistic)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("lab/models/judge/critic.onnx"))
    parser.add_argument("--cache", type=Path, required=True, help="folder for rendered pictures and checkpoints")
    parser.add_argument("--seconds", type=float, default=540, help="processor seconds; clock seconds on a GPU")
    parser.add_argument("--triples", type=int, default=600)
    parser.add_argument("--batch", type=int, default=BATCH, help="crops a step")
    parser.add_argument("--workers", type=int, default=0, help="processes that draw batches ahead")
    parser.add_argument("--render", type=int, help="processes that render; default as --workers")
    parser.add_argument("--seed", type=int, default=21)
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    render = options.workers if options.render is None else options.render
    seeds = portraits.triple_split("train", options.triples + 150)
    pictures, points = layer_set(options.cache, "train", seeds[:-150], render)
    unseen = layer_set(options.cache, "check", seeds[-150:], render)
    print("pictures rendered", flush=True)
    draw = Draw(pictures, points, options.batch, options.seed)
    device = pick_device(options.device)
    network, steps = fit(draw, options.seconds, options.cache / "critic.pt", device, options.workers)
    found = figures(network, *unseen)
    network.probabilities = True
    notes = {"licence": "GPL-3.0", "made_by": "lab.train.critic"} | {k: f"{v:.5f}" for k, v in found.items()}
    dynamic = {"input": {0: "faces"}, "damage": {0: "faces"}}
    save(network, torch.zeros(1, 3, SIZE, SIZE), options.out, ["damage"], dynamic, notes)
    print(json.dumps({"steps": steps, "weights": sum(p.numel() for p in network.parameters())} | found))


if __name__ == "__main__":
    main()
