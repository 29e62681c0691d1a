"""The flow transformer in FLUX's layout at a small width: text, pooled text, guidance and reference latents are live.

Parameters carry the stock names, so a state dict is a stock file's. The host reads width, depths and text widths from
the shapes; a head is 128 wide, so the width is a multiple of that. References follow the picture's tokens as Kontext
places them: the first at index 1 over the same grid, the second below it.
"""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .dit import CHANNELS, FREQUENCIES, PATCH, attend, wave_embedding
from .text import WIDTH as TEXT_WIDTH

HEAD = 128
AXES = (16, 56, 56)
THETA = 10000.0


@dataclass(frozen=True)
class FluxPlan:
    """Size of the model: channels (a multiple of 128), joint blocks, single blocks."""

    width: int = 256
    double: int = 2
    single: int = 8


class Embedder(nn.Module):
    """Two layers with SiLU between: of the time, the guidance, the pooled text."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.in_layer, self.out_layer = nn.Linear(inputs, width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.out_layer(F.silu(self.in_layer(x)))


class Scale(nn.Module):
    """Root-mean-square norm of a head."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(HEAD))

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, (HEAD,), self.scale.to(x.dtype), 1e-6)


class HeadNorms(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.query_norm, self.key_norm = Scale(), Scale()


class Projections(nn.Module):
    """Query, key and value of one stream of a joint block, and its output."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.qkv, self.proj, self.norm = nn.Linear(width, 3 * width), nn.Linear(width, width), HeadNorms()

    def split(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, L, C) to query, key, value (B, heads, L, 128)."""
        return heads_of(self.qkv(x), self.norm)


class Modulation(nn.Module):
    """Shifts, scales and gates made from time, guidance and pooled text."""

    def __init__(self, width: int, count: int) -> None:
        super().__init__()
        self.lin, self.count = nn.Linear(width, count * width), count

    def forward(self, c: Tensor) -> tuple[Tensor, ...]:
        return self.lin(F.silu(c))[:, None].chunk(self.count, dim=-1)


def heads_of(qkv: Tensor, norm: HeadNorms) -> tuple[Tensor, Tensor, Tensor]:
    q, k, v = qkv.unflatten(-1, (3, -1, HEAD)).permute(2, 0, 3, 1, 4)
    return norm.query_norm(q), norm.key_norm(k), v


def modulated(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    return F.layer_norm(x, x.shape[-1:], eps=1e-6) * (1 + scale) + shift


def turned(x: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
    """Rotary position: neighbouring channels (B, heads, L, 128) turned by cosine and sine (L, 64)."""
    even, odd = x.float().unflatten(-1, (HEAD // 2, 2)).unbind(-1)
    cosine, sine = turn
    return torch.stack((cosine * even - sine * odd, sine * even + cosine * odd), -1).flatten(-2).to(x.dtype)


def positions(text: int, rows: int, columns: int, references: Sequence[tuple[int, int]],
              device: torch.device | None = None) -> tuple[Tensor, Tensor]:
    """Cosines and sines (L, 64) of text tokens, the picture's and each reference's (rows, columns), all in tokens."""
    parts = [torch.zeros(text, 3), grid(rows, columns, 0, 0, 0)]
    down = across = 0
    for height, width in references:
        y, x = (0, across) if height + down > width + across else (down, 0)
        parts.append(grid(height, width, 1, y, x))
        down, across = max(down, height + y), max(across, width + x)
    places = torch.cat(parts).double()
    angles = torch.cat([places[:, axis, None] * THETA ** -(torch.arange(0, size, 2, dtype=torch.float64) / size)
                        for axis, size in enumerate(AXES)], 1)
    return angles.cos().float().to(device), angles.sin().float().to(device)


def grid(rows: int, columns: int, index: int, y: int, x: int) -> Tensor:
    down, across = torch.meshgrid(torch.arange(rows) + y, torch.arange(columns) + x, indexing="ij")
    return torch.stack((torch.full_like(down, index), down, across), -1).reshape(-1, 3).float()


class DoubleBlock(nn.Module):
    """Picture and text attend to both; each has its own weights."""

    def __init__(self, width: int) -> None:
        super().__init__()
        for stream in ("img", "txt"):
            self.add_module(f"{stream}_mod", Modulation(width, 6))
            self.add_module(f"{stream}_attn", Projections(width))
            self.add_module(f"{stream}_mlp", nn.Sequential(
                nn.Linear(width, 4 * width), nn.GELU(approximate="tanh"), nn.Linear(4 * width, width)))

    def forward(self, txt: Tensor, img: Tensor, c: Tensor, turn: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        streams = [(getattr(self, f"{s}_mod"), getattr(self, f"{s}_attn"), getattr(self, f"{s}_mlp"))
                   for s in ("txt", "img")]
        mods = [mod(c) for mod, _, _ in streams]
        parts = [attn.split(modulated(x, m[0], m[1])) for (_, attn, _), x, m in zip(streams, (txt, img), mods)]
        q, k, v = (torch.cat(pair, dim=2) for pair in zip(*parts))
        attended = attend(turned(q, turn), turned(k, turn), v).transpose(1, 2).flatten(2)
        shares = attended.split((txt.shape[1], img.shape[1]), dim=1)
        out = []
        for (_, attn, mlp), x, m, share in zip(streams, (txt, img), mods, shares):
            x = x + m[2] * attn.proj(share)
            out.append(x + m[5] * mlp(modulated(x, m[3], m[4])))
        return out[0], out[1]


class SingleBlock(nn.Module):
    """One stream of all tokens; attention and feed-forward side by side."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.modulation = Modulation(width, 3)
        self.linear1, self.linear2 = nn.Linear(width, 7 * width), nn.Linear(5 * width, width)
        self.norm = HeadNorms()

    def forward(self, x: Tensor, c: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
        shift, scale, gate = self.modulation(c)
        qkv, wide = self.linear1(modulated(x, shift, scale)).split((3 * self.width, 4 * self.width), dim=-1)
        q, k, v = heads_of(qkv, self.norm)
        attended = attend(turned(q, turn), turned(k, turn), v).transpose(1, 2).flatten(2)
        return x + gate * self.linear2(torch.cat((attended, F.gelu(wide, approximate="tanh")), -1))


class Flux(nn.Module):
    """(B,16,H,W) noisy latents, sigma*1000 (B,), text to the flow's velocity (noise minus picture). H, W even."""

    def __init__(self, plan: FluxPlan) -> None:
        super().__init__()
        width, cell = plan.width, CHANNELS * PATCH * PATCH
        self.plan = plan
        self.img_in, self.txt_in = nn.Linear(cell, width), nn.Linear(TEXT_WIDTH, width)
        self.time_in, self.guidance_in = Embedder(FREQUENCIES, width), Embedder(FREQUENCIES, width)
        self.vector_in = Embedder(TEXT_WIDTH, width)
        self.double_blocks = nn.ModuleList(DoubleBlock(width) for _ in range(plan.double))
        self.single_blocks = nn.ModuleList(SingleBlock(width) for _ in range(plan.single))
        self.final_layer: Any = nn.ModuleDict({
            "linear": nn.Linear(width, cell),
            "adaLN_modulation": nn.Sequential(nn.SiLU(), nn.Linear(width, 2 * width))})
        self._turns: dict[Any, tuple[Tensor, Tensor]] = {}
        self._start()

    def _start(self) -> None:
        for name, p in self.named_parameters():
            if p.ndim == 2:
                nn.init.xavier_uniform_(p)
            silent = "mod.lin" in name or "modulation" in name or name.startswith("final_layer")
            if name.endswith("bias") or silent:
                nn.init.zeros_(p)

    def forward(self, x: Tensor, t: Tensor, context: Tensor, pooled: Tensor, guidance: Tensor,
                references: Sequence[Tensor] = ()) -> Tensor:
        """context (B, L, 768), pooled (B, 768), guidance (B,), references latents as x, each (B,16,h,w)."""
        rows, columns = x.shape[2] // PATCH, x.shape[3] // PATCH
        img = self.img_in(torch.cat([_tokens(part) for part in (x, *references)], 1))
        txt = self.txt_in(context)
        c = self.time_in(wave_embedding(t, FREQUENCIES)) + self.vector_in(pooled)
        c = c + self.guidance_in(wave_embedding(guidance * 1000, FREQUENCIES))
        turn = self._turn(txt.shape[1], rows, columns, [(r.shape[2] // PATCH, r.shape[3] // PATCH) for r in references],
                          x.device)
        for block in self.double_blocks:
            txt, img = block(txt, img, c, turn)
        both = torch.cat((txt, img), 1)
        for block in self.single_blocks:
            both = block(both, c, turn)
        out = both[:, txt.shape[1] : txt.shape[1] + rows * columns]
        shift, scale = self.final_layer["adaLN_modulation"](c)[:, None].chunk(2, dim=-1)
        out = self.final_layer["linear"](modulated(out, shift, scale))
        return out.unflatten(2, (CHANNELS, PATCH, PATCH)).unflatten(1, (rows, columns)) \
            .permute(0, 3, 1, 4, 2, 5).reshape(x.shape)

    def _turn(self, text: int, rows: int, columns: int, references: list[tuple[int, int]],
              device: torch.device) -> tuple[Tensor, Tensor]:
        key = (text, rows, columns, *references, device)
        if key not in self._turns:
            self._turns[key] = positions(text, rows, columns, references, device)
        return self._turns[key]

    def matrix_groups(self) -> list[dict]:
        """The blocks' weight matrices, for Muon; a fused projection names its pieces."""
        groups: dict[int, list[nn.Parameter]] = {1: [], 3: [], 7: []}
        for name, p in self.named_parameters():
            if p.ndim == 2 and "blocks" in name and "mod" not in name:
                fused = 3 if "qkv" in name else 7 if "linear1" in name else 1
                groups[fused].append(p)
        return [{"params": params, "pieces": pieces} for pieces, params in groups.items() if params]


def _tokens(latents: Tensor) -> Tensor:
    """(B,16,H,W) to (B, H/2*W/2, 64), numbers ordered channel, row, column."""
    b, c, h, w = latents.shape
    cells = latents.reshape(b, c, h // PATCH, PATCH, w // PATCH, PATCH).permute(0, 2, 4, 1, 3, 5)
    return cells.reshape(b, -1, c * PATCH * PATCH)
