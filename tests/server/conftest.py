"""One real server for the ring, and one real browser where the machine has one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from door.paths import RESULTS
from door.server import Server, from_environment
from lab.demo_pictures import write_pictures

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "C:/Program Files/Google/Chrome/Application/chrome.exe",
    "C:/Program Files (x86)/Microsoft/Edge/Application/msedge.exe",
)
READY = (
    "globalThis.app?.extensionManager && app.graph && !!LiteGraph.registered_node_types['EditedIDRestoreIdentity']"
)
# No process of the browser may reach anything but the server under test.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    write_pictures(Path(os.environ["EDITEDID_BASE"], "input"))
    with from_environment(log_name=f"server-tests-{Path(os.environ['EDITEDID_HOST']).name}.log") as running:
        yield running


def _executable() -> str | None:
    found = next((path for path in map(shutil.which, NAMES) if path), None)
    return os.environ.get("EDITEDID_CHROMIUM") or found or next((p for p in PLACES if Path(p).exists()), None)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    executable = _executable()
    if executable is None:
        reason = "no Chromium on this machine: install one or name it in EDITEDID_CHROMIUM"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=executable, headless=True, args=FLAGS)
        yield running
        running.close()


@dataclass(frozen=True)
class FrontEnd:
    """The front end in a page with storage of its own; `mistakes` and `outside` collect what it must not do."""

    page: Page
    mistakes: list[str]
    outside: list[str]


@pytest.fixture
def front_end(server: Server, browser: Browser) -> Iterator[FrontEnd]:
    """A freshly loaded front end that knows the pack's nodes."""
    shown = FrontEnd(browser.new_page(viewport={"width": 1600, "height": 900}), [], [])
    shown.page.on("pageerror", lambda error: shown.mistakes.append(str(error)))
    shown.page.on("request", lambda request: _note_outside(request.url, shown.outside))
    shown.page.goto(server.url, wait_until="domcontentloaded")
    shown.page.wait_for_function(READY, timeout=90_000)
    yield shown
    shown.page.close()


def _note_outside(url: str, outside: list[str]) -> None:
    if url.startswith(("http", "ws")) and urlsplit(url).hostname != "127.0.0.1":
        outside.append(url)


@pytest.fixture(scope="session")
def results() -> Path:
    RESULTS.mkdir(parents=True, exist_ok=True)
    return RESULTS
