"""What a template is made of, and how it becomes a workflow as the front end saves it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lab.workflow import default_of, widget_names

from .wires import around

Link = tuple[str, int]
"""Key of a node and number of its output."""

Definitions = Mapping[str, Any]
"""The server's /object_info."""


@dataclass(frozen=True)
class Node:
    """A node of a template. values: widgets that differ from their default; absent: no widget value is stored, so that
    the front end takes the user's first file. models: files that it needs, with their address. labels: what widgets
    are called here, where their own name (a LoadImage's "image") says too little beside another one's in App mode."""

    key: str
    type: str
    pos: tuple[int, int]
    size: tuple[int, int]
    title: str = ""
    links: Mapping[str, Link] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)
    absent: bool = False
    models: Sequence[Mapping[str, str]] = ()
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Group:
    """A frame with a title: x, y, width, height."""

    title: str
    bounds: tuple[int, int, int, int]
    colour: str = "#3f789e"


@dataclass(frozen=True)
class Template:
    """name: of its file, which is its title in the browser. app: widgets (node key, input) that App mode shows, and
    the node whose pictures it shows. first_lane: where wires go that would run behind a node; see `wires.around`."""

    name: str
    nodes: Sequence[Node]
    groups: Sequence[Group]
    app: tuple[Sequence[tuple[str, str]], str] | None = None
    first_lane: float | None = None

    def workflow(self, definitions: Definitions) -> dict[str, Any]:
        """The workflow. Raises KeyError for a node or an input that the host does not have."""
        ids = {node.key: number for number, node in enumerate(self.nodes, start=1)}
        links, places = [], {}
        for node in self.nodes:
            for name, (source, output) in node.links.items():
                kind = definitions[next(n.type for n in self.nodes if n.key == source)]["output"][output]
                slot = sockets(node, definitions).index(name)
                places[node.key, name] = len(links) + 1
                links.append([len(links) + 1, ids[source], output, ids[node.key], slot, kind])
        extra: dict[str, Any] = {}
        if self.app:
            inputs, shown = self.app
            extra = {"linearData": {"inputs": [[ids[key], name] for key, name in inputs], "outputs": [ids[shown]]}}
        made = {
            "revision": 0, "last_node_id": len(self.nodes), "last_link_id": len(links),
            "nodes": [_node(node, ids[node.key], links, places, definitions) for node in self.nodes],
            "links": links,
            "groups": [{"id": i, "title": g.title, "bounding": list(g.bounds), "color": g.colour, "font_size": 24,
                        "flags": {}} for i, g in enumerate(self.groups, start=1)],
            "config": {}, "extra": extra, "version": 0.4,
        }
        if self.first_lane is not None:
            extra.update(around(made, self.first_lane))
        return made


def sockets(node: Node, definitions: Definitions) -> list[str]:
    """Inputs of a node that are drawn as sockets first, then its widgets, as the front end orders them."""
    if node.type == "MarkdownNote":
        return []
    widgets = widget_names(definitions[node.type])
    return [name for name in specs(node, definitions) if name not in widgets] + widgets


def specs(node: Node, definitions: Definitions) -> dict[str, Any]:
    """What the host says about each input; inputs that grow with their wires are named as the wires are."""
    definition = definitions[node.type]
    given = {**definition["input"].get("required", {}), **definition["input"].get("optional", {})}
    found = {}
    for name, spec in given.items():
        if spec[0] != "COMFY_AUTOGROW_V3":
            found[name] = spec
            continue
        (grown,) = spec[1]["template"]["input"]["required"].values()
        found.update({link: grown for link in node.links if link.startswith(f"{name}.")})
    return found


def _node(node: Node, number: int, links: list[list[Any]], places: Mapping[tuple[str, str], int],
          definitions: Definitions) -> dict[str, Any]:
    made: dict[str, Any] = {"id": number, "type": node.type, "pos": list(node.pos), "size": list(node.size),
                            "flags": {}, "order": number - 1, "mode": 0, "inputs": [], "outputs": [],
                            "properties": {"Node name for S&R": node.type}}
    if node.title:
        made["title"] = node.title
    if node.models:
        made["properties"]["models"] = [dict(model) for model in node.models]
    if node.type == "MarkdownNote":
        return {**made, "properties": {}, "widgets_values": [node.values["text"]], "color": "#432", "bgcolor": "#653"}
    definition = definitions[node.type]
    given, widgets = specs(node, definitions), widget_names(definition)
    unknown = [name for name in (*node.links, *node.values) if name not in given]
    if unknown:
        raise KeyError(f"{node.type} has no input {unknown[0]}")
    for name in sockets(node, definitions):
        kind = given[name][0]
        entry = {"name": name, "type": "COMBO" if isinstance(kind, list) else kind,
                 "link": places.get((node.key, name))}
        if name in node.labels:
            entry["label"] = node.labels[name]
        made["inputs"].append({**entry, "widget": {"name": name}} if name in widgets else entry)
    for slot, (kind, name) in enumerate(zip(definition["output"], definition["output_name"])):
        made["outputs"].append({"name": name, "type": kind,
                                "links": [link[0] for link in links if link[1:3] == [number, slot]] or None})
    if not node.absent:
        made["widgets_values"] = [value for name in widgets for value in (
            node.values.get(name, default_of(given[name])), *_after_a_run(given[name]))]
    return made


def _after_a_run(spec: Sequence[Any]) -> list[str]:
    """The front end's own widget beside one whose value changes by itself."""
    control = spec[1].get("control_after_generate") if len(spec) > 1 else None
    return [control] if control else []

