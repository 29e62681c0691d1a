"""The face map in the real front end, in both renderers: re-paired by mouse and by key, reloaded, and run again."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from door.paths import ROOT

from .conftest import FrontEnd
from .test_workflows import OPENED, RUN

WITHOUT = ("CheckpointLoaderSimple", "MarkdownNote")
"""Nodes that are left out, so that the photo's faces are put in without diffusion."""
PICTURES = ("person_1", "person_2", "person_3", "group")
"""Of the demo, in the order in which the template loads them."""
SHOW = """async ([workflow, vue]) => {
    await app.extensionManager.setting.set("Comfy.VueNodes.Enabled", vue);
    await app.extensionManager.setting.set("Comfy.Minimap.Visible", false);
    await app.loadGraphData(workflow);
}"""
IN_SIGHT = """() => {
    const node = app.graph.nodes.find((one) => one.type === "EditedIDRestoreIdentity");
    const offset = [60 - node.pos[0], 40 - node.pos[1]], last = app.canvas.ds.offset;
    const there = app.canvas.ds.scale === 0.8 && offset.every((one, i) => Math.abs(one - last[i]) < 1);
    app.canvas.ds.scale = 0.8;
    app.canvas.ds.offset = offset;
    app.canvas.setDirty(true, true);
    const box = document.querySelector(".efm-reset")?.getBoundingClientRect();
    return there && box && box.top > 0 && box.bottom < innerHeight;
}"""
"""Bring the node into view; whether it was there already (Nodes 2.0 spreads a graph some time after it was loaded)."""
PAIRS = """() => app.graph.nodes.find((one) => one.type === "EditedIDRestoreIdentity")
    .widgets.find((widget) => widget.name === "pairs").value"""
FITS = """async (width) => {
    const node = app.graph.nodes.find((one) => one.type === "EditedIDRestoreIdentity");
    node.setSize([width, node.size[1]]);
    app.canvas.setDirty(true, true);
    await new Promise((later) => setTimeout(later, 300));
    const map = document.querySelector(".efm"), { left, right } = map.getBoundingClientRect();
    const parts = [...map.querySelectorAll("button, select, img, .efm-state")];
    const boxes = parts.map((one) => one.getBoundingClientRect());
    return map.offsetWidth > 0.8 * width && boxes.every((box) => box.left >= left - 1 && box.right <= right + 1);
}"""
"""Whether all of the map lies within it when the node has a width."""
IN_PANEL = """() => app.graph.nodes.find((one) => one.type === "EditedIDRestoreIdentity")
    .widgets.filter((widget) => widget.element && !widget.options.hideInPanel).map((widget) => widget.name)"""
"""Our widgets that the side panel would draw as empty rows, and leave narrower on the node."""
PALETTE = """async (palette) => {
    await app.extensionManager.setting.set("Comfy.ColorPalette", palette);
    await new Promise((later) => setTimeout(later, 500));
}"""
FAINT = """(widget) => {
    const brush = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
    const channels = (colour) => {
        brush.clearRect(0, 0, 1, 1);
        brush.fillStyle = colour;
        brush.fillRect(0, 0, 1, 1);
        return [...brush.getImageData(0, 0, 1, 1).data].map((value) => value / 255);
    };
    const light = (colour) => colour.map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
        .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
    const under = (one) => {
        const layers = [];
        for (let at = one; at && at !== document.body && layers.at(-1)?.[3] !== 1; at = at.parentElement) {
            layers.push(channels(getComputedStyle(at).backgroundColor));
        }
        return [...layers, channels(LiteGraph.NODE_DEFAULT_BGCOLOR)].reduceRight(
            (below, layer) => below.map((c, i) => layer[i] * layer[3] + c * (1 - layer[3])), [0, 0, 0]);
    };
    const words = (one) => [...one.childNodes].some((child) => child.nodeType === 3 && child.data.trim());
    return [...document.querySelectorAll(`${widget} *`)]
        .filter((one) => words(one) && one.tagName !== "STYLE" && !one.disabled && one.checkVisibility())
        .filter((one) => {
            const [dark, bright] = [light(channels(getComputedStyle(one).color).slice(0, 3)), light(under(one))]
                .sort((a, b) => a - b);
            return (bright + 0.05) / (dark + 0.05) < 4.5;
        }).map((one) => `${one.className} ${getComputedStyle(one).color} on ${under(one)}`);
}"""
"""Texts of a widget that stand out less than the 4.5 of WCAG from what is under them; in the classic renderer that is
the node that the canvas draws."""
FACES, PHOTOS = ".efm button.efm-face", ".efm .efm-photo"


