"""What a user's folder holds: ready-made triples, people to make triples of, and edits without truth. All are optional.

    people/NAME/*.jpg        photos of a person (or NAME/*.jpg beside nothing else)
    triples/NN/{original,ideal,drifted}.*, and triples.json beside `triples` or in it
    edits/NN_original*.*, edits/NN_edited.*
"""
from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .records import Example

PICTURES = (".jpg", ".jpeg", ".png", ".webp")
KINDS = {"photo": "photo", "kept": "kept", "small": "small", "small grey": "small", "easy": "easy", "hard": "hard"}
"""Kinds of triples.json, and the group of each."""


def ready_triples(folder: Path) -> list[Example]:
    """The triples of triples.json, in its order; empty without one. ValueError for a kind or file that is not known."""
    file = next((f for f in (folder / "triples.json", folder / "triples" / "triples.json") if f.is_file()), None)
    if file is None:
        return []
    return [_triple(folder, entry) for entry in json.loads(file.read_text(encoding="utf-8"))]


def _triple(folder: Path, entry: dict[str, Any]) -> Example:
    name, kind = str(entry["triple"]), entry.get("kind", "photo")
    if kind not in KINDS:
        raise ValueError(f"triples.json: triple {name} is of the kind {kind!r}; known are {', '.join(KINDS)}.")
    original, ideal, drifted = (_one(folder / "triples" / name, part) for part in ("original", "ideal", "drifted"))
    held_out = tuple(folder / photo for photo in entry.get("held_out_photos", ()))
    for photo in held_out:
        if not photo.is_file():
            raise ValueError(f"triples.json: triple {name} names the photo {photo}, which is not there.")
    return Example(f"triple {name}", KINDS[kind], str(entry.get("person", name)), (original,), drifted, ideal, held_out)


def edits(folder: Path) -> list[Example]:
    """Pairs without truth, in the order of their names. ValueError for an edit without its photo."""
    found = []
    for edited in pictures(folder / "edits"):
        name, mark, _ = edited.stem.partition("_edited")
        if not mark:
            continue
        photos = tuple(f for f in pictures(folder / "edits") if f.stem.startswith(f"{name}_original"))
        if not photos:
            raise ValueError(f"{edited}: there is no picture {name}_original beside it.")
        found.append(Example(f"edit {name}", "edits", f"edit {name}", photos, edited))
    return found


def people(folder: Path) -> dict[str, list[Path]]:
    """Photos by person. Folders of `people/`, or of `folder` itself where there is no `people/`."""
    root = folder / "people" if (folder / "people").is_dir() else folder
    taken = ("triples", "edits", "people")
    places = [place for place in sorted(root.iterdir()) if place.is_dir() and place.name not in taken]
    found = {place.name: pictures(place) for place in places}
    return {name: photos for name, photos in found.items() if photos}


def tune_people(examples: Iterable[Example]) -> set[str]:
    """Every second person by name, to tune on. Those of real edits are counted apart, so that no edit that is added
    moves anybody from one half to the other."""
    names = {one.person: one.group == "edits" for one in examples}
    return {name for edits in (False, True) for name in sorted(n for n, alone in names.items() if alone is edits)[::2]}


def pictures(folder: Path) -> list[Path]:
    """The picture files right in a folder, by name."""
    if not folder.is_dir():
        return []
    return sorted(file for file in folder.iterdir() if file.suffix.lower() in PICTURES)


def _one(folder: Path, stem: str) -> Path:
    file = next((file for file in pictures(folder) if file.stem == stem), None)
    if file is None:
        raise ValueError(f"{folder}: there is no picture named {stem}.")
    return file
