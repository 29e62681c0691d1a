"""What a real server offers of the pack, and the shipped workflow run over HTTP as the demo does."""
from __future__ import annotations

import argparse
import json
from urllib.parse import quote

import numpy as np
import pytest

from door.paths import PACK_NAME, ROOT
from door.server import Rejected
from lab.demo import restore
from lab.demo_pictures import triple_pictures
from lab.workflow import nodes_of, to_api

WORKFLOWS = sorted(file.stem for file in (ROOT / "example_workflows").glob("*.json"))


def test_templates_and_their_thumbnails_are_offered(server):
    assert sorted(server.get("/workflow_templates")[PACK_NAME]) == WORKFLOWS
    for name in WORKFLOWS:
        assert server.read(f"/api/workflow_templates/{PACK_NAME}/{quote(name)}.jpg")[:2] == b"\xff\xd8"


def test_every_node_has_its_help_page_and_texts(server):
    ours = [name for name in server.get("/object_info") if name.startswith("EditedID")]
    texts = server.get("/i18n")["en"]["nodeDefs"]
    for name in ours:
        assert server.read(f"/extensions/{PACK_NAME}/docs/{name}.md").startswith(b"# ")
        assert texts[name]["display_name"]


def test_every_input_and_output_has_a_tooltip(server):
    for name, node in server.get("/object_info").items():
        if not name.startswith("EditedID"):
            continue
        assert node["description"]
        assert all(node["output_tooltips"]), f"{name}: an output without a tooltip"
        for group in ("required", "optional"):
            for socket, (_, *settings) in node["input"].get(group, {}).items():
                assert settings and settings[0].get("tooltip"), f"{name}.{socket} has no tooltip"


@pytest.mark.parametrize("family", ["unet", "dit"])
def test_the_demo_restores_the_person(server, family):
    original, edited = triple_pictures()
    options = argparse.Namespace(checkpoint=None, model_family=family)
    restored, report = restore(server, original, edited, options)
    (face,) = report["faces"]
    assert face["accepted"]
    assert face["id_similarity_after"] >= face["id_similarity_before"] + 0.20
    assert report["outside_pixels_changed"] == 0
    left, top, right, bottom = (round(edge) for edge in face["box"])
    same = np.all(np.asarray(restored) == np.asarray(edited), axis=-1)
    assert same[0].all() and same[:, 0].all() and same[-1].all() and same[:, -1].all()
    assert not same[top:bottom, left:right].all()


def test_a_wrong_prompt_is_refused_with_the_input_named(server):
    file = ROOT / "example_workflows" / "Try it - restore a face (no downloads).json"
    workflow = json.loads(file.read_text(encoding="utf-8"))
    prompt = to_api(workflow, server.get("/object_info"))
    (restorer,) = nodes_of(prompt, "EditedIDRestoreIdentity")
    prompt[restorer]["inputs"]["steps"] = 0
    with pytest.raises(Rejected, match="steps"):
        server.run(prompt)
