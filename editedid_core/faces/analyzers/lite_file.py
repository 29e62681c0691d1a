"""Reading a TensorFlow Lite file with nothing but Python: its graph and its constants.

Only what the face networks use is known here. Sources: the FlatBuffers and FlexBuffers internals documents and
TensorFlow Lite's schema.fbs, whose field numbers stand below.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

TYPES = {0: ("F32", 4), 1: ("F16", 2), 2: ("I32", 4)}
_OPERATORS = {
    0: "ADD", 2: "CONCATENATION", 3: "CONV_2D", 4: "DEPTHWISE_CONV_2D", 6: "DEQUANTIZE", 17: "MAX_POOL_2D",
    18: "MUL", 19: "RELU", 22: "RESHAPE", 32: "CUSTOM", 34: "PAD", 45: "STRIDED_SLICE", 54: "PRELU",
}
# name: (field number, struct format) of each operator's options
_POOL = {"padding": (0, "b"), "stride_w": (1, "i"), "stride_h": (2, "i")}
_OPTIONS: Mapping[str, Mapping[str, tuple[int, str]]] = {
    "ADD": {"activation": (0, "b")},
    "CONCATENATION": {"axis": (0, "i"), "activation": (1, "b")},
    "CONV_2D": {**_POOL, "activation": (3, "b")},
    "DEPTHWISE_CONV_2D": {**_POOL, "multiplier": (3, "i"), "activation": (4, "b")},
    "MAX_POOL_2D": {**_POOL, "filter_w": (3, "i"), "filter_h": (4, "i"), "activation": (5, "b")},
    "MUL": {"activation": (0, "b")},
    "STRIDED_SLICE": {"begin_mask": (0, "i"), "end_mask": (1, "i")},
}


@dataclass(frozen=True)
class Constant:
    """A constant tensor. kind: F32, F16 or I32. data: its values, row by row, little-endian."""

    kind: str
    shape: tuple[int, ...]
    data: bytes


@dataclass(frozen=True)
class Step:
    """One operation. inputs, outputs: numbers of tensors, -1 for an input that is left out."""

    operator: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: dict[str, Any]


@dataclass(frozen=True)
class Graph:
    """A network: its operations in order, its constants by number, the shape of every tensor (batch, height, ...)."""

    steps: tuple[Step, ...]
    constants: dict[int, Constant]
    shapes: dict[int, tuple[int, ...]]
    inputs: tuple[int, ...]
    outputs: dict[str, int]


class _Table:
    """A FlatBuffers table at a place in the file."""

    def __init__(self, data: bytes, place: int) -> None:
        self._data, self._place = data, place
        self._fields = place - _number(data, place, "i")

    def _field(self, field: int) -> int:
        """Place of a field's value; 0 where the file leaves it at its default."""
        size = _number(self._data, self._fields, "H")
        step = 4 + 2 * field
        offset = _number(self._data, self._fields + step, "H") if step < size else 0
        return self._place + offset if offset else 0

    def number(self, field: int, kind: str, default: int = 0) -> int:
        place = self._field(field)
        return _number(self._data, place, kind) if place else default

    def _target(self, field: int) -> int:
        place = self._field(field)
        return place + _number(self._data, place, "I") if place else 0

    def table(self, field: int) -> _Table | None:
        target = self._target(field)
        return _Table(self._data, target) if target else None

    def tables(self, field: int) -> list[_Table]:
        start = self._target(field)
        count = _number(self._data, start, "I") if start else 0
        slots = range(start + 4, start + 4 + 4 * count, 4)
        return [_Table(self._data, slot + _number(self._data, slot, "I")) for slot in slots]

    def raw(self, field: int) -> bytes:
        start = self._target(field)
        return self._data[start + 4:start + 4 + _number(self._data, start, "I")] if start else b""

    def integers(self, field: int) -> tuple[int, ...]:
        start = self._target(field)
        count = _number(self._data, start, "I") if start else 0
        return struct.unpack_from(f"<{count}i", self._data, start + 4) if count else ()


def _number(data: bytes, place: int, kind: str) -> int:
    return int(struct.unpack_from(f"<{kind}", data, place)[0])


