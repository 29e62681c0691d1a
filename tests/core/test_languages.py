"""Every text of every node in Chinese: names, tooltips and help pages, none missing and none of what is gone."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
CHINESE = re.compile("[\u4e00-\u9fff]")
OPTIONS = {node: {name: one.get("options", ()) for name, one in described["inputs"].items()} for node, described
           in json.loads((ROOT / "tests" / "host" / "schema.json").read_text(encoding="utf-8")).items()}


def texts(language: str) -> dict[str, Any]:
    return json.loads((ROOT / "locales" / language / "nodeDefs.json").read_text(encoding="utf-8"))


def keys_of(value: Any) -> Any:
    return {key: keys_of(one) for key, one in value.items()} if isinstance(value, dict) else None


def test_no_text_is_missing_in_chinese() -> None:
    chinese = texts("zh")
    assert keys_of(chinese) == keys_of(texts("en"))  # which is held against the schema in the host ring
    for node, told in chinese.items():
        long = [told["display_name"], told["description"]]
        long += [slot["tooltip"] for group in ("inputs", "outputs") for slot in told[group].values()]
        assert [text for text in long if not CHINESE.search(text)] == [], node


@pytest.mark.parametrize("node", sorted(OPTIONS))
def test_the_chinese_help_page_names_inputs_outputs_and_options(node: str) -> None:
    """The front end shows docs/<node>/zh.md. It does not translate options, so the page names them as they are."""
    page = (ROOT / "web" / "docs" / node / "zh.md").read_text(encoding="utf-8")
    told = texts("zh")[node]
    wanted = [f"# {told['display_name']}\n", *(f"`{name}`" for name in told["inputs"])]
    wanted += [slot["name"] for group in ("inputs", "outputs") for slot in told[group].values()]
    wanted += [option for options in OPTIONS[node].values() for option in map(str, options) if not option.isdigit()]
    assert [word for word in wanted if word not in page] == []
    links = re.findall(r"\]\(([^)\s]+)\)", page)
    assert all((ROOT / "web" / "docs" / link).exists() for link in links)  # as the front end reads them
