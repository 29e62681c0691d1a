"""The small networks that look at faces of the lab's world: detector, landmarks, two recognisers, critic."""
from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

STRIDES = (8, 16, 32)
ANCHORS = 2
LANDMARKS = 68


def conv(inputs: int, outputs: int, stride: int = 1, size: int = 3) -> nn.Sequential:
    """Convolution, batch norm, ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )


class Residual(nn.Module):
    """Two 3x3 convolutions round a skip."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = conv(channels, channels)
        self.second = nn.Sequential(nn.Conv2d(channels, channels, 3, 1, 1, bias=False), nn.BatchNorm2d(channels))

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(x + self.second(self.first(x)))


class Detector(nn.Module):
    """A face detector with insightface's SCRFD outputs: scores, boxes and five points at strides 8, 16 and 32.

    Input (B, 3, H, W), RGB, (value - 127.5) / 128, sides a multiple of 32. Output: nine tensors (B, N, 1 | 4 | 10)
    with two anchors a cell; distances are in strides. Scores leave as probabilities only when ``probabilities``.
    """

    def __init__(self) -> None:
        super().__init__()
        widths, width = (48, 88, 136), 64
        self.stem = nn.Sequential(conv(3, 20, 2), conv(20, 32, 2))
        self.down = nn.ModuleList([
            nn.Sequential(conv(inputs, outputs, 2), Residual(outputs), Residual(outputs))
            for inputs, outputs in zip((32, *widths), widths)
        ])
        self.lateral = nn.ModuleList([nn.Conv2d(inputs, width, 1) for inputs in widths])
        self.up = nn.ModuleList([conv(width, width, 2) for _ in STRIDES[1:]])
        self.mix = nn.ModuleList([conv(width, width) for _ in STRIDES])
        self.head = conv(width, width)
        self.spot = nn.ModuleList([  # points are exact only with features of their own; large faces need a wide view
            nn.Sequential(*[conv(width, width) for _ in range(depth)]) for depth in (1, 2, 2)
        ])
        self.out = nn.ModuleList([nn.Conv2d(width, ANCHORS * 5, 1) for _ in STRIDES])
        self.point = nn.ModuleList([nn.Conv2d(width, ANCHORS * 10, 1) for _ in STRIDES])
        self.probabilities = False
        for layer in self.out:
            assert isinstance(layer, nn.Conv2d) and layer.bias is not None
            nn.init.constant_(layer.bias.data[:ANCHORS], -4.0)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        x = self.stem(x)
        levels = []
        for stage in self.down:
            x = stage(x)
            levels.append(x)
        levels = [lateral(level) for lateral, level in zip(self.lateral, levels)]
        for fine in (1, 0):
            levels[fine] = levels[fine] + functional.interpolate(levels[fine + 1], scale_factor=2.0, mode="nearest")
        for coarse, up in enumerate(self.up, 1):  # and fine detail to where the large faces are read
            levels[coarse] = levels[coarse] + up(levels[coarse - 1])
        scores, boxes, points = [], [], []
        for mix, spot, out, to_points, level in zip(self.mix, self.spot, self.out, self.point, levels):
            level = mix(level)
            score, box = out(self.head(level)).split((ANCHORS, ANCHORS * 4), 1)
            point = to_points(spot(level))
            scores.append(self._rows(score.sigmoid() if self.probabilities else score, 1))
            boxes.append(self._rows(box, 4))
            points.append(self._rows(point, 10))
        return (*scores, *boxes, *points)

    @staticmethod
    def _rows(x: Tensor, width: int) -> Tensor:
        """(B, 2·width, h, w) to (B, h·w·2, width): the two anchors of a cell stand side by side."""
        return x.permute(0, 2, 3, 1).reshape(x.shape[0], -1, width)


