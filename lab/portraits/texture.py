"""Fixed smooth noise that skin, hair and cloth read their grain from."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

STRAND_TABLE = 2048
SKIN_TABLE = 512
SKIN_STEP = 160.0
"""Texels of the skin table per head unit."""


@lru_cache(maxsize=1)
def strand_table() -> np.ndarray:
    """Periodic band-limited noise, float32 (2048,), mean 0, deviation 1; period 1 when indexed by `strands`."""
    rng = np.random.default_rng(11)
    x = np.arange(STRAND_TABLE) / STRAND_TABLE * 2 * np.pi
    total = np.zeros(STRAND_TABLE)
    for k in range(3, 96):
        total += rng.normal() * np.cos(k * x + rng.uniform(0, 2 * np.pi)) / k**0.35
    return (total / total.std()).astype(np.float32)


@lru_cache(maxsize=1)
def skin_table() -> np.ndarray:
    """Mottling of skin, float32 (512, 512), mean 0, deviation 1, periodic."""
    return _periodic(12, 0.006, 0.05)


@lru_cache(maxsize=1)
def cloud_table() -> np.ndarray:
    """Large soft lumps, float32 (512, 512), mean 0, deviation 1, periodic."""
    return _periodic(13, 0.004, 0.018)


@lru_cache(maxsize=1)
def freckle_table() -> np.ndarray:
    """Where freckles sit, float32 (512, 512) in [0, 1]; the middle texel is the middle between the cheeks."""
    rng = np.random.default_rng(14)
    table = np.zeros((SKIN_TABLE, SKIN_TABLE))
    for _ in range(150):
        u, v = rng.normal(0.0, 0.62), rng.normal(0.0, 0.24)
        radius, strength = rng.uniform(0.016, 0.03), rng.uniform(0.4, 1.0)
        y, x, reach = v * SKIN_STEP + 256, u * SKIN_STEP + 256, radius * 1.5 * SKIN_STEP
        rows = np.arange(max(0, int(y - reach)), min(SKIN_TABLE, int(y + reach) + 2))[:, None]
        columns = np.arange(max(0, int(x - reach)), min(SKIN_TABLE, int(x + reach) + 2))[None]
        if rows.size and columns.size:
            spot = strength * (1.0 - ((rows - y) ** 2 + (columns - x) ** 2) / reach**2)
            part = table[rows[0, 0]:rows[-1, 0] + 1, columns[0, 0]:columns[0, -1] + 1]
            np.maximum(part, spot, out=part)
    return table.astype(np.float32)


def strands(coordinate: np.ndarray, shift: float) -> np.ndarray:
    """Strand noise along a coordinate: about 50 strands per unit of it."""
    index = ((coordinate + shift) * STRAND_TABLE).astype(np.int32) & (STRAND_TABLE - 1)
    return strand_table().take(index)


def lookup(table: np.ndarray, u: np.ndarray, v: np.ndarray, step: float = SKIN_STEP) -> np.ndarray:
    """Read a (512, 512) table at head coordinates, `step` texels per unit, periodic, (0, 0) at its middle."""
    columns = (u * step + 256.5).astype(np.int32) & 511
    rows = (v * step + 256.5).astype(np.int32) & 511
    return table.take(rows * 512 + columns)


def _periodic(seed: int, low: float, high: float) -> np.ndarray:
    """Noise with spatial frequencies between `low` and `high` cycles per texel."""
    rng = np.random.default_rng(seed)
    fy = np.fft.fftfreq(SKIN_TABLE)[:, None]
    fx = np.fft.fftfreq(SKIN_TABLE)[None]
    f = np.hypot(fy, fx)
    spectrum = np.fft.fft2(rng.standard_normal((SKIN_TABLE, SKIN_TABLE)))
    noise = np.fft.ifft2(spectrum * ((f > low) & (f < high))).real
    return (noise / noise.std()).astype(np.float32)
