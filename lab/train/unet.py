"""The eps UNet: Stable Diffusion 1.5's layout with two levels, trained at half width.

The stock layout asks for 320 channels and at least one residual block per level. What a CPU cannot afford is left
out of training as an exact special case of the stock layers: half of the channels, heads and normalisation groups
are exported as zeros, the first level's input block and first output block pass their input on, and cross-attention
gives nothing, so text is ignored. Self-attention is in the down path, the middle and the up path at half
resolution, and in the up path at full resolution.
"""
from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from .dit import attend, wave_embedding

CHANNELS = 4
STOCK = 320  # channels of the stock layout
WIDTH = 160  # of them in use
HEAD = 40
GROUPS = 32 * WIDTH // STOCK  # normalisation groups in use
EMBED = 1280  # stock width of the time embedding; the first 320 are in use
TEXT_WIDTH = 768


class Residual(nn.Module):
    """SD's residual block with `inputs` -> 160 channels."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.in_layers = nn.Sequential(nn.GroupNorm(GROUPS, inputs), nn.SiLU(), nn.Conv2d(inputs, WIDTH, 3, padding=1))
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(STOCK, WIDTH))
        self.out_layers = nn.Sequential(nn.GroupNorm(GROUPS, WIDTH), nn.SiLU(), nn.Identity(),
                                        nn.Conv2d(WIDTH, WIDTH, 3, padding=1))
        self.skip_connection = nn.Conv2d(inputs, WIDTH, 1) if inputs != WIDTH else nn.Identity()
        nn.init.zeros_(self.out_layers[3].weight)
        nn.init.zeros_(self.out_layers[3].bias)

    def forward(self, x: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
        h = self.in_layers(x) + self.emb_layers(c)[:, :, None, None]
        return self.skip_connection(x) + self.out_layers(h)


class StockNorm(nn.LayerNorm):
    """Layer norm as the stock width does it: the unused channels count as zeros in mean and variance."""

    def __init__(self) -> None:
        super().__init__(WIDTH)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        whole = F.layer_norm(F.pad(x, (0, STOCK - WIDTH)), (STOCK,), eps=self.eps)
        return whole[..., :WIDTH] * self.weight + self.bias


class SelfAttention(nn.Module):
    """Heads of 40 channels."""

    def __init__(self) -> None:
        super().__init__()
        for name in ("to_q", "to_k", "to_v"):
            setattr(self, name, nn.Linear(WIDTH, WIDTH, bias=False))
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
        self.norm1, self.norm3 = StockNorm(), StockNorm()
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
        nn.init.zeros_(self.proj_out.weight)
        nn.init.zeros_(self.proj_out.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.proj_in(self.norm(x))
        tokens = self.transformer_blocks[0](h.flatten(2).transpose(1, 2))
        return x + self.proj_out(tokens.transpose(1, 2).unflatten(2, x.shape[2:]))


class UNet(nn.Module):
    """(B,4,H,W) latents scaled to unit variance and time step (B,) in 0..999 to the noise. H and W even."""

    def __init__(self) -> None:
        super().__init__()
        self.time_embed = nn.Sequential(nn.Linear(STOCK, STOCK), nn.SiLU(), nn.Linear(STOCK, STOCK))
        self.input_blocks = nn.ModuleDict({
            "0": nn.ModuleList([nn.Conv2d(CHANNELS, WIDTH, 3, padding=1)]),
            "2": nn.ModuleList([nn.ModuleDict({"op": nn.Conv2d(WIDTH, WIDTH, 3, stride=2, padding=1)})]),
            "3": nn.ModuleList([Residual(WIDTH), Transformer()])})
        self.middle_block = nn.ModuleList([Residual(WIDTH), Transformer(), Residual(WIDTH)])
        self.output_blocks = nn.ModuleDict({
            "0": nn.ModuleList([Residual(2 * WIDTH), Transformer()]),
            "1": nn.ModuleList([Residual(2 * WIDTH), nn.ModuleDict({"conv": nn.Conv2d(WIDTH, WIDTH, 3, padding=1)})]),
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
        c = self.time_embed(wave_embedding(t, STOCK))
        first = self.input_blocks["0"][0](x)
        down = self.input_blocks["2"][0]["op"](first)
        residual, attention = self.input_blocks["3"]
        inner = attention(residual(down, c))
        residual, attention, after = self.middle_block
        h = after(attention(residual(inner, c)), c)
        residual, attention = self.output_blocks["0"]
        h = attention(residual(torch.cat((h, inner), dim=1), c))
        residual, widen = self.output_blocks["1"]
        h = residual(torch.cat((h, down), dim=1), c)
        h = widen["conv"](F.interpolate(h, scale_factor=2.0, mode="nearest"))
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
    """A UNet's state dict in the stock layout; what was left out becomes zeros or passes its input on."""
    stock = _left_out()
    for name, value in state.items():
        value = value.detach().float().cpu()
        if "net.0.proj" in name:  # rows: values, then gates
            value = torch.cat([_widened(part, {0: 8 * WIDTH}) for part in value.chunk(2)])
        if (".in_layers." in name or "skip_connection" in name) and value.shape[value.ndim > 1] == 2 * WIDTH:
            # The joined input: what comes from below, then the skip.
            axis = int(value.ndim > 1)
            value = torch.cat([_widened(part, {axis: STOCK}) for part in value.chunk(2, dim=axis)], dim=axis)
        stock[name] = _widened(value, _stock_axes(name, value))
    return stock


