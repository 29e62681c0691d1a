"""The rings side by side: every part runs and is told, the longest first, and one that fails stops no other."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from door import hosts, tests
from door.hosts import Host
from door.tests import RINGS, Suite


@dataclass(frozen=True)
class Program:
    """Stands where the environment does; `python` is a program of a few lines."""

    python: Path


@pytest.fixture
def suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Suite:
    """Two hosts, and a Python that fails at mypy."""
    if sys.platform == "win32":
        pytest.skip("the program is a shell's")
    for module in (hosts, tests):
        monkeypatch.setattr(module, "RUN", tmp_path / "run")
    monkeypatch.setattr(hosts, "MODELS", tmp_path / "models")
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\necho "ran $@"\ncase "$*" in *"-m mypy"*) exit 1;; esac\n')
    python.chmod(0o755)
    (tmp_path / "run").mkdir()
    older, newest = (Host(tmp_path / version, tmp_path / "frontend") for version in ("0.16.3", "0.30.0"))
    return Suite(Program(python), (newest, older), ())  # type: ignore[arg-type]


def test_every_part_runs_and_is_told_and_one_that_fails_stops_no_other(
        suite: Suite, capfd: pytest.CaptureFixture[str]) -> None:
    assert suite.run(RINGS) == 1
    said = capfd.readouterr().out
    summary = [line.rsplit(" (", 1)[0] for line in said.splitlines()[-8:]]
    assert summary == ["passed  host, ComfyUI 0.30.0", "passed  ruff", "FAILED  mypy", "passed  imports",
                       "passed  core", "passed  server, ComfyUI 0.30.0",
                       "passed  host, ComfyUI 0.16.3", "passed  server, ComfyUI 0.16.3"]
    runs = [line for line in said.splitlines() if line.startswith("ran -m pytest")]
    assert len(runs) == 5 and not any(" -n " in line for line in runs)
    assert sum("-m every_host" in line for line in runs) == 2  # the older host's


def test_more_comes_last_and_counts(suite: Suite, capfd: pytest.CaptureFixture[str]) -> None:
    assert replace(suite, more=[("peers", lambda: True)]).run(["core", "server"]) == 0
    assert replace(suite, more=[("peers", lambda: False)]).run(["core", "server"]) == 1
    assert capfd.readouterr().out.splitlines()[-1].startswith("FAILED  peers")


def test_a_ring_that_runs_alone_takes_all_cores(suite: Suite, capfd: pytest.CaptureFixture[str]) -> None:
    assert suite.run(["core"]) == 0
    assert "-n 2 --dist worksteal" in capfd.readouterr().out
