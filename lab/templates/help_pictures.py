"""The pictures of the help pages: each node of the pack as the front end draws it, as web/docs/<node>/node.webp.

    python -m lab.templates.help_pictures [WORD]    # in the environment of a host, with a Chromium; a minute on a CPU

The front end reads a page's links from web/docs, in every language, so both pages name the picture `<node>/node.webp`.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from door.server import from_environment
from lab.browser import FLAGS, OPENED, READY, executable

DOCS = Path(__file__).resolve().parents[2] / "web" / "docs"
PLACE = (500, 120)
"""Pixels of the window at which a node stands: off the front end's own bars."""
WIDTH, ROUND = 380, 14
"""Pixels of the node, and of the canvas shown around it, so that its sockets are whole."""
BEFORE = """async () => {
    for (const [name, value] of [["Comfy.VueNodes.Enabled", true], ["Comfy.Minimap.Visible", false],
        ["Comfy.Graph.CanvasInfo", false], ["Comfy.NodeBadge.NodeIdBadgeMode", "None"]]) {
        await app.extensionManager.setting.set(name, value);
    }
}"""
SHOW = """async ([type, place, width]) => {
    for (const last of [...app.graph.nodes]) app.graph.remove(last);
    const node = LiteGraph.createNode(type);
    node.pos = [0, 0];
    app.graph.add(node);
    node.setSize([width, 1]);
    app.canvas.deselectAll();
    app.canvas.ds.scale = 1;
    app.canvas.ds.offset = place;
    app.canvas.setDirty(true, true);
}"""
"""A node alone, as high as its content. Nodes are removed one by one: after clear() the next one would take the number of
the last, for which the front end still holds values.
"""
BOX = """() => {
    const box = document.querySelector("[data-node-id]")?.getBoundingClientRect();
    const now = box && JSON.stringify([box.x, box.y, box.width, box.height]), before = globalThis.editedidBox;
    globalThis.editedidBox = now;
    return now && now === before ? JSON.parse(now) : null;
}"""
"""Where the node is drawn, once it has stood still since this was asked before."""


def picture(page: Page, node: str) -> Image.Image:
    """The node alone, with a rim of the empty canvas."""
    page.evaluate("() => { globalThis.editedidBox = null; }")
    page.evaluate(SHOW, [node, PLACE, WIDTH])
    page.wait_for_timeout(500)  # until the node of before is gone
    left, top, width, height = page.wait_for_function(BOX, polling=400, timeout=30_000).json_value()
    clip = {"x": left - ROUND, "y": top - ROUND, "width": width + 2 * ROUND, "height": height + 2 * ROUND}
    return Image.open(io.BytesIO(page.screenshot(clip=clip))).convert("RGB")


def main(word: str = "") -> None:
    """Write those of the nodes whose name holds `word` anew."""
    with from_environment(log_name="help-pictures.log") as server, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=executable(), headless=True, args=FLAGS)
        window = browser.new_context(viewport={"width": 1400, "height": 1500}, device_scale_factor=1.5,
                                     reduced_motion="reduce", locale="en-US")
        page = window.new_page()
        page.goto(server.url, wait_until="domcontentloaded")
        page.wait_for_function(READY, timeout=90_000)
        page.wait_for_function(OPENED, timeout=30_000)
        page.evaluate(BEFORE)
        for node in sorted(name for name in server.get("/object_info") if name.startswith("EditedID") and word in name):
            file = DOCS / node / "node.webp"
            picture(page, node).save(file, quality=80, method=6)
            print(f"{file.stat().st_size / 1000:5.1f} kB  {node}", flush=True)
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
