"""What goes wrong with analyzers, each with its own sentence."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from editedid_core.faces.analyzers import dlib_backend, registry
from editedid_core.faces.analyzers.dlib_backend import open_network
from editedid_core.faces.analyzers.dlib_recogniser import DlibRecogniser
from editedid_core.faces.analyzers.faults import AnalyzerError, require_readable
from editedid_core.faces.analyzers.insightface_backend import (
    InsightFaceAnalyzer,
    insightface_available,
    providers,
)
from editedid_core.faces.analyzers.mesh_weights import open_networks
from editedid_core.faces.analyzers.protocol import FaceAnalyzer
from editedid_core.faces.detect import detect

SIZE = (100, 200)


def raises(error: BaseException) -> Callable[..., Any]:
    def call(*_: object, **__: object) -> Any:
        raise error

    return call


@pytest.fixture(autouse=True)
def dlib_opens_quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """What auto falls back to is not what is tried here."""
    quick = replace(registry.BACKEND_ROWS["dlib"], open=lambda *_: type("Quick", (), {"name": "dlib"})())
    monkeypatch.setattr(registry, "BACKEND_ROWS", {**registry.BACKEND_ROWS, "dlib": quick})
    monkeypatch.setattr(registry, "dlib_available", lambda: True)
    registry.close_analyzers()


@pytest.fixture
def on_the_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], Path]:
    """A pack of one file, which insightface opens on a graphics card with this error."""
    zoo = pytest.importorskip("insightface.model_zoo")
    runtime = pytest.importorskip("onnxruntime")
    monkeypatch.setattr(runtime, "get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"])
    (tmp_path / "det.onnx").write_bytes(b"x")

    def fails(error: BaseException) -> Path:
        monkeypatch.setattr(zoo, "get_model", raises(error))
        return tmp_path

    return fails


@pytest.mark.parametrize(("error", "words"), [
    (RuntimeError("CUDA error 2: out of memory"), "ran out of memory on the graphics card"),
    (RuntimeError("Failed to allocate memory for requested buffer of size 1024"), "ran out of memory"),
    (RuntimeError("LoadLibrary failed: onnxruntime_providers_cuda.dll"), "cannot use the graphics card"),
    (RuntimeError("something nobody thought of"), "failed on the graphics card while opening"),
])
def test_causes_of_a_failed_start_are_told_apart(
    error: Exception, words: str, on_the_card: Callable[[BaseException], Path], caplog: pytest.LogCaptureFixture
) -> None:
    packs = {"buffalo_l": on_the_card(error)}
    with pytest.raises(RuntimeError, match=words) as told:
        registry.load_analyzer("insightface", packs)
    sentence = str(told.value)
    assert "download" not in sentence and "damaged" not in sentence
    assert "EDITEDID_FACE_DEVICE=cpu" in sentence and "dlib" in sentence and str(error) in sentence
    assert told.value.__cause__ is error
    with caplog.at_level("WARNING"):
        assert registry.load_analyzer("auto", packs).name == "dlib"
    assert words in caplog.text


@pytest.mark.parametrize(("cause", "words"), [
    ("CUDA failure 2: out of memory ; GPU=0", "ran out of memory on the graphics card"),
    ("Failed to allocate memory for requested buffer", "ran out of memory on the graphics card"),
    ("CUDNN_STATUS_NOT_INITIALIZED", "cannot use the graphics card"), ("Protobuf parsing failed.", "is damaged")])
def test_onnxruntime_s_one_error_for_all_is_told_by_its_words(
    cause: str, words: str, on_the_card: Callable[[BaseException], Path]
) -> None:
    """It raises the same class for a damaged file and for a full or missing graphics card."""
    error = sys.modules["onnxruntime"].capi.onnxruntime_pybind11_state.Fail(f"[ONNXRuntimeError] : 1 : FAIL : {cause}")
    with pytest.raises(AnalyzerError, match=words) as told:
        registry.load_analyzer("insightface", {"buffalo_l": on_the_card(error)})
    assert ("download" in str(told.value)) == ("damaged" in words)


def test_a_file_that_may_not_be_read_is_no_damaged_one(on_the_card: Callable[[BaseException], Path]) -> None:
    packs = {"buffalo_l": on_the_card(PermissionError(13, "Permission denied"))}
    with pytest.raises(RuntimeError, match="cannot be read"):
        registry.load_analyzer("insightface", packs)


def test_a_file_whose_mode_forbids_reading_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "open", raises(PermissionError(13, "Permission denied")))
    with pytest.raises(AnalyzerError, match="cannot be read .Permission denied.: let ComfyUI's user read it"):
        require_readable(tmp_path / "det.onnx", "download its pack again")


def test_a_warning_is_told_once_until_the_registry_is_closed(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    mesh = tmp_path / "mediapipe_face.safetensors"
    for side in (640, 672, 704):
        registry.load_analyzer("auto", {}, detection_size=side, mesh=mesh)
    assert caplog.text.count("own detector is used instead") == 1
    registry.close_analyzers()
    registry.load_analyzer("auto", {}, mesh=mesh)
    assert caplog.text.count("own detector is used instead") == 2


def test_the_operator_keeps_insightface_on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = pytest.importorskip("onnxruntime")
    monkeypatch.setattr(runtime, "get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"])
    assert providers()[0] == "CUDAExecutionProvider"
    monkeypatch.setenv("EDITEDID_FACE_DEVICE", "cpu")
    assert providers() == ["CPUExecutionProvider"]


@pytest.mark.parametrize("error", [RuntimeError("CUDA failure 2: out of memory"), MemoryError("bad allocation")])
def test_failures_while_finding_get_a_sentence(error: Exception, dlib_analyzer: FaceAnalyzer,
                                               monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("insightface")
    pack = Path(__file__).resolve().parents[3] / "lab" / "models" / "insightface" / "lab"
    for analyzer, part in ((InsightFaceAnalyzer("lab", pack, 320), "detect"), (dlib_analyzer, "run")):
        broken = type("Detector", (), {part: raises(error)})()
        monkeypatch.setattr(analyzer, "_detector", broken)
        with pytest.raises(RuntimeError, match="ran out of memory on the CPU while finding faces") as told:
            analyzer.find(np.zeros((300, 300, 3), dtype=np.uint8))
        assert "choose the backend" in str(told.value) and told.value.__cause__ is error


@pytest.mark.parametrize(("error", "words"), [
    (RuntimeError("Error while calling cudaMalloc(&data, n) reason: out of memory"), "ran out of memory on the gra"),
    (RuntimeError("Error while calling cudaGetDevice(&dev), reason: CUDA driver version is insufficient"),
     "cannot use the graphics card"),
    (RuntimeError("Error deserializing a floating point number."), "is damaged"),
    (MemoryError(), "ran out of memory"),
])
def test_causes_of_dlib_s_failures_are_told_apart(error: BaseException, words: str) -> None:
    if not dlib_backend.dlib_available():  # by its files: the package of the weights cannot be imported everywhere
        pytest.skip("dlib is not installed")
    broken: Any = SimpleNamespace(DLIB_USE_CUDA=True, shape_predictor=raises(error))
    with pytest.raises(AnalyzerError, match=words) as told:
        open_network(broken, "shape_predictor", "shape_predictor_68_face_landmarks.dat")
    assert ("force-reinstall" in str(told.value)) == (words == "is damaged")
    assert told.value.__cause__ is error


def test_a_weights_file_that_is_missing_or_damaged_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dlib = pytest.importorskip("dlib")
    folder = dlib_backend._weights_folder()
    monkeypatch.setattr(dlib_backend, "_weights_folder", lambda: tmp_path)
    name = "dlib_face_recognition_resnet_model_v1.dat"
    for opening in (DlibRecogniser, lambda: open_network(dlib, "face_recognition_model_v1", name)):
        with pytest.raises(AnalyzerError, match=f"{name} is missing: run"):
            opening()
    assert folder is not None
    for damaged in (b"not a network", (folder / name).read_bytes()[:1_000_000]):
        (tmp_path / name).write_bytes(damaged)
        with pytest.raises(AnalyzerError, match=f"{name} is damaged"):
            DlibRecogniser()


def test_the_mesh_s_file_is_told_missing_or_damaged(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    file = tmp_path / "mediapipe_face.safetensors"
    with pytest.raises(AnalyzerError, match="is missing: run `python -m pip download .*mediapipe==0.10.14`"):
        open_networks(file)
    file.write_bytes(b"x" * 100)
    with pytest.raises(AnalyzerError, match="is damaged or of another version"):
        open_networks(file)
    for words in ({}, {"layout": "1"}, {"layout": "1", "graph.detector": '{"shapes": {}, "steps": [[1]]}'}):
        save_file({"detector.1": torch.zeros(1)}, str(file), words)
        with pytest.raises(AnalyzerError, match="is damaged or of another version"):
            open_networks(file)


def test_a_mesh_that_nobody_asked_for_and_that_does_not_open_leaves_the_backend(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "mediapipe_face.safetensors").write_bytes(b"x" * 100)
    mesh = tmp_path / "mediapipe_face.safetensors"
    with pytest.raises(AnalyzerError, match="is damaged"):
        registry.load_analyzer("dlib", {}, mesh=mesh, mesh_needed=True)
    with caplog.at_level("WARNING"):
        assert registry.load_analyzer("auto", {}, mesh=mesh).name == "dlib"
    assert caplog.text.count("own detector is used instead") == 1
    for backend in ("auto", "dlib"):  # who asks for the mesh is not given what was opened without it
        with pytest.raises(AnalyzerError, match="is damaged"):
            registry.load_analyzer(backend, {}, mesh=mesh, mesh_needed=True)


def test_a_module_that_another_pack_left_half_made_is_no_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    stub = ModuleType("insightface")
    stub.__spec__ = None
    monkeypatch.setitem(sys.modules, "insightface", stub)
    assert insightface_available() in (True, False)


def test_a_face_of_values_that_are_no_numbers_is_refused(make_face: Callable[..., Any]) -> None:
    for value in (np.nan, np.inf):
        face = replace(make_face(60, 40), embedding=np.array([value, 1.0], dtype=np.float32))
        analyzer = type("Broken", (), {"name": "broken pack", "licence": "none", "find": lambda *_, face=face: [face]})
        with pytest.raises(ValueError, match="analyzer: broken pack .*not numbers"):
            detect(torch.zeros(1, *SIZE, 3), analyzer())


@pytest.mark.parametrize("broken", [RuntimeError("module compiled against ABI version 0x1000009"),
                                    AttributeError("module 'numpy' has no attribute 'bool'"),
                                    OSError("libcudnn.so.9: cannot open shared object file"),
                                    SystemError("initialization failed"), KeyError("numpy"), SystemExit(1),
                                    MemoryError(), ImportError("\n\nIMPORTANT: READ THIS!\n\n- numpy\n")])
def test_whatever_an_import_raises_is_told_in_words(
    broken: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    row = replace(registry.BACKEND_ROWS["insightface"], open=raises(broken))
    monkeypatch.setattr(registry, "BACKEND_ROWS", {**registry.BACKEND_ROWS, "insightface": row})
    monkeypatch.setattr(registry, "insightface_available", lambda: True)
    with pytest.raises(RuntimeError, match="installed but does not start.*force-reinstall") as told:
        registry.load_analyzer("insightface", {"buffalo_l": tmp_path})
    assert "\n" not in str(told.value) and f"({type(broken).__name__}" in str(told.value)
    with caplog.at_level("WARNING"):
        assert registry.load_analyzer("auto", {"buffalo_l": tmp_path}).name == "dlib"
    assert caplog.text.count("does not start") == 1


@pytest.mark.parametrize("broken", [SystemError("initialization failed"), AttributeError("dlib"), SystemExit(1)])
def test_a_second_opinion_that_does_not_start_stops_nothing(
    broken: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    row = replace(registry.BACKEND_ROWS["insightface"], open=lambda *_: SimpleNamespace(name="arc", licence="none"))
    monkeypatch.setattr(registry, "BACKEND_ROWS", {**registry.BACKEND_ROWS, "insightface": row})
    monkeypatch.setattr(registry, "insightface_available", lambda: True)
    monkeypatch.setattr(registry, "MeshAnalyzer", lambda _: SimpleNamespace(name="mesh", licence="none"))
    monkeypatch.setattr(registry, "DlibRecogniser", raises(broken))
    with caplog.at_level("WARNING"):
        assert registry.load_analyzer("auto", {"mine": tmp_path}, mesh=tmp_path / "mesh").name == "mesh + arc"
    assert caplog.text.count("The guard has no second opinion") == 1


def test_notes_of_another_system_are_no_networks(tmp_path: Path) -> None:
    pytest.importorskip("insightface")
    (tmp_path / "._det.onnx").write_bytes(b"Mac OS X")
    with pytest.raises(RuntimeError, match="no detection network"):
        registry.load_analyzer("insightface", {"mine": tmp_path})


def test_a_pack_of_no_name_is_refused_with_the_choices(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="pack is None: choose one of auto, mine"):
        registry.load_analyzer("auto", {"mine": tmp_path}, None)  # type: ignore[arg-type]
