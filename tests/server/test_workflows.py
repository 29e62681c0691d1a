"""Each shipped workflow, opened in the real front end from its template, run there, and looked at."""
from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from door.paths import PACK_NAME, ROOT
from lab.workflow import to_api

WORKFLOWS = ["everyday", "expert", "several_people", "small_face"]
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
SAVED_IS_SHOWN = """() => app.graph.nodes.filter((node) => node.type === "SaveImage")
    .every((node) => node.imgs?.length && node.imgs[0].complete)"""
TEXTS = "() => app.graph.nodes.filter((n) => n.type === 'PreviewAny').map((n) => n.widgets[0].value)"


@pytest.mark.parametrize("name", WORKFLOWS)
def test_runs_in_the_front_end(server, front_end, results, name):
    page = front_end.page
    sent = page.evaluate(OPEN, f"{server.url}/api/workflow_templates/{PACK_NAME}/{name}.json")
    shipped = json.loads((ROOT / "workflows" / f"{name}.json").read_text(encoding="utf-8"))
    assert len(sent) == sum(node["type"] != "MarkdownNote" for node in shipped["nodes"])
    assert page.evaluate(RUN) == "success"
    page.evaluate(SHOW_ALL)
    page.wait_for_function(SAVED_IS_SHOWN, timeout=60_000)
    page.wait_for_timeout(1000)
    host = Path(os.environ["EDITEDID_HOST"]).name
    page.screenshot(path=results / f"{name}-{host}.png")
    texts = page.evaluate(TEXTS)
    assert any(text.strip() for text in texts)
    if name == "everyday":
        report = json.loads(texts[0])
        (face,) = report["faces"]
        assert face["id_similarity_after"] >= face["id_similarity_before"] + 0.20
        assert report["outside_pixels_changed"] == 0
    assert front_end.mistakes == []
    assert front_end.outside == []


@pytest.mark.parametrize("name", ["everyday", "expert"])
def test_our_api_form_is_the_front_ends(server, front_end, name):
    page = front_end.page
    sent = page.evaluate(OPEN, f"{server.url}/api/workflow_templates/{PACK_NAME}/{name}.json")
    shipped = json.loads((ROOT / "workflows" / f"{name}.json").read_text(encoding="utf-8"))
    definitions = server.get("/object_info")
    theirs = {}
    for key, node in sent.items():  # without what the front end adds for itself, such as a text widget's content
        known = {**definitions[node["class_type"]]["input"]["required"],
                 **definitions[node["class_type"]]["input"].get("optional", {})}
        inputs = {name: value for name, value in node["inputs"].items() if name in known}
        theirs[key] = {"class_type": node["class_type"], "inputs": inputs}
    assert to_api(shipped, definitions) == theirs
