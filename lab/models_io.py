"""The shipped form of a model: a safetensors file with 8-bit weights and without its zeros; numpy is all it needs.

`expand(packed, out)` writes the float16 safetensors checkpoint that the host loads. In the packed file a weight has

* its name, as int8 (with NAME.scale, float32, one per output channel) or as float16 (small tensors);
* an entry in the metadata, NAME -> [shape, runs]: the whole shape and, per axis, the stretches [start, stop) that
  are stored; everything else is zero. A weight without a tensor is zero all over.
"""
from __future__ import annotations

import json
import os
import struct
from pathlib import Path

import numpy as np

_TYPES = {"I8": np.dtype("int8"), "F16": np.dtype("<f2"), "F32": np.dtype("<f4")}
_NAMES = {dtype: name for name, dtype in _TYPES.items()}
_LAYOUT = "editedid.layout"
_SCALE = ".scale"
_WORTH_A_SCALE = 4096


def read(path: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Tensors (float16, float32 or int8 only) and metadata of a safetensors file; ValueError if it is none."""
    data = Path(path).read_bytes()
    if len(data) < 8 or 8 + struct.unpack("<Q", data[:8])[0] > len(data):
        raise ValueError(f"{path} is not a safetensors file (a Git LFS pointer or a broken download?)")
    start = 8 + struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:start])
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        if entry["dtype"] not in _TYPES:
            raise ValueError(f"{path}: {name} has type {entry['dtype']}; this reader knows {', '.join(_TYPES)}")
        first, last = entry["data_offsets"]
        flat = np.frombuffer(data[start + first : start + last], _TYPES[entry["dtype"]])
        tensors[name] = flat.reshape(entry["shape"])
    return tensors, metadata


def write(path: Path, tensors: dict[str, np.ndarray], metadata: dict[str, str] | None = None) -> None:
    """Write a safetensors file in one move: a reader never meets half of it."""
    header: dict[str, object] = {"__metadata__": metadata or {}}
    offset = 0
    for name, value in tensors.items():
        header[name] = {"dtype": _NAMES[value.dtype], "shape": list(value.shape),
                        "data_offsets": [offset, offset + value.nbytes]}
        offset += value.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    with part.open("wb") as file:
        file.write(struct.pack("<Q", len(text)))
        file.write(text)
        for value in tensors.values():
            if value.size > _WORTH_A_SCALE and not value.any():
                file.seek(value.nbytes, os.SEEK_CUR)  # a hole: zeros that take no room on most file systems
            else:
                file.write(np.ascontiguousarray(value).tobytes())
        file.truncate()
    os.replace(part, path)


def expand(packed: Path, out: Path) -> None:
    """Write the float16 checkpoint `out` from a packed file; ValueError when `packed` is not one of ours."""
    tensors, metadata = read(packed)
    if _LAYOUT not in metadata:
        raise ValueError(f"{packed} is not a packed model of the lab")
    whole = {}
    for name, (shape, runs) in json.loads(metadata[_LAYOUT]).items():
        value = np.zeros(shape, np.float16)
        if name in tensors:
            stored = tensors[name]
            if stored.dtype == np.int8:
                stored = stored * _by_channel(tensors[name + _SCALE], stored.ndim)
            value[_places(runs)] = stored.astype(np.float16)
        whole[name] = value
    write(out, whole, {k: v for k, v in metadata.items() if k != _LAYOUT})


def pack(tensors: dict[str, np.ndarray], path: Path, eight_bit: str, metadata: dict[str, str]) -> None:
    """Write the packed form of a checkpoint.

    Matrices and kernels whose name starts with `eight_bit` and that hold enough numbers to be worth a scale per
    channel become int8, everything else float16.
    """
    stored: dict[str, np.ndarray] = {}
    layout = {}
    for name, value in tensors.items():
        value = np.asarray(value, np.float32)
        runs = [_runs(np.any(value != 0, axis=tuple(a for a in range(value.ndim) if a != axis)))
                for axis in range(value.ndim)]
        layout[name] = [list(value.shape), runs]
        part = value[_places(runs)]
        if part.size == 0:
            continue
        if part.ndim < 2 or part.size < _WORTH_A_SCALE or not name.startswith(eight_bit):
            stored[name] = part.astype(np.float16)
            continue
        scale = np.abs(part).reshape(len(part), -1).max(1).astype(np.float32) / 127
        stored[name] = np.rint(part / _by_channel(scale, part.ndim)).astype(np.int8)
        stored[name + _SCALE] = scale
    write(path, stored, {**metadata, _LAYOUT: json.dumps(layout, separators=(",", ":"))})


def extend(packed: Path, tensors: dict[str, np.ndarray], out: Path, metadata: dict[str, str]) -> None:
    """Write a packed file with more tensors, which stay float16 (an autoencoder beside its diffusion model)."""
    stored, kept = read(packed)
    if _LAYOUT not in kept:
        raise ValueError(f"{packed} is not a packed model of the lab")
    layout = json.loads(kept[_LAYOUT])
    layout |= {name: [list(value.shape), [[[0, n]] for n in value.shape]] for name, value in tensors.items()}
    stored |= {name: np.asarray(value, np.float16) for name, value in tensors.items()}
    write(out, stored, {**kept, **metadata, _LAYOUT: json.dumps(layout, separators=(",", ":"))})


def _by_channel(scale: np.ndarray, axes: int) -> np.ndarray:
    return scale.reshape(-1, *([1] * (axes - 1)))


def _runs(used: np.ndarray) -> list[list[int]]:
    edges = np.flatnonzero(np.diff(np.concatenate(([0], used.astype(np.int8), [0]))))
    return edges.reshape(-1, 2).tolist()


def _places(runs: list[list[list[int]]]) -> tuple[np.ndarray, ...]:
    if not runs:
        return ()
    return np.ix_(*[np.concatenate([np.arange(a, b) for a, b in axis] or [np.arange(0)]) for axis in runs])
