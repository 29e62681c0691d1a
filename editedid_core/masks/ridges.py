"""Thin dark lines in a small picture, and the best path along them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

_JUMP = 0.02  # cost of a step aside, in the strength of lines; not calibrated


def read(picture: NDArray[np.floating], places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Picture (H, W) at places (h, w, 2), bilinear; its border is repeated."""
    return np.asarray(map_coordinates(picture, [places[..., 1], places[..., 0]], order=1, mode="nearest"), dtype=float)


def dark_lines(patch: NDArray[np.float64], widths: tuple[int, ...], either: bool = False) -> NDArray[np.float64]:
    """How much darker each place of a patch (R, A) is than both places `width` rows above and below it, (R', A).

    widths: rows, one line width each; the largest answer counts. either: bright lines count as well as dark ones.
    The outermost rows, whose neighbours lie outside the patch, are left out.
    """
    answers = []
    for width in widths:
        line = np.minimum(np.roll(patch, width, 0), np.roll(patch, -width, 0)) - patch
        answers.append(np.abs(line) if either else line)
    edge = max(widths)
    return np.asarray(np.max(answers, axis=0)[edge:-edge])


def best_path(lines: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The strongest smooth line through all columns of (R, A), by dynamic programming.

    Returns its strength (A,) and its row (A,) in each column; neighbouring rows differ by one at most.
    """
    rows, columns = lines.shape
    total = lines[:, 0]
    came = np.zeros((rows, columns), dtype=np.int64)
    choices = np.full((3, rows), -np.inf)  # from the row above, the same row, the row below
    for column in range(1, columns):
        choices[0, 1:], choices[1], choices[2, :-1] = total[:-1] - _JUMP, total, total[1:] - _JUMP
        came[:, column] = choices.argmax(0) - 1
        total = choices.max(0) + lines[:, column]
    row = int(total.argmax())
    path = np.zeros(columns, dtype=np.int64)
    for column in range(columns - 1, -1, -1):
        path[column] = row
        row = int(np.clip(row + came[row, column], 0, rows - 1))
    return lines[path, np.arange(columns)], path
