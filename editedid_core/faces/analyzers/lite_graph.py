"""Running a converted TensorFlow Lite graph in torch.

Tensors of four dimensions are stored (N, H, W, C) in the file and held (N, C, H, W) here; others are as in the file.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from .lite_attention import landmarks_to_matrix, move_landmarks, resample_patch


@dataclass(frozen=True)
class Step:
    """One operation. inputs, outputs: numbers of tensors. shape: of the first output, as in the file."""

    operator: str
    inputs: tuple[int, ...]
    output: int
    options: Mapping[str, Any]
    shape: tuple[int, ...]


class LiteGraph(nn.Module):
    """A network as its file describes it.

    description: JSON with inputs, outputs, shapes and steps, as the converter writes it (door/face_weights.py).
    constants: tensors by number, float16, float32 or int32, in the file's layout.
    Raises ValueError for an operator that is not known here.
    """

    def __init__(self, description: str, constants: Mapping[int, torch.Tensor]) -> None:
        super().__init__()
        graph = json.loads(description)
        shapes = {int(number): tuple(shape) for number, shape in graph["shapes"].items()}
        self.steps = [
            Step(operator, tuple(inputs), outputs[0], options, shapes[outputs[0]])
            for operator, inputs, outputs, options in graph["steps"]
        ]
        unknown = {step.operator for step in self.steps} - set(_OPERATORS)
        if unknown:
            raise ValueError(f"Unknown operators in the face mesh's file: {', '.join(sorted(unknown))}.")
        self._input: int = graph["inputs"][0]
        self._outputs: dict[str, int] = graph["outputs"]
        self._done = self._last_uses()
        self._sizes: dict[int, list[int]] = {}
        for number, tensor in self._in_torch_layout(constants).items():
            if tensor.dtype == torch.int32:
                self._sizes[number] = tensor.flatten().tolist()
            else:
                self.register_buffer(f"c{number}", tensor.float().contiguous())
        self._constants = {number: self.get_buffer(f"c{number}") for number in constants if number not in self._sizes}

    def _last_uses(self) -> list[list[int]]:
        """Of each step the values that no later step needs: memory that is used again stays in the cache."""
        last = {number: index for index, step in enumerate(self.steps) for number in step.inputs}
        made = {self._input, *(step.output for step in self.steps)} - set(self._outputs.values())
        done: list[list[int]] = [[] for _ in self.steps]
        for number in made & set(last):
            done[last[number]].append(number)
        return done

    def _in_torch_layout(self, constants: Mapping[int, torch.Tensor]) -> dict[int, torch.Tensor]:
        laid = dict(constants)
        for step in self.steps:
            weight = step.inputs[1] if len(step.inputs) > 1 else -1
            if step.operator == "CONV_2D":
                laid[weight] = constants[weight].permute(0, 3, 1, 2)
            elif step.operator == "DEPTHWISE_CONV_2D":
                laid[weight] = constants[weight].permute(3, 0, 1, 2)
            elif step.operator == "PRELU":
                laid[weight] = constants[weight].flatten()
        return laid

    @torch.no_grad()
    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """x: (N, C, H, W). Returns the outputs by name, flattened to (N, values) or (N, rows, values)."""
        values: dict[int, Any] = {**self._constants, **self._sizes}
        values[self._input] = _in_order(x)
        for step, done in zip(self.steps, self._done):
            arguments = [values[number] if number >= 0 else None for number in step.inputs]
            values[step.output] = _OPERATORS[step.operator](arguments, step)
            for number in done:
                del values[number]
        return {name: _rows(values[number]) for name, number in self._outputs.items()}


def _in_order(x: torch.Tensor) -> torch.Tensor:
    """In the order of memory in which convolutions are fastest: channels last."""
    return x.contiguous(memory_format=torch.channels_last if x.ndim == 4 else torch.contiguous_format)


def _rows(x: torch.Tensor) -> torch.Tensor:
    return x.permute(0, 2, 3, 1).flatten(1) if x.ndim == 4 else x


def _activated(x: torch.Tensor, step: Step) -> torch.Tensor:
    kind = step.options.get("activation", 0)
    if kind not in (0, 1):
        raise ValueError(f"Activation {kind} of {step.operator} is not known.")
    return F.relu(x) if kind == 1 else x


def _same_padding(x: torch.Tensor, kernel: tuple[int, int], stride: tuple[int, int]
                  ) -> tuple[torch.Tensor, tuple[int, int]]:
    """TensorFlow's SAME: the picture, with a column and a row more where one side needs them, and what it needs on both
    sides alike."""
    short = [max((-(-size // s) - 1) * s + k - size, 0) for size, k, s in zip(x.shape[2:], kernel, stride)]
    both = (short[0] // 2, short[1] // 2)
    down, right = (n % 2 for n in short)
    return (F.pad(x, (0, right, 0, down)) if down or right else x), both


def _convolution(arguments: list[Any], step: Step) -> torch.Tensor:
    x, weight = arguments[0], arguments[1]
    bias = arguments[2] if len(arguments) > 2 else None
    stride = (step.options["stride_h"], step.options["stride_w"])
    around = (0, 0)
    if step.options["padding"] == 0:
        x, around = _same_padding(x, (weight.shape[2], weight.shape[3]), stride)
    groups = x.shape[1] if step.operator == "DEPTHWISE_CONV_2D" else 1
    if groups == 1 and weight.shape[2:] == stride == (1, 1):
        # a matrix product keeps the order of memory, which torch's convolutions of one pixel do not
        return _activated(F.linear(x.permute(0, 2, 3, 1), weight[:, :, 0, 0], bias).permute(0, 3, 1, 2), step)
    return _activated(F.conv2d(x, weight, bias, stride, around, groups=groups), step)


def _max_pool(arguments: list[Any], step: Step) -> torch.Tensor:
    kernel = (step.options["filter_h"], step.options["filter_w"])
    stride = (step.options["stride_h"], step.options["stride_w"])
    x = arguments[0]
    around = (0, 0)
    if step.options["padding"] == 0:
        x, around = _same_padding(x, kernel, stride)
    if kernel == stride == (2, 2) and around == (0, 0) and x.shape[2] % 2 == x.shape[3] % 2 == 0:
        rows = torch.maximum(x[:, :, ::2], x[:, :, 1::2])  # the same in a fraction of the time
        return torch.maximum(rows[..., ::2], rows[..., 1::2])
    return F.max_pool2d(x, kernel, stride, around)


def _pad(arguments: list[Any], step: Step) -> torch.Tensor:
    _, _, top, bottom, left, right, front, back = arguments[1]  # rows of (before, after) for N, H, W, C
    return F.pad(arguments[0], (left, right, top, bottom, front, back))


def _reshape(arguments: list[Any], step: Step) -> torch.Tensor:
    x = arguments[0]
    x = x.permute(0, 2, 3, 1) if x.ndim == 4 else x
    x = x.reshape(x.shape[0], *step.shape[1:])
    return x.permute(0, 3, 1, 2) if x.ndim == 4 else x


def _concatenation(arguments: list[Any], step: Step) -> torch.Tensor:
    axis = step.options["axis"]
    return torch.cat(arguments, (0, 2, 3, 1)[axis] if arguments[0].ndim == 4 else axis)


def _whole_slice(arguments: list[Any], step: Step) -> torch.Tensor:
    x: torch.Tensor = arguments[0]
    if _rows(x).shape[1:].numel() != torch.Size(step.shape[1:]).numel():
        raise ValueError("Only slices that keep everything are known.")
    return x


_OPERATORS: Mapping[str, Callable[[list[Any], Step], torch.Tensor]] = {
    "ADD": lambda a, step: _activated(a[0] + a[1], step),
    "CONCATENATION": _concatenation,
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _convolution,
    "MAX_POOL_2D": _max_pool,
    "MUL": lambda a, step: _activated(a[0] * a[1], step),
    "PAD": _pad,
    "PRELU": lambda a, step: F.prelu(a[0], a[1]),
    "RELU": lambda a, step: F.relu(a[0]),
    "RESHAPE": _reshape,
    "STRIDED_SLICE": _whole_slice,
    "Landmarks2TransformMatrix": lambda a, step: landmarks_to_matrix(a[0], step.options),
    "TransformTensorBilinear": lambda a, step: resample_patch(a[0], a[1], step.options),
    "TransformLandmarks": lambda a, step: move_landmarks(a[0], a[1]),
}
