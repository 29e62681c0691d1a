"""Work spread over processes: rendering before a training, and drawing batches during it.

Every item has a seed of its own, so results are the same whatever the number of workers. Nothing travels through
shared memory, which is small or missing in some containers.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import count
from typing import Any, TypeVar

import cv2
import torch
from torch.utils.data import DataLoader, Dataset

Item = TypeVar("Item")
Result = TypeVar("Result")
Batch = TypeVar("Batch")


def single_thread(*_: object) -> None:
    """One thread a process: the processes themselves fill the cores."""
    cv2.setNumThreads(1)
    torch.set_num_threads(1)


def spread(function: Callable[[Item], Result], items: Sequence[Item], workers: int) -> list[Result]:
    """``function`` of every item, in order; ``function`` and its results must pickle. Below 2 workers: in place."""
    cv2.setNumThreads(1)  # a process that forks while OpenCV has threads leaves children that wait for ever
    if workers < 2:
        return [function(item) for item in items]
    chunk = max(1, min(64, len(items) // (4 * workers)))
    with ProcessPoolExecutor(workers, initializer=single_thread) as pool:
        return list(pool.map(function, items, chunksize=chunk))


class _Steps(Dataset):
    """The batch of each training step; item ``step`` is all of it."""

    def __init__(self, draw: Callable[[int], Any]) -> None:
        self.draw = draw

    def __getitem__(self, step: int) -> Any:
        return self.draw(step)


def _as_drawn(batch: Any) -> Any:
    return batch


def batches(draw: Callable[[int], Batch], start: int, workers: int) -> Iterator[Batch]:
    """``draw(start)``, ``draw(start + 1)``, ... without end, made ahead by ``workers`` processes (0: when asked for).

    ``draw`` gives arrays, not tensors, so that batches come through pipes; it must pickle where processes spawn.
    """
    cv2.setNumThreads(1)
    if not workers:
        return map(draw, count(start))
    sampler: Any = count(start)
    return iter(DataLoader(_Steps(draw), batch_size=None, sampler=sampler, num_workers=workers, prefetch_factor=4,
                           collate_fn=_as_drawn, worker_init_fn=single_thread))
