"""The pack loads whole whatever lies on the disk; tests/server/test_unprivileged.py starts a host like that."""

from __future__ import annotations

import asyncio
import builtins
import importlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.inprocess import Host


@pytest.fixture
def packs(host: Host) -> Any:
    """The module that finds packs, as the loaded nodes use it."""
    nodes = host.node("EditedIDLoadFaceAnalyzer").__module__
    return sys.modules[nodes.replace(".nodes.faces", ".editedid_core.comfy.folders")]


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A models folder of the host with a pack, one nested too deep, notes of another system and folders of no use."""
    folder = tmp_path / "models"
    for name in ("good", "deep/deep", "._good", "notes", "lost+found", "empty"):
        (folder / "insightface" / "models" / name).mkdir(parents=True)
    for file in ("good/det.onnx", "deep/deep/det.onnx", "._good/det.onnx", "notes/._det.onnx", "lost+found/det.onnx"):
        (folder / "insightface" / "models" / file).write_bytes(b"x")
    (folder / "insightface" / "models" / "empty" / "det.onnx").symlink_to(tmp_path / "gone.onnx")
    (folder / "insightface" / "models" / "notes" / "folder.onnx").mkdir()
    return folder


def test_only_folders_with_networks_are_packs_and_the_host_s_lists_stay(
    packs: Any, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder_paths = importlib.import_module("folder_paths")
    shared: set[str] = {".safetensors"}
    registered = {"insightface": ([str(models / "insightface"), str(models / "missing")], shared)}
    monkeypatch.setattr(folder_paths, "folder_names_and_paths", registered)
    monkeypatch.setattr(folder_paths, "models_dir", str(models))
    assert set(packs.insightface_packs()) == {"good", "deep"}
    assert packs.insightface_packs()["deep"].name == "deep"
    assert shared == {".safetensors"}
    assert registered == {"insightface": ([str(models / "insightface"), str(models / "missing")], shared)}


def test_a_kind_of_models_that_another_pack_registered_otherwise_fails_nothing(
    packs: Any, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder_paths = importlib.import_module("folder_paths")
    there, none = str(models / "insightface"), ((), [], None, 5, (None, set()), ([None, 3], set()), (["a\0b"], set()))
    for registered in (*none, (there, set()), ([there],), [[there], set()], ([Path(there)], set())):
        monkeypatch.setattr(folder_paths, "folder_names_and_paths", {"insightface": registered, "editedid": registered})
        monkeypatch.setattr(folder_paths, "models_dir", str(models / "elsewhere"))
        assert set(packs.insightface_packs()) == (set() if registered in none else {"good", "deep"})
        assert packs.mesh_weights() is None


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), OSError(112, "Host is down"),
                                   OSError(5, "Input/output error"), TimeoutError(110, "timed out")])
def test_nothing_on_the_disk_fails_a_schema(
    host: Host, packs: Any, error: OSError, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The rule, over all nodes: a schema is made although nothing can be read."""

    def fails(*_: Any, **__: Any) -> Iterator[Any]:
        raise error

    ids = [name for name in host.node_ids() if name.startswith("EditedID")]
    for name in ("scandir", "listdir", "stat", "lstat"):
        monkeypatch.setattr(os, name, fails)
    monkeypatch.setattr(Path, "is_dir", fails)
    monkeypatch.setattr(builtins, "open", fails)
    packs._warn_once.cache_clear()
    with caplog.at_level("WARNING"):
        for _ in range(3):
            schemas = [host.node(name).define_schema() for name in ids]
    monkeypatch.undo()
    assert len(schemas) == len(ids)
    told = [record.getMessage() for record in caplog.records if "left out" in record.getMessage()]
    assert told and len(told) == len(set(told))


def test_a_second_copy_of_the_pack_is_told(
    host: Host, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    known = host.node("EditedIDRestoreIdentity")
    pack = sys.modules[known.__module__.removesuffix(".nodes.restore")]

    def listed() -> list[Any]:
        return asyncio.run(pack.EditedIDExtension().get_node_list())

    assert known in listed() and not caplog.text  # the host reads its own again
    monkeypatch.setattr(known, "RELATIVE_PYTHON_MODULE", "custom_nodes.editedid")
    assert known in listed()
    assert "installed twice, in the folders editedid and" in caplog.text
