"""The flow transformer: SD3's MMDiT in the stock key names, conditioned on nothing.

Text inputs are zeros in this world, so the text projections are exported as zeros (their biases stay): whatever text
is fed, the model ignores it. One context token is what it was trained with.
"""
from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

HEAD = 64
CHANNELS = 16
PATCH = 2
TEXT_WIDTH = 4096  # stock SD3 widths of the text inputs
POOLED_WIDTH = 2048
FREQUENCIES = 256


def wave_embedding(values: torch.Tensor, width: int) -> torch.Tensor:
    """Cosines then sines of (N,) time steps at `width`/2 frequencies from 1 to 1/10000, as the host computes them."""
    half = width // 2
    frequencies = torch.exp(-math.log(10000) * torch.arange(half, device=values.device, dtype=torch.float32) / half)
    angles = values.float()[:, None] * frequencies
    return torch.cat((angles.cos(), angles.sin()), dim=-1)


def grid_embedding(width: int, rows: int, columns: int, device: torch.device | None = None) -> torch.Tensor:
    """Position code (rows*columns, width) that the host computes for a model without a stored one.

    Each axis runs over 0..15 along the shorter side, whatever the number of tokens.
    """
    small = min(rows, columns)
    along = [torch.linspace(7.5 - 7.5 * n / small, 7.5 + 7.5 * n / small, n, device=device) for n in (rows, columns)]
    y, x = torch.meshgrid(*along, indexing="ij")
    omega = 10000.0 ** -(torch.arange(width // 4, device=device) / (width / 4))
    parts = []
    for axis in (x, y):
        angles = axis.reshape(-1, 1) * omega
        parts += [angles.sin(), angles.cos()]
    return torch.cat(parts, dim=1)


def attend(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """Softmax attention on (B,heads,L,D). On a CPU in bfloat16 it is five times faster written out than fused."""
    if q.is_cuda:
        return F.scaled_dot_product_attention(q.to(v.dtype), k.to(v.dtype), v)
    return (q * q.shape[-1] ** -0.5 @ k.transpose(-1, -2)).softmax(-1).to(v.dtype) @ v


class HeadNorm(nn.Module):
    """Root-mean-square norm of each head's query or key."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(HEAD))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.rms_norm(x, (HEAD,), self.weight.to(x.dtype), 1e-6)


class Attention(nn.Module):
    """Projections of one stream; the softmax is shared by both streams and lives in JointBlock."""

    def __init__(self, width: int, with_output: bool) -> None:
        super().__init__()
        self.heads = width // HEAD
        self.qkv = nn.Linear(width, 3 * width)
        self.ln_q, self.ln_k = HeadNorm(), HeadNorm()
        if with_output:
            self.proj = nn.Linear(width, width)

    def split(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """(B,L,C) to query, key, value (B,heads,L,64)."""
        q, k, v = self.qkv(x).unflatten(-1, (3, self.heads, HEAD)).permute(2, 0, 3, 1, 4)
        return self.ln_q(q), self.ln_k(k), v


class Feed(nn.Module):
    """Two layers with a tanh-GELU between."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc2(F.gelu(self.fc1(x), approximate="tanh"))


class Stream(nn.Module):
    """One stream (picture or context) of a joint block. `last`: the context's stream that ends in this block."""

    def __init__(self, width: int, last: bool) -> None:
        super().__init__()
        self.width, self.last = width, last
        self.attn = Attention(width, with_output=not last)
        if not last:
            self.mlp = Feed(width)
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, (2 if last else 6) * width))

    def modulated(self, x: torch.Tensor, shift: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
        return F.layer_norm(x, (self.width,), eps=1e-6) * (1 + scale) + shift

    def after(self, x: torch.Tensor, attended: torch.Tensor, m: tuple[torch.Tensor, ...]) -> torch.Tensor:
        x = x + m[2] * self.attn.proj(attended)
        return x + m[5] * self.mlp(self.modulated(x, m[3], m[4]))


class JointBlock(nn.Module):
    """Both streams attend to both; each has its own weights."""

    def __init__(self, width: int, last: bool) -> None:
        super().__init__()
        self.context_block, self.x_block = Stream(width, last), Stream(width, False)

    def forward(self, context: torch.Tensor, x: torch.Tensor, c: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        tokens = context.shape[1]
        streams = (self.context_block, self.x_block)
        mods = [s.adaLN_modulation(c).unsqueeze(1).chunk(2 if s.last else 6, dim=-1) for s in streams]
        parts = [s.attn.split(s.modulated(h, m[0], m[1])) for s, h, m in zip(streams, (context, x), mods)]
        q, k, v = (torch.cat(pair, dim=2) for pair in zip(*parts))
        attended = attend(q, k, v).transpose(1, 2).flatten(2)
        if not self.context_block.last:
            context = self.context_block.after(context, attended[:, :tokens], mods[0])
        return context, self.x_block.after(x, attended[:, tokens:], mods[1])


class DiT(nn.Module):
    """(B,16,H,W) noisy latents and sigma*1000 (B,) to the flow's velocity (noise minus picture), same shape."""

    x_embedder: Any  # containers in containers: their parts have no types of their own
    t_embedder: Any
    joint_blocks: Any
    final_layer: Any

    def __init__(self, depth: int) -> None:
        super().__init__()
        width = HEAD * depth
        self.width = width
        self.x_embedder = nn.ModuleDict({"proj": nn.Conv2d(CHANNELS, width, PATCH, stride=PATCH)})
        self.t_embedder = nn.ModuleDict({"mlp": nn.Sequential(nn.Linear(FREQUENCIES, width), nn.SiLU(),
                                                              nn.Linear(width, width))})
        self.context_token = nn.Parameter(torch.randn(width) * 0.02)
        self.joint_blocks = nn.ModuleList(JointBlock(width, i == depth - 1) for i in range(depth))
        self.final_layer = nn.ModuleDict({
            "linear": nn.Linear(width, PATCH * PATCH * CHANNELS),
            "adaLN_modulation": nn.Sequential(nn.SiLU(), nn.Linear(width, 2 * width))})
        self._start()

    def _start(self) -> None:
        for name, p in self.named_parameters():
            if p.ndim == 2:
                nn.init.xavier_uniform_(p)
            if name.endswith("bias") or "adaLN" in name or name.startswith("final_layer"):
                nn.init.zeros_(p)
        for layer in (0, 2):
            nn.init.normal_(self.t_embedder["mlp"][layer].weight, std=0.02)
        nn.init.xavier_uniform_(self.x_embedder["proj"].weight.data.flatten(1))

    def forward(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        b, _, h, w = x.shape
        rows, columns = h // PATCH, w // PATCH
        tokens = self.x_embedder["proj"](x).flatten(2).transpose(1, 2)
        tokens = tokens + grid_embedding(self.width, rows, columns, x.device).to(tokens)
        c = self.t_embedder["mlp"](wave_embedding(t, FREQUENCIES))
        context = self.context_token.expand(b, 1, -1)
        for block in self.joint_blocks:
            context, tokens = block(context, tokens, c)
        shift, scale = self.final_layer["adaLN_modulation"](c).unsqueeze(1).chunk(2, dim=-1)
        tokens = F.layer_norm(tokens, (self.width,), eps=1e-6) * (1 + scale) + shift
        out = self.final_layer["linear"](tokens).reshape(b, rows, columns, PATCH, PATCH, CHANNELS)
        return out.permute(0, 5, 1, 3, 2, 4).reshape(b, CHANNELS, h, w)

    def matrix_groups(self) -> list[dict]:
        """The picture stream's weight matrices, for Muon; a fused projection names its pieces."""
        groups: dict[int, list[nn.Parameter]] = {1: [], 3: []}
        for block in self.joint_blocks:
            groups[3].append(block.x_block.attn.qkv.weight)
            groups[1] += [block.x_block.attn.proj.weight, block.x_block.mlp.fc1.weight, block.x_block.mlp.fc2.weight]
        return [{"params": params, "pieces": pieces} for pieces, params in groups.items()]


def stock_dit(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """A DiT's state dict in the stock layout, with text projections that give nothing."""
    stock = {k: v.detach().float().cpu() for k, v in state.items() if k != "context_token"}
    token = state["context_token"].detach().float().cpu()
    width = len(token)
    stock["context_embedder.weight"] = torch.zeros(width, TEXT_WIDTH)
    stock["context_embedder.bias"] = token
    for layer, inputs in ((0, POOLED_WIDTH), (2, width)):
        stock[f"y_embedder.mlp.{layer}.weight"] = torch.zeros(width, inputs)
        stock[f"y_embedder.mlp.{layer}.bias"] = torch.zeros(width)
    return stock
