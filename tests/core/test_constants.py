"""Calibrated numbers: each stands once, and its module says what it was set on."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

CORE = Path(__file__).resolve().parents[2] / "editedid_core"
CALIBRATED = ("appearance", "crops", "faces", "geometry", "masks", "restore")
SOURCE = re.compile(r"drawn|photograph|rendered|not\s+calibrated|METHOD|set (by eye )?on", re.IGNORECASE)


def constants(file: Path) -> Iterator[tuple[str, str]]:
    """Name and value of each constant of a module that is a number, or several."""
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            try:
                value = ast.literal_eval(node.value)
            except ValueError:
                continue
            if any(isinstance(one, int | float) for one in (value if isinstance(value, tuple) else (value,))):
                yield node.targets[0].id, repr(value)


def test_no_number_stands_twice_under_one_name() -> None:
    places: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for file in CORE.rglob("*.py"):
        for constant in constants(file):
            places[constant].append(file.relative_to(CORE).as_posix())
    twice = {" = ".join(constant): files for constant, files in places.items() if len(files) > 1}
    assert not twice, twice


def test_every_module_with_thresholds_says_what_they_were_set_on() -> None:
    silent = [file.relative_to(CORE).as_posix() for part in CALIBRATED for file in (CORE / part).rglob("*.py")
              if any("." in value for _, value in constants(file))
              and not SOURCE.search(file.read_text(encoding="utf-8"))]
    assert not silent, silent
