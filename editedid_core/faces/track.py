"""The faces of a sequence of frames: the same person keeps one number, gaps are filled, and places are smoothed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..records import Face, Faces
from .similarity import cosine, mean_embedding

_LEAST = 0.5
"""Least score of a link between two frames: about half a face apart, or a stranger at the same place. Not
calibrated."""


@dataclass(frozen=True, eq=False)
class Track:
    """One person through a sequence. number: from 1, in the order of appearance. faces: one for each frame in which the
    person is, in order; all with the person's mean embedding."""

    number: int
    faces: tuple[Face, ...]


def track_faces(faces: Faces, smooth: float, longest_gap: int) -> tuple[Track, ...]:
    """Link the faces of consecutive frames by place and likeness.

    smooth: standard deviation in frames of the smoothing of all places. longest_gap: frames for which a face that was
    not found is put between its neighbours. A scene that is cut begins new tracks.
    """
    chains: list[list[Face]] = []
    for frame in range(faces.frames):
        fresh = list(faces.in_frame(frame))
        open_chains = [chain for chain in chains if frame - chain[-1].frame <= longest_gap + 1]
        for chain, face in _links(open_chains, fresh):
            chain.append(face)
            fresh = [other for other in fresh if other is not face]
        chains += [[face] for face in fresh]
    return tuple(Track(number, _steady(chain, smooth)) for number, chain in enumerate(chains, start=1))


def tracked(faces: Faces, tracks: Sequence[Track]) -> Faces:
    """All faces of the tracks, frame by frame, in the order of their numbers."""
    everybody = sorted(((face.frame, track.number, face) for track in tracks for face in track.faces),
                       key=lambda one: one[:2])
    return replace(faces, faces=tuple(face for _, _, face in everybody))


def _links(chains: Sequence[list[Face]], faces: Sequence[Face]) -> list[tuple[list[Face], Face]]:
    """The best links of chains to faces of a later frame, one for each at most."""
    from scipy.optimize import linear_sum_assignment

    if not chains or not faces:
        return []
    scores = np.array([[_link(chain[-1], face) for face in faces] for chain in chains])
    rows, columns = linear_sum_assignment(scores, maximize=True)
    return [(chains[i], faces[j]) for i, j in zip(rows, columns) if scores[i, j] >= _LEAST]


def _link(before: Face, after: Face) -> float:
    """1 for the same face at the same place; by place alone without embeddings."""
    size = max(1e-6, np.sqrt(before.size * after.size))
    apart = float(np.hypot(*(before.centre - after.centre))) / size
    place = float(np.exp(-(apart / 0.8) ** 2))
    likeness = cosine(before, after)
    return place if likeness is None else 0.5 * place + 0.5 * max(0.0, likeness)


def _steady(chain: Sequence[Face], smooth: float) -> tuple[Face, ...]:
    """The chain without gaps, smoothed, each face with the mean embedding."""
    found = np.array([face.frame for face in chain])
    frames = np.arange(found[0], found[-1] + 1)
    mean = mean_embedding(chain)

    def steady(name: str) -> Any:
        values = [getattr(face, name) for face in chain]
        if any(value is None for value in values):
            return [None] * len(frames)
        return _smoothed(_filled(np.stack(values).astype(np.float64), found, frames), smooth).astype(np.float32)

    columns = [steady(name) for name in ("box", "points", "dense", "mesh")]
    nearest = [chain[int(np.abs(found - frame).argmin())] for frame in frames]
    return tuple(
        replace(face, frame=int(frame), embedding=mean, box=box, points=points, dense=dense, mesh=mesh)
        for face, frame, box, points, dense, mesh in zip(nearest, frames, *columns)
    )


def _filled(values: NDArray[np.float64], found: NDArray[np.int_], frames: NDArray[np.int_]) -> NDArray[np.float64]:
    """Values at all frames from those at the frames found, between them in a straight line."""
    flat = values.reshape(len(values), -1)
    filled = np.stack([np.interp(frames, found, column) for column in flat.T], axis=1)
    return filled.reshape(len(frames), *values.shape[1:])


def _smoothed(values: NDArray[np.float64], smooth: float) -> NDArray[np.float64]:
    """A Gaussian over time that keeps straight motion, also at both ends: a weighted line through each frame."""
    if smooth <= 0 or len(values) < 3:
        return values
    times = np.arange(len(values), dtype=np.float64)
    flat, out = values.reshape(len(values), -1), np.empty((len(values), values[0].size))
    for i in range(len(values)):
        weight = np.exp(-0.5 * ((times - times[i]) / smooth) ** 2)
        away = times - times[i]
        s0, s1, s2 = weight.sum(), (weight * away).sum(), (weight * away**2).sum()
        kernel = weight * (s2 - s1 * away) / (s0 * s2 - s1 * s1)
        out[i] = kernel @ flat
    return out.reshape(values.shape)
