"""Wires of a template: which would run behind a node, and the way around the nodes that such a one takes.

A wire goes around on lanes where no node is, over the front end's own reroutes: from the gap beside its source to its lane,
and from there to the gap before its target. Wires of one output share their lane.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import count, pairwise
from typing import Any

Point = tuple[float, float]

TITLE = 30
LANE, GAP, BESIDE = 26, 11, 24
"""Pixels between lanes, between wires that go up or down in the same gap, and from a socket to its first turn."""


def socket(node: Mapping[str, Any], slot: int, output: bool) -> Point:
    """Where the front end draws it."""
    left, top = node["pos"]
    return left + (node["size"][0] if output else 0), top + 20 * (slot + 0.7)


def curve(start: Point, end: Point) -> list[Point]:
    """The front end's wire between two sockets, as points."""
    (x0, y0), (x1, y1) = start, end
    reach = math.hypot(x1 - x0, y1 - y0) / 4
    found = []
    for step in range(101):
        t = step / 100
        a, b, c, d = (1 - t) ** 3, 3 * (1 - t) ** 2 * t, 3 * (1 - t) * t * t, t**3
        found.append((a * x0 + b * (x0 + reach) + c * (x1 - reach) + d * x1, (a + b) * y0 + (c + d) * y1))
    return found


def turned(points: Sequence[Point]) -> list[Point]:
    """A wire over reroutes, as points."""
    found: list[Point] = []
    for (x0, y0), (x1, y1) in pairwise(points):
        steps = max(1, round(math.hypot(x1 - x0, y1 - y0) / 8))
        found += [(x0 + (x1 - x0) * i / steps, y0 + (y1 - y0) * i / steps) for i in range(steps + 1)]
    return found


def behind(points: Sequence[Point], node: Mapping[str, Any]) -> bool:
    """Whether one of the points lies under the node with its title."""
    (left, top), (width, height) = node["pos"], node["size"]
    return any(left < x < left + width and top - TITLE < y < top + height for x, y in points)


def ways(graph: Mapping[str, Any]) -> dict[int, list[Point]]:
    """Each wire of a workflow as points, by its number."""
    nodes = {node["id"]: node for node in graph["nodes"]}
    turns = {one["id"]: one for one in graph["extra"].get("reroutes") or ()}
    last = {one["id"]: one["parentId"] for one in graph["extra"].get("linkExtensions") or ()}
    found = {}
    for number, source, output, target, slot, _ in graph["links"]:
        start, end = socket(nodes[source], output, True), socket(nodes[target], slot, False)
        between, turn = [], turns.get(last.get(number))
        while turn is not None:
            between.insert(0, tuple(turn["pos"]))
            turn = turns.get(turn.get("parentId"))
        found[number] = turned([start, *between, end]) if between else curve(start, end)
    return found


def hidden(graph: Mapping[str, Any]) -> list[tuple[int, int]]:
    """Numbers of the wires that run behind a node, their own ones included, and of these nodes."""
    return [(number, node["id"]) for number, points in ways(graph).items() for node in graph["nodes"]
            if behind(points, node)]


def around(graph: Mapping[str, Any], first_lane: float) -> dict[str, Any]:
    """`reroutes` and `linkExtensions` of a workflow, so that no wire runs behind a node; empty where none does.
    `first_lane`: its height, the others are below."""
    nodes = {node["id"]: node for node in graph["nodes"]}
    wanted = {number for number, _ in hidden(graph)}
    numbers, turns, ends = count(1), [], []
    lanes: dict[tuple[int, int], int] = {}
    used: dict[float, int] = {}

    def turn(at: Point, parent: int | None, links: list[int]) -> int:
        made = {"id": next(numbers), "pos": [round(at[0]), round(at[1])], "linkIds": links}
        turns.append(made if parent is None else {**made, "parentId": parent})
        return made["id"]

    def free(x: float, step: int) -> float:
        used[x] = used.get(x, -1) + 1
        return x + step * used[x]

    for number, source, output, target, slot, _ in sorted(graph["links"], key=lambda one: nodes[one[3]]["pos"]):
        if number not in wanted:
            continue
        start, end = socket(nodes[source], output, True), socket(nodes[target], slot, False)
        shared = [link[0] for link in graph["links"] if link[1:3] == [source, output] and link[0] in wanted]
        if (source, output) not in lanes:
            x, y = free(start[0] + BESIDE, GAP), first_lane + LANE * len(lanes)
            lanes[source, output] = turn((x, y), turn((x, start[1]), None, shared), shared)
        lane = lanes[source, output]
        y = next(one["pos"][1] for one in turns if one["id"] == lane)
        x = free(end[0] - BESIDE, -GAP)
        drop = turn((x, y), lane, [number])
        ends.append({"id": number, "parentId": turn((x, end[1]), drop, [number])})
    return {"reroutes": turns, "linkExtensions": ends} if turns else {}