def group_workflow() -> dict[str, Any]:
    """The group's template with the lab's pictures, without its model and its notes."""
    (template,) = (ROOT / "example_workflows").glob("Group picture*.json")
    workflow = json.loads(template.read_text(encoding="utf-8"))
    pictures = iter(PICTURES)
    gone = {node["id"] for node in workflow["nodes"] if node["type"] in WITHOUT}
    links = {link[0] for link in workflow["links"] if link[1] in gone}
    workflow["nodes"] = [node for node in workflow["nodes"] if node["id"] not in gone]
    workflow["links"] = [link for link in workflow["links"] if link[0] not in links]
    for node in workflow["nodes"]:
        for socket in node.get("inputs", []):
            if socket.get("link") in links:
                socket["link"] = None
        if node["type"] == "LoadImage":
            node["widgets_values"] = [f"editedid_{next(pictures)}.png", "image"]
        if node["type"] == "EditedIDRestoreIdentity":
            node["pos"], node["size"] = [0, 1200], [520, 400]  # below the others, so that nothing covers it
    return workflow


def shown(front_end: FrontEnd, workflow: dict[str, Any], vue: bool) -> Page:
    """The front end with the workflow opened afresh, after a run, the map in sight. The classic one is loaded anew."""
    page = front_end.page
    if not vue or page.url == "about:blank":
        front_end.load()
        page.wait_for_function(OPENED, timeout=30_000)
    page.evaluate(SHOW, [workflow, vue])
    assert page.evaluate(RUN) == "success"
    page.locator(FACES).first.wait_for(timeout=30_000)
    page.wait_for_function(IN_SIGHT, polling=300, timeout=30_000)
    return page


@pytest.fixture(scope="module", params=[pytest.param(False, id="classic", marks=pytest.mark.every_host),
                                        pytest.param(True, id="nodes 2")])
def opened(tab: FrontEnd, request: pytest.FixtureRequest) -> tuple[FrontEnd, bool]:
    """The group's map in a renderer, not touched yet."""
    shown(tab, group_workflow(), request.param)
    return tab, request.param


def middle(page: Page, kind: str, i: int) -> tuple[float, float]:
    """The middle of one of the map's parts in the window."""
    box = page.locator(kind).nth(i).bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def tap(touch: Any, x: float, y: float) -> None:
    touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def drag(page: Page, face: int, photo: int) -> None:
    """Drag a face of the edit onto a photo, both by their places."""
    start, end = (page.locator(kind).nth(i).bounding_box() for kind, i in ((FACES, face), (PHOTOS, photo)))
    assert start is not None and end is not None
    page.mouse.move(start["x"] + start["width"] / 2, start["y"] + start["height"] / 2)
    page.mouse.down()
    page.mouse.move(end["x"] - 20, end["y"] + 10)
    page.mouse.move(end["x"] + 20, end["y"] + 20)
    page.mouse.up()


