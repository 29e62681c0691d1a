"""The five actions that README names, done with the mouse: template, photo, edit, model, Run."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from door.paths import PACK_NAME

from .conftest import FrontEnd
from .test_workflows import DONE, LINES, OPENED, SHOW_ALL, WATCH

TEMPLATE = "Restore a face - SD 1.5"
RENDERER = "(vue) => app.extensionManager.setting.set('Comfy.VueNodes.Enabled', vue)"
TEMPLATE_OPENED = "() => app.graph.nodes.some((node) => node.title.includes('Your photo') && node.widgets.length > 1)"
DRAWN = """([title, name]) => {
    const node = app.graph.nodes.find((one) => one.title.includes(title));
    const widget = node.widgets.find((one) => one.name === name);
    const box = app.canvas.canvas.getBoundingClientRect(), { scale, offset } = app.canvas.ds;
    return [box.left + (node.pos[0] + node.size[0] / 2 + offset[0]) * scale,
            box.top + (node.pos[1] + widget.last_y + 10 + offset[1]) * scale];
}"""
"""Where the classic renderer has drawn a widget."""
STANDS = """() => {
    const { scale, offset } = app.canvas.ds, before = globalThis.editedidView;
    globalThis.editedidView = JSON.stringify([scale, [...offset], app.graph.nodes.map((one) => [...one.pos])]);
    return globalThis.editedidView === before;
}"""
"""Whether the view is where it was when this was asked before."""
BETWEEN = """() => document.querySelector(".editedid-result").getBoundingClientRect().top
    - document.querySelector(".efm-content").getBoundingClientRect().bottom"""
"""Pixels from the face map to the result below it."""
CHOSEN = "(name) => app.graph.nodes.some((node) => node.widgets?.some((widget) => widget.value === name))"


def node(page: Page, title: str) -> str:
    number = page.evaluate("(title) => app.graph.nodes.find((one) => one.title.includes(title)).id", title)
    return f"[data-node-id='{number}']"


def choose_picture(page: Page, title: str, path: str, vue: bool) -> None:
    """Choose a file of one's own, as the button of Load Image asks for it."""
    if vue:
        page.locator(f"{node(page, title)} input[type=file]").set_input_files(path)
        return
    page.wait_for_function(STANDS, polling=500)
    with page.expect_file_chooser() as asked:
        page.mouse.click(*page.evaluate(DRAWN, [title, "upload"]))
    asked.value.set_files(path)


@pytest.mark.parametrize("vue", [False, True], ids=["classic", "nodes 2"])
def test_five_actions_end_in_a_result_that_explains_itself(tab: FrontEnd, server, tmp_path, results, vue):
    page = tab.page
    tab.load()
    page.wait_for_function(OPENED, timeout=30_000)
    page.evaluate(RENDERER, vue)
    page.evaluate(WATCH)
    for name in ("original", "edited"):
        picture = (server.base / "input" / f"editedid_{name}.png").read_bytes()
        (tmp_path / f"my_{name}_{vue}.png").write_bytes(picture)

    page.locator(".templates-tab-button, button[aria-label='Templates']").first.click()  # 1
    page.get_by_role("dialog").get_by_text(PACK_NAME, exact=True).click()
    page.get_by_role("dialog").get_by_text(TEMPLATE, exact=True).first.click()
    page.wait_for_function(TEMPLATE_OPENED)
    page.wait_for_timeout(1000)  # until the front end has begun to bring the graph into view
    page.wait_for_function(STANDS, polling=500)
    for title, name in (("Your photo", "original"), ("The edit", "edited")):  # 2, 3
        choose_picture(page, title, str(tmp_path / f"my_{name}_{vue}.png"), vue)
        page.wait_for_function(CHOSEN, arg=f"my_{name}_{vue}.png")
    if vue:  # 4
        page.locator(f"{node(page, 'Model')} :is([role=combobox], [aria-haspopup=listbox])").first.click()
    else:
        page.mouse.click(*page.evaluate(DRAWN, ["Model", "ckpt_name"]))
    page.get_by_text("unet_lab.safetensors", exact=True).last.click()
    page.get_by_role("button", name="Run", exact=True).first.click()  # 5

    assert page.wait_for_function(DONE, timeout=120_000).json_value() == "success"
    page.wait_for_function(f"() => ({LINES})().length === 1", timeout=30_000)
    assert page.evaluate(LINES)[0].startswith("Face 1: 0.")
    page.evaluate(SHOW_ALL)
    page.wait_for_timeout(500)
    assert page.evaluate(BETWEEN) < 40
    if vue:  # before and after, and a face of each picture on the map: the front end does not show the result once more
        assert page.locator(f"{node(page, 'Restore Identity')} img").count() == 4
    page.screenshot(path=results / f"five-actions-{'nodes2' if vue else 'classic'}.png")
    assert tab.mistakes == [] and tab.outside == []
