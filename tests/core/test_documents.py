"""The documents: short, plain, and without a link or a path that leads nowhere."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from PIL import Image

from door.published import published_files

ROOT = Path(__file__).resolve().parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/*.md")), *sorted(ROOT.glob("web/docs/*.md"))]
TEXTS = [*PAGES, *sorted(ROOT.glob("locales/en/*.json")), *sorted(ROOT.glob("example_workflows/*.json"))]

HARD_TO_READ = ("as far as", "has a say", "have a say", "is told", "it that", "leaves it be", "nobody's",
                "of those that", "of what", "told by", "what is not", "what of the", "what stands", "whoever")
"""Turns of phrase that hide who does what. Say it with a subject and a verb."""

NODES = sorted(json.loads((ROOT / "tests" / "host" / "schema.json").read_text(encoding="utf-8")))
MOST_BYTES, MOST_BYTES_TOGETHER = 25_000, 450_000
"""Of the pictures of the help pages, which every installation downloads."""
EXAMPLE = {"en": "**Example.** ", "zh": "**\u793a\u4f8b\u3002** "}

MOST_LINES = 90
"""Of the README: about one screen."""


def name_of(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


def words(file: Path) -> str:
    """The text of a page or of the strings in a JSON file, in one line and lower case."""
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".json":
        text = json.dumps(json.loads(text), ensure_ascii=False).replace("\\n", " ")
    return re.sub(r"\s+", " ", text).lower()


@pytest.mark.parametrize("file", TEXTS, ids=name_of)
def test_sentences_say_who_does_what(file: Path) -> None:
    text = words(file)
    found = [text[max(0, m.start() - 40) : m.end() + 40] for phrase in HARD_TO_READ
             for m in re.finditer(rf"\b{re.escape(phrase)}\b", text)]
    assert not found, found


@pytest.mark.parametrize("file", PAGES, ids=name_of)
def test_links_and_paths_lead_to_files(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    links = [link.split("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]
    missing = [link for link in links if link and not (file.parent / link).exists()]
    missing += [page for page in re.findall(r"(?<![\w/])docs/\w+\.md", text) if not (ROOT / page).exists()]
    # ARCHITECTURE names the packages of editedid_core without its name
    roots = (ROOT, ROOT / "editedid_core")
    folders = {folder.name for root in roots for folder in root.iterdir()
               if folder.is_dir() and not folder.name.startswith(".")}
    paths = [path for path in re.findall(r"`([\w.-]+/[\w./-]*)`", text) if path.split("/")[0] in folders]
    missing += [path for path in paths if not any((root / path).exists() for root in roots)]
    assert not missing, missing


def test_the_readme_is_about_one_screen() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= MOST_LINES


@pytest.mark.parametrize("node", NODES)
@pytest.mark.parametrize("language", EXAMPLE)
def test_a_help_page_shows_its_node_and_an_example(node: str, language: str) -> None:
    docs = ROOT / "web" / "docs"
    page = docs / (f"{node}.md" if language == "en" else f"{node}/zh.md")
    lines = page.read_text(encoding="utf-8").splitlines()
    # the front end reads a page's links from web/docs in every language
    assert re.fullmatch(rf"!\[[^]]+\]\({node}/node\.webp\)", lines[2]), "no picture under the title"
    assert [len(line) > 40 for line in lines if line.startswith(EXAMPLE[language])] == [True]


def test_the_pictures_of_the_help_pages_are_small_and_published() -> None:
    files = [ROOT / "web" / "docs" / node / "node.webp" for node in NODES]
    for file in files:
        with Image.open(file) as shown:
            assert shown.format == "WEBP" and shown.width >= 500, file
    sizes = [file.stat().st_size for file in files]
    assert max(sizes) <= MOST_BYTES and sum(sizes) <= MOST_BYTES_TOGETHER
    assert {file.relative_to(ROOT) for file in files} <= set(published_files())
