"""Every node explains itself: schema, help page, and the texts that other languages are translated from.

After a change of texts, write the English file anew with EDITEDID_UPDATE=1.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from lab.inprocess import Host

ROOT = Path(__file__).resolve().parents[2]
TEXTS = ROOT / "locales" / "en" / "nodeDefs.json"


@pytest.fixture(scope="module")
def schemas(host: Host) -> dict[str, Any]:
    return {name: host.node(name).GET_SCHEMA() for name in host.node_ids() if name.startswith("EditedID")}


def test_every_node_explains_itself(schemas: dict[str, Any]) -> None:
    for node_id, schema in schemas.items():
        assert schema.description and schema.search_aliases, node_id
        assert all(slot.tooltip for slot in [*schema.inputs, *schema.outputs]), node_id


def test_every_node_has_a_help_page_that_names_its_inputs_and_outputs(schemas: dict[str, Any]) -> None:
    for node_id, schema in schemas.items():
        page = (ROOT / "web" / "docs" / f"{node_id}.md").read_text(encoding="utf-8")
        missing = [name for slot in [*schema.inputs, *schema.outputs]
                   if (name := slot.display_name or slot.id) not in page]
        assert not missing, f"{node_id}: {missing}"


def test_the_english_texts_are_those_of_the_schema(schemas: dict[str, Any]) -> None:
    found = {
        node_id: {
            "display_name": schema.display_name, "description": schema.description,
            "inputs": {i.id: {"name": i.display_name or i.id.replace("_", " "), "tooltip": i.tooltip}
                       for i in schema.inputs},
            "outputs": {str(n): {"name": (o.display_name or o.id).replace("_", " "), "tooltip": o.tooltip}
                        for n, o in enumerate(schema.outputs)},
        } for node_id, schema in sorted(schemas.items())
    }
    if os.environ.get("EDITEDID_UPDATE") == "1":
        TEXTS.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    assert json.loads(TEXTS.read_text(encoding="utf-8")) == found
