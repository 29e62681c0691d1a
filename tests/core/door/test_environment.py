"""What installs the wheels: uv where there is one, and pip where there is none or where uv fails."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from door import environment
from door.environment import Environment

Ran = list[list[str]]


@pytest.fixture
def venv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Environment, Ran]]:
    """A venv of which only the commands are known; those that `fails` knows fail."""

    def make(fails: Callable[[Sequence[str]], bool]) -> tuple[Environment, Ran]:
        ran: Ran = []

        def run(command: Sequence[str], log: Path, label: str, env: Mapping[str, str], cwd: Path) -> tuple[int, str]:
            ran.append(list(command[2:]))
            return int(fails(ran[-1])), "ERROR: no"

        monkeypatch.setattr(environment, "run_logged", run)
        monkeypatch.setattr(environment, "RUN", tmp_path)
        monkeypatch.setattr(environment, "wheelhouse", lambda: tmp_path)
        monkeypatch.setattr(Environment, "prepare", lambda self: self.folder.mkdir())
        monkeypatch.setattr(environment, "require_space", lambda folder, gigabytes: None)
        return Environment(tmp_path / "venv"), ran

    return make


def installers(ran: Ran) -> list[str]:
    """Who was asked to install the listing."""
    return [words[0] for words in ran if "install" in words and "-r" in words]


def test_uv_installs_the_wheels_and_leaves_nothing_beside_the_venv(
        venv: Callable[..., tuple[Environment, Ran]], tmp_path: Path) -> None:
    made, ran = venv(lambda words: False)
    made.ensure(["numpy"])
    assert installers(ran) == ["uv"] and made.installed() > {"numpy"}
    assert all("--no-index" in words for words in ran if "install" in words)
    assert not (tmp_path / "unpacked").exists()


@pytest.mark.parametrize(("fails", "asked"), [
    (lambda words: "uv" in words, ["pip"]),
    (lambda words: words[0] == "uv", ["uv", "pip"]),
], ids=["there is no uv", "uv fails"])
def test_without_it_pip_does(venv: Callable[..., tuple[Environment, Ran]],
                             fails: Callable[[Sequence[str]], bool], asked: list[str]) -> None:
    made, ran = venv(fails)
    made.ensure(["numpy"])
    assert installers(ran) == asked and made.installed() > {"numpy"}


def test_uv_is_fetched_once_where_the_wheels_have_none(venv: Callable[..., tuple[Environment, Ran]]) -> None:
    fetched: list[bool] = []

    def fails(words: Sequence[str]) -> bool:
        if words[:2] == ["pip", "wheel"] and "uv" in words[2:]:
            fetched.append(True)
        return words[:2] == ["pip", "install"] and "uv" in words[2:] and not fetched

    made, ran = venv(fails)
    made.ensure(["numpy"])
    assert fetched == [True] and installers(ran) == ["uv"]
