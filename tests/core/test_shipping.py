"""What is published: source that every console can show, and what the registry of ComfyUI asks of the metadata."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from door.published import published_files
from door.supply import NEWEST

ROOT = Path(__file__).resolve().parents[2]


def sources() -> list[Path]:
    return [Path(folder, name) for part in ("nodes", "editedid_core", "lab", "door", "tests")
            for folder, _, names in os.walk(ROOT / part) for name in names if name.endswith(".py")] + [ROOT / "run.py"]


def test_every_source_can_be_shown_by_a_windows_console() -> None:
    assert len(sources()) > 100
    for file in sources():
        text = file.read_text(encoding="utf-8")
        try:
            text.encode("cp1252")
        except UnicodeEncodeError as error:
            line = text[:error.start].count("\n") + 1
            pytest.fail(f"{file.relative_to(ROOT)}:{line} holds {text[error.start]!r}, which cp1252 lacks")


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    toml = pytest.importorskip("tomllib")
    return toml.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_the_name_is_one_that_the_registry_takes(project: dict[str, Any]) -> None:
    name = project["project"]["name"]
    assert re.fullmatch(r"[a-z][a-z0-9._-]{0,98}", name) and not re.search(r"[-_.]{2}", name)
    assert "comfyui" not in name
    assert re.fullmatch(r"\d+\.\d+\.\d+", project["project"]["version"])
    assert project["project"]["description"] and project["project"]["urls"]["Repository"].startswith("https://")
    assert (ROOT / project["project"]["license"]["file"]).is_file()


def test_the_publisher_and_the_pictures_are_told(project: dict[str, Any]) -> None:
    comfy = project["tool"]["comfy"]
    assert re.fullmatch(r"[a-z0-9][a-z0-9-]*", comfy["PublisherId"])
    assert comfy["DisplayName"] == "EditedID"
    assert re.fullmatch(r">=\d+\.\d+\.\d+", comfy["requires-comfyui"])
    repository = project["project"]["urls"]["Repository"].removeprefix("https://github.com/")
    assert repository == f"{comfy['PublisherId']}/ComfyUI-EditedID"
    assert f"`{comfy['PublisherId']}`" in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for key in ("Icon", "Banner"):
        assert comfy[key].startswith(f"https://raw.githubusercontent.com/{repository}/main/")
        assert (ROOT / comfy[key].split("/main/")[1]).is_file()


def test_icon_and_banner_have_the_registry_s_shapes(project: dict[str, Any]) -> None:
    comfy = project["tool"]["comfy"]
    names = [comfy[key].split("/main/")[1] for key in ("Icon", "Banner")]
    icon, banner = (Image.open(ROOT / name) for name in names)
    assert {icon.format, banner.format} <= {"PNG", "JPEG", "GIF"}
    assert set(names) <= {file.as_posix() for file in published_files()}
    assert icon.width == icon.height <= 400
    assert abs(banner.width / banner.height - 21 / 9) < 0.01


def test_what_the_registry_installs_is_what_the_project_asks_for(project: dict[str, Any]) -> None:
    listed = [line.strip() for line in (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()]
    assert project["project"]["dependencies"] == [line for line in listed if line and not line.startswith("#")]


def test_the_extra_is_what_the_newest_of_everything_is_tried_with(project: dict[str, Any]) -> None:
    assert set(project["project"]["optional-dependencies"]["insightface"]) <= set(NEWEST)


def test_what_is_published_is_the_pack_alone() -> None:
    names = {file.as_posix() for file in published_files()}
    assert {"__init__.py", "pyproject.toml", "requirements.txt", "LICENSE", "README.md", "nodes/restore.py"} <= names
    tops = {name.split("/")[0] for name in names}
    assert not tops & {"lab", "tests", "door", "run.py", ".run", ".git", ".ci"}
    assert not any(name.endswith(".pyc") for name in names)
