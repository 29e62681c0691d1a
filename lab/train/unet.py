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
from torch.nn import functional as F

from .dit import attend, wave_embedding
from .text import WIDTH as TEXT_WIDTH

CHANNELS = 4
STOCK = 320
HEAD = 40
GROUPS = 32
EMBED = 1280  # stock width of the time embedding; the first 320 are in use


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


@dataclass(frozen=True)
class Space:
    """Which places of a stock axis are in use: runs (start, size) of `total`."""

    total: int
    runs: tuple[tuple[int, int], ...]

    @property
    def used(self) -> int:
        return sum(size for _, size in self.runs)

    def places(self) -> Tensor:
        return torch.cat([torch.arange(start, start + size) for start, size in self.runs])


def main(width: int) -> Space:
    return Space(STOCK, ((0, width),))


def joined(first: int, second: int) -> Space:
    return Space(2 * STOCK, ((0, first), (STOCK, second)))


def whole(width: int) -> Space:
    return Space(width, ((0, width),))


EMBEDDED = Space(EMBED, ((0, STOCK),))


def placed_weights(layer: Any, *spaces: Space) -> Any:
    """The layer, its weight's axes marked with their spaces (the bias's with the first)."""
    for p in layer.parameters():
        p.spaces = spaces[: min(p.ndim, len(spaces))]
    return layer


def conv(inputs: Space, outputs: Space, size: int = 3, stride: int = 1) -> nn.Conv2d:
    layer = nn.Conv2d(inputs.used, outputs.used, size, stride, padding=size // 2)
    return placed_weights(layer, outputs, inputs)


def linear(inputs: Space, outputs: Space, bias: bool = True) -> nn.Linear:
    return placed_weights(nn.Linear(inputs.used, outputs.used, bias=bias), outputs, inputs)


def group_norm(space: Space, eps: float = 1e-5) -> nn.GroupNorm:
    return placed_weights(nn.GroupNorm(space.used * GROUPS // space.total, space.used, eps=eps), space)


class LayerNorm(nn.Module):
    """A layer norm over 320 channels of which those in use are given; the others are zeros."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.rest = STOCK - width
        self.weight, self.bias = nn.Parameter(torch.ones(width)), nn.Parameter(torch.zeros(width))
        placed_weights(self, main(width))

    def forward(self, x: Tensor) -> Tensor:
        rest = (0, self.rest)
        x = F.layer_norm(F.pad(x, rest), (STOCK,), F.pad(self.weight, rest), F.pad(self.bias, rest))
        return x[..., : STOCK - self.rest]


class Residual(nn.Module):
    """SD's residual block."""

    def __init__(self, inputs: Space, width: int) -> None:
        super().__init__()
        out = main(width)
        self.in_layers = nn.Sequential(group_norm(inputs), nn.SiLU(), conv(inputs, out))
        self.emb_layers = nn.Sequential(nn.SiLU(), linear(EMBEDDED, out))
        last = conv(out, out)
        self.out_layers = nn.Sequential(group_norm(out), nn.SiLU(), nn.Identity(), last)
        # the stock block has no convolution here when its stock widths agree
        self.skip_connection = conv(inputs, out, 1) if inputs.total != STOCK else nn.Identity()
        for start in last.parameters():
            nn.init.zeros_(start)

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        h = self.in_layers(x) + self.emb_layers(c)[:, :, None, None]
        return self.skip_connection(x) + self.out_layers(h)


class Attention(nn.Module):
    """Heads of 40 channels, over itself or over text."""

    def __init__(self, width: int, other: Space) -> None:
        super().__init__()
        own = main(width)
        self.to_q, self.to_k, self.to_v = (linear(s, own, bias=False) for s in (own, other, other))
        self.to_out = nn.Sequential(linear(own, own))

    def forward(self, x: Tensor, other: Tensor) -> Tensor:
        q, k, v = (f(part).unflatten(-1, (-1, HEAD)).transpose(1, 2)
                   for f, part in ((self.to_q, x), (self.to_k, other), (self.to_v, other)))
        return self.to_out(attend(q, k, v).transpose(1, 2).flatten(2))


class GatedLinear(nn.Module):
    """GEGLU: one projection, half of it gates the other half."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.proj = linear(main(width), Space(8 * STOCK, ((0, 4 * width), (4 * STOCK, 4 * width))))

    def forward(self, x: Tensor) -> Tensor:
        value, gate = self.proj(x).chunk(2, dim=-1)
        return value * F.gelu(gate)


class TransformerBlock(nn.Module):
    """Self-attention, cross-attention to text where it is live, and a gated feed-forward."""

    def __init__(self, width: int, text: bool) -> None:
        super().__init__()
        self.norm1, self.norm3 = LayerNorm(width), LayerNorm(width)
        self.attn1 = Attention(width, main(width))
        if text:
            self.norm2, self.attn2 = LayerNorm(width), Attention(width, whole(TEXT_WIDTH))
        last = linear(Space(4 * STOCK, ((0, 4 * width),)), main(width))
        self.ff = nn.ModuleDict({"net": nn.Sequential(GatedLinear(width), nn.Identity(), last)})
        self.text = text

    def forward(self, x: Tensor, context: Tensor | None) -> Tensor:
        h = self.norm1(x)
        x = x + self.attn1(h, h)
        if self.text:
            assert context is not None
            x = x + self.attn2(self.norm2(x), context)
        return x + self.ff["net"](self.norm3(x))


class Transformer(nn.Module):
    """SD's SpatialTransformer of depth one."""

    def __init__(self, width: int, text: bool) -> None:
        super().__init__()
        self.norm = group_norm(main(width), eps=1e-6)
        self.proj_in, self.proj_out = conv(main(width), main(width), 1), conv(main(width), main(width), 1)
        self.transformer_blocks = nn.ModuleList([TransformerBlock(width, text)])
        for start in self.proj_out.parameters():
            nn.init.zeros_(start)

    def forward(self, x: Tensor, context: Tensor | None) -> Tensor:
        h = self.proj_in(self.norm(x))
        tokens = self.transformer_blocks[0](h.flatten(2).transpose(1, 2), context)
        return x + self.proj_out(tokens.transpose(1, 2).unflatten(2, x.shape[2:]))


class Enlarge(nn.Module):
    """Twice the size, then a convolution."""

    def __init__(self, width: int, finer: int) -> None:
        super().__init__()
        self.conv = conv(main(width), main(finer))

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))


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
