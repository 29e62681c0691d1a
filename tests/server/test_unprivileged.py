"""A host that a user without privileges starts, where nothing is as it should be: the pack loads whole, and works."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from door.paths import PACK_NAME
from door.published import publish
from door.server import Rejected, Server

WITHOUT_PRIVILEGES = """
import ctypes, os, sys
if hasattr(os, "getuid") and os.getuid() == 0:
    for capability in (1, 2):  # of root: to read and to write whatever the modes of files say
        assert ctypes.CDLL(None).prctl(24, capability, 0, 0, 0) == 0
os.execv(sys.argv[1], sys.argv[1:])
"""
BROKEN = "libGL.so.1: cannot open shared object file"
"""What insightface, which is installed, raises when it is imported."""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="modes of files are another system's")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A base directory with packs that are whole, nested, unreadable, no packs at all, and a node pack that cannot be
    written to."""
    base = tmp_path_factory.mktemp("unprivileged") / "base"
    for name in ("input", "output", "temp", "user/default"):
        (base / name).mkdir(parents=True)
    packs = base / "models" / "insightface" / "models"
    for name in ("good", "deep/deep", "n\u00e4ive \u4eba\u8138 & co", "lost+found", "._good", "notes", "secret"):
        (packs / name).mkdir(parents=True)
        (packs / name / ("._det.onnx" if name == "notes" else "det.onnx")).write_bytes(b"x")
    (packs / "gone").symlink_to(base / "nowhere")
    (packs / "loop").symlink_to(packs / "loop")
    (base / "closed" / "insightface").mkdir(parents=True)
    (base / "models" / "editedid").mkdir()
    (base / "a file").write_text("no folder")
    pack = publish(base / "custom_nodes")
    read_only = [(file, 0o555 if file.is_dir() else 0o444) for file in (pack, *pack.rglob("*"))]
    shut = [(folder, 0) for folder in (packs / "secret", base / "closed" / "insightface", base / "models" / "editedid")]
    for file, mode in (*read_only, *shut):
        file.chmod(mode)
    yield base
    for file, _ in (*shut, *read_only):
        file.chmod(0o755)


@pytest.fixture(scope="module")
def poor(base: Path) -> Iterator[Server]:
    (base / "site" / "insightface").mkdir(parents=True)
    (base / "site" / "insightface" / "__init__.py").write_text(f"raise ImportError({BROKEN!r})")
    offline, missing = base / "share", "/mnt/no such drive"
    offline.symlink_to(base / "nowhere")
    paths = {name: {"base_path": str(at), "insightface": "insightface"} for name, at in (
        ("closed", base / "closed"), ("share", offline), ("missing", missing), ("file", base / "a file"))}
    (base / "paths.yaml").write_text(json.dumps(paths), encoding="utf-8")
    env = {**os.environ, "EDITEDID_BASE": str(base), "EDITEDID_MODEL_PATHS": str(base / "paths.yaml"),
           "EDITEDID_FACE_PACK": "auto", "HOME": str(base),
           "PYTHONPATH": os.pathsep.join([str(base / "site"), os.environ.get("PYTHONPATH", "")])}
    name = f"server-unprivileged-{Path(os.environ['EDITEDID_HOST']).name}.log"
    with Server(sys.executable, env, log_name=name, through=(sys.executable, "-c", WITHOUT_PRIVILEGES)) as running:
        yield running


def prompt(**analyzer: Any) -> dict[str, Any]:
    """The pack's own pictures, compared with themselves by Load Face Analyzer."""
    values = {"backend": "auto", "pack": "auto", "detection_size": 640, **analyzer}
    return {"1": {"class_type": "EditedIDSamplePictures", "inputs": {"kind": "portrait"}},
            "2": {"class_type": "EditedIDLoadFaceAnalyzer", "inputs": values},
            "3": {"class_type": "EditedIDFaceSimilarity", "inputs": {"image": ["1", 0], "reference": ["1", 0],
                                                                     "analyzer": ["2", 0]}}}


def test_every_node_is_there_and_every_pack_that_can_be_read(server: Server, poor: Server) -> None:
    nodes, whole = ({name for name in one.get("/object_info") if name.startswith("EditedID")} for one in (poor, server))
    assert nodes == whole
    loader = poor.get("/object_info/EditedIDLoadFaceAnalyzer")["EditedIDLoadFaceAnalyzer"]
    kind, settings = loader["input"]["required"]["pack"]
    packs = settings["options"] if kind == "COMBO" else kind
    assert packs == ["auto", "deep", "good", "n\u00e4ive \u4eba\u8138 & co"]


def test_what_does_not_start_is_told_once_and_dlib_works(poor: Server, base: Path) -> None:
    for side in (640, 672):  # two runs
        shown = poor.run(prompt(detection_size=side))["3"]["text"]
        assert "1.000" in shown[0]
    with pytest.raises(Rejected, match="insightface is installed but does not start.*force-reinstall"):
        poor.run(prompt(backend="insightface", pack="good"))
    with pytest.raises(Rejected, match="the face mesh's networks are not at hand"):
        poor.run(prompt(detector="face mesh"))
    log = poor.log.read_text(encoding="utf-8", errors="replace")
    assert log.count("dlib is used instead") == 1 and BROKEN in log
    for folder in ("models/insightface/models/secret", "closed/insightface"):
        assert log.count(f"{base / folder} cannot be read (Permission denied) and is left out") == 1
    assert log.count("and is left out") == 3  # and the link that leads to itself
    assert "IMPORT FAILED" not in log


def test_nothing_was_written_into_the_pack(poor: Server, base: Path) -> None:
    assert not list((base / "custom_nodes" / PACK_NAME).rglob("__pycache__"))
