"""Where a face lies that is too small to be found: photos of the person are laid over it until they explain it.

**Ours.** A photo is moved by a similarity, reduced to the small face's own pixels, lit by a gain and a linear field of
light, and compared. The posterior over place, size and roll is sampled (adaptive importance sampling), so that the
estimate comes with its uncertainty, and no gradient is needed. Several photos count by how well each explains the face.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from ..geometry.affine import apply, crop_frame, face_to_face, inverse_affine, pixel_grid, scale_of
from ..geometry.resample import resample
from ..masks.outline import face_mask
from ..pictures import to_rgb

SIDE = 32
"""Pixels at which photos are compared; small faces hold less."""

CELLS = (4, 16)
"""Fewest and most pixels of the small face across its crop that are compared."""

PRIOR = (0.10, 0.10, 0.06, 0.06)
"""Standard deviations before anything is seen: place across and down in eye distances, log of the size, roll in
radians. Those of a box drawn by hand."""

_EVIDENCE = 12.0
"""Independent differences that a comparison is worth: neighbouring pixels err together (drawn)."""

_GRAIN = 0.02
"""Difference in sRGB that means nothing."""

_DRAWS = 48
_ROUNDS = 5


@dataclass(frozen=True, eq=False)
class Registration:
    """points: (5, 2) float32, the five points in the picture's pixels. spread: their uncertainty, one standard
    deviation in eye distances. shares: for each photo how much it counts, sum 1. explained: for each photo the share
    of the small face's contrast that it explains, up to 1."""

    points: NDArray[np.float32]
    spread: float
    shares: tuple[float, ...]
    explained: tuple[float, ...]


def register(picture: Tensor, points: ArrayLike, photos: Sequence[tuple[Tensor, ArrayLike]], cells: float,
             certainty: float = 1.0) -> Registration:
    """Find the five points of a small face with the help of photos.

    picture: (H, W, C) that holds the face near `points` (5, 2). photos: (H', W', C') and the five points of the same
    person in it. cells: true pixels across the face's crop (`crop_frame`), at any size the picture was enlarged to.
    certainty: divides the prior's widths. The same input gives the same result.
    """
    start = np.asarray(points, np.float64)
    frame = crop_frame(start, SIDE)
    place = apply(inverse_affine(frame), start)
    small = planes(picture, frame)
    shots = torch.stack([planes(photo, crop_frame(there, SIDE)) for photo, there in photos])
    maps = [face_to_face(place, apply(inverse_affine(crop_frame(there, SIDE)), np.asarray(there, np.float64)))
            for _, there in photos]
    mask = face_mask(place, None, SIDE, softness=0.06)
    compare = _Comparison(small, shots, torch.from_numpy(np.stack(maps)).float(), mask, place,
                          int(round(min(max(cells, CELLS[0]), CELLS[1]))))
    found = [_sampled(compare, i, np.asarray(PRIOR) / certainty) for i in range(len(photos))]
    evidence = np.array([one.evidence for one in found])
    shares = np.exp(evidence - evidence.max())
    shares /= shares.sum()
    mean = shares @ np.stack([one.mean for one in found])
    spread = np.sum([share * (one.cov + np.outer(one.mean - mean, one.mean - mean))
                     for share, one in zip(shares, found)], axis=0)
    # half an average face's shape, half that of the photos
    shapes = [apply(inverse_affine(one), apply(inverse_affine(crop_frame(there, SIDE)), np.asarray(there, np.float64)))
              for one, (_, there) in zip(maps, photos)]
    moved = np.sum([share * _moved((place + shape) / 2, one.mean, place)
                    for share, one, shape in zip(shares, found, shapes)], axis=0)
    return Registration(apply(frame, moved).astype(np.float32), float(math.sqrt(spread[0, 0] + spread[1, 1])),
                        tuple(shares.tolist()), tuple(one.explained for one in found))


def planes(picture: Tensor, frame: NDArray[np.float64]) -> Tensor:
    """The crop (3, S, S) of a picture (H, W, C)."""
    grid = apply(frame, pixel_grid(SIDE, SIDE))
    return resample(to_rgb(picture.detach()).cpu(), grid, scale_of(frame), padding="border").permute(2, 0, 1)


