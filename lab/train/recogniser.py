"""Train the lab's two recognisers: ``python -m lab.train.recogniser a`` (or ``b``).

A goes into the insightface pack and may be used by guards and for tuning. It regresses the identity parameters of
the renderer, so its cosine falls smoothly as a face drifts. B judges and does nothing else: another network, another
loss (supervised contrastive, Khosla et al. 2020, eq. 2; it knows only who is the same person), other people, another
seed.
"""
from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from .judge_data import PeopleSet, crop_people, people
from .judge_nets import Embedder, Regressor
from .loop import Budget, pick_device, placed, train
from .onnx_file import save

BATCH = 32
TEMPERATURE = 0.1
OUT = {"a": Path("lab/models/insightface/lab/recogniser.onnx"), "b": Path("lab/models/judge/recogniser_b.onnx")}
SEEDS = {"a": 11, "b": 12}
SECONDS = {"a": 400.0, "b": 740.0}


def contrastive(embedding: Tensor, person: Tensor) -> Tensor:
    """Supervised contrastive loss of embeddings (B, E) with their persons (B,)."""
    unit = functional.normalize(embedding.float(), dim=1)
    logits = unit @ unit.T / TEMPERATURE
    itself = torch.eye(len(unit), dtype=torch.bool, device=unit.device)
    same = (person[:, None] == person[None]) & ~itself
    log_chance = logits - torch.logsumexp(logits.masked_fill(itself, -torch.inf), 1, keepdim=True)
    return -(log_chance.masked_fill(~same, 0).sum(1) / same.sum(1)).mean()


def fit(kind: str, data: PeopleSet, seconds: float, seed: int, checkpoint: Path, device: torch.device) -> nn.Module:
    """Train recogniser ``a`` or ``b``, or go on from ``checkpoint``."""
    torch.manual_seed(seed)
    persons, scenes = data.pictures.shape[:2]
    identity = torch.from_numpy(data.identity)
    network: nn.Module = placed(Regressor(identity.shape[1]) if kind == "a" else Embedder(), device)

    def loss(step: int) -> Tensor:
        rng = np.random.default_rng((seed, step))
        if kind == "a":
            person = rng.choice(persons, BATCH // 2, replace=False).repeat(2)
            scene = np.concatenate([rng.choice(scenes, 2, replace=False) for _ in range(BATCH // 2)])
        else:
            # 8 persons and the look-alike of each, 3 scenes of every one
            first = rng.choice(persons // 2, 8, replace=False)
            person = np.concatenate([first, first + persons // 2]).repeat(3)
            scene = np.concatenate([rng.choice(scenes, 3, replace=False) for _ in range(16)])
        crops = data.draw(rng, person, scene).to(device, memory_format=torch.channels_last)
        with torch.autocast(device.type, torch.bfloat16):
            output = network(crops)
        apart = contrastive(output, torch.from_numpy(person).to(device))
        if kind == "b":
            return apart
        # telling people apart teaches small marks that the regression alone learns late
        return functional.mse_loss(output.float(), identity[torch.from_numpy(person)].to(device)) + 0.3 * apart

    steps = train(network, loss, Budget(seconds), checkpoint)
    print(f"{steps} steps")
    return network.cpu().eval()


@torch.no_grad()
def verification(network: nn.Module, data: PeopleSet) -> dict[str, float]:
    """Area under the curve of same against other person over all scenes, and cosines, look-alikes apart."""
    persons, scenes = data.pictures.shape[:2]
    rng = np.random.default_rng(0)
    rows = [data.draw(rng, np.full(scenes, person), np.arange(scenes), clean=True) for person in range(persons)]
    unit = functional.normalize(torch.cat([network(row) for row in rows]), dim=1)
    likeness = (unit @ unit.T).numpy()
    person = np.arange(persons).repeat(scenes)
    base = person % (persons // 2)
    upper = np.triu(np.ones_like(likeness, dtype=bool), 1)
    same = likeness[(person[:, None] == person) & upper]
    twin = likeness[(person[:, None] != person) & (base[:, None] == base) & upper]
    other = np.sort(likeness[(base[:, None] != base) & upper])
    return {
        "auc": float(np.searchsorted(other, same).mean() / len(other)),
        "auc_look_alikes": float(np.searchsorted(np.sort(twin), same).mean() / len(twin)),
        "same": float(same.mean()), "look_alike": float(twin.mean()), "other": float(other.mean()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=("a", "b"))
    parser.add_argument("--out", type=Path)
    parser.add_argument("--cache", type=Path, required=True, help="folder for rendered pictures and checkpoints")
    parser.add_argument("--seconds", type=float, help=f"processor seconds; default {SECONDS}")
    parser.add_argument("--crops", type=Path, help="portrait cache of lab.train.dataset (recogniser a)")
    parser.add_argument("--people", type=int, default=700, help="persons to render (recogniser b)")
    parser.add_argument("--scenes", type=int, default=5)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    seed = SEEDS[options.kind] if options.seed is None else options.seed
    if options.kind == "a" and options.crops is None:
        parser.error("recogniser a learns from the portrait cache: give --crops (python -m lab.train.dataset makes it)")
    if options.kind == "a":
        data = crop_people(options.crops)
    else:
        data = people(options.cache, options.people, options.scenes, seed)
    checkpoint = options.cache / f"recogniser_{options.kind}.pt"
    seconds = options.seconds or SECONDS[options.kind]
    network = fit(options.kind, data, seconds, seed, checkpoint, pick_device(options.device))
    figures = verification(network, people(options.cache, 100, 5, 99))
    print(figures)
    notes = {"licence": "GPL-3.0", "made_by": f"lab.train.recogniser {options.kind}"}
    notes |= {name: f"{value:.5f}" for name, value in figures.items()}
    save(network, torch.zeros(1, 3, 112, 112), options.out or OUT[options.kind], ["embedding"],
         {"input": {0: "faces"}, "embedding": {0: "faces"}}, notes)


if __name__ == "__main__":
    main()
