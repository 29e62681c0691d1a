"""The autoencoders and diffusion models of the rendered world, as trainings that take turns on one device."""
from __future__ import annotations

from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor, nn

from .autoencoder import Decoder, Encoder, Principal, start_from_principal
from .flux import Flux, FluxPlan
from .loop import placed
from .optim import Learner
from .train_autoencoder import NOISE, picture_loss, spread_loss
from .train_diffusion import Eps
from .train_diffusion import Flow as FlowNoise
from .unet import UNet, UNetPlan
from .world_bank import Bank, mixed, unit

MEASURED = 32
"""Pictures of tune people that the round trip is measured on."""
FEW = 160
"""Pictures that the principal components are made from."""
REFERENCES = (0.45, 0.4, 0.15)
"""How often a step of the transformer has no, one, two reference latents."""
SAID = 0.85
"""Share of the texts that are not emptied."""
GUIDED = 4
"""One in so many rows of a step learns to be guided, at scales evenly from 1 to MOST."""
MOST = 5.0
FLUX_PLAN = FluxPlan(width=256, double=2, single=8)
UNET_PLAN = UNetPlan((160, 200, 160), (False, True, True), (True, True, True, True, False, False), text=True)


def compiled(modules: list[nn.Module]) -> None:
    """Compile each module on its own: blocks of one kind and shape share what was compiled once."""
    torch._dynamo.config.recompile_limit = 64
    torch._dynamo.config.accumulated_recompile_limit = 1024
    for module in modules:
        module.compile(dynamic=False)


class Means:
    """The mean of the last losses, read from the device only when asked for."""

    def __init__(self) -> None:
        self.values: list[Tensor] = []

    def add(self, value: Tensor) -> None:
        self.values = [*self.values[-99:], value]

    def told(self) -> str:
        return f"loss {float(torch.stack(self.values).mean()):.4f}" if self.values else ""


class AutoencoderJob:
    """A TAESD pair on whole pictures: both parts until `joint` of its time, then the decoder for a fixed encoder."""

    def __init__(self, channels: int, bank: Bank, batch: int, compile_blocks: bool, joint: float = 0.65) -> None:
        self.name, self.bank, self.batch = f"ae{channels}", bank, batch
        self.channels, self.joint, self.fixed, self.compile_blocks = channels, joint, False, compile_blocks
        self.encoder, self.decoder = Encoder(channels), Decoder(channels)
        self.learner: Learner | None = None
        self.losses, self.decibels = Means(), 0.0
        self.unseen: Tensor | None = None

    def begin(self) -> None:
        """Principal components from the first pictures, then both parts on the device."""
        rows = torch.randint(self.bank.filled, (min(FEW, self.bank.filled),), device=self.bank.device)
        principal = Principal(unit(self.bank.pictures[rows]).cpu(), self.channels)
        start_from_principal(self.encoder, self.decoder, principal)
        print(f"{self.name}: principal components alone {principal.psnr:.2f} dB", flush=True)
        self.deviations = torch.from_numpy(principal.deviations).to(self.bank.device)
        device = torch.device(self.bank.device)
        self.encoder, self.decoder = placed(self.encoder, device), placed(self.decoder, device)
        pair = nn.ModuleDict({"encoder": self.encoder, "decoder": self.decoder})
        kernels = [p for p in pair.parameters() if p.ndim == 4]
        self.learner = Learner(pair, [{"params": kernels, "pieces": 1}], 0.01, 50, decay=0.995, weight_decay=0.0)
        if self.compile_blocks:
            compiled([m for m in pair.modules() if m.__class__.__name__ == "Block"])
        self.unseen = self.bank.world.unseen(MEASURED)

    def step(self, progress: float) -> None:
        if self.learner is None:
            self.begin()
        assert self.learner is not None
        if progress >= self.joint and not self.fixed:
            self.fix()
        rows = torch.randint(self.bank.filled, (self.batch,), device=self.bank.device)
        x = unit(self.bank.pictures[rows])
        x[::2] = x[::2].flip(3)
        with mixed(x), torch.set_grad_enabled(not self.fixed):
            latents = self.encoder(x)
        noisy = latents.float() + NOISE * torch.randn_like(latents, dtype=torch.float32)
        with mixed(x):
            made = self.decoder(noisy)
        loss = picture_loss(made.float(), x)
        if not self.fixed:
            loss = loss + 0.02 * spread_loss(latents.float(), self.deviations)
        self.losses.add(self.learner.learn(loss, progress))
        if self.learner.steps % 200 == 0:
            self.measure()

    def fix(self) -> None:
        """Fix the encoder at its average and give the bank its latents."""
        assert self.learner is not None
        with self.learner.averaged():
            kept = {k: v.clone() for k, v in self.encoder.state_dict().items()}
        self.encoder.load_state_dict(kept)
        self.fixed = True
        self.measure()
        self.bank.encode_all(self.channels, self.encoder)
        print(f"{self.name}: encoder fixed at {self.decibels:.2f} dB", flush=True)

    @torch.no_grad()
    def measure(self) -> None:
        """Round trip on tune people, in dB."""
        assert self.learner is not None and self.unseen is not None
        values = []
        with self.learner.averaged():
            for part in self.unseen.split(self.batch):
                x = unit(part)
                with mixed(x):
                    made = self.decoder(self.encoder(x)).float().clamp(0, 1)
                values.append(-10 * (made - x).square().mean((1, 2, 3)).log10())
        self.decibels = float(torch.cat(values).mean())

    def told(self) -> str:
        return f"{self.losses.told()} {self.decibels:.2f} dB{' (fixed)' if self.fixed else ''}"

    def result(self) -> dict[str, Any] | None:
        """What to keep: both parts, averaged, in half precision."""
        if self.learner is None:
            return None
        state = {k: v.half() for k, v in self.learner.averaged_state().items()}
        return {"kind": "autoencoder", "channels": self.channels, "fixed": self.fixed, "decibels": self.decibels,
                "steps": self.learner.steps, "state": state}


