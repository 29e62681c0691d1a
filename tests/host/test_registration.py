"""The pack loads with all of its nodes whatever lies on the disk, and whatever does not start on this machine."""

from __future__ import annotations

import builtins
import ctypes
import importlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.inprocess import Host

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = """
import sys, json, asyncio, logging, pathlib
logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
sys.argv = ["comfyui", "--cpu"]
sys.path.insert(0, {host!r})
import comfy.options
comfy.options.enable_args_parsing()
import comfy.samplers, comfy_api.latest, folder_paths, nodes
folder_paths.models_dir = {models!r}
folder_paths.folder_names_and_paths["insightface"] = ([{models!r} + "/insightface", {share!r}], {{".bin"}})
import importlib.util
spec = importlib.util.spec_from_file_location("pack", {pack!r} + "/__init__.py", submodule_search_locations=[{pack!r}])
pack = importlib.util.module_from_spec(spec)
sys.modules["pack"] = pack
spec.loader.exec_module(pack)
found = asyncio.run(asyncio.run(pack.comfy_entrypoint()).get_node_list())
for _ in range(2):
    schemas = {{node.define_schema().node_id: node for node in found}}
packs = next(i.options for i in schemas["EditedIDLoadFaceAnalyzer"].define_schema().inputs if i.id == "pack")
load = schemas["EditedIDLoadFaceAnalyzer"].execute
faults = sys.modules["pack.editedid_core.faces.analyzers.faults"]
def told(what, *words):
    try:
        return what(*words)
    except Exception as error:
        return type(error).__name__ + ": " + str(error)
answers = [told(lambda: load("auto", "auto", 320).result[1]), told(load, "auto", "auto", 320, "face mesh"),
           told(faults.require_readable, pathlib.Path({models!r}, "insightface", "models", "locked", "det.onnx"), "x")]
extensions = sorted(folder_paths.folder_names_and_paths["insightface"][1])
print(json.dumps([len(schemas), packs, extensions, answers]))
"""
DAC_OVERRIDE, DAC_READ_SEARCH, DROP = 1, 2, 24
"""Numbers of Linux: what lets root read anything, and the call that gives it up."""


def without_privileges() -> None:
    """Make a process of root obey the modes of files, as any other user's does."""
    if hasattr(os, "getuid") and os.getuid() == 0:
        system = ctypes.CDLL(None)
        for capability in (DAC_OVERRIDE, DAC_READ_SEARCH):
            assert system.prctl(DROP, capability, 0, 0, 0) == 0


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


@pytest.mark.parametrize("broken", [
    ("insightface", 'ImportError("libGL.so.1: cannot open shared object file")'),
    ("onnxruntime", 'OSError("[WinError 1114] A dynamic link library initialization routine failed")'),
], ids=lambda broken: broken[0])
def test_an_unprivileged_user_gets_every_node_and_one_warning_each(
    host: Host, tmp_path: Path, models: Path, broken: tuple[str, str]
) -> None:
    """Folders that may not be read, a share that is gone, a pack that may not be written, a package that does not
    start: all of it at once."""
    pytest.importorskip("dlib")
    secret, closed, locked, mesh = (models / "insightface" / "models" / "secret", models / "insightface" / "closed",
                                    models / "insightface" / "models" / "locked", models / "editedid")
    for folder in (secret, closed, locked, mesh):
        folder.mkdir()
        (folder / "det.onnx").write_bytes(b"x")
    (tmp_path / "share").symlink_to(tmp_path / "gone")  # a share that is not there
    package, raises = broken
    (tmp_path / "site" / package).mkdir(parents=True)
    (tmp_path / "site" / package / "__init__.py").write_text(f"raise {raises}")
    pack = tmp_path / "pack"
    for part in ("nodes", "editedid_core", "web", "locales"):
        shutil.copytree(ROOT / part, pack / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy2(ROOT / "__init__.py", pack)
    for file in [pack, *pack.rglob("*")]:
        file.chmod(0o555 if file.is_dir() else 0o444)
    for hidden in (secret, closed, mesh, locked / "det.onnx"):
        hidden.chmod(0o000)
    try:
        (count, packs, extensions, answers), log = loaded(tmp_path, models, pack)
    finally:
        for file in (secret, closed, mesh, locked / "det.onnx", pack, *pack.rglob("*")):
            file.chmod(0o755)
    assert count == len([name for name in host.node_ids() if name.startswith("EditedID")])
    assert packs == ["auto", "deep", "good", "locked"] and extensions == [".bin"]
    for folder in (secret, closed):
        assert log.count(f"{folder} cannot be read") == 1
    assert "dlib" in answers[0]
    assert log.count("does not start") == 1 and raises.split('"')[1] in log and "dlib is used instead" in log
    assert answers[1].startswith("ValueError: detector: the face mesh's networks are not at hand")
    assert answers[2].startswith("AnalyzerError") and "cannot be read (Permission denied)" in answers[2]


def loaded(tmp_path: Path, models: Path, pack: Path) -> tuple[list[Any], str]:
    """The pack in a process of an unprivileged user: nodes, packs, extensions, analyzer; and what was logged."""
    script = SCRIPT.format(host=os.environ["EDITEDID_HOST"], pack=str(pack), models=str(models),
                           share=str(tmp_path / "share"))
    env = {**os.environ, "EDITEDID_FACE_PACK": "auto", "HOME": str(tmp_path)}
    env["PYTHONPATH"] = os.pathsep.join([str(tmp_path / "site"), env.get("PYTHONPATH", "")])
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=env,
                          preexec_fn=without_privileges)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1]), done.stderr
