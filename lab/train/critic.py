"""Train the lab's critic of realism: ``python -m lab.train.critic``.

It tells true pictures of this world from careless composites of every kind in ``damage.KINDS`` and says how bad.
Its ``floor`` is what nine in ten true pictures stay below: less than that cannot be told from a true picture.
"""
from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
import torch
from scipy.stats import spearmanr
from torch import Tensor
from torch.nn import functional

from editedid_core.faces.align import compose, crop_frame, fit_similarity

from .. import portraits
from .damage import KINDS, Layers, blur, damaged, face_ellipse
from .judge_nets import Critic
from .loop import Budget, pick_device, placed, train
from .onnx_file import save

SIZE = 96
BATCH = 24


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


def layer_set(cache: Path, name: str, seeds: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Layers of many triples, rendered once: pictures (N, 3, S, S, 3) uint8 and points (N, 5, 2)."""
    file = cache / f"layers_{name}_{len(seeds)}.npz"
    if not file.is_file():
        pictures, points = [], []
        for seed in seeds:
            both, ideal = layers(seed)
            pictures.append(np.stack([both.edited, both.original, ideal]))
            points.append(both.points)
        cache.mkdir(parents=True, exist_ok=True)
        np.savez(file, np.round(np.stack(pictures) * 255).astype(np.uint8), np.stack(points).astype(np.float32))
    data = np.load(file)
    return data["arr_0"], data["arr_1"]


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


def batch_of(pictures: np.ndarray, points: np.ndarray, rng: np.random.Generator, count: int) -> tuple[Tensor, Tensor]:
    """``count`` crops (B, 3, S, S) and their severities (B,): each true face beside a composite of the same face."""
    crops, marks = [], []
    for index in rng.integers(len(pictures), size=count // 2):
        edited, original, ideal = pictures[index].astype(np.float32) / 255
        both = Layers(edited, original, points[index])
        kind = KINDS[rng.integers(len(KINDS))]
        amount = rng.uniform(0.15, 0.85) if "ghost" in kind else rng.uniform(0, 1)
        picture, mark = damaged(both, kind, amount, rng)
        true = edited if rng.random() < 0.7 else ideal
        crops += [harmless(true, points[index], rng), harmless(picture, points[index], rng)]
        marks += [0.0, mark]
    return torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2), torch.tensor(marks, dtype=torch.float32)


def fit(cache: Path, triples: int, seconds: float, seed: int, device: torch.device) -> Critic:
    torch.manual_seed(seed)
    pictures, points = layer_set(cache, "train", portraits.triple_split("train", triples))
    network = placed(Critic(), device)

    def loss(step: int) -> Tensor:
        crops, marks = batch_of(pictures, points, np.random.default_rng((seed, step)), BATCH)
        with torch.autocast(device.type, torch.bfloat16):
            output = network(crops.to(device, memory_format=torch.channels_last))
        return functional.binary_cross_entropy_with_logits(output.float(), marks.to(device))

    steps = train(network, loss, Budget(seconds), cache / "critic.pt")
    print(f"{steps} steps")
    return network.cpu().eval()


@torch.no_grad()
def figures(network: Critic, pictures: np.ndarray, points: np.ndarray) -> dict[str, float]:
    """On unseen people: the floor, how much of each damage is told from true pictures, and the rank correlation."""
    def scores(crops: list[np.ndarray]) -> np.ndarray:
        return network(torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2)).sigmoid().numpy()

    rng = np.random.default_rng(0)
    true = np.sort(scores([crop.astype(np.float32) / 255 for crop in pictures[:, [0, 2]].reshape(-1, SIZE, SIZE, 3)]))
    found = {"floor": float(np.quantile(true, 0.9))}
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
    parser.add_argument("--seconds", type=float, default=540)
    parser.add_argument("--triples", type=int, default=600)
    parser.add_argument("--seed", type=int, default=21)
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    network = fit(options.cache, options.triples, options.seconds, options.seed, pick_device(options.device))
    unseen = layer_set(options.cache, "check", portraits.triple_split("train", options.triples + 150)[-150:])
    found = figures(network, *unseen)
    print(found)
    network.probabilities = True
    notes = {"licence": "GPL-3.0", "made_by": "lab.train.critic"} | {k: f"{v:.5f}" for k, v in found.items()}
    dynamic = {"input": {0: "faces"}, "damage": {0: "faces"}}
    save(network, torch.zeros(1, 3, SIZE, SIZE), options.out, ["damage"], dynamic, notes)


if __name__ == "__main__":
    main()
