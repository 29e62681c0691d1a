"""From a workflow as the front end saves it to the API form that a server runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

WIDGET_TYPES = ("INT", "FLOAT", "STRING", "BOOLEAN", "COMBO", "COMFY_DYNAMICCOMBO_V3")
SEEDS = ("seed", "noise_seed")
SKIPPED_MODES = (2, 4)
"""Modes of nodes that do not run: muted and bypassed."""


def to_api(workflow: Mapping[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    """The API form of `workflow`; `definitions` is the server's /object_info. Notes and the like are left out.

    Raises ValueError for a node that the server does not know and for one that is muted or bypassed.
    """
    sources = {link[0]: [str(link[1]), link[2]] for link in workflow["links"]}
    prompt = {}
    for node in workflow["nodes"]:
        kind = node["type"]
        if kind in ("Note", "MarkdownNote"):
            continue
        if kind not in definitions:
            raise ValueError(f"The workflow uses {kind}, which this ComfyUI does not have: install its pack.")
        if node.get("mode", 0) in SKIPPED_MODES:
            raise ValueError(f"{kind} is muted or bypassed: only plain workflows can be run from here.")
        inputs = dict(_widget_values(node, definitions[kind]))
        for socket in node.get("inputs", []):
            if socket.get("link") is not None:
                inputs[socket["name"]] = sources[socket["link"]]
        prompt[str(node["id"])] = {"class_type": kind, "inputs": inputs}
    return prompt


def widget_names(definition: Mapping[str, Any]) -> list[str]:
    """The inputs of a node that have a widget, in the order in which a workflow stores their values."""
    names = []
    for group in ("required", "optional"):
        for name, (kind, *options) in definition["input"].get(group, {}).items():
            settings = options[0] if options else {}
            if (isinstance(kind, list) or kind in WIDGET_TYPES) and not settings.get("forceInput"):
                names.append(name)
    return names


def _widget_values(node: Mapping[str, Any], definition: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Names and values in the schema's order; widgets newer than the workflow have their defaults, as in a browser."""
    values = iter(node.get("widgets_values") or [])
    given = {**definition["input"].get("required", {}), **definition["input"].get("optional", {})}
    for name in widget_names(definition):
        kind, *options = given[name]
        settings = options[0] if options else {}
        yield name, next(values, default_of(given[name]))
        if name in SEEDS or settings.get("control_after_generate"):
            next(values, None)  # the front end's "fixed / randomize" beside a seed


def default_of(spec: Sequence[Any]) -> Any:
    """The value of a widget that nobody has touched; None for a list of files that is empty yet. spec: the host's."""
    kind, *options = spec
    settings = options[0] if options else {}
    choices = (kind if isinstance(kind, list) else settings.get("options")) or [None]
    first = choices[0]["key"] if kind == "COMFY_DYNAMICCOMBO_V3" else choices[0]
    return settings.get("default", first)


def nodes_of(prompt: Mapping[str, Any], kind: str) -> list[str]:
    """Ids of the nodes of a class, in the order of the workflow."""
    return [node_id for node_id, node in prompt.items() if node["class_type"] == kind]
