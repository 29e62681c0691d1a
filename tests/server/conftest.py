"""One real server for the ring, and one real browser where the machine has one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Response, sync_playwright

from door.paths import PACK_NAME, RESULTS
from door.server import Server, from_environment
from lab.browser import FLAGS, READY, executable
from lab.demo_pictures import write_pictures

FORGET = """if (!sessionStorage.getItem("editedid-opened")) {
    localStorage.clear();
    sessionStorage.setItem("editedid-opened", "yes");
}"""
"""Each page starts without what another one has stored."""


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    write_pictures(Path(os.environ["EDITEDID_BASE"], "input"))
    with from_environment(log_name=f"server-tests-{Path(os.environ['EDITEDID_HOST']).name}.log") as running:
        yield running


@pytest.fixture(scope="session")
def browser() -> Iterator[BrowserContext]:
    """One browser for the ring: what it has loaded of the front end once, it keeps."""
    chromium = executable()
    if chromium is None:
        reason = "no Chromium on this machine: install one or name it in EDITEDID_CHROMIUM"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=chromium, headless=True, args=FLAGS)
        context = running.new_context(viewport={"width": 1600, "height": 900}, reduced_motion="reduce")
        context.add_init_script(FORGET)
        yield context
        running.close()


@dataclass(frozen=True)
class FrontEnd:
    """The front end in a page with storage of its own; `mistakes` and `outside` collect what it must not do."""

    page: Page
    url: str
    mistakes: list[str]
    outside: list[str]

    def load(self) -> None:
        """Load it afresh, until it knows the pack's nodes."""
        self.page.goto(self.url, wait_until="domcontentloaded")
        self.page.wait_for_function(READY, timeout=90_000)


@pytest.fixture(scope="module")
def tab(server: Server, browser: BrowserContext) -> Iterator[FrontEnd]:
    """An empty page for the tests of a file."""
    shown = FrontEnd(browser.new_page(), server.url, [], [])
    shown.page.on("pageerror", lambda error: shown.mistakes.append(str(error)))
    shown.page.on("console", lambda message: _note_error(message, shown.mistakes))
    shown.page.on("response", lambda response: _note_missing(response, shown.mistakes))
    shown.page.on("request", lambda request: _note_outside(request.url, shown.outside))
    yield shown
    shown.page.close()


@pytest.fixture(scope="module")
def front_end(tab: FrontEnd) -> FrontEnd:
    """A front end that the tests of a file use one after the other, as people do."""
    tab.load()
    return tab


def _note_error(message: ConsoleMessage, mistakes: list[str]) -> None:
    """What a script of the pack writes as an error; the host's own are the host's."""
    if message.type == "error" and PACK_NAME in message.location["url"]:
        mistakes.append(message.text)


def _note_missing(response: Response, mistakes: list[str]) -> None:
    if response.status >= 400 and PACK_NAME in unquote(response.url):
        mistakes.append(f"{response.status} {response.url}")


def _note_outside(url: str, outside: list[str]) -> None:
    if url.startswith(("http", "ws")) and urlsplit(url).hostname != "127.0.0.1":
        outside.append(url)


@pytest.fixture(scope="session")
def results() -> Path:
    RESULTS.mkdir(parents=True, exist_ok=True)
    return RESULTS
