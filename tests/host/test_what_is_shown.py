"""What a person meets on Restore Identity: few inputs, a bypass that keeps the edit, words while it runs, and hints."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from lab.inprocess import Host, HostError

ROOT = Path(__file__).resolve().parents[2]
WIDGETS = ("INT", "FLOAT", "STRING", "BOOLEAN", "COMBO")


@pytest.fixture(scope="module")
def schema(host: Host) -> Any:
    return host.node("EditedIDRestoreIdentity").GET_SCHEMA()


@pytest.mark.every_host
def test_few_inputs_are_in_sight_and_the_edit_comes_first(schema: Any) -> None:
    shown = [i.id for i in schema.inputs if i.get_io_type() in WIDGETS and not i.advanced]
    assert 4 <= len(shown) <= 6, shown
    assert [i.id for i in schema.inputs if i.get_io_type() == "IMAGE"] == ["edited", "original"]
    assert schema.inputs[0].id == "edited" and schema.outputs[0].get_io_type() == "IMAGE"  # bypass joins the first two
    assert schema.is_output_node


@pytest.mark.every_host
def test_values_of_saved_workflows_keep_their_order(schema: Any) -> None:
    """A workflow stores widget values by order: new ones may only come last."""
    old = ["crop_size", "mode", "steps", "strength", "init_weight", "final_steps", "solver_start", "solver_end", "cfg",
           "noise_pattern", "min_similarity", "relight", "feather", "guard", "no_face", "null_text", "freedom",
           "photos", "face_shape", "skin_tone", "strength_by_drift", "pairs"]
    inputs = sorted(schema.inputs, key=lambda i: bool(i.optional))
    assert [i.id for i in inputs if i.get_io_type() in WIDGETS][: len(old)] == old


def test_the_templates_name_what_the_host_has(host: Host) -> None:
    """Those of the pack's blueprint, too."""
    for file in sorted([*(ROOT / "example_workflows").glob("*.json"), *(ROOT / "subgraphs").glob("*.json")]):
        graph = json.loads(file.read_text(encoding="utf-8"))
        inside = [node for one in graph.get("definitions", {}).get("subgraphs", ()) for node in one["nodes"]]
        for node in inside or graph["nodes"]:
            if node["type"] == "MarkdownNote":
                continue
            groups = host.node(node["type"]).INPUT_TYPES()
            known = {name for group in ("required", "optional") for name in groups.get(group, {})}
            missing = [i["name"] for i in node["inputs"] if i["name"].split(".")[0] not in known]
            assert not missing, (file.stem, node["type"], missing)


def test_a_crop_that_no_vae_takes_is_refused_at_once(host: Host) -> None:
    prompt = {"1": {"class_type": "EditedIDSamplePictures", "inputs": {"kind": "portrait"}},
              "2": {"class_type": "EditedIDRestoreIdentity",
                    "inputs": {"edited": ["1", 1], "original": ["1", 0], "crop_size": 130}}}
    with pytest.raises(HostError, match="crop_size 130.*128 or 136"):
        host.run({**prompt, "2": {**prompt["2"], "inputs": {**values(host), **prompt["2"]["inputs"]}}})


def values(host: Host) -> dict[str, Any]:
    schema = host.node("EditedIDRestoreIdentity").GET_SCHEMA()
    return {i.id: i.default for i in schema.inputs if getattr(i, "default", None) is not None and not i.optional}


@pytest.mark.parametrize(("original", "edited", "hinted"), [("my_edit.png", "photo.jpg", True),
                                                             ("photo.jpg", "my_edit.png", False),
                                                             ("a.png", "b.png", False)])
def test_swapped_files_get_a_hint(host: Host, original: str, edited: str, hinted: bool) -> None:
    show = importlib.import_module(host.node("EditedIDRestoreIdentity").__module__.rsplit(".", 1)[0] + ".show")
    prompt = {"1": {"inputs": {"image": original}}, "2": {"inputs": {"image": edited}},
              "3": {"inputs": {"original": ["1", 0], "edited": ["2", 0]}}}
    hint = show.swap_hint(SimpleNamespace(prompt=prompt, unique_id="3"))
    assert (hint is not None) == hinted
    assert hint is None or (original in hint and "swap the wires" in hint)


def test_sample_pictures_are_of_one_size_and_differ(host: Host) -> None:
    node = host.node("EditedIDSamplePictures")
    for kind, shapes in (("portrait", (1, 1)), ("group", (3, 1)), ("frames", (1, 6))):
        original, edited = node.execute(kind).result
        assert (original.shape[0], edited.shape[0]) == shapes
        assert torch.isfinite(edited).all() and edited.std() > 0.1


def test_one_bar_with_words_that_never_goes_back(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    progress = importlib.import_module(
        host.node("EditedIDRestoreIdentity").__module__.rsplit(".", 2)[0] + ".editedid_core.comfy.progress")
    bars: list[float] = []
    monkeypatch.setattr(importlib.import_module("comfy.utils"), "PROGRESS_BAR_HOOK",
                        lambda value, total, preview, **_: bars.append(value / total))
    monkeypatch.setattr(progress, "get_executing_context", lambda: SimpleNamespace(node_id="7"))
    host.events.clear()
    say = progress.RunProgress()
    for words, done in (("loading", 0.0), ("face 1 of 1: sampling", 0.5), ("face 1 of 1: encoding", 0.3), ("", 1)):
        say(words, done)
    assert bars == sorted(bars) and bars[-1] == 1
    told = [data for event, data in host.events if event == progress.PROGRESS_EVENT]
    assert told[1] == {"node": "7", "text": "face 1 of 1: sampling"} and told[-1]["text"] == ""
