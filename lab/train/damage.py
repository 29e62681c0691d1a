"""Careless composites of two faces, and how bad each one is: what the critic learns from.

Every composite is made from two true layers in one frame, the edited face and the warped original face, so its
damage can be measured instead of guessed: how far its fine detail is from both layers (ghosts, double edges,
smears), what new edges it has along the mask (cuts), how far its light is from the edited picture's.
"""
from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

KINDS = (
    "ghost", "relit_ghost", "paste", "hard_cut", "misaligned", "smear", "double_edge", "wrong_light", "blocks", "relit",
)
GHOST_UNIT, CUT_UNIT, LIGHT_UNIT = 0.016, 0.05, 0.10
"""The amount of each kind of damage that counts as bad (severity 1 - 1/e)."""
GHOST_FREE, CUT_FREE, LIGHT_FREE = 0.003, 0.004, 0.03
"""What a faultless paste has of each as well: resampling, a soft border, the two persons' own colours."""


@dataclass(frozen=True)
class Layers:
    """Two true pictures of one frame, float32 (S, S, 3) in [0, 1]; points (5, 2) of the edited face in it."""

    edited: np.ndarray
    original: np.ndarray
    points: np.ndarray


def blur(picture: np.ndarray, sigma: float) -> np.ndarray:
    return cv2.GaussianBlur(picture, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)


def face_ellipse(points: np.ndarray, size: int, grow: float = 1.0, feather: float = 0.0) -> np.ndarray:
    """A soft ellipse (size, size) round a face's five points; ``feather`` in pixels."""
    eyes, mouth = points[:2].mean(0), points[3:].mean(0)
    across, down = points[1] - points[0], mouth - eyes
    unit = max(float(np.linalg.norm(across)), 0.9 * float(np.linalg.norm(down)))
    lean = float(np.degrees(np.arctan2(across[1], across[0])))
    middle = eyes + 0.4 * down
    mask = np.zeros((size, size), np.float32)
    axes = (int(1.05 * unit * grow * 16), int(1.4 * unit * grow * 16))
    centre = (int(middle[0] * 16), int(middle[1] * 16))
    cv2.ellipse(mask, centre, axes, lean, 0, 360, 1.0, -1, cv2.LINE_8, 4)
    return blur(mask, feather) if feather > 0.2 else mask


def relight(picture: np.ndarray, reference: np.ndarray, sigma: float) -> np.ndarray:
    """``picture`` with the low-passed light of ``reference`` (ratio of the two)."""
    return np.clip(picture * (blur(reference, sigma) + 0.02) / (blur(picture, sigma) + 0.02), 0, 1)


def severity(out: np.ndarray, layers: Layers, relit: np.ndarray, mask: np.ndarray) -> float:
    """How damaged ``out`` is, 0 to 1, measured against its layers inside ``mask`` and along its border."""
    fine = out - blur(out, 3.0)
    nearest = np.full(out.shape[:2], np.inf, np.float32)
    for layer in (layers.edited, layers.original, relit):
        nearest = np.minimum(nearest, blur(np.abs(fine - (layer - blur(layer, 3.0))).mean(-1), 1.0))
    inside = mask > 0.05
    area = max(int(inside.sum()), 1)
    ghost = float(nearest[inside].sum() / area)
    border = blur(np.abs(mask - blur(mask, 1.5)), 1.0)
    weight = border / (border.sum() + 1e-6)
    edges = [np.hypot(cv2.Sobel(p.mean(-1), cv2.CV_32F, 1, 0, scale=0.25),
                      cv2.Sobel(p.mean(-1), cv2.CV_32F, 0, 1, scale=0.25)) for p in (out, layers.edited, relit)]
    cut = float((np.maximum(edges[0] - np.maximum(edges[1], edges[2]), 0) * weight).sum())
    light = float(np.abs(blur(out, 8.0) - blur(layers.edited, 8.0))[inside].mean())
    parts = ((ghost - GHOST_FREE, GHOST_UNIT), (cut - CUT_FREE, CUT_UNIT), (light - LIGHT_FREE, LIGHT_UNIT))
    return float(1 - np.exp(-sum(max(amount, 0.0) / unit for amount, unit in parts)))


