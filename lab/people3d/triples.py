"""Triples as an editing model makes them: the photo, the edit as it should be, the edit with a drifted face.

The easy half edits one thing and mostly keeps the pose. The hard half differs by design: turned heads, another
expression, things over the face, hair over the brow, low light, small faces.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from .dice import Dice
from .edits import edited_scenes, hard_scenes, jittered, original_scenes
from .people import SPLITS, People, people_of
from .scenes import Scenes
from .traits import TRAITS
from .world import Drawn, World

KINDS = ("accessory", "background", "light", "expression", "hair", "everything")
HARD = ("turned", "expression", "covered", "fringe", "low light", "small")
DRIFTS = ("small", "medium", "large")
SHARE = {"small": 0.3, "medium": 0.5, "large": 0.8}
"""How far a drift goes towards another person; `PULL` of it goes to the average face, as editing models beautify."""
PULL = 0.25
KEEP_POSE = 0.7
"""Share of easy triples whose edit keeps pose and expression but for small jitter."""
HELD = (
    "melanin",
    "undertone",
    "hair_melanin",
    "hair_red",
    "grey",
    "curl",
    "beard",
    "moustache",
    "cheek_beard",
    "bald",
    "cut",
    "part",
    "woman",
    "age",
    "eye_light",
    "eye_hue",
)
"""Editing models keep these better than shapes: they drift by a third of it."""
OTHERS = 40_000_000
"""Seeds of the people that drifts go to; no split has them."""
@dataclass(frozen=True, eq=False)
class Triples:
    """n triples. original: scene A; ideal: the same person in scene B; drifted: a moved person in scene B with jitter.
    kinds, drifts: names. keeps_pose (n,) bool."""

    original: Drawn
    ideal: Drawn
    drifted: Drawn
    kinds: list[str]
    drifts: list[str]
    keeps_pose: torch.Tensor
    seeds: list[int]


def split_seeds(name: str, n: int) -> list[int]:
    """The first n seeds of a split. Raises ValueError for an unknown name or more than a split has."""
    if name not in SPLITS:
        raise ValueError(f"unknown split {name!r}; choose one of {', '.join(SPLITS)}")
    start, end = SPLITS[name]
    if n > end - start:
        raise ValueError(f"split {name!r} has {end - start} seeds, {n} were asked for")
    return list(range(start, start + n))


def drift(people: People, seeds: Sequence[int], share: torch.Tensor) -> People:
    """People as an editing model changes them: towards another person and a little to the average face."""
    other = people_of([OTHERS + s for s in seeds])
    moved = people.blend(other, share * (1 - PULL))
    mean = (
        other.shape.mean(0, keepdim=True)
        if len(seeds) > 8
        else people_of(range(OTHERS - 32, OTHERS)).shape.mean(0, keepdim=True)
    )
    values = moved.values.clone()
    for name in HELD:
        k = TRAITS.index(name)
        values[:, k] = people.values[:, k] + (moved.values[:, k] - people.values[:, k]) * (
            0.0 if name in ("bald", "cut", "part", "moustache", "woman") else 0.33
        )
    return People(torch.lerp(moved.shape, mean.expand_as(moved.shape), (share * PULL)[:, None]), values, moved.marks)


def make_triples(
    world: World,
    seeds: Sequence[int],
    size: int = 256,
    hard: bool = False,
    truth: bool = True,
    kinds: Sequence[str] | None = None,
    drifts: Sequence[str] | None = None,
) -> Triples:
    """The triples of seeds, drawn. Without kinds and drifts the seeds decide.

    hard: the hard half, whose kinds are `HARD`. Raises ValueError for an unknown kind or drift.
    """
    known = HARD if hard else KINDS
    kinds = [known[s % len(known)] for s in seeds] if kinds is None else list(kinds)
    drifts = [DRIFTS[s // len(known) % len(DRIFTS)] for s in seeds] if drifts is None else list(drifts)
    if bad := [k for k in kinds if k not in known] + [d for d in drifts if d not in DRIFTS]:
        raise ValueError(f"unknown kind or drift {bad[0]!r}; kinds are {', '.join(known)}, drifts {', '.join(DRIFTS)}")
    people = people_of(seeds)
    rows = []
    for k, seed in enumerate(
        seeds
    ):  # scenes are drawn seed by seed, so that a triple does not depend on its neighbours
        generator = torch.Generator().manual_seed(int(seed) * 2 + int(hard))
        person = people[k : k + 1]
        first = original_scenes(person, generator)
        keeps = torch.rand(1, generator=generator) < KEEP_POSE
        second = (
            hard_scenes(first, person, kinds[k : k + 1], generator)
            if hard
            else edited_scenes(first, person, kinds[k : k + 1], keeps, generator)
        )
        rows.append((first, second, jittered(second, generator), keeps & (not hard)))
    first, second, third = (Scenes.cat([r[j] for r in rows]) for j in range(3))
    share = torch.tensor([SHARE[d] for d in drifts])
    spread = Dice(torch.tensor([s % (1 << 30) for s in seeds]), torch.device("cpu"), 5).uniform()
    other = drift(people, seeds, share * (0.85 + 0.3 * spread))
    return Triples(
        world.draw(people, first, size, truth),
        world.draw(people, second, size, truth),
        world.draw(other, third, size, truth, framed=(people, second)),  # an editing model keeps the camera
        list(kinds),
        list(drifts),
        torch.cat([r[3] for r in rows]),
        list(seeds),
    )
