"""The machine's own Chromium, held to the server under test: for the tests of the front end and for pictures of it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "C:/Program Files/Google/Chrome/Application/chrome.exe",
    "C:/Program Files (x86)/Microsoft/Edge/Application/msedge.exe",
)
READY = (
    "globalThis.app?.extensionManager && app.graph && !!LiteGraph.registered_node_types['EditedIDRestoreIdentity']"
)
"""Whether the front end knows the pack's nodes."""
OPENED = "() => app.extensionManager.workflow?.activeWorkflow && app.graph.nodes.length > 0"
"""Whether the front end has loaded what it opens by itself, which would come over ours."""
# No process of the browser may reach anything but the server under test. There is no graphics card, and one in software
# would take as long as all scripts together.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--disable-software-rasterizer",
    "--disable-gpu-compositing",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
)


def executable() -> str | None:
    """Path of a Chromium, from EDITEDID_CHROMIUM or the usual places; None where there is none."""
    found = next((path for path in map(shutil.which, NAMES) if path), None)
    return os.environ.get("EDITEDID_CHROMIUM") or found or next((p for p in PLACES if Path(p).exists()), None)
