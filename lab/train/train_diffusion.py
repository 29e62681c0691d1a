"""Train the flow transformer or the eps UNet on the latents of the portrait crops.

    python -m lab.train.train_diffusion --family dit --autoencoder AE16/autoencoder.pt --cache CACHE --out RUN
    python -m lab.train.train_diffusion --family unet --autoencoder AE4/autoencoder.pt --cache CACHE --out RUN

Writes RUN/state.pt (to resume) and RUN/model.pt (the averaged weights), every few hundred steps and at the end.
"""
from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import nn

from . import session
from .arithmetic import mixed
from .dataset import open_cache
from .dit import DiT
from .loop import placed
from .optim import Average, Muon, rate
from .train_autoencoder import encode, load
from .unet import UNet

FLIPPED_TOO = 2
SHIFT = 3.0  # of SD3's noise schedule
REPORT = 100
SAVE = 300
CHUNK = 1024


def latents_of(autoencoder: Path, cache: Path, out: Path, device: str) -> torch.Tensor:
    """float16 latents of every training picture and its mirror image, made once per run folder.

    Raises ValueError while the encoder is still training: its latents would change under the diffusion model.
    """
    path = out / "latents.npy"
    if not path.exists():
        pair = load(autoencoder)
        if not pair.frozen:
            raise ValueError(f"{autoencoder}: the encoder is still training; wait until it is fixed")
        pictures = open_cache(cache).train
        parts = [encode(pair.encoder, p, device) for i in range(0, len(pictures), CHUNK)
                 for p in (pictures[i : i + CHUNK], pictures[i : i + CHUNK, :, ::-1])]
        out.mkdir(parents=True, exist_ok=True)
        np.save(path, torch.cat(parts).numpy())
    return torch.from_numpy(np.load(path)).to(device)


def even(count: int) -> torch.Tensor:
    """`count` numbers in [0,1), one in each of `count` equal intervals, in random order."""
    return (torch.randperm(count) + torch.rand(count)) / count


