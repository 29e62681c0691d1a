"""The installed insightface opens and runs a pack: tiny networks in its formats, whose answers are known."""

from pathlib import Path

import numpy as np
import pytest

from editedid_core.faces.analyzers.insightface_backend import InsightFaceAnalyzer, providers
from lab import portraits
from lab.bench.judges import MODELS

onnx = pytest.importorskip("onnx")
pytest.importorskip("insightface")

SIDE = 128
EYES = np.array([[48.0, 52.0], [80.0, 52.0], [64.0, 70.0], [52.0, 88.0], [76.0, 88.0]])
BOX = np.array([36.0, 30.0, 92.0, 104.0])


def constant(name: str, value: np.ndarray):
    return onnx.helper.make_node("Constant", [], [name], value=onnx.numpy_helper.from_array(value.astype(np.float32)))


def save(nodes: list, inputs: list, outputs: list, path: Path) -> None:
    graph = onnx.helper.make_graph(nodes, "net", inputs, outputs)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)])
    model.ir_version = 8
    onnx.save(model, str(path))


def tensor(name: str, shape: list):
    return onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)


def write_detector(path: Path, score: float = 0.9) -> None:
    """Nine outputs as SCRFD has them: scores, boxes, points at strides 8, 16, 32, two anchors a cell.

    It sees one face, at BOX with EYES, in the first anchor of the cell at (64, 64) of stride 8. The scores scale with
    the brightness of the picture, so that a black one holds no face.
    """
    nodes, outputs = [], []
    for kind, width in (("score", 1), ("box", 4), ("points", 10)):
        for stride in (8, 16, 32):
            values = np.zeros(((SIDE // stride) ** 2 * 2, width))
            if stride == 8:
                row = 2 * (8 * (SIDE // 8) + 8)
                centre = np.array([64.0, 64.0])
                values[row] = {
                    "score": [score],
                    "box": np.concatenate([centre - BOX[:2], BOX[2:] - centre]) / stride,
                    "points": ((EYES - centre) / stride).ravel(),
                }[kind]
            name = f"{kind}{stride}"
            nodes.append(constant(f"{name}_value", values))
            if kind == "score":  # input is (x - 127.5) / 128, so -0.996 is black
                nodes.append(onnx.helper.make_node("Mul", [f"{name}_value", "bright"], [name]))
            else:
                nodes.append(onnx.helper.make_node("Identity", [f"{name}_value"], [name]))
            outputs.append(tensor(name, [len(values), width]))
    first = [
        onnx.helper.make_node("ReduceMax", ["input"], ["largest"], axes=[0, 1, 2, 3], keepdims=0),
        constant("black", np.array(-0.9)),
        onnx.helper.make_node("Greater", ["largest", "black"], ["is_bright"]),
        onnx.helper.make_node("Cast", ["is_bright"], ["bright"], to=onnx.TensorProto.FLOAT),
    ]
    save(first + nodes, [tensor("input", [1, 3, "height", "width"])], outputs, path)


def write_recogniser(path: Path) -> None:
    """Mean colour of the aligned face, as an embedding of three numbers."""
    nodes = [
        onnx.helper.make_node("GlobalAveragePool", ["input"], ["mean"]),
        onnx.helper.make_node("Flatten", ["mean"], ["embedding"]),
    ]
    save(nodes, [tensor("input", ["batch", 3, 112, 112])], [tensor("embedding", ["batch", 3])], path)


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    write_detector(tmp_path / "detector.onnx")
    write_recogniser(tmp_path / "recogniser.onnx")
    return tmp_path


def red(height: int, width: int) -> np.ndarray:
    picture = np.zeros((height, width, 3), dtype=np.uint8)
    picture[..., 0] = 255
    return picture


def test_faces_come_back_in_the_pictures_own_pixels(pack: Path) -> None:
    analyzer = InsightFaceAnalyzer("mine", pack, SIDE)
    for scale in (1, 2, 16):  # 16: reduced before the detector sees it
        face = analyzer.find(red(SIDE * scale, SIDE * scale))[0]
        assert np.abs(face.points - EYES * scale).max() < 0.6 * scale
        assert np.abs(face.box - BOX * scale).max() < 0.6 * scale
        assert face.score == pytest.approx(0.9)
        assert face.image_size == (SIDE * scale, SIDE * scale)


def test_the_embedding_is_of_length_one_and_sees_rgb(pack: Path) -> None:
    face = InsightFaceAnalyzer("mine", pack, SIDE).find(red(SIDE, SIDE))[0]
    assert face.embedding is not None
    assert np.linalg.norm(face.embedding) == pytest.approx(1, abs=1e-5)
    assert face.embedding[0] > 0 > face.embedding[1]  # insightface gives its networks RGB


def test_threshold_and_emptiness(pack: Path) -> None:
    analyzer = InsightFaceAnalyzer("mine", pack, SIDE)
    assert analyzer.find(red(SIDE, SIDE), threshold=0.95) == []
    assert analyzer.find(np.zeros((SIDE, SIDE, 3), dtype=np.uint8)) == []
    assert analyzer.find(np.zeros((1, 1, 3), dtype=np.uint8)) == []
    assert analyzer.find(np.zeros((1, 4000, 3), dtype=np.uint8)) == []


def test_name_licence_and_provider(pack: Path) -> None:
    analyzer = InsightFaceAnalyzer("buffalo_l", pack, SIDE)
    assert analyzer.name == "insightface buffalo_l"
    assert "non-commercial" in analyzer.licence
    assert providers()[-1] == "CPUExecutionProvider"


def test_a_pack_without_a_recogniser_says_so(tmp_path: Path) -> None:
    write_detector(tmp_path / "detector.onnx")
    with pytest.raises(RuntimeError, match="no recognition network"):
        InsightFaceAnalyzer("half", tmp_path, SIDE)


def test_landmarks_of_several_looks_are_nearer_to_the_truth_than_one() -> None:
    analyzer = InsightFaceAnalyzer("lab", MODELS / "insightface" / "lab")
    once, often = [], []
    for seed in portraits.triple_split("tune", 24):
        shot = portraits.make_triple(seed).drifted
        picture = np.round(np.clip(shot.image, 0, 1) * 255).astype(np.uint8)
        face = max(analyzer.find(picture), key=lambda face: face.score)
        assert face.dense is not None
        one = analyzer._look(np.ascontiguousarray(picture[..., ::-1]), face.box)
        eyes = np.linalg.norm(shot.dense[36:42].mean(0) - shot.dense[42:48].mean(0))
        for errors, dense in ((once, one), (often, face.dense)):
            errors.append(np.linalg.norm(dense - shot.dense, axis=1).mean() / eyes)
    assert np.mean(often) < 0.95 * np.mean(once)


def test_a_layout_whose_mirror_is_not_known_is_never_mirrored(pack: Path) -> None:
    """106 points that a network puts at the same places of its square, left of the middle."""
    spots = np.linspace(-0.9, -0.1, 212)[None]
    shape = [constant("value", spots), onnx.helper.make_node("ReduceMax", ["data"], ["any"], keepdims=0),
             constant("nothing", np.array(0.0)), onnx.helper.make_node("Mul", ["any", "nothing"], ["zero"]),
             onnx.helper.make_node("Add", ["value", "zero"], ["points"])]
    save(shape, [tensor("data", [1, 3, 192, 192])], [tensor("points", [1, 212])], pack / "2d106det.onnx")
    face = InsightFaceAnalyzer("tiny", pack, SIDE).find(red(SIDE, SIDE))[0]
    assert face.dense is not None and face.dense.shape == (106, 2)
    half = 1.5 * max(BOX[2:] - BOX[:2]) / 2  # of insightface's square around the box
    expected = (BOX[:2] + BOX[2:]) / 2 + spots.reshape(106, 2) * half
    np.testing.assert_allclose(face.dense, expected, atol=0.5)
