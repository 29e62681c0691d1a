"""The worlds that the quality benchmark runs on, by name: drawn people, and rendered ones (`rendered.py`)."""
from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .. import portraits
from ..photos.store import DEFAULT
from . import measures
from .judges import Judges
from .methods import Methods

Array = NDArray[np.float32]
NAMES = ("drawn", "people3d")


class Masks(Protocol):
    """`face` (S, S) in [0, 1]: the face's skin and features where they are seen."""

    @property
    def face(self) -> Array: ...


class Picture(Protocol):
    """`image` (S, S, 3) in [0, 1]; `landmarks`: five points (5, 2), pixels; `elements` (S, S): what is worn over it."""

    @property
    def image(self) -> Array: ...
    @property
    def landmarks(self) -> Array: ...
    @property
    def masks(self) -> Masks: ...
    @property
    def elements(self) -> Array: ...


class Triple(Protocol):
    """The photo, the edit as it should be, and the edit whose face drifted."""

    @property
    def original(self) -> Picture: ...
    @property
    def ideal(self) -> Picture: ...
    @property
    def drifted(self) -> Picture: ...
    @property
    def kind(self) -> str: ...
    @property
    def drift(self) -> str: ...
    @property
    def keeps_pose(self) -> bool: ...


class Witness(Protocol):
    """Who judges a picture; see `judges.Judges`."""

    def points(self, picture: Array, near: Array | None = None) -> Array | None: ...

    def identity(self, picture: Array, points: Array) -> tuple[Array, Array]: ...

    def damage(self, picture: Array, points: Array) -> float: ...


class World(Protocol):
    """Triples by seed, who judges them, and what is run on them."""

    def triple(self, seed: int) -> Any:
        """The `Triple` of a seed."""

    def photo(self, triple: Any) -> Picture:
        """The photo to whose face likeness is measured."""

    def witness(self, triple: Any) -> Witness:
        """The judges of a triple."""

    def places(self, triple: Any) -> Array:
        """Where the five points belong, (5, 2), as the judges' detector sees them."""

    def whole(self, out: dict[str, float], drifted: dict[str, float]) -> float:
        """1 where the face is restored whole, 0 where not, NaN where the triple tells nothing. Measures by name."""

    def groups(self, triple: Any) -> tuple[str, ...]:
        """Names of the groups that the triple belongs to."""

    def methods(self, family: str) -> Methods:
        """What runs the methods."""


class Drawn:
    """People of `lab.portraits`, judged by the lab's own networks."""

    def __init__(self, models: Path) -> None:
        self._models = models
        self._judges = Judges.open(models)

    def triple(self, seed: int) -> portraits.Triple:
        return portraits.make_triple(seed)

    def photo(self, triple: portraits.Triple) -> portraits.Portrait:
        return triple.original

    def witness(self, triple: portraits.Triple) -> Judges:
        return self._judges

    def places(self, triple: portraits.Triple) -> Array:
        return triple.ideal.landmarks

    def whole(self, out: dict[str, float], drifted: dict[str, float]) -> float:
        return float(measures.restored_whole(out, drifted))

    def groups(self, triple: portraits.Triple) -> tuple[str, ...]:
        return kinds_of(triple)

    def methods(self, family: str) -> Methods:
        return Methods(family, self._models)


def kinds_of(triple: Triple) -> tuple[str, ...]:
    """Kind of edit, size of drift, and whether expression or pose changed."""
    changed = triple.kind == "expression" or not triple.keeps_pose
    return f"kind {triple.kind}", f"drift {triple.drift}", *(("expression changed",) if changed else ())


def seeds(world: str, split: str, n: int) -> list[int]:
    """Seeds of `n` triples of a split. ValueError where it has less."""
    if world == "drawn":
        return portraits.triple_split(split, n)
    from . import rendered

    return rendered.seeds(split, n)


def known(world: str, family: str) -> dict[str, Any]:
    """What the figures of a world depend on beside its triples: the family of the model, and who judges."""
    if world == "drawn":
        return {"family": family}
    from . import rendered

    return {"family": rendered.SHIPPED.stem, "judges": rendered.deciding(DEFAULT)}


def open_world(name: str, models: Path, packed: Path | None = None) -> World:
    """The world of a name in `NAMES`. packed: a model of rendered people instead of the shipped one.

    ValueError for another name; RuntimeError where something is missing.
    """
    if name == "drawn":
        return Drawn(models)
    if name == "people3d":
        from .rendered import Rendered

        return Rendered(models, packed=packed)
    raise ValueError(f"There is no world {name!r}; there are {', '.join(NAMES)}.")


