"""Each shipped workflow, opened in the real front end from its template, run there, and looked at."""
from __future__ import annotations

import json
import os
from pathlib import Path
from urllib.parse import quote

import pytest

from door.paths import PACK_NAME, ROOT
from lab.browser import OPENED

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
WATCH = """() => {
    app.api.addEventListener("execution_success", () => (globalThis.editedidEnd = "success"));
    app.api.addEventListener("execution_error", (event) => (globalThis.editedidEnd = event.detail.exception_message));
}"""
DONE = "() => globalThis.editedidEnd"
"""How the run ended that somebody began by hand, once WATCH looks on."""
SHOW_ALL = """() => {
    const boxes = app.graph.nodes.map((node) => [...node.pos, node.pos[0] + node.size[0], node.pos[1] + node.size[1]]);
    const [left, top] = [0, 1].map((side) => Math.min(...boxes.map((box) => box[side])));
    const [right, bottom] = [2, 3].map((side) => Math.max(...boxes.map((box) => box[side])));
    const scale = Math.min(1480 / (right - left), 780 / (bottom - top));
    app.canvas.ds.scale = scale;
    app.canvas.ds.offset = [80 / scale - left, 100 / scale - top];
    app.canvas.setDirty(true, true);
}"""
APP = "() => app.extensionManager.command.execute('Comfy.ToggleLinear')"
SEEN = """() => [...document.querySelectorAll("img[src*='restored_']")].some(
    (picture) => picture.checkVisibility() && picture.getBoundingClientRect().width > 300)"""
"""Whether App mode shows the saved picture."""
TONED = """() => app.graph.nodes.find((node) => node.type === "EditedIDRestoreIdentity")
    .widgets.find((widget) => widget.name === "skin_tone").value = 0.5"""
WITHOUT_APPS = ("0.16.3",)
"""Hosts whose own front end is too old for App mode."""
CHINESE_NAME = """() => document.querySelector("#vue-app").__vue_app__.config.globalProperties.$pinia._s.get("nodeDef")
    .nodeDefsByName.EditedIDRestoreIdentity.display_name.includes("\\u4eba")"""
"""Whether the front end has read its nodes anew, in Chinese."""
SAID = """() => [app.graph.nodes.find((node) => node.type === "MarkdownNote").widgets[0].value.split("\\n")[0],
    ...app.graph._groups.map((group) => group.title)]"""
"""The first line of a template's note, and its frames."""
LINKED = """() => {
    const number = LiteGraph.createNode("PrimitiveFloat"), sent = {};
    app.graph.add(number);
    for (const [kind, names] of [["EditedIDRestoreIdentity", ["strength", "freedom", "crop_size"]],
                                 ["EditedIDEntanglement", ["structure"]], ["EditedIDSuperResolveFace", ["trust"]]]) {
        const node = LiteGraph.createNode(kind);
        app.graph.add(node);
        for (const name of names) {
            sent[name] = Boolean(number.connect(0, node, node.inputs.findIndex((one) => one.name === name)));
        }
        app.graph.remove(node);
    }
    app.graph.remove(number);
    return sent;
}"""
TYPED = ("face", "restore face", "face swap", "faceid", "face id", "fix face", "keep face", "likeness", "same person",
         "consistent character", "portrait", "person", "identity", "pulid", "instantid", "ipadapter", "editedid",
         "reactor")


def test_try_it_runs_as_a_graph_and_as_an_app(server, front_end, results):
    page = front_end.page
    page.wait_for_function(OPENED, timeout=30_000)
    page.evaluate(OPEN, f"{server.url}/api/workflow_templates/{PACK_NAME}/{quote(TRY_IT)}.json")
    assert page.evaluate(BYPASSED) == ["2", 1]  # the edit itself
    page.evaluate(WITH_DLIB)
    assert page.evaluate(RUN) == "success"
    page.evaluate(SHOW_ALL)
    page.wait_for_function(f"() => ({LINES})().length === 1", timeout=60_000)
    page.wait_for_timeout(1000)
    host = Path(os.environ["EDITEDID_HOST"]).name
    page.screenshot(path=results / f"try-it-{host}.png")
    assert page.evaluate(LINES)[0].startswith("Face 1: ")
    if host not in WITHOUT_APPS:
        page.evaluate(WATCH)
        page.evaluate(TONED)
        page.evaluate(APP)
        if (tour := page.get_by_role("button", name="Skip", exact=True)).count():
            tour.click()
        page.get_by_role("button", name="Run", exact=True).last.click()
        assert page.wait_for_function(DONE, timeout=60_000).json_value() == "success"
        page.wait_for_function(SEEN, timeout=30_000)
        page.wait_for_timeout(500)
        page.screenshot(path=results / f"try-it-app-{host}.png")
        assert page.get_by_text("skin tone", exact=True).last.is_visible()
        page.evaluate(APP)  # back to the graph
    assert front_end.mistakes == [] and front_end.outside == []


@pytest.mark.parametrize("name", WORKFLOWS)
def test_opens_in_the_front_end(server, front_end, name):
    page = front_end.page
    sent = page.evaluate(OPEN, f"{server.url}/api/workflow_templates/{PACK_NAME}/{quote(name)}.json")
    shipped = json.loads((ROOT / "example_workflows" / f"{name}.json").read_text(encoding="utf-8"))
    assert len(sent) == sum(node["type"] != "MarkdownNote" for node in shipped["nodes"])
    wires = sum(isinstance(value, list) for node in sent.values() for value in node["inputs"].values())
    assert wires == len(shipped["links"])
    kinds = server.get("/object_info")
    for node in sent.values():
        required = kinds[node["class_type"]]["input"].get("required", {})
        assert {one for one, spec in required.items() if spec[0] != "COMFY_AUTOGROW_V3"} <= set(node["inputs"]), node
    assert front_end.mistakes == [] and front_end.outside == []


def test_a_number_can_be_linked_to_how_much(front_end):
    sent = front_end.page.evaluate(LINKED)
    assert sent == {"strength": True, "freedom": True, "structure": True, "trust": True, "crop_size": False}
    assert front_end.mistakes == []


def test_what_people_type_finds_restore_identity_first(front_end):
    found = front_end.page.evaluate(SEARCH, list(TYPED))
    assert {word: name for word, name in found.items() if name != "EditedIDRestoreIdentity"} == {}


def test_it_is_found_and_a_template_opens_in_chinese(server, front_end):
    """The last test of the file, because the front end keeps the language."""
    page = front_end.page
    page.evaluate("() => app.extensionManager.setting.set('Comfy.Locale', 'zh')")
    front_end.load()  # an old front end, or one that was in App mode, reads its nodes anew no sooner
    page.wait_for_function(CHINESE_NAME, timeout=30_000)
    page.wait_for_function(OPENED, timeout=30_000)
    found = page.evaluate(SEARCH, [*TYPED, "\u6362\u8138", "\u4eba\u8138", "\u8eab\u4efd"])
    address = f"{server.url}/api/workflow_templates/{PACK_NAME}/{quote(TRY_IT)}.json"
    page.evaluate(OPEN, address)
    said = page.evaluate(SAID)
    page.evaluate("() => app.extensionManager.setting.set('Comfy.Locale', 'en')")
    assert {word: name for word, name in found.items() if name != "EditedIDRestoreIdentity"} == {}
    assert said == ["## \u8bd5\u4e00\u8bd5\uff1a\u65e0\u9700\u4e0b\u8f7d",
                    "\u56fe\u7247", "\u8fd8\u539f", "\u7ed3\u679c"]
    assert front_end.mistakes == [] and front_end.outside == []
