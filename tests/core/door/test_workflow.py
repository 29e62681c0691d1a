"""Workflows of the front end in the API form."""
from __future__ import annotations

import pytest

from lab.workflow import nodes_of, to_api

DEFINITIONS = {
    "Load": {"input": {"required": {"file": [["a", "b"], {}]}}},
    "Work": {"input": {
        "required": {"image": ["IMAGE", {}], "seed": ["INT", {}], "note": ["STRING", {"forceInput": True}],
                     "mode": ["COMBO", {"options": ["x", "y"]}]},
        "optional": {"mask": ["MASK", {}], "share": ["FLOAT", {}]},
    }},
}
LOAD = {"id": 1, "type": "Load", "widgets_values": ["b"], "inputs": []}
WORK = {
    "id": 2, "type": "Work", "widgets_values": [7, "randomize", "y", 0.5],
    "inputs": [{"name": "image", "link": 5}, {"name": "mask", "link": None}],
}


def test_widgets_and_links_find_their_inputs():
    workflow = {"nodes": [LOAD, WORK, {"id": 3, "type": "Note"}], "links": [[5, 1, 0, 2, 0, "IMAGE"]]}
    prompt = to_api(workflow, DEFINITIONS)
    assert prompt == {
        "1": {"class_type": "Load", "inputs": {"file": "b"}},
        "2": {"class_type": "Work", "inputs": {"image": ["1", 0], "seed": 7, "mode": "y", "share": 0.5}},
    }
    assert nodes_of(prompt, "Work") == ["2"]


def test_widgets_newer_than_the_workflow_have_their_defaults():
    newer = {"input": {"required": {"file": [["a", "b"], {}], "way": [["left", "right"], {}]},
                       "optional": {"share": ["FLOAT", {"default": 0.5}], "mode": ["COMBO", {"options": ["x", "y"]}],
                                    "codec": ["COMFY_DYNAMICCOMBO_V3", {"options": [{"key": "auto", "inputs": {}}]}]}}}
    prompt = to_api({"nodes": [LOAD], "links": []}, {"Load": newer})
    assert prompt["1"]["inputs"] == {"file": "b", "way": "left", "share": 0.5, "mode": "x", "codec": "auto"}


@pytest.mark.parametrize(("node", "sentence"), [
    ({"id": 1, "type": "Absent"}, "install its pack"),
    ({**LOAD, "mode": 4}, "muted or bypassed"),
])
def test_what_cannot_run_is_refused(node, sentence):
    with pytest.raises(ValueError, match=sentence):
        to_api({"nodes": [node], "links": []}, DEFINITIONS)


def test_an_empty_list_of_files_is_no_hindrance():
    definitions = {"Load": {"input": {"required": {"image": [[]], "upscale": [["no", "yes"]]}}}}
    prompt = to_api({"nodes": [{**LOAD, "widgets_values": ["b"]}], "links": []}, definitions)
    assert prompt["1"]["inputs"] == {"image": "b", "upscale": "no"}
