"""What the quality benchmark measures on one picture, each measure its own function, each against the truth.

Pictures are float32 (H, W, 3) in [0, 1], masks float32 (H, W) in [0, 1], distances in pixels. Every error is 0 for
the ideal picture. METHOD §8 tells what the joint rate makes of them.
"""
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Array = NDArray[np.float32]

MISSED = 1.0
"""Landmark error, in eye distances, of a picture in which no face is found any more."""

LEAST_GAP = 0.02
"""Recovery is undefined where the ideal picture is not nearer to the person than the drifted one by this much."""

RESTORED = 0.6
WORSE = 1.1
LANDMARK_SLACK = 0.01


def cosine(a: Array, b: Array) -> float:
    """Cosine of two embeddings; NaN where a recogniser saw nobody, which it says with a single NaN."""
    if np.isnan(a).any() or np.isnan(b).any():
        return float("nan")
    return float(np.dot(a, b) / max(float(np.linalg.norm(a) * np.linalg.norm(b)), 1e-9))


def recovery(out: float, drifted: float, ideal: float) -> float:
    """R = (out - drifted) / (ideal - drifted) of likenesses to the person, cut to [-1, 2]; NaN where undefined."""
    gap = ideal - drifted
    if gap < LEAST_GAP:
        return float("nan")
    return float(np.clip((out - drifted) / gap, -1.0, 2.0))


def face_psnr(out: Array, ideal: Array, face: Array) -> float:
    """Peak signal-to-noise ratio over the face in dB, at most 60."""
    error = float((np.square(out - ideal).mean(-1) * face).sum() / max(float(face.sum()), 1e-6))
    return float(min(60.0, -10 * np.log10(max(error, 1e-12))))


def face_ssim(out: Array, ideal: Array, face: Array) -> float:
    """Structural similarity (Wang et al. 2004, Gaussian window 1.5 px) of the luminance, mean over the face."""
    a, b = luminance(out), luminance(ideal)
    low_a, low_b = _smooth(a, 1.5), _smooth(b, 1.5)
    var_a, var_b = _smooth(a * a, 1.5) - low_a ** 2, _smooth(b * b, 1.5) - low_b ** 2
    both = _smooth(a * b, 1.5) - low_a * low_b
    values = (2 * low_a * low_b + 1e-4) * (2 * both + 9e-4)
    values = values / ((low_a ** 2 + low_b ** 2 + 1e-4) * (var_a + var_b + 9e-4))
    return float((values * face).sum() / max(float(face.sum()), 1e-6))


def face_perceptual(out: Array, ideal: Array, face: Array) -> float:
    """Gradient-magnitude similarity deviation (Xue et al. 2014) over the face, mean of three scales; 0 is alike."""
    a, b, weight = luminance(out), luminance(ideal), face
    found = []
    for _ in range(3):
        strength_a, strength_b = _gradient(a), _gradient(b)
        alike = (2 * strength_a * strength_b + 0.0026) / (strength_a ** 2 + strength_b ** 2 + 0.0026)
        total = max(float(weight.sum()), 1e-6)
        mean = float((alike * weight).sum()) / total
        found.append(float(np.sqrt(max(float((np.square(alike - mean) * weight).sum()) / total, 0.0))))
        a, b, weight = _halved(a), _halved(b), _halved(weight)
    return float(np.mean(found))


def landmark_error(found: Array | None, truth: Array) -> float:
    """Mean distance of the five detected points (5, 2) from the truth, as a share of the eye distance."""
    if found is None:
        return MISSED
    eyes = float(np.linalg.norm(truth[1] - truth[0]))
    return float(min(MISSED, np.linalg.norm(found - truth, axis=1).mean() / eyes))


def light_error(out: Array, ideal: Array, face: Array, eyes: float) -> float:
    """Root mean square difference of the low-passed faces (sigma a fifth of the eye distance), in [0, 1]."""
    sigma = 0.2 * eyes
    weight = _smooth(face, sigma) + 1e-4
    low = [_smooth(picture * face[..., None], sigma) / weight[..., None] for picture in (out, ideal)]
    error = np.square(low[0] - low[1]).mean(-1)
    return float(np.sqrt((error * face).sum() / max(float(face.sum()), 1e-6)))


def seam_error(out: Array, ideal: Array, face: Array, eyes: float) -> float:
    """Mean difference of the colour gradients on a ring along the face's border, 0.15 eye distances to each side."""
    ring = face_ring(face, eyes)
    difference = np.zeros(face.shape, np.float32)
    for channel in range(3):
        down, across = (np.gradient(out[..., channel] - ideal[..., channel], axis=axis) for axis in (0, 1))
        difference += np.hypot(down, across) / 3
    return float((difference * ring).sum() / max(float(ring.sum()), 1e-6))


def element_error(out: Array, ideal: Array, elements: Array) -> float:
    """Mean absolute difference on glasses, hat and whatever covers the face; NaN where the edit has none of it."""
    total = float(elements.sum())
    if total < 20:
        return float("nan")
    return float((np.abs(out - ideal).mean(-1) * elements).sum() / total)


def outside_changed(out: Array, drifted: Array, faces: Array, eyes: float) -> float:
    """Share of the pixels further than half an eye distance from any face that changed by half an 8-bit step."""
    outside = ndimage.distance_transform_edt(faces < 0.5) > 0.5 * eyes
    changed = np.abs(out - drifted).max(-1) > 0.5 / 255
    return float((changed & outside).sum() / max(int(outside.sum()), 1))


def restored_whole(out: dict[str, float], drifted: dict[str, float]) -> bool:
    """METHOD §8: recovered by the second recogniser, and nothing else much worse than in the drifted picture.

    ``out`` and ``drifted`` hold the measures by name. A triple whose recovery is undefined is restored when the
    person is at least as near as in the drifted picture. What is undefined in both pictures does not count.
    """
    gained = out["recovery_b"]
    near = out["identity_b"] >= drifted["identity_b"] if np.isnan(gained) else gained >= RESTORED
    if not near or out["outside_changed"] > 0:
        return False
    for name in ("landmark_error", "light_error", "seam_error", "realism_error", "element_error"):
        limit = WORSE * drifted[name] + (LANDMARK_SLACK if name == "landmark_error" else 0.0)
        if not np.isnan(drifted[name]) and out[name] > limit + 1e-9:
            return False
    return True


def luminance(picture: Array) -> Array:
    return picture @ np.array([0.299, 0.587, 0.114], np.float32)


def face_ring(face: Array, eyes: float) -> Array:
    """1 within 0.15 eye distances of the border of the face, else 0."""
    inside = face > 0.5
    away = np.where(inside, ndimage.distance_transform_edt(inside), ndimage.distance_transform_edt(~inside))
    return (away <= 0.15 * eyes).astype(np.float32)


def _smooth(picture: Array, sigma: float) -> Array:
    return ndimage.gaussian_filter(picture, (sigma, sigma) + (0,) * (picture.ndim - 2), mode="nearest")


def _gradient(picture: Array) -> Array:
    return np.hypot(ndimage.prewitt(picture, 0) / 3, ndimage.prewitt(picture, 1) / 3)


def _halved(picture: Array) -> Array:
    height, width = picture.shape[0] // 2 * 2, picture.shape[1] // 2 * 2
    return picture[:height, :width].reshape(height // 2, 2, width // 2, 2).mean((1, 3))
