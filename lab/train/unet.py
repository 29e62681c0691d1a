"""The eps UNet: Stable Diffusion 1.5's layout with two levels and one residual block in each.

The stock layout asks for 320 channels. Self-attention is in the down path, the middle and the up path at half
resolution, and in the up path at full resolution. Cross-attention gives nothing, so text is ignored; of the time
embedding's 1280 channels 320 are in use. Both are exported as zeros.
"""
from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from .dit import attend, wave_embedding

CHANNELS = 4
WIDTH = 320
HEAD = 40
GROUPS = 32
EMBED = 1280  # stock width of the time embedding; the first 320 are in use
TEXT_WIDTH = 768


class Residual(nn.Module):
    """SD's residual block with `inputs` -> 320 channels."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.in_layers = nn.Sequential(nn.GroupNorm(GROUPS, inputs), nn.SiLU(), nn.Conv2d(inputs, WIDTH, 3, padding=1))
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(WIDTH, WIDTH))
        last = nn.Conv2d(WIDTH, WIDTH, 3, padding=1)
        self.out_layers = nn.Sequential(nn.GroupNorm(GROUPS, WIDTH), nn.SiLU(), nn.Identity(), last)
        self.skip_connection = nn.Conv2d(inputs, WIDTH, 1) if inputs != WIDTH else nn.Identity()
        for start in last.parameters():
            nn.init.zeros_(start)

    def forward(self, x: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
        h = self.in_layers(x) + self.emb_layers(c)[:, :, None, None]
        return self.skip_connection(x) + self.out_layers(h)


class SelfAttention(nn.Module):
    """Heads of 40 channels."""

    def __init__(self) -> None:
        super().__init__()
        self.to_q, self.to_k, self.to_v = (nn.Linear(WIDTH, WIDTH, bias=False) for _ in range(3))
        self.to_out = nn.Sequential(nn.Linear(WIDTH, WIDTH))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = (f(x).unflatten(-1, (-1, HEAD)).transpose(1, 2) for f in (self.to_q, self.to_k, self.to_v))
        return self.to_out(attend(q, k, v).transpose(1, 2).flatten(2))


class GatedLinear(nn.Module):
    """GEGLU: one projection, half of it gates the other half."""

    def __init__(self) -> None:
        super().__init__()
        self.proj = nn.Linear(WIDTH, 8 * WIDTH)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        value, gate = self.proj(x).chunk(2, dim=-1)
        return value * F.gelu(gate)


class TransformerBlock(nn.Module):
    """Self-attention and a gated feed-forward; the stock block's cross-attention gives nothing here."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.norm3 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.attn1 = SelfAttention()
        self.ff = nn.ModuleDict({"net": nn.Sequential(GatedLinear(), nn.Identity(), nn.Linear(4 * WIDTH, WIDTH))})

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.attn1(self.norm1(x))
        return x + self.ff["net"](self.norm3(x))