def read_graph(data: bytes) -> Graph:
    """The first subgraph of a TensorFlow Lite file.

    Dequantized constants are taken as they are stored. Raises ValueError for a file of another kind, and for
    operators and types that this reader does not know.
    """
    if data[4:8] != b"TFL3":
        raise ValueError("This is not a TensorFlow Lite file.")
    model = _Table(data, _number(data, 0, "I"))
    subgraph = model.tables(2)[0]
    tensors, buffers = subgraph.tables(0), [buffer.raw(0) for buffer in model.tables(4)]
    codes = [_operator(code) for code in model.tables(1)]
    shapes = {index: tensor.integers(0) for index, tensor in enumerate(tensors)}
    constants: dict[int, Constant] = {}
    for index, tensor in enumerate(tensors):
        content = buffers[tensor.number(2, "I")]
        if content:
            constants[index] = _constant(tensor.number(1, "b"), shapes[index], content)
    steps = []
    for table in subgraph.tables(3):
        step = _step(table, codes[table.number(0, "I")])
        if step.operator == "DEQUANTIZE" and step.inputs[0] in constants:
            constants[step.outputs[0]] = constants.pop(step.inputs[0])
        else:
            steps.append(step)
    outputs = {tensors[index].raw(3).decode(): index for index in subgraph.integers(2)}
    return Graph(tuple(steps), constants, shapes, subgraph.integers(1), outputs)


def _operator(code: _Table) -> str:
    number = max(code.number(0, "b"), code.number(3, "i"))
    if number not in _OPERATORS:
        raise ValueError(f"TensorFlow Lite's operator {number} is not known here.")
    name = _OPERATORS[number]
    return code.raw(1).decode() if name == "CUSTOM" else name


def _constant(kind: int, shape: tuple[int, ...], content: bytes) -> Constant:
    if kind not in TYPES:
        raise ValueError(f"TensorFlow Lite's tensor type {kind} is not known here.")
    return Constant(TYPES[kind][0], shape, content)


def _step(table: _Table, operator: str) -> Step:
    given, options = table.table(4), {}
    for name, (field, kind) in _OPTIONS.get(operator, {}).items():
        options[name] = given.number(field, kind) if given is not None else 0
    custom = table.raw(5)
    if custom:
        options = read_flexbuffer(custom)
    return Step(operator, table.integers(1), table.integers(2), options)


def read_flexbuffer(data: bytes) -> Any:
    """The value of a FlexBuffers document: numbers, vectors of numbers and maps of these."""
    width = data[-1]
    return _flex(data, len(data) - 2 - width, width, data[-2])


def _flex(data: bytes, place: int, width: int, packed: int) -> Any:
    kind, own = packed >> 2, 1 << (packed & 3)
    if kind in (1, 2):
        return _number(data, place, ("bhiq" if kind == 1 else "BHIQ")[width.bit_length() - 1])
    if kind == 3:
        return struct.unpack_from({4: "<f", 8: "<d"}[width], data, place)[0]
    start = place - _unsigned(data, place, width)
    if kind == 9:
        count = _unsigned(data, start - own, own)
        keys, key_width = start - 3 * own, _unsigned(data, start - 2 * own, own)
        keys -= _unsigned(data, keys, own)
        types = start + count * own
        return {
            _key(data, keys + i * key_width, key_width): _flex(data, start + i * own, own, data[types + i])
            for i in range(count)
        }
    count = _unsigned(data, start - own, own)
    if kind == 10:
        return [_flex(data, start + i * own, own, data[start + count * own + i]) for i in range(count)]
    if kind in (11, 12, 13):  # vectors of one type: the elements lie inline
        element = (kind - 10) << 2
        return [_flex(data, start + i * own, own, element) for i in range(count)]
    raise ValueError(f"FlexBuffers' type {kind} is not known here.")


def _unsigned(data: bytes, place: int, width: int) -> int:
    return int.from_bytes(data[place:place + width], "little")


def _key(data: bytes, slot: int, width: int) -> str:
    start = slot - _unsigned(data, slot, width)
    return data[start:data.index(b"\0", start)].decode()
