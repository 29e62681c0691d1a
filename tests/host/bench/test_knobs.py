"""Every input of every node does something, a part of what `bench knobs` measures, and the measure itself."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from lab.bench import knobs
from lab.bench.knob_world import Trial, World, defaults
from lab.bench.quality import MODELS
from lab.inprocess import Host

FAST = ("EditedIDShapeFaces", "EditedIDSkinTone", "EditedIDPasteFaces", "EditedIDCropFacePairs")
"""Nodes that know no model, tried whole."""

SOME: dict[str, dict[str, tuple[str, ...]]] = {
    "dit": {
        "EditedIDAttentionDisentangle": ("strength", "start_percent", "end_percent"),
        "EditedIDReturnDetail": (),
        "EditedIDEntanglement": ("structure", "detail", "donor", "structure_start", "structure_end", "detail_start",
                                 "detail_end", "structure_blocks", "detail_blocks", "agreement_gate", "agreement"),
        "EditedIDAdaptiveMixingSampler": ("strength", "init_weight", "final_steps", "solver_start", "cfg",
                                          "null_text", "freedom"),
    },
    "unet": {
        "EditedIDAttentionDisentangle": ("strength",),
        "EditedIDEntanglement": ("structure", "detail", "structure_blocks"),
        "EditedIDAdaptiveMixingSampler": ("strength", "freedom"),
    },
}
"""Inputs that were found dead before, and their like; all of a node where none is named. The UNet, four times as slow,
gets fewer: test_one_clock tries each of its numbers on a toy."""
CASES = [("unet", kind) for kind in FAST] + [(family, kind) for family, kinds in SOME.items() for kind in kinds]


@pytest.fixture(scope="module")
def worlds() -> dict[str, World]:
    """By family; each is made once, whatever order the tests have."""
    return {}


@pytest.fixture
def world(host: Host, request: Any, worlds: dict[str, World]) -> World:
    # eight steps are four levels, of which the mixing weight is forced in the last three
    if request.param not in worlds:
        worlds[request.param] = World.open(request.param, MODELS, host, crop=64, steps=8)
    return worlds[request.param]


@pytest.mark.parametrize(("world", "kind"), CASES, indirect=["world"])
def test_no_input_is_dead(world: World, kind: str) -> None:
    only = SOME[world.family].get(kind, ())
    levels = knobs.Bench(world, kind, quick=True).levels(only)
    assert levels.keys() >= set(only) and levels and knobs.dead({kind: levels}) == []


def test_every_node_of_the_pack_has_its_knobs_tried(host: Host) -> None:
    assert sorted(knobs.SUBJECTS) == [kind for kind in host.node_ids() if kind.startswith("EditedID")]


@pytest.mark.parametrize("world", ["unet"], indirect=True)
def test_every_input_is_tried(world: World) -> None:
    assert knobs.untried(world) == []


@pytest.mark.parametrize("world", ["dit"], indirect=True)
def test_the_same_call_twice_is_no_change(world: World) -> None:
    assert knobs.Bench(world, "EditedIDAdaptiveMixingSampler").repeated() == 0


@pytest.mark.parametrize("world", ["dit"], indirect=True)
def test_an_input_that_does_nothing_is_found(world: World) -> None:
    """The same crops again are no change, whatever else acts."""
    bench = knobs.Bench(world, "EditedIDPasteFaces", quick=True)
    kept = dict(bench.subject.trials)
    bench.subject = knobs.Subject(bench.subject.sockets, bench.subject.look, {**kept, "crops": Trial(
        (bench.subject.sockets["crops"].clone(),))})
    assert knobs.dead({"node": bench.levels(["crops", "feather"])}) == ["node.crops"]


def test_levels_are_those_of_8_bit_pictures() -> None:
    black, grey = torch.zeros(1, 4, 4, 3), torch.full((1, 4, 4, 3), 0.5)
    assert knobs.difference([black], [grey]) == 127.5
    assert knobs.difference([black, "same"], [black, "same"]) == 0
    assert knobs.difference([black, "one"], [black, "two"]) == knobs.difference([black], [grey[:, :2]]) == 255


def test_ranges_are_tried_from_end_to_end(host: Host) -> None:
    node = host.node("EditedIDAdaptiveMixingSampler")
    entries = {entry.id: entry for entry in node.define_schema().inputs}
    assert set(knobs.points(entries["mode"])) == set(entries["mode"].options)
    tried = knobs.points(entries["strength"])
    assert {"auto", "half", "0.05", "1"} < set(tried) and len(tried) < len(entries["strength"].options) / 2
    assert all(isinstance(value, int) for value in knobs.points(entries["steps"]))
    with pytest.raises(ValueError, match="model: say"):
        knobs.points(entries["model"])
    assert defaults(node)["steps"] == entries["steps"].default
