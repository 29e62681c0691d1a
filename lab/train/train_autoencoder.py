"""Train an autoencoder in the TAESD layout.

    python -m lab.train.train_autoencoder --channels 16 --cache CACHE --out RUN

It starts as the principal components of 8x8 px cells with a plain decoder (nothing learnt yet), then trains both
parts; after `--joint` of the budget the encoder is fixed, so that diffusion training can begin, and the decoder goes
on. Writes RUN/state.pt (to resume) and RUN/autoencoder.pt (the averaged weights).
"""
from __future__ import annotations

import argparse
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from . import session
from .arithmetic import mixed
from .autoencoder import CELL, ENLARGED, Decoder, Encoder, Principal, enlarge, start_from_principal
from .dataset import SIZE, open_cache
from .loop import placed
from .optim import Average, Muon, rate

CROP = 64  # what a CPU trains on most of the time
PRINCIPAL = 400  # pictures that the principal components are made from
NOISE = 0.05  # deviation of the noise on latents that the decoder must bear
REPORT = 200


@dataclass(frozen=True, eq=False)
class Autoencoder:
    """A trained pair, in float32 on the CPU."""

    encoder: Encoder
    decoder: Decoder
    frozen: bool


def load(path: Path) -> Autoencoder:
    """Read RUN/autoencoder.pt."""
    state = torch.load(path, map_location="cpu", weights_only=True)
    encoder, decoder = Encoder(state["channels"]), Decoder(state["channels"])
    encoder.load_state_dict(state["encoder"])
    decoder.load_state_dict(state["decoder"])
    return Autoencoder(encoder.eval(), decoder.eval(), state["frozen"])


def to_tensor(pictures: np.ndarray, device: str) -> torch.Tensor:
    """uint8 (N,H,W,3) to float32 (N,3,H,W) in [0,1]."""
    return _unit(torch.from_numpy(np.array(pictures)).to(device))


def _unit(pictures: torch.Tensor) -> torch.Tensor:
    return (pictures.permute(0, 3, 1, 2).float() / 255).contiguous(memory_format=torch.channels_last)


@torch.no_grad()
def encode(encoder: Encoder, pictures: np.ndarray, device: str = "cpu", batch: int = 64) -> torch.Tensor:
    """Latents float16 (N,channels,h,w) of uint8 portraits (N,H,W,3), enlarged first as ENLARGED says."""
    encoder = placed(encoder, torch.device(device))
    parts = []
    with mixed(device):
        for i in range(0, len(pictures), batch):
            x = enlarge(to_tensor(pictures[i : i + batch], device), encoder.channels)
            parts.append(encoder(x).half().cpu())
    return torch.cat(parts)


@torch.no_grad()
def psnr(encoder: Encoder, decoder: Decoder, pictures: np.ndarray, device: str) -> float:
    """Mean over portraits (N,H,W,3) of the round trip's PSNR in dB."""
    values = []
    for i in range(0, len(pictures), 32):
        x = enlarge(to_tensor(pictures[i : i + 32], device), encoder.channels)
        error = (decoder(encoder(x)).clamp(0, 1) - x).square().mean((1, 2, 3))
        values.append(-10 * error.log10())
    return float(torch.cat(values).mean())


