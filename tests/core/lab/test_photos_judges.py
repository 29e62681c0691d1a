"""Judges of photographs: a real onnx file through its adapter, a TensorFlow.js graph, and how judges are checked."""
from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from lab import portraits
from lab.photos import foreign_judges, opening
from lab.photos.faceres import Graph
from lab.photos.judge_check import separation
from lab.photos.judges import aligned, onnx_judge, unit
from lab.photos.records import as_bytes

SIDE = 128


@pytest.fixture(scope="module")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network that knows the mean of each channel and no more: (1, 3, 128, 128) to (1, 3)."""
    file = tmp_path_factory.mktemp("judge") / "colours.onnx"
    axes = numpy_helper.from_array(np.array([2, 3], np.int64), "axes")
    node = helper.make_node("ReduceMean", ["picture", "axes"], ["embedding"], keepdims=0)
    graph = helper.make_graph([node], "colours",
                              [helper.make_tensor_value_info("picture", TensorProto.FLOAT, [1, 3, SIDE, SIDE])],
                              [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [1, 3])], [axes])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), file)
    return file


@pytest.fixture(scope="module")
def shot() -> portraits.Portrait:
    return portraits.render(portraits.triple_identity(3), portraits.Scene(portraits.Placement()), 200)


def test_an_onnx_judge_takes_its_size_from_the_file_and_its_settings_from_the_words(
        colours: Path, shot: portraits.Portrait) -> None:
    picture = as_bytes(shot.image)
    plain = onnx_judge(f"{colours},mean=0,scale=255")
    assert (plain.size, plain.mean, plain.scale, plain.mirrored) == (SIDE, 0.0, 255.0, True)
    expected = unit(aligned(picture, shot.landmarks, SIDE).mean((0, 1)))
    assert np.allclose(plain.embed(picture, shot.landmarks), expected, atol=1e-5)
    turned = onnx_judge(f"{colours},mean=0,scale=255,bgr,once").embed(picture, shot.landmarks)
    assert np.allclose(turned, expected[::-1], atol=1e-5)


def test_a_judge_sees_the_face_in_the_same_place_wherever_it_is(shot: portraits.Portrait) -> None:
    picture = as_bytes(shot.image)
    moved = np.pad(picture, ((30, 0), (17, 0), (0, 0)), mode="edge")
    away = np.abs(aligned(moved, shot.landmarks + [17, 30]) - aligned(picture, shot.landmarks))
    assert away.mean() < 1.0


def test_what_cannot_be_opened_is_said(colours: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no option"):
        onnx_judge(f"{colours},colour=blue")
    with pytest.raises(ValueError, match="not there"):
        opening.open_judge("onnx:nowhere.onnx", tmp_path)
    for name in foreign_judges.SOURCES:
        with pytest.raises(RuntimeError, match="--install-judges"):
            opening.open_judge(name, tmp_path)
    names, words = opening.usual_judges(tmp_path, "dlib")
    assert names[-1] == "dlib" and "--install-judges" in words


def test_judges_can_measure_in_the_command_that_installs_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def pip(command: list[str], **_: object) -> None:
        package = Path(command[command.index("--target") + 1]) / "ai_edge_litert"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text("")

    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(foreign_judges.subprocess, "run", pip)
    monkeypatch.setattr(foreign_judges, "_fetch", lambda source, folder: None)
    assert not foreign_judges._has_litert(tmp_path / "judges")  # looked for before, so that Python remembers it
    foreign_judges.install(tmp_path / "judges")
    assert foreign_judges._has_litert(tmp_path / "judges")


def test_separation_is_whole_where_people_differ_and_half_where_nothing_tells() -> None:
    rng = np.random.default_rng(0)
    people = [f"p{i}" for i in range(8) for _ in range(6)]
    own = {name: rng.normal(size=32) for name in set(people)}
    clear = unit(np.array([own[name] + 0.1 * rng.normal(size=32) for name in people], np.float32))
    assert separation(clear, people, False).auc == 1.0
    blind = unit(rng.normal(size=(48, 32)).astype(np.float32))
    assert separation(blind, people, False).auc == pytest.approx(0.5, abs=0.1)
    with pytest.raises(ValueError, match="Two people"):
        separation(clear[:6], people[:6], False)


def test_a_tensorflow_graph_gives_what_its_layers_say(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    kernel, deep, shift = (rng.normal(size=shape).astype(np.float16) for shape in ((3, 3, 3, 4), (3, 3, 4, 1), (4,)))
    same = {"padding": {"s": "U0FNRQ=="}, "strides": {"list": {"i": ["1", "2", "2", "1"]}}}
    nodes = [
        {"name": "in", "op": "Placeholder"}, *({"name": name, "op": "Const"} for name in ("k", "d", "b")),
        {"name": "conv", "op": "Conv2D", "input": ["in", "k"], "attr": same},
        {"name": "sum", "op": "Add", "input": ["conv", "b"]}, {"name": "relu", "op": "Relu", "input": ["sum"]},
        {"name": "deep", "op": "DepthwiseConv2dNative", "input": ["relu", "d"], "attr": same},
        {"name": "mean", "op": "Mean", "input": ["deep"]},
    ]
    entries = [{"name": name, "shape": list(value.shape), "dtype": "float32", "quantization": {"dtype": "float16"}}
               for name, value in (("k", kernel), ("d", deep), ("b", shift))]
    file = tmp_path / "net.json"
    file.write_text(json.dumps({"modelTopology": {"node": nodes}, "weightsManifest": [{"weights": entries}]}))
    file.with_suffix(".bin").write_bytes(b"".join(value.tobytes() for value in (kernel, deep, shift)))
    import torch

    picture = rng.normal(size=(2, 8, 8, 3)).astype(np.float32)
    expected = np.maximum(_strided(picture, kernel.astype(np.float32)) + shift.astype(np.float32), 0)
    expected = np.stack([_strided(expected[..., [c]], deep.astype(np.float32)[:, :, [c]]) for c in range(4)], -1)
    found = Graph(file, "mean")(torch.from_numpy(picture)).numpy()
    assert np.allclose(found, expected[..., 0, :].mean((1, 2)), atol=1e-3)


def _strided(picture: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """A convolution of stride 2 as TensorFlow pads it: the odd row and column at the end."""
    padded = np.pad(picture, ((0, 0), (0, 1), (0, 1), (0, 0)))
    side = picture.shape[1] // 2
    return np.stack([np.stack([np.einsum("nyxc,yxco->no", padded[:, 2 * i:2 * i + 3, 2 * j:2 * j + 3], kernel)
                               for j in range(side)], 1) for i in range(side)], 1)
