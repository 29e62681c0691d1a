"""Judges by the words of the command line, and which judge where none is named."""
from __future__ import annotations

from pathlib import Path

from .analyzers import open_analyzer, packs
from .foreign_judges import SOURCES, installed, open_foreign
from .judges import AnalyzerJudge, Judge, onnx_judge
from .store import KeptAnalyzer, Store

FOLDER = "judges"
"""Of the cache, where fetched judges are."""


def open_judge(name: str, cache: Path) -> Judge:
    """`fr`, `mfn`, `hse`, `onnx:FILE[,OPTION…]`, or an analyzer of the pack."""
    if name in SOURCES:
        return open_foreign(name, cache / FOLDER)
    if name.startswith("onnx:"):
        return onnx_judge(name.removeprefix("onnx:"))
    return AnalyzerJudge(KeptAnalyzer(open_analyzer(name), Store(cache)))


def usual_judges(cache: Path, analyzer: str) -> tuple[list[str], str]:
    """The three foreign ones where they are installed, else what the pack has; and a sentence for the user."""
    there = installed(cache / FOLDER)
    if len(there) >= 2:
        return there, f"Judges: {', '.join(there)}; nothing in the pack was tuned on them."
    own = [name for name in (*packs(), "dlib") if name != analyzer] + [analyzer]
    return there + own, (f"Judges: {', '.join(there + own)}. Independent ones are not installed: --install-judges "
                         "fetches them; a method that decides by its own judge looks better to it than it is.")
