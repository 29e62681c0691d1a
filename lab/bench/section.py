"""Documents that a benchmark writes one family at a time, the other family's section left as it was."""
from __future__ import annotations

import re
from pathlib import Path

TITLES = {"unet": "The lab's UNet", "dit": "The lab's transformer"}


def write(document: Path, head: str, key: str, title: str, text: str) -> None:
    """Put a section into a Markdown document, under its head; sections stand in the order of `TITLES`."""
    before = document.read_text(encoding="utf-8") if document.is_file() else ""
    sections = dict(re.findall(r"<!-- begin (\w+) -->\n(.*?)<!-- end \1 -->", before, re.S))
    sections[key] = f"## {title}\n\n{text.strip()}\n\n"
    order = sorted(sections, key=lambda name: list(TITLES).index(name))
    body = "\n".join(f"<!-- begin {name} -->\n{sections[name]}<!-- end {name} -->\n" for name in order)
    document.parent.mkdir(parents=True, exist_ok=True)
    document.write_text(f"{head}\n{body}", encoding="utf-8")
