"""A recogniser that is distributed as a TensorFlow.js graph, run with torch: convolutions, sums and clips, no more.

The graph is JSON, its weights are one binary file of float16 numbers (TensorFlow.js' weights manifest).
"""
from __future__ import annotations

import base64
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

TYPES = {"float32": np.float32, "float16": np.float16, "int32": np.int32}


class Graph:
    """The graph up to one of its nodes. file: its JSON, with the .bin beside it. output: the node's name."""

    def __init__(self, file: Path, output: str) -> None:
        model = json.loads(file.read_text(encoding="utf-8"))
        self._weights = _weights(model["weightsManifest"], file.with_suffix(".bin"))
        self._nodes = {node["name"]: node for node in model["modelTopology"]["node"]}
        self._output = output

    def __call__(self, pictures: Tensor) -> Tensor:
        """(N, H, W, 3) as the model wants them, to the node's value (N, D)."""
        with torch.inference_mode():
            values: dict[str, Tensor] = {}
            for node in self._in_order():
                values[node["name"]] = pictures.permute(0, 3, 1, 2) if node["op"] == "Placeholder" else self._value(
                    node, [values[name] for name in node.get("input", ())])
            return values[self._output]

    def _in_order(self) -> list[dict[str, Any]]:
        """The nodes that the output needs, each after its inputs."""
        order: dict[str, dict[str, Any]] = {}
        open_nodes = [self._output]
        while open_nodes:
            node = self._nodes[open_nodes[-1]]
            missing = [name for name in node.get("input", ()) if name not in order]
            if missing:
                open_nodes += missing
            else:
                order[open_nodes.pop()] = node
        return list(order.values())

    def _value(self, node: dict[str, Any], inputs: list[Tensor]) -> Tensor:
        """Values with a place in the picture are (N, C, H, W), all others as the graph has them."""
        kind = node["op"]
        if kind == "Const":
            return self._weights[node["name"]]
        if kind == "Conv2D":
            return _convolved(node, inputs[0], inputs[1].permute(3, 2, 0, 1), 1)
        if kind == "DepthwiseConv2dNative":
            return _convolved(node, inputs[0], inputs[1].permute(2, 3, 0, 1), inputs[0].shape[1])
        if kind == "Mean":
            return inputs[0].mean((2, 3))
        if kind == "Relu":
            return inputs[0].relu()
        first, second = (x if x.ndim != 1 else x[:, None, None] for x in inputs)
        if kind == "Add":
            return first + second
        if kind == "Mul":
            return first * second
        if kind == "Minimum":
            return torch.minimum(first, second)
        if kind == "Maximum":
            return torch.maximum(first, second)
        raise ValueError(f"The graph holds the operation {kind}, which is not known here.")


def _convolved(node: dict[str, Any], picture: Tensor, kernel: Tensor, groups: int) -> Tensor:
    stride = int(node["attr"]["strides"]["list"]["i"][1])
    if base64.b64decode(node["attr"]["padding"]["s"]) == b"SAME":  # TensorFlow puts the odd pixel at the end
        sides = zip(picture.shape[2:], kernel.shape[2:])
        ends = [max((math.ceil(n / stride) - 1) * stride + k - n, 0) for n, k in sides]
        picture = F.pad(picture, (ends[1] // 2, ends[1] - ends[1] // 2, ends[0] // 2, ends[0] - ends[0] // 2))
    return F.conv2d(picture, kernel.contiguous(), stride=stride, groups=groups)


def _weights(manifest: list[dict[str, Any]], file: Path) -> dict[str, Tensor]:
    content, at = file.read_bytes(), 0
    weights = {}
    for entry in (entry for group in manifest for entry in group["weights"]):
        stored = np.dtype(TYPES[entry.get("quantization", entry)["dtype"]])
        count = math.prod(entry["shape"])
        values = np.frombuffer(content, stored, count, at).astype(TYPES[entry["dtype"]]).reshape(entry["shape"])
        weights[entry["name"]] = torch.from_numpy(values)
        at += count * stored.itemsize
    return weights
