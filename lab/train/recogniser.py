"""Train the lab's two recognisers: ``python -m lab.train.recogniser a`` (or ``b``).

A goes into the insightface pack and may be used by guards and for tuning. It regresses the identity parameters of
the renderer, so its cosine falls smoothly as a face drifts. B judges and does nothing else: another network, another
loss (supervised contrastive, Khosla et al. 2020, eq. 2; it knows only who is the same person), other people, another
seed.
"""
from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from .arithmetic import mixed
from .judge_data import PeopleSet, crop_people, people
from .judge_nets import Embedder, Regressor
from .loop import Budget, pick_device, placed, train
from .onnx_file import save

BATCHES = {"a": 32, "b": 48}
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


@dataclass(frozen=True, eq=False)
class Crops:
    """Aligned crops (B, 3, 112, 112) in [-1, 1], whose they are (B,), and the identities (B, D)."""

    crops: np.ndarray
    person: np.ndarray
    identity: np.ndarray


@dataclass(frozen=True, eq=False)
class Draw:
    """The crops of a training step: ``scenes`` of each person, where there are look-alikes with theirs.

    ``strangers``: people without look-alikes. ``twins``: people whose second half are the first half's look-alikes.
    With both, each gives half of the batch.
    """

    strangers: PeopleSet | None
    twins: PeopleSet | None
    scenes: int
    batch: int
    seed: int

    def __call__(self, step: int) -> Crops:
        rng = np.random.default_rng((self.seed, step))
        share = self.batch if self.strangers is None or self.twins is None else self.batch // 2
        parts: list[Crops] = []
        if self.strangers is not None:
            who = rng.choice(len(self.strangers.identity), max(2, share // self.scenes), replace=False)
            parts.append(self._shots(rng, self.strangers, who))
        if self.twins is not None:
            half = len(self.twins.identity) // 2
            first = rng.choice(half, max(2, share // (2 * self.scenes)), replace=False)
            parts.append(self._shots(rng, self.twins, np.concatenate([first, first + half])))
        # persons of the two sets share no number
        person = [-1 - part.person if place else part.person for place, part in enumerate(parts)]
        return Crops(np.concatenate([part.crops for part in parts]), np.concatenate(person),
                     np.concatenate([part.identity for part in parts]))

    def _shots(self, rng: np.random.Generator, data: PeopleSet, who: np.ndarray) -> Crops:
        scene = np.concatenate([rng.choice(data.pictures.shape[1], self.scenes, replace=False) for _ in who])
        person = who.repeat(self.scenes)
        return Crops(data.draw(rng, person, scene).numpy(), person, data.identity[person])


def fit(
    kind: str, draw: Draw, seconds: float, checkpoint: Path, device: torch.device, workers: int = 0
) -> tuple[nn.Module, int]:
    """Train recogniser ``a`` or ``b``, or go on from ``checkpoint``; the network and its steps."""
    torch.manual_seed(draw.seed)
    known = draw.strangers or draw.twins
    assert known is not None
    network: nn.Module = placed(Regressor(known.identity.shape[1]) if kind == "a" else Embedder(), device)

    def loss(batch: Crops) -> Tensor:
        crops = torch.from_numpy(batch.crops).to(device, memory_format=torch.channels_last)
        with mixed(device):
            output = network(crops)
        apart = contrastive(output, torch.from_numpy(batch.person).to(device))
        if kind == "b":
            return apart
        # telling people apart teaches small marks that the regression alone learns late
        return functional.mse_loss(output.float(), torch.from_numpy(batch.identity).to(device)) + 0.3 * apart

    steps = train(network, draw, loss, Budget(seconds), checkpoint, workers)
    return network.cpu().eval(), steps


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
    parser.add_argument("--seconds", type=float,
                        help=f"processor seconds, clock seconds on a GPU; default {SECONDS}")
    parser.add_argument("--crops", type=Path, help="portrait cache of lab.train.dataset (recogniser a)")
    parser.add_argument("--people", type=int,
                        help="persons to render, and as many look-alikes; default 0 for a, 700 for b")
    parser.add_argument("--scenes", type=int, default=5, help="pictures of each rendered person")
    parser.add_argument("--batch", type=int, help=f"crops a step; default {BATCHES}")
    parser.add_argument("--workers", type=int, default=0, help="processes that draw batches ahead")
    parser.add_argument("--render", type=int, help="processes that render; default as --workers")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    kind, cache = options.kind, options.cache
    seed = SEEDS[kind] if options.seed is None else options.seed
    if kind == "a" and options.crops is None:
        parser.error("recogniser a learns from the portrait cache: give --crops (python -m lab.train.dataset makes it)")
    render = options.workers if options.render is None else options.render
    count = (0 if kind == "a" else 700) if options.people is None else options.people
    twins = people(cache, count, options.scenes, seed, render) if count else None
    strangers = crop_people(options.crops, workers=render) if kind == "a" else None
    unseen = people(cache, 100, 5, 99, render)
    print("pictures rendered", flush=True)
    draw = Draw(strangers, twins, 2 if kind == "a" else 3, options.batch or BATCHES[kind], seed)
    seconds = options.seconds or SECONDS[kind]
    device = pick_device(options.device)
    network, steps = fit(kind, draw, seconds, cache / f"recogniser_{kind}.pt", device, options.workers)
    found = verification(network, unseen)
    notes = {"licence": "GPL-3.0", "made_by": f"lab.train.recogniser {kind}"}
    notes |= {name: f"{value:.5f}" for name, value in found.items()}
    save(network, torch.zeros(1, 3, 112, 112), options.out or OUT[kind], ["embedding"],
         {"input": {0: "faces"}, "embedding": {0: "faces"}}, notes)
    print(json.dumps({"steps": steps, "weights": sum(p.numel() for p in network.parameters())} | found))


if __name__ == "__main__":
    main()