def _widened(value: torch.Tensor, axes: dict[int, int]) -> torch.Tensor:
    """Zeros appended on the given axes up to the given lengths."""
    shape = [axes.get(axis, n) for axis, n in enumerate(value.shape)]
    whole = torch.zeros(shape)
    whole[tuple(slice(0, n) for n in value.shape)] = value
    return whole


def _stock_axes(name: str, value: torch.Tensor) -> dict[int, int]:
    if name.startswith("time_embed"):
        return {0: EMBED, 1: STOCK if ".0." in name else EMBED}
    axes = {axis: STOCK for axis in (0, 1) if axis < value.ndim and value.shape[axis] == WIDTH}
    if ".emb_layers.1." in name:
        axes[1] = EMBED
    elif "net.2.weight" in name:
        axes[1] = 8 * WIDTH
    return axes


def _left_out() -> dict[str, torch.Tensor]:
    stock: dict[str, torch.Tensor] = {}
    for block, inputs in (("input_blocks.1.0", STOCK), ("output_blocks.2.0", 2 * STOCK)):
        for layer, width in (("in_layers.0", inputs), ("out_layers.0", STOCK)):
            stock[f"{block}.{layer}.weight"], stock[f"{block}.{layer}.bias"] = torch.ones(width), torch.zeros(width)
        for layer, width in (("in_layers.2", inputs), ("out_layers.3", STOCK)):
            stock[f"{block}.{layer}.weight"] = torch.zeros(STOCK, width, 3, 3)
            stock[f"{block}.{layer}.bias"] = torch.zeros(STOCK)
        stock[f"{block}.emb_layers.1.weight"] = torch.zeros(STOCK, EMBED)
        stock[f"{block}.emb_layers.1.bias"] = torch.zeros(STOCK)
    # The first output block of the full-resolution level takes what comes from below and drops its skip.
    stock["output_blocks.2.0.skip_connection.weight"] = torch.eye(STOCK, 2 * STOCK)[:, :, None, None]
    stock["output_blocks.2.0.skip_connection.bias"] = torch.zeros(STOCK)
    for transformer in ("input_blocks.3.1", "middle_block.1", "output_blocks.0.1", "output_blocks.3.1"):
        block = f"{transformer}.transformer_blocks.0"
        stock[f"{block}.norm2.weight"], stock[f"{block}.norm2.bias"] = torch.ones(STOCK), torch.zeros(STOCK)
        for name, inputs in (("to_q", STOCK), ("to_k", TEXT_WIDTH), ("to_v", TEXT_WIDTH), ("to_out.0", STOCK)):
            stock[f"{block}.attn2.{name}.weight"] = torch.zeros(STOCK, inputs)
        stock[f"{block}.attn2.to_out.0.bias"] = torch.zeros(STOCK)
    return stock
