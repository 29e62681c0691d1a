"""Autoencoders in the TAESD layout, trained thin and exported at the stock size.

The stock TAESD spends most of its work at full resolution. Here the encoder's full- and half-resolution layers
only move pixels into channels (4x4 pixels x 3 colours = 48 of the 64 channels at a quarter of the resolution), and
the decoder's last level uses 32 of its 64 channels. Both are exact special cases of the stock layers: missing
weights are zeros, and a block whose convolutions are zero passes its (non-negative) input on. `stock_encoder` and
`stock_decoder` write the full-size weights that any TAESD loader takes.
"""
from __future__ import annotations

import numpy as np
import torch
from torch import nn

WIDTH = 64
THIN = 32
CELL = 8  # pixels of one latent cell
TAP = 1  # the centre of a 3x3 kernel


def _conv(inputs: int, outputs: int, **options) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1, **options)


class Clamp(nn.Module):
    """TAESD's soft limit of latents at plus and minus 3."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.tanh(x / 3) * 3


class Block(nn.Module):
    """TAESD's residual block; starts as the identity on non-negative input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(_conv(width, width), nn.ReLU(), _conv(width, width), nn.ReLU(), _conv(width, width))
        nn.init.zeros_(self.conv[4].weight)
        nn.init.zeros_(self.conv[4].bias)
        self.idle = False

    def settle(self) -> None:
        """Training of this block is over: leave out convolutions that add nothing."""
        self.idle = not (self.conv[4].weight.any() or self.conv[4].bias.any())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(x if self.idle else self.conv(x) + x)


class Encoder(nn.Module):
    """(B,3,H,W) in [0,1] to latents (B,channels,H/8,W/8). Child names are the layer numbers of the stock encoder."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        layers = {7: Block(WIDTH), 8: Block(WIDTH), 10: _conv(WIDTH, WIDTH, stride=2, bias=False),
                  11: Block(WIDTH), 12: Block(WIDTH), 13: Block(WIDTH), 14: _conv(WIDTH, channels)}
        self.layers = nn.ModuleDict({str(k): v for k, v in layers.items()})

    def settle(self) -> None:
        """Training of the encoder is over: leave out what adds nothing."""
        for layer in self.layers.values():
            if isinstance(layer, Block):
                layer.settle()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = gather(x)
        for layer in self.layers.values():
            x = layer(x)
        return x


class Decoder(nn.Module):
    """Latents (B,channels,h,w) to a picture (B,3,8h,8w), about [0,1]. Child names as in the stock decoder."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        layers = {0: Clamp(), 1: _conv(channels, WIDTH), 2: nn.ReLU(),
                  3: Block(WIDTH), 4: Block(WIDTH), 5: Block(WIDTH),
                  6: nn.Upsample(scale_factor=2), 7: _conv(WIDTH, WIDTH, bias=False),
                  8: Block(WIDTH), 9: Block(WIDTH), 10: Block(WIDTH),
                  11: nn.Upsample(scale_factor=2), 12: _conv(WIDTH, WIDTH, bias=False), 13: Block(WIDTH),
                  16: nn.Upsample(scale_factor=2), 17: _conv(WIDTH, THIN, bias=False), 18: Block(THIN),
                  19: _conv(THIN, 3)}
        self.layers = nn.ModuleDict({str(k): v for k, v in layers.items()})

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers.values():
            x = layer(x)
        return x