class DenseLandmarks(nn.Module):
    """68 points (iBUG order) of a face, each the centre of mass of a map of its own: less than a pixel comes easy.

    Input (B, 3, 192, 192), RGB, (value - 127.5) / 128, as insightface tells such networks; it is looked at by 128 px.
    Output (B, 136), x and y of each point, -1 to 1 over the square.
    """

    def __init__(self) -> None:
        super().__init__()
        widths, width = (48, 80, 112), 56
        self.stem = conv(3, 24, 2)
        self.down = nn.ModuleList([
            nn.Sequential(conv(inputs, outputs, 2), *[Residual(outputs) for _ in range(depth)])
            for inputs, outputs, depth in zip((24, *widths), widths, (1, 2, 2))
        ])
        self.lateral = nn.ModuleList([nn.Conv2d(inputs, width, 1) for inputs in widths])
        self.mix = nn.Sequential(conv(width, width), conv(width, width))
        self.map = nn.Conv2d(width, LANDMARKS, 1)
        ticks = (torch.arange(32) + 0.5) / 16 - 1
        y, x = torch.meshgrid(ticks, ticks, indexing="ij")
        self.register_buffer("places", torch.stack([x.flatten(), y.flatten()], -1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(functional.interpolate(x, size=(128, 128), mode="bilinear"))
        levels = []
        for stage, lateral in zip(self.down, self.lateral):
            x = stage(x)
            levels.append(lateral(x))
        up = levels[2]
        for fine in (1, 0):
            up = levels[fine] + functional.interpolate(up, scale_factor=2.0, mode="nearest")
        chance = self.map(self.mix(up)).flatten(2).softmax(-1)
        return (chance @ self.places.to(chance)).reshape(-1, 2 * LANDMARKS)


class Regressor(nn.Module):
    """Recogniser A: a residual network that reads the identity parameters off an aligned 112 px crop.

    Input (B, 3, 112, 112), RGB, in [-1, 1]; output (B, D), the standardised identity vector as far as it shows.
    What cannot be seen is predicted as its mean, zero, and so carries no weight in the cosine.
    """

    def __init__(self, dimensions: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            conv(3, 24, 2), conv(24, 48, 2), Residual(48),
            conv(48, 88, 2), Residual(88),
            conv(88, 136, 2), Residual(136),
            conv(136, 64, 1, 1),
        )
        self.head = nn.Sequential(nn.Flatten(), nn.Linear(64 * 49, 160), nn.ReLU(), nn.Linear(160, dimensions))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x))


class Bottleneck(nn.Module):
    """A 3x3 convolution at half the width between two pointwise ones, round a skip."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            conv(channels, channels // 2, 1, 1), conv(channels // 2, channels // 2),
            nn.Conv2d(channels // 2, channels, 1, bias=False), nn.BatchNorm2d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


class Embedder(nn.Module):
    """Recogniser B: patches of 4 px, bottleneck blocks, learned attention pooling, an embedding of 96 numbers.

    Input and range as recogniser A. It never sees the identity parameters: only who is the same person as whom.
    """

    def __init__(self, width: int = 96) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 64, 4, 4), nn.BatchNorm2d(64), nn.ReLU(inplace=True), Bottleneck(64), Bottleneck(64),
            conv(64, 112, 2), Bottleneck(112), Bottleneck(112), Bottleneck(112),
            conv(112, 200, 2), Bottleneck(200), Bottleneck(200), Bottleneck(200),
        )
        self.look = nn.Parameter(torch.randn(8, 49) * 0.02)
        self.value = nn.Conv2d(200, 72, 1)
        self.head = nn.Sequential(nn.Linear(8 * 72, 224), nn.ReLU(), nn.Linear(224, width))

    def forward(self, x: Tensor) -> Tensor:
        values = self.value(self.body(x)).flatten(2)
        return self.head((values @ self.look.softmax(-1).T).flatten(1))


class Critic(nn.Module):
    """How damaged a face crop looks: one number in (0, 1), zero for a true picture.

    Input (B, 3, 96, 96), RGB in [0, 1], the face in the pack's crop framing. The network sees the picture and its
    own fine detail (the picture less its 3x3 mean), because ghosts and cuts live there. The worst places count:
    the output pools a damage map by its mean and by its strongest eighth.
    """

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.PixelUnshuffle(2), conv(24, 40), Residual(40), conv(40, 72, 2), Residual(72), Residual(72),
            conv(72, 104, 2), Residual(104), Residual(104),
        )
        self.map = nn.Conv2d(104, 8, 1)
        self.head = nn.Sequential(nn.Linear(16 + 104, 48), nn.ReLU(), nn.Linear(48, 1))
        self.probabilities = False

    def forward(self, x: Tensor) -> Tensor:
        detail = x - functional.avg_pool2d(functional.pad(x, (1, 1, 1, 1), mode="replicate"), 3, 1)
        features = self.body(torch.cat([x * 2 - 1, detail * 8], 1))
        places = self.map(features).flatten(2)
        strongest = places.topk(18, dim=2).values.mean(2)
        logit = self.head(torch.cat([places.mean(2), strongest, features.mean((2, 3))], 1))[:, 0]
        return logit.sigmoid() if self.probabilities else logit