class DiffusionJob:
    """A diffusion model on the latents of a fixed encoder."""

    family = ""
    channels = 0

    def __init__(self, model: nn.Module, bank: Bank, batch: int, compile_blocks: bool, rate: float = 0.02) -> None:
        self.bank, self.batch = bank, batch
        self.model: Any = placed(model, torch.device(bank.device))
        self.learner = Learner(self.model, self.model.matrix_groups(), rate, 100, decay=0.998)
        if compile_blocks:
            compiled(self.blocks())
        self.losses = Means()

    def blocks(self) -> list[nn.Module]:
        return [m for m in self.model.modules()
                if m.__class__.__name__ in ("DoubleBlock", "SingleBlock", "Residual", "Transformer")]

    def step(self, progress: float) -> None:
        self.losses.add(self.learner.learn(self.loss(), progress))

    def loss(self) -> Tensor:
        raise NotImplementedError

    def told(self) -> str:
        return f"{self.losses.told()} {self.learner.steps * self.batch / 1e6:.3f} M samples"

    def result(self) -> dict[str, Any] | None:
        if not self.learner.steps:
            return None
        return {"kind": self.family, "plan": asdict(self.model.plan), "steps": self.learner.steps,
                "batch": self.batch, "told": self.told(), "state": self.learner.averaged_state()}


class UNetJob(DiffusionJob):
    """Noise prediction with live text."""

    family, channels = "unet", 4

    def __init__(self, bank: Bank, batch: int, compile_blocks: bool, plan: UNetPlan) -> None:
        super().__init__(UNet(plan), bank, batch, compile_blocks)
        self.noise = Eps()
        self.noise.kept = self.noise.kept.to(bank.device)

    def loss(self) -> Tensor:
        picked = self.bank.pick(self.batch, 0, self.channels, SAID)
        x, t, target = self.noise.corrupt(picked.latents)
        x = x.contiguous(memory_format=torch.channels_last)
        with mixed(x):
            made = self.model(x, t, picked.context)
        return (made.float() - target).square().mean()


class FluxJob(DiffusionJob):
    """Velocity with live text, references and guidance.

    Guidance is learnt without a teacher: at scale g a row's mix of 1/g of its own output and the rest of the output
    without text must meet the target, so its own output is the one that classifier-free guidance at g would give.
    """

    family, channels = "flux", 16

    def __init__(self, bank: Bank, batch: int, compile_blocks: bool, plan: FluxPlan,
                 references: tuple[float, ...] = REFERENCES) -> None:
        super().__init__(Flux(plan), bank, batch, compile_blocks)
        self.noise = FlowNoise()
        self.count, self.references = torch.Generator().manual_seed(0), torch.tensor(references)

    def loss(self) -> Tensor:
        count = int(torch.multinomial(self.references, 1, generator=self.count))
        return self.loss_with(count)

    def loss_with(self, references: int) -> Tensor:
        """The loss of a step with so many references."""
        picked = self.bank.pick(self.batch, references, self.channels, SAID)
        x, t, target = self.noise.corrupt(picked.latents)
        few = self.batch // GUIDED
        guidance = torch.ones(self.batch, device=x.device)
        if few and references < 2:
            guidance[:few] = 1 + (MOST - 1) * torch.rand(few, device=x.device)
            empty, pooled = self.bank.text(self.bank.empty[None])
            # in a cast of its own: weights that were cast without gradients would be kept for the step below
            with mixed(x), torch.no_grad(), torch.compiler.set_stance("force_eager"):  # not worth compiling twice
                plain = self.model(x[:few], t[:few], empty.expand(few, -1, -1), pooled.expand(few, -1),
                                   torch.ones_like(guidance[:few]), [r[:few] for r in picked.references]).float()
        with mixed(x):
            made = self.model(x, t, picked.context, picked.pooled, guidance, picked.references).float()
        if few and references < 2:
            own = 1 / guidance[:few, None, None, None]
            made = torch.cat((own * made[:few] + (1 - own) * plain, made[few:]))
        return (made - target).square().mean()