def gather(x: torch.Tensor) -> torch.Tensor:
    """Pixels of 4x4 cells into channels: (B,3,H,W) to (B,64,H/4,W/4), the last 16 channels zero.

    The channel of pixel (y, x) and colour c in its cell is (bit(y,0)*2+bit(x,0))*3 + c + 12*(bit(y,1)*2+bit(x,1)),
    which is what two stock stride-2 convolutions with unit taps compute.
    """
    for _ in range(2):
        b, c, h, w = x.shape
        x = x.reshape(b, c, h // 2, 2, w // 2, 2).permute(0, 3, 5, 1, 2, 4).reshape(b, 4 * c, h // 2, w // 2)
    return nn.functional.pad(x, (0, 0, 0, 0, 0, WIDTH - x.shape[1]))


class Principal:
    """Principal components of the 8x8x3 cells of pictures, and the latent scale made from them.

    Latents are scaled by the square root of each component's deviation (half whitening), then all together to unit
    variance: strong components keep more variance than weak ones, which diffusion training likes better than noise
    blown up to unit variance.
    """

    def __init__(self, pictures: np.ndarray, channels: int) -> None:
        """pictures: uint8 (N,H,W,3), H and W multiples of 8."""
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


def cells_of(pictures: np.ndarray) -> np.ndarray:
    """uint8 (N,H,W,3) to float32 (N*H/8*W/8, 192), pixels ordered y, x, colour, in [0,1]."""
    n, h, w, _ = pictures.shape
    cells = pictures.reshape(n, h // CELL, CELL, w // CELL, CELL, 3).transpose(0, 1, 3, 2, 4, 5)
    return cells.reshape(-1, CELL * CELL * 3).astype(np.float32) / 255


@torch.no_grad()
def start_from_principal(encoder: Encoder, decoder: Decoder, principal: Principal) -> None:
    """Make the encoder compute the principal components exactly, the decoder a smooth picture of cell means.

    The other channels keep their random weights, so that training has something to work with.
    """
    k = encoder.channels
    taps = encoder.layers["10"].weight
    taps[: 2 * k] = 0
    matrix = torch.from_numpy(principal.matrix).reshape(k, CELL, CELL, 3)
    for y in range(CELL):
        for x in range(CELL):
            base = ((y & 1) * 2 + (x & 1)) * 3 + 12 * ((y >> 1 & 1) * 2 + (x >> 1 & 1))
            for colour in range(3):
                # A stride-2 kernel with padding 1 sees the cell's first row at tap 1, the second at tap 2.
                taps[:k, base + colour, TAP + (y >> 2), TAP + (x >> 2)] = matrix[:, y, x, colour]
    taps[k : 2 * k] = -taps[:k]
    last = encoder.layers["14"]
    last.weight.zero_()
    for i in range(k):
        last.weight[i, i, TAP, TAP] = 1
        last.weight[i, k + i, TAP, TAP] = -1
    last.bias.copy_(torch.from_numpy(-(principal.matrix @ principal.mean)))

    colour_of_latent = torch.from_numpy(principal.inverse).reshape(CELL * CELL, 3, k).mean(0)
    first = decoder.layers["1"]
    first.weight[:3] = 0
    first.weight[:3, :, TAP, TAP] = colour_of_latent
    first.bias[:3] = torch.from_numpy(principal.mean).reshape(-1, 3).mean(0)
    kernel = torch.tensor([0.25, 0.5, 0.25])
    for name in ("7", "12", "17"):
        weight = decoder.layers[name].weight
        weight[:3] = 0
        for colour in range(3):
            weight[colour, colour] = kernel[:, None] * kernel
    out = decoder.layers["19"]
    out.weight.mul_(0.1)
    out.bias.zero_()
    for colour in range(3):
        out.weight[colour] = 0
        out.weight[colour, colour, TAP, TAP] = 1


def stock_encoder(encoder: Encoder) -> dict[str, torch.Tensor]:
    """The encoder's weights in the stock layout (keys "0.weight" to "14.bias")."""
    convs = {0: (3, WIDTH, True), 2: (WIDTH, WIDTH, False), 6: (WIDTH, WIDTH, False), 10: (WIDTH, WIDTH, False),
             14: (WIDTH, encoder.channels, True)}
    state = _zeros(convs, blocks=(1, 3, 4, 5, 7, 8, 9, 11, 12, 13))
    for colour in range(3):
        state["0.weight"][colour, colour, TAP, TAP] = 1
    for layer, inputs in ((2, 3), (6, 12)):
        for phase in range(4):
            for c in range(inputs):
                state[f"{layer}.weight"][phase * inputs + c, c, TAP + phase // 2, TAP + phase % 2] = 1
    return _filled(state, encoder.layers)


def stock_decoder(decoder: Decoder) -> dict[str, torch.Tensor]:
    """The decoder's weights in the stock layout (keys "1.weight" to "19.bias")."""
    convs = {1: (decoder.channels, WIDTH, True), 7: (WIDTH, WIDTH, False), 12: (WIDTH, WIDTH, False),
             17: (WIDTH, WIDTH, False), 19: (WIDTH, 3, True)}
    state = _zeros(convs, blocks=(3, 4, 5, 8, 9, 10, 13, 14, 15, 18))
    return _filled(state, decoder.layers)


def _zeros(convs: dict[int, tuple[int, int, bool]], blocks: tuple[int, ...]) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = {}
    for layer, (inputs, outputs, bias) in convs.items():
        state[f"{layer}.weight"] = torch.zeros(outputs, inputs, 3, 3)
        if bias:
            state[f"{layer}.bias"] = torch.zeros(outputs)
    for layer in blocks:
        for part in (0, 2, 4):
            state[f"{layer}.conv.{part}.weight"] = torch.zeros(WIDTH, WIDTH, 3, 3)
            state[f"{layer}.conv.{part}.bias"] = torch.zeros(WIDTH)
    return state


def _filled(state: dict[str, torch.Tensor], layers: nn.ModuleDict) -> dict[str, torch.Tensor]:
    for name, value in layers.state_dict().items():
        state[name][tuple(slice(0, n) for n in value.shape)] = value.detach().float().cpu()
    return state
