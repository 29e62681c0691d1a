"""Each shipped workflow, opened in the real front end from its template, run there, and looked at."""
from __future__ import annotations

import json
import os
from pathlib import Path
from urllib.parse import quote

import pytest

from door.paths import PACK_NAME, ROOT

pytestmark = pytest.mark.every_host

TRY_IT = "Try it - restore a face (no downloads)"
WORKFLOWS = sorted(file.stem for file in (ROOT / "example_workflows").glob("*.json"))
SEARCH = """async (words) => {
    const pinia = document.querySelector("#vue-app").__vue_app__.config.globalProperties.$pinia;
    while (!pinia._s.get("nodeFrequency")?.isLoaded) await new Promise((later) => setTimeout(later, 100));
    const search = pinia._s.get("nodeDef").nodeSearchService; // of both search boxes and of the node library
    return Object.fromEntries(words.map((word) => [word, search.searchNode(word)[0]?.name]));
}"""
BYPASSED = """async () => {
    const node = app.graph.nodes.find((node) => node.type === "EditedIDRestoreIdentity");
    node.mode = 4;
    const { output } = await app.graphToPrompt();
    node.mode = 0;
    return Object.values(output).find((node) => node.class_type === "SaveImage").inputs.images;
}"""
WITH_DLIB = """() => {
    const loader = LiteGraph.createNode("EditedIDLoadFaceAnalyzer");
    app.graph.add(loader);
    loader.pos = [440, 520];
    loader.widgets.find((widget) => widget.name === "backend").value = "dlib"; // here auto is the lab's own pack
    const node = app.graph.nodes.find((node) => node.type === "EditedIDRestoreIdentity");
    loader.connect(0, node, node.inputs.findIndex((input) => input.name === "analyzer"));
}"""
LINES = "() => [...document.querySelectorAll('.editedid-text .line')].map((line) => line.textContent)"
OPEN = """async (address) => {
    const workflow = await (await fetch(address)).json();
    await app.loadGraphData(workflow);
    await app.extensionManager.setting.set("Comfy.Minimap.Visible", false);
    return (await app.graphToPrompt()).output;
}"""
RUN = """() => new Promise((resolve) => {
    app.api.addEventListener("execution_success", () => resolve("success"));
    app.api.addEventListener("execution_error", (event) => resolve(event.detail.exception_message));
    setTimeout(() => resolve("no result in time"), 300000);
    app.queuePrompt(0, 1);
})"""
SHOW_ALL = """() => {
    const boxes = app.graph.nodes.map((node) => [...node.pos, node.pos[0] + node.size[0], node.pos[1] + node.size[1]]);
    const [left, top] = [0, 1].map((side) => Math.min(...boxes.map((box) => box[side])));
    const [right, bottom] = [2, 3].map((side) => Math.max(...boxes.map((box) => box[side])));
    const scale = Math.min(1480 / (right - left), 780 / (bottom - top));
    app.canvas.ds.scale = scale;
    app.canvas.ds.offset = [80 / scale - left, 100 / scale - top];
    app.canvas.setDirty(true, true);
}"""
TYPED = ("face", "restore face", "face swap", "faceid", "face id", "fix face", "keep face", "likeness", "same person",
         "consistent character", "portrait", "person", "pulid", "instantid", "ipadapter", "editedid", "reactor")


@pytest.mark.parametrize("nodes2", [False, True])
def test_the_five_actions_end_in_a_result_that_explains_itself(server, front_end, results, nodes2):
    page = front_end.page
    page.evaluate("(on) => app.extensionManager.setting.set('Comfy.VueNodes.Enabled', on)", nodes2)
    page.evaluate(OPEN, f"{server.url}/api/workflow_templates/{PACK_NAME}/{quote(TRY_IT)}.json")
    assert page.evaluate(BYPASSED) == ["2", 1]  # the edit itself
    page.evaluate(WITH_DLIB)
    assert page.evaluate(RUN) == "success"
    page.evaluate(SHOW_ALL)
    page.wait_for_function("() => document.querySelectorAll('.editedid-text .line').length === 1", timeout=60_000)
    page.wait_for_timeout(1000)
    host = Path(os.environ["EDITEDID_HOST"]).name
    page.screenshot(path=results / f"try-it-{'nodes2' if nodes2 else 'classic'}-{host}.png")
    (line,) = page.evaluate(LINES)
    assert line.startswith("Face 1: ")
    assert front_end.mistakes == [] and front_end.outside == []


@pytest.mark.parametrize("name", WORKFLOWS)
def test_opens_in_the_front_end(server, front_end, name):
    page = front_end.page
    sent = page.evaluate(OPEN, f"{server.url}/api/workflow_templates/{PACK_NAME}/{quote(name)}.json")
    shipped = json.loads((ROOT / "example_workflows" / f"{name}.json").read_text(encoding="utf-8"))
    assert len(sent) == sum(node["type"] != "MarkdownNote" for node in shipped["nodes"])
    wires = sum(isinstance(value, list) for node in sent.values() for value in node["inputs"].values())
    assert wires == len(shipped["links"])
    assert front_end.mistakes == [] and front_end.outside == []


def test_what_people_type_finds_restore_identity_first(front_end):
    found = front_end.page.evaluate(SEARCH, list(TYPED))
    assert {word for word, name in found.items() if name != "EditedIDRestoreIdentity"} == set()