def test_every_control_has_a_name_and_can_be_reached_by_key(opened, results):
    page = opened[0].page
    controls = page.locator(".efm :is(button, select)")
    names = page.evaluate("""() => [...document.querySelectorAll(".efm :is(button, select)")].map(
        (one) => one.ariaLabel || one.textContent)""")
    assert len(names) == 7 and len(set(names)) == 7 and all(names)
    assert all(controls.nth(i).evaluate("(one) => one.tabIndex") == 0 for i in range(7))
    assert all(image.get_attribute("alt") is not None for image in page.locator(".efm img").all())
    assert page.evaluate(IN_PANEL) == []
    assert [page.evaluate(FITS, width) for width in (400, 1600, 520)] == [True] * 3
    for palette in ("light", "dark"):
        page.evaluate(PALETTE, palette)
        for widget in (".efm", ".editedid-result"):
            found = Axe().run(page, context=widget).response["violations"]
            assert [one["id"] for one in found if one["impact"] in ("serious", "critical")] == [], (palette, widget)
            assert page.evaluate(FAINT, widget) == [], palette  # axe cannot tell what lies under the map's lines
            if palette == "light":
                page.screenshot(path=results / f"face_map-light-{'nodes2' if opened[1] else 'classic'}.png")


def test_a_finger_re_pairs_and_leaves_a_face_alone(opened):
    page = opened[0].page
    touch = page.context.new_cdp_session(page)
    touch.send("Emulation.setTouchEmulationEnabled", {"enabled": True})
    (x, y), photo = (middle(page, kind, i) for kind, i in ((FACES, 0), (PHOTOS, 1)))
    way = [(x, y), (x + 10, y), ((x + photo[0]) / 2, (y + photo[1]) / 2), photo]
    for kind, place in zip(("touchStart", "touchMove", "touchMove", "touchMove"), way):
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": place[0], "y": place[1]}]})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    assert re.fullmatch(r"faces=3/3, 1=2 \(-?\d\.\d\d\)", page.evaluate(PAIRS))
    tap(touch, *middle(page, FACES, 2))
    page.wait_for_function(f"() => /, 3=skip \\(\\d\\.\\d\\d\\)$/.test(({PAIRS})())")
    tap(touch, *middle(page, ".efm-reset", 0))
    page.wait_for_function(f"() => ({PAIRS})() === ''")
    touch.send("Emulation.setTouchEmulationEnabled", {"enabled": False})
    assert opened[0].mistakes == []


def test_a_choice_on_the_map_holds(opened, results):
    """The whole way: drag, skip by key, choose by key, reload, run again."""
    front_end, vue = opened
    page = front_end.page
    assert page.locator(FACES).count() == page.locator(PHOTOS).count() == 3
    assert page.evaluate(PAIRS) == ""
    drag(page, 0, 1)
    assert re.fullmatch(r"faces=3/3, 1=2 \(-?\d\.\d\d\)", page.evaluate(PAIRS))
    page.locator(FACES).nth(2).focus()
    page.keyboard.press("Enter")
    assert re.search(r", 3=skip \(\d\.\d\d\)$", page.evaluate(PAIRS))
    page.locator(FACES).nth(1).focus()
    for _ in range(2):  # past "leave alone" to the first person
        page.keyboard.press("ArrowDown")
    assert re.search(r", 2=1 \(-?\d\.\d\d\), 3=skip", page.evaluate(PAIRS))
    text = page.evaluate(PAIRS)
    assert page.evaluate("() => document.activeElement.className") == "efm-face"  # the key did not lose its place
    shown(front_end, page.evaluate("() => app.graph.serialize()"), vue)
    assert page.evaluate(PAIRS) == text
    states = page.locator(".efm .efm-state").all_inner_texts()
    assert [state.endswith("as chosen") for state in states] == [True, True, False] and states[2] == "left alone"
    page.get_by_role("button", name="Match all by likeness").click()
    assert page.evaluate(PAIRS) == ""
    page.screenshot(path=results / f"face_map-{'nodes2' if vue else 'classic'}.png")
    assert front_end.mistakes == [] and front_end.outside == []
