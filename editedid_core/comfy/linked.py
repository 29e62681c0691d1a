"""Types of a node's links, for a node that lets a number be linked to a choice."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from comfy_execution.validation import validate_node_input

NUMBERS = ("FLOAT", "INT")


def wrong_link(types: Mapping[str, Any], received: Mapping[str, Any], numbers: Collection[str]) -> str:
    """A sentence about the first link that the host would refuse, else "". `types`: of the node's inputs; `received`:
    of what is linked; `numbers`: inputs that take a number beside their choices."""
    for name, kind in received.items():
        fits = validate_node_input(kind, types.get(name, "*")) or name in numbers and kind in NUMBERS
        if not fits:
            return f"{name} is {kind}: connect {types[name]}."
    return ""
