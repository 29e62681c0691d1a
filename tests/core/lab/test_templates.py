"""The templates as they are shipped: named for what people look for, readable, and with no wire behind a node."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lab.templates.wires import around, hidden

ROOT = Path(__file__).resolve().parents[3]
FILES = sorted((ROOT / "example_workflows").glob("*.json"))
LOADERS = ("CheckpointLoaderSimple", "UNETLoader", "VAELoader", "CLIPLoader", "DualCLIPLoader")
WORDS = ("face", "identity", "restore", "person", "likeness")

def loaded(file: Path) -> dict[str, Any]:
    return json.loads(file.read_text(encoding="utf-8"))


def test_every_word_finds_a_template_near_the_start_of_its_name() -> None:
    for word in WORDS:  # the browser's search looks at the first 33 characters well, at later ones badly
        assert any(0 <= file.stem.lower().find(word) <= 33 for file in FILES), word
    assert len(FILES) == 11


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_template_explains_itself(file: Path) -> None:
    graph = loaded(file)
    (note,) = (node for node in graph["nodes"] if node["type"] == "MarkdownNote")
    assert "agree" in note["widgets_values"][0] and graph["groups"]
    assert file.with_suffix(".jpg").read_bytes()[:2] == b"\xff\xd8"
    for node in graph["nodes"]:
        if node["type"] in LOADERS:
            models = node["properties"]["models"]
            assert [one["name"] for one in models] == node["widgets_values"][: len(models)]
            assert all(one["url"].endswith(one["name"]) for one in models)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_model_comes_with_its_empty_prompt_and_its_own_size(file: Path) -> None:
    """Nothing is to be looked up: the text encoder is there, and crops are as large as the model was made for."""
    for node in loaded(file)["nodes"]:
        wired = {one["name"] for one in node["inputs"] if one["link"] is not None}
        if node["type"] in ("EditedIDRestoreIdentity", "EditedIDAdaptiveMixingSampler", "EditedIDSuperResolveFace"):
            assert "model" not in wired or wired & {"clip", "positive"}
        if node["type"] == "EditedIDCropFacePairs":
            assert "model" in wired
        widgets = [one["name"] for one in node["inputs"] if "widget" in one]
        for name in {"crop_size", "size"} & set(widgets):
            assert node["widgets_values"][widgets.index(name)] == "auto"


def test_app_mode_tells_the_photo_from_the_edit() -> None:
    apps = [graph for graph in map(loaded, FILES) if "linearData" in graph["extra"]]
    assert len(apps) == 6
    for graph in apps:
        sockets = {(node["id"], one["name"]): one for node in graph["nodes"] for one in node["inputs"]}
        shown = [sockets[number, name] for number, name in graph["extra"]["linearData"]["inputs"]]
        names = [one.get("label", one["name"]) for one in shown]
        assert len(set(names)) == len(names) and not {"image", "ckpt_name"} & set(names)
        assert graph["extra"]["linearData"]["outputs"] == [n["id"] for n in graph["nodes"] if n["type"] == "SaveImage"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_no_wire_runs_behind_a_node(file: Path) -> None:
    assert hidden(loaded(file)) == []


def test_serve_opens_on_a_template_that_is_there() -> None:
    script = (ROOT / "lab" / "opening" / "web" / "opening.js").read_text(encoding="utf-8")
    (first,) = (file for file in FILES if f'const FIRST = "{file.stem}";' in script)
    assert "workflow_templates/ComfyUI-EditedID/" in script and first.stem.startswith("Try it")


def test_a_wire_behind_a_node_is_seen_and_led_around() -> None:
    def node(number: int, left: int) -> dict[str, Any]:
        return {"id": number, "pos": [left, 0], "size": [100, 100]}

    graph: dict[str, Any] = {"nodes": [node(1, 0), node(2, 300), node(3, 600)], "extra": {},
                             "links": [[7, 1, 0, 3, 0, "IMAGE"], [8, 1, 0, 2, 0, "IMAGE"]]}
    assert hidden(graph) == [(7, 2)]
    graph["extra"] = around(graph, 200.0)
    assert hidden(graph) == [] and {one["id"] for one in graph["extra"]["linkExtensions"]} == {7}


def test_groups_have_room_for_their_nodes() -> None:
    for file in FILES:
        graph = loaded(file)
        for node in graph["nodes"]:
            (x, y), (width, height) = node["pos"], node["size"]
            for group in graph["groups"]:
                left, top, wide, high = group["bounding"]
                if left < x < left + wide and top < y < top + high:
                    assert x + width <= left + wide and y + height <= top + high, (file.stem, node["type"])