class Transformer(nn.Module):
    """SD's SpatialTransformer of depth one."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(GROUPS, WIDTH, eps=1e-6)
        self.proj_in, self.proj_out = nn.Conv2d(WIDTH, WIDTH, 1), nn.Conv2d(WIDTH, WIDTH, 1)
        self.transformer_blocks = nn.ModuleList([TransformerBlock()])
        for start in self.proj_out.parameters():
            nn.init.zeros_(start)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.proj_in(self.norm(x))
        tokens = self.transformer_blocks[0](h.flatten(2).transpose(1, 2))
        return x + self.proj_out(tokens.transpose(1, 2).unflatten(2, x.shape[2:]))


class UNet(nn.Module):
    """(B,4,H,W) latents scaled to unit variance and time step (B,) in 0..999 to the noise. H and W even."""

    input_blocks: Any  # containers in containers: their parts have no types of their own
    middle_block: Any
    output_blocks: Any
    out: Any

    def __init__(self) -> None:
        super().__init__()
        self.time_embed = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.SiLU(), nn.Linear(WIDTH, WIDTH))
        self.input_blocks = nn.ModuleDict({
            "0": nn.ModuleList([nn.Conv2d(CHANNELS, WIDTH, 3, padding=1)]),
            "1": nn.ModuleList([Residual(WIDTH)]),
            "2": nn.ModuleList([nn.ModuleDict({"op": nn.Conv2d(WIDTH, WIDTH, 3, stride=2, padding=1)})]),
            "3": nn.ModuleList([Residual(WIDTH), Transformer()])})
        self.middle_block = nn.ModuleList([Residual(WIDTH), Transformer(), Residual(WIDTH)])
        self.output_blocks = nn.ModuleDict({
            "0": nn.ModuleList([Residual(2 * WIDTH), Transformer()]),
            "1": nn.ModuleList([Residual(2 * WIDTH), nn.ModuleDict({"conv": nn.Conv2d(WIDTH, WIDTH, 3, padding=1)})]),
            "2": nn.ModuleList([Residual(2 * WIDTH)]),
            "3": nn.ModuleList([Residual(2 * WIDTH), Transformer()])})
        self.out = nn.Sequential(nn.GroupNorm(GROUPS, WIDTH), nn.SiLU(), nn.Conv2d(WIDTH, CHANNELS, 3, padding=1))
        self._start()

    @torch.no_grad()
    def _start(self) -> None:
        """Begin near the answer for strong noise, eps = input: four pairs of channels carry plus and minus the input.

        silu(a) - silu(-a) = a, so the last layer can subtract each pair.
        """
        first, skip, last = self.input_blocks["0"][0], self.output_blocks["3"][0].skip_connection, self.out[2]
        skip.weight.mul_(0.3)
        last.weight.zero_()
        last.bias.zero_()
        for pair in range(CHANNELS):
            for sign, position in ((1.0, 10 * pair), (-1.0, 10 * pair + 1)):
                first.weight[position] = 0
                first.weight[position, pair, 1, 1] = sign
                first.bias[position] = 0
                skip.weight[position] = 0
                skip.weight[position, WIDTH + position] = 1
                skip.bias[position] = 0
                last.weight[pair, position, 1, 1] = 0.5 * sign

    def forward(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        c = self.time_embed(wave_embedding(t, WIDTH))
        first = self.input_blocks["0"][0](x)
        second = self.input_blocks["1"][0](first, c)
        down = self.input_blocks["2"][0]["op"](second)
        residual, attention = self.input_blocks["3"]
        inner = attention(residual(down, c))
        residual, attention, after = self.middle_block
        h = after(attention(residual(inner, c)), c)
        residual, attention = self.output_blocks["0"]
        h = attention(residual(torch.cat((h, inner), dim=1), c))
        residual, widen = self.output_blocks["1"]
        h = residual(torch.cat((h, down), dim=1), c)
        h = widen["conv"](F.interpolate(h, scale_factor=2.0, mode="nearest"))
        h = self.output_blocks["2"][0](torch.cat((h, second), dim=1), c)
        residual, attention = self.output_blocks["3"]
        h = attention(residual(torch.cat((h, first), dim=1), c))
        return self.out(h)

    def matrix_groups(self) -> list[dict]:
        """Kernels and matrices of the blocks, for Muon."""
        named = [(name, p) for name, p in self.named_parameters() if p.ndim >= 2 and "block" in name
                 and "emb_layers" not in name and not name.startswith("input_blocks.0")]
        gated = [p for name, p in named if name.endswith("net.0.proj.weight")]
        plain = [p for name, p in named if not name.endswith("net.0.proj.weight")]
        return [{"params": plain, "pieces": 1}, {"params": gated, "pieces": 2}]


def stock_unet(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """A UNet's state dict in the stock layout: cross-attention and the unused time channels are zeros."""
    stock = {name: _stock_time(name, value.detach().float().cpu()) for name, value in state.items()}
    for transformer in ("input_blocks.3.1", "middle_block.1", "output_blocks.0.1", "output_blocks.3.1"):
        block = f"{transformer}.transformer_blocks.0"
        stock[f"{block}.norm2.weight"], stock[f"{block}.norm2.bias"] = torch.ones(WIDTH), torch.zeros(WIDTH)
        for name, inputs in (("to_q", WIDTH), ("to_k", TEXT_WIDTH), ("to_v", TEXT_WIDTH), ("to_out.0", WIDTH)):
            stock[f"{block}.attn2.{name}.weight"] = torch.zeros(WIDTH, inputs)
        stock[f"{block}.attn2.to_out.0.bias"] = torch.zeros(WIDTH)
    return stock


def _stock_time(name: str, value: torch.Tensor) -> torch.Tensor:
    """Time-embedding weights with zeros appended up to the stock widths."""
    shape = list(value.shape)
    if name.startswith("time_embed"):
        shape = [EMBED, *([WIDTH if ".0." in name else EMBED] if value.ndim == 2 else [])]
    elif name.endswith(".emb_layers.1.weight"):
        shape[1] = EMBED
    whole = torch.zeros(shape)
    whole[tuple(slice(0, n) for n in value.shape)] = value
    return whole
