"""The eps UNet in Stable Diffusion 1.5's layout, at any size that fits into the stock shapes.

The stock layout asks for 320 channels everywhere and 1280 for time. A plan says how many of them are in use at each
level; the model trains in its small form, and `stock_unet` puts its numbers into stock tensors whose other places are
zeros. Group and layer norms are computed as the host will compute them over those zeros. Text is live or, as in the
drawn world's checkpoint, a cross-attention of zeros.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from .dit import wave_embedding
from .text import WIDTH as TEXT_WIDTH
from .unet_blocks import (
    EMBEDDED,
    STOCK,
    Enlarge,
    Residual,
    Space,
    Transformer,
    TransformerBlock,
    conv,
    group_norm,
    joined,
    linear,
    main,
    whole,
)

CHANNELS = 4


@dataclass(frozen=True)
class UNetPlan:
    """Channels in use at each level (multiples of 40), where self-attention stands, and whether text is live.

    down: one flag a level (one residual block each); up: one flag a block, two blocks a level, coarse to fine.
    """

    widths: tuple[int, ...] = (320, 320)
    down: tuple[bool, ...] = (False, True)
    up: tuple[bool, ...] = (True, False, False, True)
    text: bool = False


DRAWN = UNetPlan()
"""The drawn world's UNet."""


class UNet(nn.Module):
    """(B,4,H,W) latents of unit variance, time step (B,) in 0..999 and text (B,L,768) to the noise. H, W even."""

    time_embed: Any  # containers in containers: their parts have no types of their own
    input_blocks: Any
    middle_block: Any
    output_blocks: Any
    out: Any

    def __init__(self, plan: UNetPlan = DRAWN) -> None:
        super().__init__()
        self.plan = plan
        widths, latents = plan.widths, whole(CHANNELS)
        self.time_embed = nn.Sequential(linear(whole(STOCK), EMBEDDED), nn.SiLU(), linear(EMBEDDED, EMBEDDED))
        blocks: list[list[nn.Module]] = [[conv(latents, main(widths[0]))]]
        kept, width = [widths[0]], widths[0]
        for level, own in enumerate(widths):
            if level:
                blocks.append([nn.ModuleDict({"op": conv(main(width), main(own), stride=2)})])
                kept.append(own)
            blocks.append([Residual(main(own), own)])
            if plan.down[level]:
                blocks[-1].append(Transformer(own, plan.text))
            kept.append(own)
            width = own
        self.input_blocks = _numbered(blocks)
        self.middle_block = nn.ModuleList([Residual(main(width), width), Transformer(width, plan.text),
                                           Residual(main(width), width)])
        blocks, flags = [], iter(plan.up)
        for level in reversed(range(len(widths))):
            own = widths[level]
            for second in (False, True):
                block: list[nn.Module] = [Residual(joined(width, kept.pop()), own)]
                width = own
                if next(flags):
                    block.append(Transformer(own, plan.text))
                if second and level:
                    block.append(Enlarge(own, widths[level - 1]))
                    width = widths[level - 1]
                blocks.append(block)
        self.output_blocks = _numbered(blocks)
        self.out = nn.Sequential(group_norm(main(width)), nn.SiLU(), conv(main(width), latents))
        self._start()

    @torch.no_grad()
    def _start(self) -> None:
        """Begin near the answer for strong noise, eps = input: four pairs of channels carry plus and minus the input.

        silu(a) - silu(-a) = a, so the last layer can subtract each pair.
        """
        final = self.output_blocks[str(len(self.output_blocks) - 1)][0]
        first, skip, last = self.input_blocks["0"][0], final.skip_connection, self.out[2]
        before = skip.weight.shape[1] - first.weight.shape[0]
        skip.weight.mul_(0.3)
        last.weight.zero_()
        last.bias.zero_()
        for pair in range(CHANNELS):
            for sign, position in ((1.0, 10 * pair), (-1.0, 10 * pair + 1)):
                first.weight[position] = 0
                first.weight[position, pair, 1, 1] = sign
                first.bias[position] = 0
                skip.weight[position] = 0
                skip.weight[position, before + position] = 1
                skip.bias[position] = 0
                last.weight[pair, position, 1, 1] = 0.5 * sign

    def forward(self, x: Tensor, t: Tensor, context: Tensor | None = None) -> Tensor:
        c = self.time_embed(wave_embedding(t, STOCK))
        kept = []
        for block in self.input_blocks.values():
            x = _through(block, x, c, context)
            kept.append(x)
        x = _through(self.middle_block, x, c, context)
        for block in self.output_blocks.values():
            x = _through(block, torch.cat((x, kept.pop()), dim=1), c, context)
        return self.out(x)

    def matrix_groups(self) -> list[dict]:
        """Kernels and matrices of the blocks, for Muon."""
        named = [(name, p) for name, p in self.named_parameters() if p.ndim >= 2 and "block" in name
                 and "emb_layers" not in name and not name.startswith("input_blocks.0")]
        gated = [p for name, p in named if name.endswith("net.0.proj.weight")]
        plain = [p for name, p in named if not name.endswith("net.0.proj.weight")]
        return [{"params": plain, "pieces": 1}, {"params": gated, "pieces": 2}]


def _numbered(blocks: list[list[nn.Module]]) -> nn.ModuleDict:
    return nn.ModuleDict({str(i): nn.ModuleList(block) for i, block in enumerate(blocks)})


def _through(block: nn.ModuleList, x: Tensor, c: Tensor, context: Tensor | None) -> Tensor:
    for layer in block:
        if isinstance(layer, Residual):
            x = layer(x, c)
        elif isinstance(layer, Transformer):
            x = layer(x, context)
        else:
            x = layer["op"](x) if isinstance(layer, nn.ModuleDict) else layer(x)
    return x


def stock_unet(state: dict[str, Tensor], plan: UNetPlan = DRAWN) -> dict[str, Tensor]:
    """A UNet's state dict in the stock layout: what is not in use, dead text included, is zeros."""
    model, stock = UNet(plan), {}
    for name, p in model.named_parameters():
        spaces: tuple[Space, ...] = p.spaces  # type: ignore[attr-defined]
        tensor = torch.zeros([s.total for s in spaces] + list(p.shape[len(spaces):]))
        tensor[torch.meshgrid(*(s.places() for s in spaces), indexing="ij")] = state[name].detach().float().cpu()
        stock[name] = tensor
    for name, module in model.named_modules():
        if isinstance(module, TransformerBlock) and not module.text:
            stock[f"{name}.norm2.weight"], stock[f"{name}.norm2.bias"] = torch.ones(STOCK), torch.zeros(STOCK)
            for part, inputs in (("to_q", STOCK), ("to_k", TEXT_WIDTH), ("to_v", TEXT_WIDTH), ("to_out.0", STOCK)):
                stock[f"{name}.attn2.{part}.weight"] = torch.zeros(STOCK, inputs)
            stock[f"{name}.attn2.to_out.0.bias"] = torch.zeros(STOCK)
    return stock
