"""Autoencoders in the TAESD layout: the stock layers under their stock numbers, so a state dict is a stock file's."""
from __future__ import annotations

import numpy as np
import torch
from torch import nn

WIDTH = 64
CELL = 8  # pixels of one latent cell
TAP = 1  # the centre of a 3x3 kernel
ENLARGED = {4: 1, 16: 2}
"""By latent channels: how many times the portraits are enlarged before they are encoded. The transformer's tokens are
two latent cells wide, so its crops are 256 px: a token then covers as much of the face as one of the UNet's."""


def _conv(inputs: int, outputs: int, stride: int = 1, bias: bool = True) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=bias)


def _halving() -> nn.Conv2d:
    return _conv(WIDTH, WIDTH, stride=2, bias=False)


class Clamp(nn.Module):
    """TAESD's soft limit of latents at plus and minus 3."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.tanh(x / 3) * 3


class Block(nn.Module):
    """TAESD's residual block; starts as the identity on non-negative input."""

    def __init__(self) -> None:
        super().__init__()
        last = _conv(WIDTH, WIDTH)
        self.conv = nn.Sequential(_conv(WIDTH, WIDTH), nn.ReLU(), _conv(WIDTH, WIDTH), nn.ReLU(), last)
        for start in last.parameters():
            nn.init.zeros_(start)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.conv(x) + x)


class Encoder(nn.Sequential):
    """(B,3,H,W) in [0,1] to latents (B,channels,H/8,W/8)."""

    def __init__(self, channels: int) -> None:
        super().__init__(_conv(3, WIDTH), Block(), _halving(), Block(), Block(), Block(),
                         _halving(), Block(), Block(), Block(), _halving(), Block(), Block(), Block(),
                         _conv(WIDTH, channels))
        self.channels = channels


class Decoder(nn.Sequential):
    """Latents (B,channels,h,w) to a picture (B,3,8h,8w), about [0,1]."""

    def __init__(self, channels: int) -> None:
        layers: list[nn.Module] = [Clamp(), _conv(channels, WIDTH), nn.ReLU()]
        for blocks in (3, 3, 3):
            layers += [*(Block() for _ in range(blocks)), nn.Upsample(scale_factor=2), _conv(WIDTH, WIDTH, bias=False)]
        super().__init__(*layers, Block(), _conv(WIDTH, 3))
        self.channels = channels


class Principal:
    """Principal components of the 8x8x3 cells of pictures, and the latent scale made from them.

    Latents are scaled by the square root of each component's deviation (half whitening), then all together to unit
    variance: strong components keep more variance than weak ones, which diffusion training likes better than noise
    blown up to unit variance.
    """

    def __init__(self, pictures: torch.Tensor, channels: int) -> None:
        """pictures: (N,3,H,W) in [0,1] as the autoencoder meets them, H and W multiples of 8."""
        cells = cells_of(pictures)
        self.mean = cells.mean(0)
        centred = cells - self.mean
        values, vectors = np.linalg.eigh(centred.T.astype(np.float64) @ centred / len(cells))
        deviations = np.sqrt(values[::-1][:channels])
        scale = np.sqrt(deviations)
        scale *= np.sqrt(np.mean((deviations / scale) ** 2))
        self.matrix = (vectors[:, ::-1][:, :channels] / scale).T.astype(np.float32)
        self.inverse = (vectors[:, ::-1][:, :channels] * scale).astype(np.float32)
        self.deviations = (deviations / scale).astype(np.float32)
        self.psnr = float(-10 * np.log10(values[::-1][channels:].sum() / cells.shape[1]))


def enlarge(pictures: torch.Tensor, channels: int) -> torch.Tensor:
    """Pictures (B,3,H,W) in [0,1] as the autoencoder of so many channels meets them: enlarged as crops (bicubic)."""
    if ENLARGED[channels] == 1:
        return pictures
    size = [ENLARGED[channels] * side for side in pictures.shape[2:]]
    return nn.functional.interpolate(pictures, size, mode="bicubic", align_corners=False).clamp(0, 1)


def cells_of(pictures: torch.Tensor) -> np.ndarray:
    """(N,3,H,W) to float32 (N*H/8*W/8, 192), pixels ordered y, x, colour."""
    n, _, h, w = pictures.shape
    cells = pictures.reshape(n, 3, h // CELL, CELL, w // CELL, CELL).permute(0, 2, 4, 3, 5, 1)
    return cells.reshape(-1, CELL * CELL * 3).numpy()


def _kernels(part: nn.Sequential, number: int) -> nn.Conv2d:
    layer = part[number]
    assert isinstance(layer, nn.Conv2d)
    return layer


def _bias(layer: nn.Conv2d) -> torch.Tensor:
    assert layer.bias is not None
    return layer.bias


@torch.no_grad()
def start_from_principal(encoder: Encoder, decoder: Decoder, principal: Principal) -> None:
    """Make the encoder compute the principal components exactly, the decoder a smooth picture of cell means.

    The first two halvings move pixels into channels: pixel (y, x) of colour c in a 4x4 cell goes to channel
    (bit(y,0)*2+bit(x,0))*3 + c + 12*(bit(y,1)*2+bit(x,1)). The third is the principal components. The other channels
    keep their random weights, so that training has something to work with.
    """
    k = encoder.channels
    entry = _kernels(encoder, 0)
    entry.weight[:3] = 0
    _bias(entry)[:3] = 0
    for colour in range(3):
        entry.weight[colour, colour, TAP, TAP] = 1
    for layer, inputs in ((2, 3), (6, 12)):
        taps = _kernels(encoder, layer).weight
        taps[: 4 * inputs] = 0
        for phase in range(4):
            for c in range(inputs):
                taps[phase * inputs + c, c, TAP + phase // 2, TAP + phase % 2] = 1
    taps = _kernels(encoder, 10).weight
    taps[: 2 * k] = 0
    matrix = torch.from_numpy(principal.matrix).reshape(k, CELL, CELL, 3)
    for y in range(CELL):
        for x in range(CELL):
            base = ((y & 1) * 2 + (x & 1)) * 3 + 12 * ((y >> 1 & 1) * 2 + (x >> 1 & 1))
            for colour in range(3):
                # A stride-2 kernel with padding 1 sees the cell's first row at tap 1, the second at tap 2.
                taps[:k, base + colour, TAP + (y >> 2), TAP + (x >> 2)] = matrix[:, y, x, colour]
    taps[k : 2 * k] = -taps[:k]
    last = _kernels(encoder, 14)
    last.weight.zero_()
    for i in range(k):
        last.weight[i, i, TAP, TAP] = 1
        last.weight[i, k + i, TAP, TAP] = -1
    _bias(last).copy_(torch.from_numpy(-(principal.matrix @ principal.mean)))

    colour_of_latent = torch.from_numpy(principal.inverse).reshape(CELL * CELL, 3, k).mean(0)
    first = _kernels(decoder, 1)
    first.weight[:3] = 0
    first.weight[:3, :, TAP, TAP] = colour_of_latent
    _bias(first)[:3] = torch.from_numpy(principal.mean).reshape(-1, 3).mean(0)
    kernel = torch.tensor([0.25, 0.5, 0.25])
    for layer in (7, 12, 17):
        weight = _kernels(decoder, layer).weight
        weight[:3] = 0
        for colour in range(3):
            weight[colour, colour] = kernel[:, None] * kernel
    out = _kernels(decoder, 19)
    out.weight.mul_(0.1)
    _bias(out).zero_()
    for colour in range(3):
        out.weight[colour] = 0
        out.weight[colour, colour, TAP, TAP] = 1