def draw(pictures: torch.Tensor, rng: np.random.Generator, count: int, crop: int, channels: int) -> torch.Tensor:
    """Float32 (count,3,crop,crop) in [0,1]: one place on the grid of latent cells of random pictures, half mirrored.

    pictures: uint8 (N,H,W,3), on the device that trains. The place is more often around the face's centre.
    """
    cell, side = CELL // ENLARGED[channels], crop // ENLARGED[channels]
    y, x = cell * rng.binomial((SIZE - side) // cell, rng.uniform(0.1, 0.9, 2))
    chosen = torch.from_numpy(np.sort(rng.integers(0, len(pictures), count))).to(pictures.device)
    part = pictures[chosen, y : y + side, x : x + side]
    part[::2] = part[::2].flip(2)
    return enlarge(_unit(part), channels)


def picture_loss(made: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Squared and absolute error, and the absolute error of neighbour differences (edges)."""
    difference = made - truth
    edges = difference.diff(dim=2).abs().mean() + difference.diff(dim=3).abs().mean()
    return 8 * difference.square().mean() + difference.abs().mean() + 0.5 * edges


def spread_loss(latents: torch.Tensor, deviations: torch.Tensor) -> torch.Tensor:
    """Keeps each channel's mean at 0 and its deviation where the principal components had it."""
    mean, deviation = latents.mean((0, 2, 3)), latents.std((0, 2, 3))
    beyond = (latents.abs() - 3).clamp(min=0).mean()  # TAESD's decoder limits latents softly at 3
    return mean.square().mean() + (deviation / deviations - 1).square().mean() + beyond


def train(options: argparse.Namespace) -> Autoencoder:
    """Run the budget and return the averaged pair."""
    session.prepare(options.threads, options.seed)
    cache = open_cache(options.cache)
    count = min(PRINCIPAL, len(cache.train))
    sample = np.random.default_rng(options.seed).choice(len(cache.train), count, replace=False)
    principal = Principal(enlarge(to_tensor(cache.train[np.sort(sample)], "cpu"), options.channels), options.channels)
    encoder, decoder = Encoder(options.channels), Decoder(options.channels)
    start_from_principal(encoder, decoder, principal)
    print(f"principal components alone: {principal.psnr:.2f} dB", flush=True)
    encoder, decoder = placed(encoder, torch.device(options.device)), placed(decoder, torch.device(options.device))
    run = _Run(options, encoder, decoder, torch.from_numpy(principal.deviations).to(options.device))
    if not options.fresh:
        run.resume()
    pictures = torch.from_numpy(cache.train)
    if options.device != "cpu":
        pictures = pictures.to(options.device)
    run.go(pictures, cache.held_out)
    return load(options.out / "autoencoder.pt")


class _Run:
    def __init__(self, options: argparse.Namespace, encoder: Encoder, decoder: Decoder,
                 deviations: torch.Tensor) -> None:
        self.options, self.encoder, self.decoder, self.deviations = options, encoder, decoder, deviations
        self.pair = pair = nn.ModuleDict({"encoder": encoder, "decoder": decoder})
        self.budget = session.Budget(options.seconds if options.steps is None else None, options.steps)
        self.clock = session.Clock()
        self.frozen = False
        matrices = [p for p in pair.parameters() if p.ndim == 4]
        others = [p for p in pair.parameters() if p.ndim < 4]
        self.optimisers = [Muon(matrices, lr=options.rate, weight_decay=0.0),
                           torch.optim.Adam(others, lr=options.rate * 0.05, betas=(0.9, 0.99))]
        self.forward = {name: torch.compile(part) if options.compile else part for name, part in pair.items()}
        self.average = Average(pair, decay=0.999)

    def resume(self) -> None:
        path = self.options.out / "state.pt"
        if not path.exists():
            return
        state = torch.load(path, map_location=self.options.device, weights_only=True)
        self.pair.load_state_dict(state["pair"])
        for value, saved in zip(self.average.values, state["average"]):
            value.copy_(saved)
        for optimiser, saved in zip(self.optimisers, state["optimisers"]):
            optimiser.load_state_dict(saved)
        self.clock.steps, self.clock.seconds, self.frozen = state["steps"], state["seconds"], state["frozen"]

    def save(self) -> None:
        state = {"pair": self.pair.state_dict(), "average": self.average.values, "frozen": self.frozen,
                 "optimisers": [o.state_dict() for o in self.optimisers],
                 "steps": self.clock.steps, "seconds": self.clock.seconds}
        session.save_atomically(state, self.options.out / "state.pt")
        self.average.swap()
        result = {"channels": self.options.channels, "frozen": self.frozen,
                  "encoder": self.pair["encoder"].state_dict(), "decoder": self.pair["decoder"].state_dict()}
        session.save_atomically(result, self.options.out / "autoencoder.pt")
        self.average.swap()

    def freeze(self) -> None:
        """Fix the encoder at its average; the decoder trains on for it."""
        self.average.swap()
        kept = {k: v.clone() for k, v in self.pair["encoder"].state_dict().items()}
        self.average.swap()
        self.pair["encoder"].load_state_dict(kept)
        self.frozen = True
        self.save()
        print(f"{self.clock.seconds:.0f} s: encoder fixed", flush=True)

    def step(self, pictures: torch.Tensor) -> torch.Tensor:
        options, progress = self.options, self.budget.progress(self.clock.seconds, self.clock.steps)
        seed = session.step_seed(options.seed, self.clock.steps)
        rng = np.random.default_rng(seed)
        torch.manual_seed(seed)
        whole = progress > 0.85 or options.whole  # the last part sees whole pictures, borders and all
        count = max(1, options.batch // 4) if whole else options.batch
        channels = options.channels
        x = draw(pictures, rng, count, SIZE * ENLARGED[channels] if whole else CROP * ENLARGED[channels], channels)
        for optimiser, full in zip(self.optimisers, (options.rate, options.rate * 0.05)):
            for group in optimiser.param_groups:
                group["lr"] = full * rate(progress, self.clock.steps, warmup=50)
        with mixed(options.device), torch.set_grad_enabled(not self.frozen):
            latents = self.forward["encoder"](x)
        noisy = latents.float() + NOISE * torch.randn_like(latents, dtype=torch.float32)
        with mixed(options.device):
            made = self.forward["decoder"](noisy)
        loss = picture_loss(made.float(), x)
        total = loss if self.frozen else loss + 0.02 * spread_loss(latents.float(), self.deviations)
        for optimiser in self.optimisers:
            optimiser.zero_grad(set_to_none=True)
        total.backward()
        nn.utils.clip_grad_norm_(self.pair.parameters(), 1.0)
        for optimiser in self.optimisers:
            optimiser.step()
        return loss.detach()

    def go(self, train: torch.Tensor, held_out: np.ndarray) -> None:
        losses: list[torch.Tensor] = []
        self.clock.start()
        while (progress := self.budget.progress(self.clock.seconds, self.clock.steps)) < 1:
            if not self.frozen and progress >= self.options.joint:
                self.freeze()
                self.clock.pause()
            if self.frozen and self.options.until_fixed:
                return
            losses.append(self.step(train))
            self.clock.tick()
            self.average.update(self.clock.steps)
            if self.clock.steps % REPORT == 0:
                self.report(losses, held_out)
                losses = []
        self.save()
        self.report(losses, held_out)

    def report(self, losses: list[torch.Tensor], held_out: np.ndarray) -> None:
        self.average.swap()
        value = psnr(self.encoder, self.decoder, held_out[:32], self.options.device)
        self.average.swap()
        mean = float(torch.stack(losses).mean()) if losses else math.nan
        done = f"{self.clock.steps} steps {self.clock.seconds:.0f} s"
        print(f"{done} loss {mean:.4f} held-out {value:.2f} dB", flush=True)
        self.save()
        self.clock.pause()


def main(arguments: list[str] | None = None) -> None:
    """Command line; see the module's text."""
    parser = argparse.ArgumentParser(description="Train a TAESD-layout autoencoder")
    session.add_budget_options(parser, seconds=1200)
    parser.add_argument("--channels", type=int, choices=(4, 16), required=True)
    parser.add_argument("--batch", type=int, default=16, help=f"crops of {CROP} px in a step")
    parser.add_argument("--rate", type=float, default=0.01, help="peak learning rate of the kernels")
    parser.add_argument("--until-fixed", action="store_true", help="stop there; the same command without it goes on")
    parser.add_argument("--whole", action="store_true", help="whole pictures, a quarter of --batch, from the start")
    parser.add_argument("--joint", type=float, default=0.6, help="share of the budget in which the encoder trains too")
    options = parser.parse_args(arguments)
    trained = train(options)
    encoder, decoder = trained.encoder.to(options.device), trained.decoder.to(options.device)
    value = psnr(encoder, decoder, open_cache(options.cache).held_out, options.device)
    print(f"held-out portraits: {value:.2f} dB")


if __name__ == "__main__":
    main()
