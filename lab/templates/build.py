"""Write every template, the subgraph blueprint and the API example, from what a host's server says of its nodes.

    python run.py bench templates --write
"""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

from door.server import from_environment
from lab.workflow import to_api

from .cases import cases
from .common import RESTORE
from .parts import Definitions, Node, sockets

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES, BLUEPRINTS, API = ROOT / "example_workflows", ROOT / "subgraphs", ROOT / "docs" / "api"
OF_API = "Restore a face - SDXL"
IN_SIGHT = ("strength", "no_face", "photos", "skin_tone")
"""Widgets that the blueprint shows."""


def texts(definitions: Definitions) -> dict[Path, str]:
    """All files and what they hold."""
    files = {TEMPLATES / f"{case.name}.json": case.workflow(definitions) for case in cases()}
    files[BLUEPRINTS / "Restore identity.json"] = blueprint(definitions)
    of_api = next(case for case in cases() if case.name == OF_API).workflow(definitions)
    files[API / "restore.json"] = to_api(of_api, definitions)
    return {path: json.dumps(content, indent=1, ensure_ascii=False) + "\n" for path, content in files.items()}


def blueprint(definitions: Definitions) -> dict[str, Any]:
    """Restore Identity and the face analyzer as one subgraph, for the node library."""
    definition = definitions[RESTORE]
    names = sockets(Node("restore", RESTORE, (0, 0), (420, 1020)), definitions)
    wired = ("edited", "original", "model", "vae", "clip")
    given = {**definition["input"]["required"], **definition["input"]["optional"]}
    kinds = {name: given[name][0] for name in wired}
    outputs = list(zip(definition["output_name"], definition["output"]))[:2]
    graph = str(uuid.uuid5(uuid.NAMESPACE_URL, "editedid/restore"))
    links = [{"id": i, "origin_id": -10, "origin_slot": i - 1, "target_id": 1, "target_slot": names.index(name),
              "type": kinds[name]} for i, name in enumerate(wired, start=1)]
    links += [{"id": 6 + i, "origin_id": 1, "origin_slot": i, "target_id": -20, "target_slot": i, "type": kind}
              for i, (_, kind) in enumerate(outputs)]
    restorer = {
        "id": 1, "type": RESTORE, "pos": [0, 0], "size": [420, 1020], "flags": {}, "order": 0, "mode": 0,
        "inputs": [{"name": name, "type": kinds[name], "link": wired.index(name) + 1} for name in wired],
        "outputs": [{"name": name, "type": kind, "links": [6 + i]} for i, (name, kind) in enumerate(outputs)],
        "properties": {"Node name for S&R": RESTORE},
    }
    return {
        "revision": 0, "last_node_id": 2, "last_link_id": 0, "links": [], "version": 0.4,
        "extra": {"BlueprintDescription": definition["description"],
                  "BlueprintSearchAliases": list(definition.get("search_aliases") or ())},
        "nodes": [{
            "id": 2, "type": graph, "pos": [0, 0], "size": [420, 320], "flags": {}, "order": 0, "mode": 0,
            "title": "Restore identity", "widgets_values": [],
            "inputs": [{"name": name, "type": kinds[name], "link": None} for name in wired],
            "outputs": [{"name": name, "type": kind, "links": None} for name, kind in outputs],
            "properties": {"proxyWidgets": [["1", name] for name in IN_SIGHT]},
        }],
        "definitions": {"subgraphs": [{
            "id": graph, "version": 1, "revision": 0, "name": "Restore identity", "config": {}, "widgets": [],
            "state": {"lastGroupId": 0, "lastNodeId": 2, "lastLinkId": 7, "lastRerouteId": 0},
            "inputNode": {"id": -10, "bounding": [-260, 0, 140, 160]},
            "outputNode": {"id": -20, "bounding": [540, 0, 120, 100]},
            "inputs": [{"id": _slot(i), "name": name, "type": kinds[name], "linkIds": [i + 1],
                        "pos": [-140, 20 * i + 20]} for i, name in enumerate(wired)],
            "outputs": [{"id": _slot(9 + i), "name": name, "type": kind, "linkIds": [6 + i], "pos": [560, 20 * i + 20]}
                        for i, (name, kind) in enumerate(outputs)],
            "nodes": [restorer], "groups": [], "links": links, "extra": {},
            "category": "Face", "description": definition["description"],
        }]},
    }


def _slot(number: int) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"editedid/restore/{number}"))


def main() -> None:
    """Write the files anew."""
    with from_environment(log_name="templates.log") as server:
        definitions = server.get("/object_info")
    for path, text in texts(definitions).items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
