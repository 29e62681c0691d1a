"""The layer probe's choice on a model whose blocks are known, and the file it leaves."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

import pytest

from editedid_core.engines.edited_id.attention.blocks import NOWHERE, BlockChoice, parse_blocks
from editedid_core.engines.edited_id.attention.probe import (
    GATES,
    LEAST_SCORE,
    GateName,
    Measured,
    Probe,
    probe_blocks,
    read_choice,
)

UNET = {"down": [1, 2], "mid": [0], "up": [3, 4]}
GOOD = {("structure", "down.2"): Measured(0.04, 0.0, 0.0, 0.0), ("structure", "mid.0"): Measured(0.0, -0.004, 0.0, 0.0),
        ("detail", "up.4"): Measured(0.10, 0.0, 0.001, 0.0)}
BAD = {("structure", "up.3"): Measured(0.01, 0.02, 0.0, 0.0), ("detail", "down.1"): Measured(0.02, 0.0, 0.01, 0.004)}


def known_model(effects: Mapping[tuple[str, str], Measured],
                runs: list[tuple[str, str]]) -> Callable[[str, str], Measured]:
    """A model in which every block adds its own figures."""

    def measure(structure: str, detail: str) -> Measured:
        runs.append((structure, detail))
        total = [0.5, 0.05, 0.02, 0.01]
        for gate, text in (("structure", structure), ("detail", detail)):
            for part, number in parse_blocks(text, UNET, BlockChoice(frozenset())).blocks:
                added = effects.get((gate, f"{part}.{number}"))
                if added is not None:
                    values = (added.identity, added.structure, added.light, added.elements)
                    total = [a + b for a, b in zip(total, values)]
        return Measured(*total)

    return measure


def probed(effects: Mapping[tuple[str, str], Measured], gates: tuple[GateName, ...] = GATES,
           together: int = 1) -> tuple[Probe, list[tuple[str, str]]]:
    runs: list[tuple[str, str]] = []
    return probe_blocks("toy", UNET, gates, ("down, mid", "up"), 3, known_model(effects, runs), together), runs


def test_blocks_that_do_more_good_than_harm_are_chosen_best_first() -> None:
    probe, runs = probed(GOOD | BAD)
    assert probe.structure_blocks == "down.2, mid.0"
    assert probe.detail_blocks == "up.4"
    assert len(runs) == 2 * (1 + 5)
    structure = [effect for effect in probe.effects if effect.gate == "structure"]
    assert [effect.blocks for effect in structure][:2] == ["down.2", "mid.0"]
    assert structure[-1].blocks == "up.3" and structure[-1].score < -LEAST_SCORE
    assert structure[0].identity == pytest.approx(0.04)


def test_the_gate_that_is_not_probed_keeps_its_list() -> None:
    probe, runs = probed(GOOD, gates=("detail",))
    assert {structure for structure, _ in runs} == {"down, mid"}
    assert probe.structure_blocks == "down, mid"


def test_a_gate_that_only_does_harm_gets_no_block() -> None:
    probe, _ = probed(BAD)
    assert (probe.structure_blocks, probe.detail_blocks) == ("none", "none")
    assert parse_blocks("none", UNET) == NOWHERE


def test_a_gate_that_does_nothing_in_the_run_is_told() -> None:
    probe, _ = probed({("detail", "up.4"): Measured(0.10, 0.0, 0.0, 0.0)})
    assert probe.structure_blocks == "none"
    assert "The structure gate did nothing in this run" in probe.text() and "`strength`" in probe.text()
    assert "The detail gate did nothing" not in probe.text()


def test_neighbours_left_out_together_take_fewer_runs() -> None:
    probe, runs = probed(GOOD, gates=("structure",), together=2)
    assert len(runs) == 1 + 3
    assert probe.structure_blocks == "down.1, down.2, mid.0, up.3"
    assert runs[1][0] == "mid.0, up.3, up.4"


def test_a_file_gives_back_its_choice() -> None:
    content = probed(GOOD)[0].to_json()
    assert read_choice(content, "structure", UNET, "structure_blocks") == "down.2, mid.0"
    assert read_choice(content, "detail", UNET, "detail_blocks") == "up.4"


@pytest.mark.parametrize(("content", "told"), [
    ("not json", "not JSON"),
    ("[1, 2]", "not a block choice"),
    ("{}", "not a block choice"),
    (json.dumps({"format": "editedid-blocks-1", "detail_blocks": 3}), "not a block choice"),
    (json.dumps({"format": "editedid-blocks-1", "model": "big", "blocks": "double.0,1", "detail_blocks": "double.0"}),
     "another model"),
    (json.dumps({"format": "editedid-blocks-1", "model": "toy", "blocks": "down.1,2 mid.0 up.3,4",
                 "detail_blocks": "up.9"}), "up.9"),
])
def test_a_wrong_file_is_told_by_the_inputs_name(content: str, told: str) -> None:
    with pytest.raises(ValueError, match="detail_blocks") as error:
        read_choice(content, "detail", UNET, "detail_blocks")
    assert told in str(error.value)
