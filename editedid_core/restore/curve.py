"""A picture of the mixing weight over the run."""

from __future__ import annotations

import numpy as np
import torch


def curve_picture(curves: list[tuple[float, ...]], width: int = 384, height: int = 192) -> torch.Tensor:
    """Draw each curve of weights in [0, 0.5] as a line; returns (1, height, width, 3) in [0, 1]."""
    from PIL import Image, ImageDraw

    left, top, right, bottom = 34, 12, width - 10, height - 26
    picture = Image.new("RGB", (width, height), (24, 26, 30))
    draw = ImageDraw.Draw(picture)
    for tick in (0.0, 0.25, 0.5):
        y = bottom - tick / 0.5 * (bottom - top)
        draw.line([(left, y), (right, y)], fill=(60, 64, 70))
        draw.text((4, y - 6), f"{tick:.2f}", fill=(170, 175, 182))
    draw.text((left, bottom + 8), "mixing weight, first step to last", fill=(170, 175, 182))
    colours = [(94, 196, 255), (255, 170, 80), (140, 220, 120), (230, 120, 200), (250, 230, 110)]
    for number, curve in enumerate(curves):
        span = max(1, len(curve) - 1)
        points = [(left + i / span * (right - left), bottom - w / 0.5 * (bottom - top)) for i, w in enumerate(curve)]
        colour = colours[number % len(colours)]
        if len(points) > 1:
            draw.line(points, fill=colour, width=2)
        for x, y in points:
            draw.ellipse([x - 2, y - 2, x + 2, y + 2], fill=colour)
    return torch.from_numpy(np.asarray(picture, dtype=np.float32) / 255.0)[None]