class Flow:
    """SD3's rectified flow: x = (1-s)*z + s*n, target n - z, time 1000*s."""

    def build(self) -> DiT | UNet:
        return DiT(depth=4)

    def corrupt(self, z: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Noisy latents, the model's time and its target."""
        n = torch.randn_like(z)
        u = even(len(z)).clamp(1e-4, 1 - 1e-4)
        bell = torch.sigmoid(torch.special.ndtri(u))
        shifted = SHIFT * bell / (1 + (SHIFT - 1) * bell)
        # Inversion starts at sigma 0, so nearly a third of the samples is spread evenly.
        s = torch.where(torch.rand(len(z)) < 0.7, shifted, u).clamp(1e-3, 1).to(z.device)
        wide = s[:, None, None, None]
        return (1 - wide) * z + wide * n, s * 1000, n - z


class Eps:
    """SD 1.5's noise prediction: 1000 steps, betas 0.00085..0.012 linear in their square root."""

    def __init__(self) -> None:
        betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
        self.kept = torch.cumprod(1 - betas, dim=0).float()

    def build(self) -> DiT | UNet:
        return UNet()

    def corrupt(self, z: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Noisy latents, the model's time and its target."""
        n = torch.randn_like(z)
        t = (even(len(z)) * 1000).long().clamp(max=999)
        kept = self.kept[t].to(z.device)[:, None, None, None]
        return kept.sqrt() * z + (1 - kept).sqrt() * n, t.to(z.device), n


FAMILIES: dict[str, type[Flow] | type[Eps]] = {"dit": Flow, "unet": Eps}


class Run:
    """The training loop of one model."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        session.prepare(options.threads, options.seed)
        self.family = FAMILIES[options.family]()
        self.model = self.family.build().to(options.device)
        if isinstance(self.model, UNet):
            self.model = placed(self.model, torch.device(options.device))
        self.budget = session.Budget(options.seconds if options.steps is None else None, options.steps)
        self.clock = session.Clock()
        groups = self.model.matrix_groups()
        chosen = {id(p) for group in groups for p in group["params"]}
        others = [p for p in self.model.parameters() if id(p) not in chosen]
        self.rates = (options.rate, options.rate * 0.05)
        self.optimisers = [Muon(groups, lr=options.rate),
                           torch.optim.AdamW(others, lr=self.rates[1], betas=(0.9, 0.98), weight_decay=0.0)]
        self.average = Average(self.model, decay=0.999)
        self.forward = torch.compile(self.model) if options.compile else self.model

    def resume(self) -> None:
        """Go on from RUN/state.pt if it is there."""
        path = self.options.out / "state.pt"
        if not path.exists():
            return
        state = torch.load(path, map_location=self.options.device, weights_only=True)
        self.model.load_state_dict(state["model"])
        for value, saved in zip(self.average.values, state["average"]):
            value.copy_(saved)
        for optimiser, saved in zip(self.optimisers, state["optimisers"]):
            optimiser.load_state_dict(saved)
        self.clock.steps, self.clock.seconds = state["steps"], state["seconds"]
        print(f"resumed at step {self.clock.steps}, {self.clock.seconds:.0f} s", flush=True)

    def save(self) -> None:
        """Write the state to resume from and the averaged model."""
        out = self.options.out
        session.save_atomically({
            "model": self.model.state_dict(), "average": self.average.values,
            "optimisers": [o.state_dict() for o in self.optimisers],
            "steps": self.clock.steps, "seconds": self.clock.seconds}, out / "state.pt")
        self.average.swap()
        session.save_atomically({"family": self.options.family, "steps": self.clock.steps,
                                 "seconds": self.clock.seconds, "batch": self.options.batch,
                                 "model": self.model.state_dict()}, out / "model.pt")
        self.average.swap()

    def step(self, latents: torch.Tensor) -> torch.Tensor:
        """One optimiser step; the loss."""
        options = self.options
        progress = self.budget.progress(self.clock.seconds, self.clock.steps)
        torch.manual_seed(session.step_seed(options.seed, self.clock.steps))
        share = rate(progress, self.clock.steps, warmup=options.warmup)
        for optimiser, full in zip(self.optimisers, self.rates):
            for group in optimiser.param_groups:
                group["lr"] = full * share
            optimiser.zero_grad(set_to_none=True)
        z = latents[torch.randint(len(latents), (options.batch,)).to(latents.device)].float()
        x, t, target = self.family.corrupt(z)
        with mixed(options.device):
            made = self.forward(x, t)
        loss = (made.float() - target).square().mean()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimiser in self.optimisers:
            optimiser.step()
        return loss.detach()

    def go(self, latents: torch.Tensor) -> None:
        """Train until the budget is used."""
        losses: list[torch.Tensor] = []
        self.clock.start()
        while self.budget.progress(self.clock.seconds, self.clock.steps) < 1:
            losses.append(self.step(latents))
            if len(losses) == 1 and self.clock.seconds == 0:
                float(losses[0])
                self.clock.pause()  # compiling is not training
            self.clock.tick()
            self.average.update(self.clock.steps)
            if self.clock.steps % REPORT == 0:
                mean = float(torch.stack(losses).mean())
                print(f"{self.clock.steps} steps {self.clock.seconds:.0f} s loss {mean:.4f}", flush=True)
                losses = []
            if self.clock.steps % SAVE == 0:
                self.save()
                self.clock.pause()
        self.save()
        print(f"done: {self.clock.steps} steps of {self.options.batch}, {self.clock.seconds:.0f} s", flush=True)


def main(arguments: list[str] | None = None) -> None:
    """Command line; see the module's text."""
    parser = argparse.ArgumentParser(description="Train a diffusion model of the lab")
    session.add_budget_options(parser, seconds=4200)
    parser.add_argument("--family", choices=tuple(FAMILIES), required=True)
    parser.add_argument("--autoencoder", type=Path, required=True, help="autoencoder.pt with a fixed encoder")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rate", type=float, default=0.02, help="peak learning rate of the matrices")
    parser.add_argument("--warmup", type=int, default=50, help="steps")
    options = parser.parse_args(arguments)
    run = Run(options)
    if not options.fresh:
        run.resume()
    run.go(latents_of(options.autoencoder, options.cache, options.out, options.device))


if __name__ == "__main__":
    main()
