"""The one command that trains everything: what it runs, in which order, and what a failure stops."""
from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from lab.train import make

ROOT = Path(__file__).resolve().parents[3]
NOTHING, ABSENT = "__init__", "no_such_module"
"""A module of lab.train that does nothing, and none."""


def _steps(wanted: str, device: str = "cuda") -> dict[str, make.Step]:
    effort = make.CUDA if device == "cuda" else make.CPU
    return {step.name: step for step in make.steps_of(wanted, Path("out"), device, effort)}


@pytest.mark.parametrize("wanted", [*make.MODELS, "all"])
def test_every_step_waits_for_what_it_reads_and_comes_after_it(wanted: str) -> None:
    before: set[str] = set()
    for step in _steps(wanted).values():
        assert set(step.after) <= before, step.name
        before.add(step.name)
    assert "crops" in before


def test_all_is_the_three_parts_and_nothing_else() -> None:
    parts = set().union(*(set(_steps(one).items()) for one in make.MODELS))
    assert parts == set(_steps("all").items())


def test_shipped_files_are_laid_out_as_the_labs_models_are() -> None:
    """The drawn world's; those of the rendered world (`people3d`) come from `world_run`."""
    models = {path.relative_to(ROOT / "lab" / "models") for kind in ("safetensors", "onnx")
              for path in (ROOT / "lab" / "models").rglob(f"*.{kind}")}
    models = {path for path in models if path.parts[0] != "people3d"}
    shipped = Path("out", "shipped")
    made = {Path(word).relative_to(shipped) for step in _steps("all").values() for word in step.arguments
            if shipped in Path(word).parents}
    assert made == models


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_every_step_knows_its_options(device: str, monkeypatch: pytest.MonkeyPatch,
                                      capsys: pytest.CaptureFixture) -> None:
    for step in _steps("all", device).values():
        monkeypatch.setattr(sys, "argv", [step.module, "--help"])
        with pytest.raises(SystemExit):
            importlib.import_module(f"lab.train.{step.module}").main()
        text = capsys.readouterr().out
        unknown = [word for word in step.arguments if word.startswith("--") and f"{word} " not in text + " "
                   and f"{word}\n" not in text and f"{word}]" not in text]
        assert not unknown, (step.name, unknown)
        assert device in step.arguments or step.module in ("dataset", "export"), step.name


@pytest.fixture
def from_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


@pytest.mark.usefixtures("from_root")
def test_a_failing_step_stops_those_that_need_it_and_no_others(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    steps = [make.Step("good", NOTHING, ()), make.Step("bad", ABSENT, ()),
             make.Step("needs_good", NOTHING, (), ("good",)), make.Step("needs_bad", NOTHING, (), ("bad",)),
             make.Step("far", NOTHING, (), ("needs_bad",))]
    with pytest.raises(RuntimeError, match=r"bad failed: see bad\.log in .*; give the same command to go on"):
        make.run(steps, tmp_path, at_once=4)
    lines = capsys.readouterr().out.splitlines()
    ended = {line.split()[1].rstrip(","): line.split()[0] for line in lines}
    assert ended == {"good": "ended", "bad": "failed", "needs_good": "ended"}
    assert ABSENT in (tmp_path / "bad.log").read_text(encoding="utf-8")
    assert not (tmp_path / "needs_bad.log").exists()


@pytest.mark.usefixtures("from_root")
def test_one_at_once_is_one_after_another(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    make.run([make.Step("first", NOTHING, ()), make.Step("second", NOTHING, ())], tmp_path, at_once=1)
    lines = [line.split(",")[0].split() for line in capsys.readouterr().out.splitlines()]
    assert lines == [["begun", "first"], ["ended", "first"], ["begun", "second"], ["ended", "second"]]


def test_the_command_line_names_the_folder_of_the_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                         capsys: pytest.CaptureFixture) -> None:
    asked: list[tuple[str, int]] = []
    monkeypatch.setattr(make, "run", lambda steps, out, at_once: asked.append((steps[-1].name, at_once)))
    make.main(["judges", "--out", str(tmp_path), "--device", "cpu"])
    make.main(["dit", "--out", str(tmp_path), "--device", "cuda"])
    assert asked == [("critic", make.CPU.at_once), ("export_dit", make.CUDA.at_once)]
    assert str(tmp_path / "shipped") in capsys.readouterr().out
    with pytest.raises(SystemExit):
        make.main(["everything", "--out", str(tmp_path)])
