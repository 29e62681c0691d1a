"""The templates as they are shipped: named for what people look for, readable, and with no wire behind a node."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
FILES = sorted((ROOT / "example_workflows").glob("*.json"))
WORDS = ("face", "identity", "restore", "person", "likeness")
OPEN_WIRES = {"Every stage as a node (face, identity, likeness)"}
"""So many wires cannot all go around the nodes."""


def loaded(file: Path) -> dict[str, Any]:
    return json.loads(file.read_text(encoding="utf-8"))


def test_every_word_finds_a_template_near_the_start_of_its_name() -> None:
    for word in WORDS:  # the browser's search looks at the first 33 characters well, at later ones badly
        assert any(0 <= file.stem.lower().find(word) <= 33 for file in FILES), word
    assert len(FILES) == 10


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_template_explains_itself(file: Path) -> None:
    graph = loaded(file)
    (note,) = (node for node in graph["nodes"] if node["type"] == "MarkdownNote")
    assert "agree" in note["widgets_values"][0] and graph["groups"]
    assert file.with_suffix(".jpg").read_bytes()[:2] == b"\xff\xd8"
    for node in graph["nodes"]:
        if node["type"] in ("CheckpointLoaderSimple", "UNETLoader", "VAELoader"):
            (model,) = node["properties"]["models"]
            assert model["name"] == node["widgets_values"][0] and model["url"].endswith(model["name"])


@pytest.mark.parametrize("file", [file for file in FILES if file.stem not in OPEN_WIRES], ids=lambda file: file.stem)
def test_no_wire_runs_behind_a_node(file: Path) -> None:
    graph = loaded(file)
    nodes = {node["id"]: node for node in graph["nodes"]}
    for _, source, output, target, slot, _ in graph["links"]:
        for other in nodes.values():
            if other["id"] not in (source, target):
                assert not crosses(nodes[source], output, nodes[target], slot, other), (source, target, other["id"])


def crosses(source: Any, output: int, target: Any, slot: int, other: Any) -> bool:
    """Whether the front end's curve between two sockets passes under a node with its title."""
    x0, y0 = source["pos"][0] + source["size"][0], source["pos"][1] + 20 * (output + 0.7)
    x1, y1 = target["pos"][0], target["pos"][1] + 20 * (slot + 0.7)
    reach = math.hypot(x1 - x0, y1 - y0) / 4
    left, top, (width, height) = other["pos"][0], other["pos"][1] - 30, other["size"]
    for step in range(101):
        t = step / 100
        a, b, c, d = (1 - t) ** 3, 3 * (1 - t) ** 2 * t, 3 * (1 - t) * t * t, t**3
        x, y = a * x0 + b * (x0 + reach) + c * (x1 - reach) + d * x1, (a + b) * y0 + (c + d) * y1
        if left < x < left + width and top < y < other["pos"][1] + height:
            return True
    return False
