"""Features in main memory: put there during the inversion, brought back one after the other on the way down."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, Protocol, TypeVar

import torch
from torch import Tensor

P = TypeVar("P", bound=Hashable)
Self = TypeVar("Self", bound="Features")
AHEAD = 2
"""How many places are brought back before they are asked for."""


class Features(Protocol):
    """Some tensors that travel together."""

    def tensors(self) -> list[Tensor]: ...

    def each(self: Self, change: Callable[[Tensor], Tensor]) -> Self: ...


F = TypeVar("F", bound=Features)

class MainMemory(Generic[P, F]):
    """Plain copies; what a device without streams of its own gets."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._kept: dict[P, F] = {}

    def put(self, place: P, features: F) -> None:
        """Copy the features of a place to main memory."""
        self._kept[place] = features.each(Tensor.cpu)

    def get(self, place: P) -> F | None:
        """The features of a place on the device, or None."""
        kept = self._kept.get(place)
        return None if kept is None else kept.each(lambda t: t.to(self.device))

    def __contains__(self, place: object) -> bool:
        return place in self._kept


class PinnedMemory(MainMemory[P, F]):
    """Pinned copies on a CUDA stream of their own, so that they travel while the model works.

    Places (step, layer) are asked for step by step downwards and within a step in the order in which they were put;
    each question starts the copies of the next `AHEAD` places.
    """

    def __init__(self, device: torch.device) -> None:
        super().__init__(device)
        self._stream = torch.cuda.Stream(device)
        self._coming: dict[P, tuple[F, torch.cuda.Event]] = {}
        self._next: dict[P, P] = {}

    def put(self, place: P, features: F) -> None:
        self._stream.wait_stream(torch.cuda.current_stream(self.device))
        with torch.cuda.stream(self._stream):
            self._kept[place] = features.each(_to_pinned)
        for tensor in features.tensors():
            tensor.record_stream(self._stream)  # its memory is not to be used again before the copy has run
        self._next.clear()

    def get(self, place: P) -> F | None:
        if place not in self._kept:
            return None
        if not self._next:
            self._next = order_of_use(list(self._kept))
        if place not in self._coming:
            self._start(place)
        features, arrived = self._coming.pop(place)
        torch.cuda.current_stream(self.device).wait_event(arrived)
        following = self._next.get(place)
        for _ in range(AHEAD):
            if following is None:
                break
            if following not in self._coming:
                self._start(following)
            following = self._next.get(following)
        return features

    def _start(self, place: P) -> None:
        kept = self._kept[place]
        # made on the model's stream, where it will be used and freed; the copy waits for what held that memory before
        features = kept.each(lambda t: torch.empty_like(t, device=self.device))
        self._stream.wait_stream(torch.cuda.current_stream(self.device))
        with torch.cuda.stream(self._stream):
            for there, here in zip(features.tensors(), kept.tensors()):
                there.copy_(here, non_blocking=True)
                there.record_stream(self._stream)
        self._coming[place] = features, self._stream.record_event()


def order_of_use(places: list[P]) -> dict[P, P]:
    """Which (step, layer) is asked for after which: steps downwards, layers of a step as they were put."""
    used = sorted(places, key=lambda place: -place[0])  # type: ignore[index]
    return dict(zip(used, used[1:]))


def main_memory(device: torch.device) -> MainMemory:
    """The main memory of a device."""
    return PinnedMemory(device) if device.type == "cuda" else MainMemory(device)


def _to_pinned(t: Tensor) -> Tensor:
    return torch.empty(t.shape, dtype=t.dtype, pin_memory=True).copy_(t, non_blocking=True)
