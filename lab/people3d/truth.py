"""The 68 landmarks as points of the mesh, set by hand on the template, and the jaw that slides to the outline."""

from __future__ import annotations

import numpy as np
import torch

from .surface import FrontView, on

JAW = ((0.655, 7.36), (0.652, 7.20), (0.640, 7.04), (0.618, 6.88), (0.572, 6.70), (0.492, 6.545), (0.372, 6.42),
       (0.215, 6.335), (0.0, 6.312))
"""Right half of the jaw on the template, from the ear to the chin (x outwards)."""
BROW = ((0.115, 7.520), (0.205, 7.550), (0.315, 7.572), (0.425, 7.572), (0.535, 7.525))
"""A brow from its inner to its outer end."""
NOSE = ((0.0, 7.375), (0.0, 7.265), (0.0, 7.155), (0.0, 7.045))
NOSTRILS = ((0.125, 6.955), (0.065, 6.935), (0.0, 6.925))
SLIDE = (0.0, 0.05, 0.10, 0.16, 0.23, 0.31, 0.40)
"""Shares of the way to the middle of the face at which an outline's jaw point may lie."""


def landmark_places(view: FrontView) -> np.ndarray:
    """(68, 2): x, y of the landmarks on the template. The picture's left is the person's right, at x < 0."""
    out = np.zeros((68, 2))
    for i in range(9):
        out[i], out[16 - i] = (-JAW[i][0], JAW[i][1]), JAW[i]
    for i in range(5):
        out[17 + i], out[26 - i] = (-BROW[4 - i][0], BROW[4 - i][1]), BROW[4 - i]
    out[27:31] = NOSE
    for i in range(3):
        out[31 + i], out[35 - i] = (-NOSTRILS[i][0], NOSTRILS[i][1]), NOSTRILS[i]
    x, upper, lower = view.eye_opening(1)
    width = x[-1] - x[0]
    rows = []
    for share, edge in ((0.0, None), (0.33, upper), (0.67, upper), (1.0, None), (0.67, lower), (0.33, lower)):
        k = int(np.clip(share * (len(x) - 1), 0, len(x) - 1))
        if edge is None:
            rows.append((x[k] + (0.012 if share else -0.012) * width / 0.26, 0.5 * (upper[k] + lower[k])))
        else:
            rows.append((x[k], edge[k] + (0.006 if edge is upper else -0.008)))
    left = np.array(rows)                       # the person's left eye, inner corner first, as 42..47
    out[42:48] = left
    out[36:42] = left[[3, 2, 1, 0, 5, 4]] * [-1, 1]
    x, upper, lower = view.lip_outline()
    corner = x[-1]
    at = lambda places, edge: np.interp(places, x, edge)  # noqa: E731
    gap = np.array([view.lip_gap(s) for s in (0.0, 0.075)])
    level = float(gap.mean())
    out[48], out[54] = (-corner, level - 0.012), (corner, level - 0.012)
    for i, px in enumerate((corner * 0.62, corner * 0.27, 0.0)):
        out[49 + i], out[53 - i] = (-px, at(px, upper)), (px, at(px, upper))
    for i, px in enumerate((corner * 0.66, corner * 0.33, 0.0)):
        out[59 - i], out[55 + i] = (-px, at(px, lower)), (px, at(px, lower))
    out[60], out[64] = (-corner * 0.86, level - 0.008), (corner * 0.86, level - 0.008)
    for i, k in ((61, 1), (62, 0), (63, 1)):
        out[i] = ((i - 62) * 0.075, gap[k][0] + 0.004)
        out[128 - i] = ((i - 62) * 0.075, gap[k][1] - 0.004)
    return out


class Landmarks:
    """Finds the landmarks of posed people."""

    def __init__(self, view: FrontView) -> None:
        self.places = landmark_places(view)
        self.points = view.at(self.places)
        centre = np.array([0.0, 6.9])
        slid = [centre + (p - centre) * (1 - s) for p in self.places[:17] for s in SLIDE]
        self.slide = view.at(np.array(slid))

    def world(self, posed: torch.Tensor, eye: torch.Tensor, up: torch.Tensor) -> torch.Tensor:
        """(n, 68, 3) for vertices (n, V, 3) seen from eye (n, 3), up (n, 3): jaw points lie on the visible outline."""
        out = on(self.points, posed)
        choice = on(self.slide, posed).reshape(len(posed), 17, len(SLIDE), 3)
        middle = out[:, [27, 30, 33, 51, 57]].mean(1)
        forward = torch.nn.functional.normalize(middle - eye, dim=-1)
        right = torch.nn.functional.normalize(torch.linalg.cross(forward, up), dim=-1)
        upward = torch.linalg.cross(right, forward)
        ray = choice - eye[:, None, None]
        depth = (ray * forward[:, None, None]).sum(-1)
        x = (ray * right[:, None, None]).sum(-1) / depth
        y = (ray * upward[:, None, None]).sum(-1) / depth
        away = torch.stack([x, y], -1)
        start = away[:, :, 0] - away[:, :, 0].mean(1, keepdim=True)
        direction = torch.nn.functional.normalize(start, dim=-1)
        reach = (away * direction[:, :, None]).sum(-1)
        best = reach.argmax(-1)
        out[:, :17] = choice.gather(2, best[..., None, None].expand(-1, -1, 1, 3))[:, :, 0]
        return out
