"""run.py's own promises: one sentence for each failure, nothing but plain files unpacked, wrong archives refused."""
from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from door import failure, hosts, process
from door.environment import requirement_lines
from door.failure import Failure
from door.main import main
from door.paths import ROOT, cache_dir
from door.process import run_logged
from door.server import require_port

LOG = Path("pip.log")


@pytest.mark.parametrize(
    ("printed", "sentence"),
    [
        ("NewConnectionError('...: [Errno 111] Connection refused')", "cannot be reached"),
        ("socket.gaierror: Temporary failure in name resolution", "cannot be reached"),
        ("ERROR: Could not install packages: [Errno 28] No space left on device", "disk is full"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE", "wrong sha256"),
        ("ERROR: No matching distribution found for torch==2.11.0", "no package for this Python and system"),
        ("ERROR: something new", "something new"),
    ],
)
def test_pip_failures_are_told_in_one_sentence(printed, sentence):
    told = str(failure.from_pip(f"Collecting torch\n{printed}\n", LOG))
    assert sentence in told
    assert "\n" not in told


def test_a_full_disk_is_told_before_anything_is_downloaded(tmp_path):
    with pytest.raises(Failure, match="GB are free"):
        failure.require_space(tmp_path, 1e9)


def test_a_taken_port_is_told():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        with pytest.raises(Failure, match="is taken"):
            require_port(listener.getsockname()[1])


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["demo", "--comfyui", "no-such-folder"], "is not a ComfyUI folder"),
        (["demo", "--original", "a.png"], "or neither"),
        (["demo", "--original", "a.png", "--edited", "b.png"], "no picture a.png"),
        (["demo", "--comfyui", ".", "--host-version", "0.16.3"], "not both"),
    ],
)
def test_wrong_arguments_end_with_one_sentence(words, sentence, capsys):
    assert main(words) == 1
    assert sentence in capsys.readouterr().out


def _archive(path: Path, members: dict[str, str | None]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, text in members.items():
            entry = tarfile.TarInfo(name)
            if text is None:
                entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
                tar.addfile(entry)
            else:
                entry.size = len(text)
                tar.addfile(entry, io.BytesIO(text.encode()))
    return path


def test_only_plain_files_of_the_host_are_unpacked(tmp_path):
    archive = _archive(tmp_path / "a.tar.gz", {
        "p-1/vendor/ComfyUI/main.py": "main",
        "p-1/vendor/ComfyUI/comfy/a.py": "a",
        "p-1/vendor/ComfyUI/../../../escaped.py": "bad",
        "p-1/vendor/ComfyUI/link": None,
        "p-1/setup.py": "other",
    })
    target = tmp_path / "deep" / "host"
    hosts.unpack(archive, target)
    found = {file.relative_to(tmp_path).as_posix() for file in tmp_path.rglob("*") if not file.is_dir()}
    assert found == {"a.tar.gz", "deep/host/main.py", "deep/host/comfy/a.py"}


def test_requirements_leave_out_what_is_named(tmp_path):
    listing = tmp_path / "r.txt"
    listing.write_text("# all\ntorch\ncomfyui-embedded-docs==1 # large\n\nscipy>=1\n", encoding="utf-8")
    assert requirement_lines(listing, ("comfyui-embedded-docs",)) == ["torch", "scipy>=1"]


def test_the_pack_is_linked_into_a_base_directory_and_its_settings_survive(tmp_path):
    hosts.prepare_base(tmp_path)
    link = tmp_path / "custom_nodes" / "ComfyUI-EditedID"
    assert (link / "run.py").samefile(ROOT / "run.py")
    settings = tmp_path / "user" / "default" / "comfy.settings.json"
    settings.write_text("{}", encoding="utf-8")
    hosts.prepare_base(tmp_path)
    assert settings.read_text(encoding="utf-8") == "{}"


def test_another_front_end_has_its_own_folder(tmp_path):
    own = hosts.Host(tmp_path, tmp_path / "own")
    other = hosts.with_frontend(own, "1.58.1")
    assert other.frontend_requirement() == "comfyui-frontend-package==1.58.1"
    assert other.frontend.name == "1.58.1" and other.path == own.path


def test_the_cache_can_be_put_elsewhere(monkeypatch, tmp_path):
    monkeypatch.setenv("EDITEDID_CACHE", str(tmp_path))
    assert cache_dir() == tmp_path.resolve()


def test_long_commands_are_logged_with_their_exit_code(tmp_path, capsys):
    code, output = run_logged([sys.executable, "-c", "print('working'); raise SystemExit(3)"],
                              tmp_path / "log.txt", "step", os.environ, tmp_path)
    assert code == 3
    assert output.strip() == "working" == (tmp_path / "log.txt").read_text(encoding="utf-8").strip()


def test_bytecode_is_kept_and_lies_in_the_clones_own_folder(monkeypatch, tmp_path):
    monkeypatch.setattr(process, "RUN", tmp_path / "run")
    module = tmp_path / "comfyui" / "module.py"
    module.parent.mkdir()
    module.write_text("", encoding="utf-8")
    env = process.keep_bytecode({**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
    subprocess.run([sys.executable, "-c", "import module"], cwd=module.parent, env=env, check=True)
    assert [file.name for file in module.parent.iterdir()] == ["module.py"]
    assert any(file.name.startswith("module.") for file in (tmp_path / "run" / "bytecode").rglob("*.pyc"))


def test_a_wrong_python_is_told():
    """Run the first lines of run.py as an old Python would."""
    start = (ROOT / "run.py").read_text(encoding="utf-8").split("from door")[0]
    program = f"import sys; sys.version_info = (3, 8, 1)\n{start}"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ended.returncode == 1
    assert "needs Python 3.10 to 3.13, and this is Python 3.8" in ended.stderr
