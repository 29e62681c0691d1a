"""What a real server offers of the pack, and the shipped workflow run over HTTP as the demo does."""
from __future__ import annotations

import argparse
import io
import json
import subprocess
import sys
from urllib.parse import quote

import av
import numpy as np
import pytest
from PIL import Image

from door.paths import PACK_NAME, ROOT
from door.server import Rejected
from lab.checkpoints import CROPS
from lab.demo import restore
from lab.demo_pictures import triple_pictures
from lab.templates.run import VIDEO, with_the_labs, write_video
from lab.workflow import nodes_of, to_api

WORKFLOWS = sorted(file.stem for file in (ROOT / "example_workflows").glob("*.json"))


@pytest.mark.every_host
def test_templates_and_their_thumbnails_are_offered(server):
    assert "ERROR" not in server.log.read_text(encoding="utf-8")  # of templates that the host itself would have
    assert sorted(server.get("/workflow_templates")[PACK_NAME]) == WORKFLOWS
    for name in WORKFLOWS:
        assert server.read(f"/api/workflow_templates/{PACK_NAME}/{quote(name)}.jpg")[:2] == b"\xff\xd8"


@pytest.mark.every_host
def test_every_node_has_its_help_page_and_texts(server):
    ours = [name for name in server.get("/object_info") if name.startswith("EditedID")]
    texts = server.get("/i18n")["en"]["nodeDefs"]
    for name in ours:
        assert server.read(f"/extensions/{PACK_NAME}/docs/{name}.md").startswith(b"# ")
        assert server.read(f"/extensions/{PACK_NAME}/docs/{name}/node.webp")[8:12] == b"WEBP"
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


@pytest.mark.parametrize("family", ["unet", "dit", None], ids=str)
def test_the_demo_restores_the_person(server, family):
    original, edited = triple_pictures()
    options = argparse.Namespace(checkpoint=None, model_family=family)
    restored, report = restore(server, original, edited, options)
    (face,) = report["faces"]
    assert face["accepted"] and (report["network_evaluations"] > 0) == (family is not None)
    assert face["id_similarity_after"] >= face["id_similarity_before"] + 0.20
    assert report["outside_pixels_changed"] == 0
    left, top, right, bottom = (round(edge) for edge in face["box"])
    same = np.all(np.asarray(restored) == np.asarray(edited), axis=-1)
    assert same[0].all() and same[:, 0].all() and same[-1].all() and same[:, -1].all()
    assert not same[top:bottom, left:right].all()


def test_the_python_example_restores_a_face(server, tmp_path):
    script, prompt = (ROOT / "docs" / "api" / name for name in ("restore.py", "restore.json"))
    (tmp_path / script.name).write_text(script.read_text(encoding="utf-8"), encoding="utf-8")
    graph = json.loads(prompt.read_text(encoding="utf-8"))
    graph["5"]["inputs"].update(quality="fast", crop_size=str(CROPS["dit"]))  # of the lab's model
    (tmp_path / prompt.name).write_text(json.dumps(graph), encoding="utf-8")
    photo, edit = (server.base / "input" / f"editedid_{name}.png" for name in ("original", "edited"))
    command = [sys.executable, "restore.py", str(photo), str(edit), "dit_lab.safetensors", server.url]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.stdout.startswith("Face 1: 0."), done.stderr
    restored, edited = (np.asarray(Image.open(path).convert("RGB")) for path in (tmp_path / "restored.png", edit))
    assert restored.shape == edited.shape and not np.array_equal(restored, edited)
    command[-2] = "another.safetensors"
    refused = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert refused.returncode == 1 and "another.safetensors" in refused.stderr


def test_the_template_for_frames_makes_a_video(server):
    name = next(one for one in WORKFLOWS if one.startswith("Frames"))
    write_video(server.base / "input" / VIDEO, frames=2)
    workflow = json.loads((ROOT / "example_workflows" / f"{name}.json").read_text(encoding="utf-8"))
    prompt = with_the_labs(name, to_api(workflow, server.get("/object_info")))
    (restorer,) = nodes_of(prompt, "EditedIDRestoreIdentity")
    for wire in ("model", "vae", "clip"):
        del prompt[restorer]["inputs"][wire]
    shown = server.run(prompt)
    lines = shown[restorer]["editedid_lines"]
    assert [line.split(":")[0] for line in lines] == ["Face 1 of picture 1", "Face 1 of picture 2"]
    (save,) = nodes_of(prompt, "SaveVideo")
    (file,) = shown[save]["images"]
    with av.open(io.BytesIO(server.image(file))) as made:
        assert sum(1 for _ in made.decode(video=0)) == 2


def test_a_wrong_prompt_is_refused_with_the_input_named(server):
    file = ROOT / "example_workflows" / "Try it - restore a face (no downloads).json"
    workflow = json.loads(file.read_text(encoding="utf-8"))
    prompt = to_api(workflow, server.get("/object_info"))
    (restorer,) = nodes_of(prompt, "EditedIDRestoreIdentity")
    prompt[restorer]["inputs"]["steps"] = 0
    with pytest.raises(Rejected, match="steps"):
        server.run(prompt)
