"""One real server for the ring, and one real browser where the machine has one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

from door.paths import RESULTS
from door.server import Server, from_environment

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "C:/Program Files/Google/Chrome/Application/chrome.exe",
    "C:/Program Files (x86)/Microsoft/Edge/Application/msedge.exe",
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
    with from_environment(log_name="server-tests.log") as running:
        yield running


def _browser() -> str | None:
    found = next((path for path in map(shutil.which, NAMES) if path), None)
    return os.environ.get("EDITEDID_CHROMIUM") or found or next((p for p in PLACES if Path(p).exists()), None)


@pytest.fixture(scope="session")
def page(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """The front end, loaded and ready; errors of the page are collected in `page.mistakes`."""
    executable = _browser()
    if executable is None:
        reason = "no Chromium on this machine: install one or name it in EDITEDID_CHROMIUM"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as driver:
        profile = tmp_path_factory.mktemp("profile")
        context = driver.chromium.launch_persistent_context(
            profile,
            executable_path=executable,
            headless=True,
            viewport={"width": 1600, "height": 900},
            args=FLAGS,
        )
        page = context.pages[0]
        page.mistakes = []
        page.on("pageerror", lambda error: page.mistakes.append(str(error)))
        page.goto(server.url, wait_until="domcontentloaded")
        page.wait_for_function(
            "globalThis.app?.extensionManager && globalThis.app?.graph"
            " && Object.keys(LiteGraph.registered_node_types).length > 50",
            timeout=90_000,
        )
        yield page
        context.close()


@pytest.fixture(scope="session")
def results() -> Path:
    RESULTS.mkdir(parents=True, exist_ok=True)
    return RESULTS