def _moved(points: NDArray[np.float64], p: NDArray[np.float64], about: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points (5, 2) moved by the parameters (4,), place in eye distances, log of the size, roll, about the middle of a
    face (5, 2)."""
    centre, unit = about.mean(0), float(np.linalg.norm(about[1] - about[0]))
    size, c, s = math.exp(p[2]), math.cos(p[3]), math.sin(p[3])
    return (points - centre) @ (size * np.array([[c, s], [-s, c]])) + centre + unit * p[:2]


@dataclass(frozen=True, eq=False)
class _Posterior:
    """Of one photo: mean (4,) and covariance (4, 4) of the parameters, log evidence, share of the contrast explained at
    the best place."""

    mean: NDArray[np.float64]
    cov: NDArray[np.float64]
    evidence: float
    explained: float


@dataclass(frozen=True, eq=False)
class _Comparison:
    """small (3, S, S), shots (R, 3, S, S), maps (R, 2, 3) from the small face's crop to each shot's, mask (S, S),
    points (5, 2) of the small face's crop, cells across."""

    small: Tensor
    shots: Tensor
    maps: Tensor
    mask: Tensor
    points: NDArray[np.float64]
    cells: int

    def residual(self, photo: int, p: Tensor) -> tuple[Tensor, Tensor]:
        """Mean square difference (K,) of a photo moved by parameters (K, 4), and the share of contrast explained."""
        count = len(p)
        centre = torch.from_numpy(self.points.mean(0)).float()
        unit = float(np.linalg.norm(self.points[1] - self.points[0]))
        shrink, c, s = torch.exp(-p[:, 2]), torch.cos(p[:, 3]), torch.sin(p[:, 3])
        back = torch.stack([torch.stack([c, s], -1), torch.stack([-s, c], -1)], -2) * shrink[:, None, None]
        grid = torch.from_numpy(pixel_grid(SIDE, SIDE).reshape(-1, 2)).float()
        here = (grid - centre - unit * p[:, None, :2]) @ back.transpose(1, 2) + centre
        there = here @ self.maps[photo, :, :2].T + self.maps[photo, :, 2]
        shot = self.shots[photo].expand(count, -1, -1, -1)
        seen = F.grid_sample(shot, _unit(there), padding_mode="border", align_corners=True)
        weight = F.grid_sample(self.mask.expand(count, 1, -1, -1), _unit(here), align_corners=True)
        low = F.adaptive_avg_pool2d(weight, self.cells)
        photo_low = F.adaptive_avg_pool2d(seen * weight, self.cells) / (low + 1e-3)
        small_low = F.adaptive_avg_pool2d(self.small, self.cells).expand(count, -1, -1, -1)
        low = low / low.sum((2, 3), keepdim=True).clamp(min=1e-6)
        a, b = (_without_light(x, low) for x in (photo_low, small_low))
        gain = ((a * b * low).sum((1, 2, 3)) + _GRAIN**2) / ((a * a * low).sum((1, 2, 3)) + _GRAIN**2)
        left = b - gain.clamp(0.3, 2.0)[:, None, None, None] * a
        error, contrast = ((x.square() * low).sum((1, 2, 3)) for x in (left, b))
        return error, 1 - error / contrast.clamp(min=1e-6)


def _unit(places: Tensor) -> Tensor:
    """Pixel places (K, S * S, 2) as grid_sample takes them."""
    return (places / (SIDE - 1) * 2 - 1).reshape(-1, SIDE, SIDE, 2)


def _without_light(picture: Tensor, weight: Tensor) -> Tensor:
    """A picture (K, 3, n, n) without its mean and its linear field of light, under weights (K, 1, n, n)."""
    n = picture.shape[-1]
    line = torch.linspace(-1, 1, n)
    one = torch.ones(len(picture), 1, n, n)
    fields: list[Tensor] = []
    for field in (one, line.expand_as(one), line[:, None].expand_as(one)):
        for other in fields:
            field = field - (field * other * weight).sum((2, 3), keepdim=True) * other
        fields.append(field / (field.square() * weight).sum((2, 3), keepdim=True).sqrt().clamp(min=1e-6))
    for field in fields:
        picture = picture - (picture * field * weight).sum((2, 3), keepdim=True) * field
    return picture


def _sampled(compare: _Comparison, photo: int, prior: NDArray[np.float64]) -> _Posterior:
    """The posterior of one photo by adaptive importance sampling, from fixed draws."""
    generator = torch.Generator().manual_seed(0)
    mean, factor = np.zeros(4), np.diag(prior)
    draws, scores, proposals, best = [], [], [], -np.inf
    explained = 0.0
    for _ in range(_ROUNDS):
        normal = torch.randn(_DRAWS, 4, generator=generator).double().numpy()
        normal[0] = 0
        p = mean + normal @ factor.T
        error, share = compare.residual(photo, torch.from_numpy(p).float())
        log = -0.5 * _EVIDENCE * np.log(error.double().numpy() + _GRAIN**2) - 0.5 * ((p / prior) ** 2).sum(1)
        draws.append(p)
        scores.append(log)
        proposals.append((mean, factor))
        if log.max() > best:
            best, explained = float(log.max()), float(share[int(log.argmax())])
        everything, target = np.concatenate(draws), np.concatenate(scores)
        weight = _weights(everything, target, proposals)[0]
        mean = weight @ everything
        off = everything - mean
        cov = (weight[:, None] * off).T @ off
        factor = np.linalg.cholesky(cov + np.diag((0.05 * prior) ** 2))
    weight, evidence = _weights(everything, target, proposals)
    mean = weight @ everything
    off = everything - mean
    return _Posterior(mean, (weight[:, None] * off).T @ off, evidence, explained)


def _weights(draws: NDArray[np.float64], target: NDArray[np.float64],
             proposals: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]],
             ) -> tuple[NDArray[np.float64], float]:
    """Importance weights (N,) of draws from a mixture of Gaussians, and the log of the mean weight."""
    densities = []
    for mean, factor in proposals:
        z = np.linalg.solve(factor, (draws - mean).T)
        densities.append(-0.5 * (z**2).sum(0) - np.log(np.abs(np.diag(factor))).sum())
    mixture = np.logaddexp.reduce(densities, axis=0) - math.log(len(proposals))
    log = target - mixture
    weight = np.exp(log - log.max())
    return weight / weight.sum(), float(log.max() + math.log(weight.mean()))
