"""The nodes' inputs and outputs as users' saved workflows know them: a change here breaks those workflows.

After a change that is meant, write the new snapshot with EDITEDID_UPDATE=1 and say so in CHANGELOG.md.
"""
from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.every_host

SNAPSHOT = Path(__file__).parent / "schema.json"
DEPENDS_ON_THE_MACHINE = {"EditedIDLoadFaceAnalyzer.pack"}


def _described(node_id: str, node: Any) -> dict[str, Any]:
    inputs = {}
    for group, sockets in node.INPUT_TYPES().items():
        if group == "hidden":
            continue
        for name, (kind, *rest) in sockets.items():
            settings = rest[0] if rest else {}
            kept = {key: settings[key] for key in ("default", "min", "max", "step") if settings.get(key) is not None}
            options = kind if isinstance(kind, list) else settings.get("options")
            if options is not None and f"{node_id}.{name}" not in DEPENDS_ON_THE_MACHINE:
                kept["options"] = options
            inputs[name] = {"group": group, "type": "COMBO" if isinstance(kind, list) else kind, **kept}
    return {"inputs": inputs, "outputs": list(node.RETURN_TYPES), "names": list(node.RETURN_NAMES)}


def test_the_nodes_are_as_saved_workflows_know_them(host):
    found = {name: _described(name, host.node(name)) for name in host.node_ids() if name.startswith("EditedID")}
    if os.environ.get("EDITEDID_UPDATE") == "1":
        SNAPSHOT.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    assert json.loads(json.dumps(found)) == json.loads(SNAPSHOT.read_text(encoding="utf-8"))
