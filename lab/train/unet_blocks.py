"""The layers of the small UNet, each knowing which places of the stock layout its weights stand for."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .dit import attend
from .text import WIDTH as TEXT_WIDTH

STOCK = 320
HEAD = 40
GROUPS = 32
EMBED = 1280  # stock width of the time embedding; the first 320 are in use


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