def damaged(layers: Layers, kind: str, amount: float, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """One careless composite of ``kind`` (see KINDS) with ``amount`` in 0..1, and its severity."""
    edited, size = layers.edited, layers.edited.shape[0]
    feather = float(rng.choice([1.0, 2.0, 3.0, 5.0]))
    mask = face_ellipse(layers.points, size, rng.uniform(0.75, 1.05), feather)
    relit = relight(layers.original, edited, rng.uniform(4, 10))
    layer = relit
    if kind in ("ghost", "relit_ghost"):
        layer = relit if kind == "relit_ghost" else layers.original
        out = edited + (amount * mask)[..., None] * (layer - edited)
    elif kind == "paste":
        out = edited + mask[..., None] * (layers.original - edited)
    elif kind == "hard_cut":
        mask = (mask > 0.5).astype(np.float32)
        layer = relit if rng.random() < 0.5 else layers.original
        out = edited + mask[..., None] * (layer - edited)
    elif kind == "misaligned":
        layer = _moved(relit if rng.random() < 0.6 else layers.original, 0.02 + 0.12 * amount, rng)
        out = edited + mask[..., None] * (layer - edited)
        shift_mask = face_ellipse(layers.points, size, 0.9, 2.0)
        base = severity(out, Layers(edited, layer, layers.points), layer, mask)
        doubled = float(np.abs(layer - relit)[shift_mask > 0.5].mean())
        return np.clip(out, 0, 1), float(1 - (1 - base) * np.exp(-doubled / 0.06))
    elif kind == "smear":
        mask = _patch(layers.points, size, rng)
        out = edited + mask[..., None] * (blur(edited, 0.7 + 3.0 * amount) - edited)
    elif kind == "double_edge":
        copy = _moved(edited, 0.03 + 0.05 * rng.random(), rng)
        out = edited + (0.25 + 0.3 * amount) * mask[..., None] * (copy - edited)
    elif kind == "wrong_light":
        mask = mask if rng.random() < 0.5 else (mask > 0.5).astype(np.float32)
        out = edited + mask[..., None] * (edited * _gain(size, amount, rng) - edited)
    elif kind == "blocks":
        cell = int(rng.choice([3, 4, 6, 8]))
        small = cv2.resize(edited, (size // cell, size // cell), interpolation=cv2.INTER_AREA)
        coarse = cv2.resize(small, (size, size), interpolation=cv2.INTER_NEAREST)
        out = edited + ((0.3 + 0.7 * amount) * _patch(layers.points, size, rng))[..., None] * (coarse - edited)
    else:
        out = edited + mask[..., None] * (relit - edited)
    out = np.clip(out, 0, 1)
    return out, severity(out, layers, relit, mask)


def _moved(picture: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Shifted by ``share`` of the side in a random direction, turned and scaled a little."""
    size = picture.shape[0]
    angle = rng.uniform(0, 2 * np.pi)
    matrix = cv2.getRotationMatrix2D((size / 2, size / 2), rng.normal(0, 60 * share), 1 + rng.normal(0, share))
    matrix[:, 2] += share * size * 0.7 * np.array([np.cos(angle), np.sin(angle)])
    return cv2.warpAffine(picture, matrix, (size, size), borderMode=cv2.BORDER_REPLICATE)


def _patch(points: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """The whole face or a soft disc somewhere in it."""
    if rng.random() < 0.4:
        return face_ellipse(points, size, rng.uniform(0.7, 1.0), 2.0)
    centre = points[rng.integers(5)] + rng.normal(0, 4, 2)
    y, x = np.mgrid[:size, :size]
    reach = rng.uniform(0.08, 0.2) * size
    inside = (x - centre[0]) ** 2 + (y - centre[1]) ** 2 < reach ** 2
    return blur(inside.astype(np.float32), 1.5)


def _gain(size: int, amount: float, rng: np.random.Generator) -> np.ndarray:
    """A smooth ramp of light with a tint, (size, size, 3)."""
    y, x = np.mgrid[:size, :size] / size - 0.5
    angle = rng.uniform(0, 2 * np.pi)
    ramp = np.cos(angle) * x + np.sin(angle) * y
    change = rng.choice([-1, 1]) * (0.05 + 0.25 * amount) + rng.normal(0, 0.6 * amount) * ramp
    tint = 1 + rng.normal(0, 0.08 * amount, 3)
    return (np.clip(1 + change, 0.2, 2.0)[..., None] * tint).astype(np.float32)
