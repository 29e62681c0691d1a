"""``python run.py bench people``: do rendered people look like people to networks that learnt from photographs?

On a folder of rendered triples: how many faces dlib finds and how far its 68 landmarks are from the truth, how far
apart it sees one person, strangers and a drifted face, and how well it and the installed judges tell people apart.
"""
from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from editedid_core.faces.analyzers.dlib_backend import open_recogniser
from editedid_core.faces.analyzers.dlib_network import DlibNetwork
from editedid_core.geometry.landmarks import five_of_68

from ..people3d import split
from ..people3d.triples import DRIFTS
from ..photos import opening
from ..photos.analyzers import OWN, open_analyzer
from ..photos.judge_check import separation
from ..photos.landmarks import DlibLandmarks, upright
from ..photos.records import Picture, load
from ..photos.store import DEFAULT
from .rendered import STORED

Points = NDArray[np.float64]
HALVES = ("easy", "hard")
PERSON = ("original", "ideal", "held_out")
"""Parts of a triple that show the person."""


def main(arguments: Sequence[str]) -> None:
    """Run the benchmark with command-line arguments."""
    parser = argparse.ArgumentParser(prog="run.py bench people", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=STORED / "tune", help="a split of rendered triples")
    parser.add_argument("--cache", type=Path, default=DEFAULT, help="where the judges are installed")
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--gpu", action="store_true", help=argparse.SUPPRESS)  # run.py passes it on
    options = parser.parse_args(arguments)
    told = figures(options.folder, options.cache)
    for name, value in told.items():
        print(f"{name:58} {value:.4g}")
    if options.json:
        options.json.write_text(json.dumps(told, indent=1), encoding="utf-8")


def figures(folder: Path, cache: Path) -> dict[str, float]:
    """All figures of a folder of rendered triples by their names."""
    entries = json.loads((folder / "triples.json").read_text(encoding="utf-8"))
    analyzer = open_analyzer(OWN)
    found: dict[str, list[bool]] = {half: [] for half in HALVES}
    errors: dict[str, list[float]] = {half: [] for half in HALVES}
    seen: dict[str, list[tuple[Picture, Points]]] = {part: [] for part in split.PARTS}
    for entry in entries:
        place = folder / "triples" / entry["triple"]
        truth = np.load(place / split.TRUTH)["landmarks"]
        for part in split.PARTS:
            picture = load(place / f"{part}.jpg")
            faces = analyzer.find(picture)
            found[entry["kind"]].append(bool(faces))
            if part in split.PARTS[:len(truth)]:
                exact = truth[split.PARTS.index(part)]
                near = five_of_68(exact)
                if faces:
                    errors[entry["kind"]].append(_error(DlibLandmarks().find(picture, near), exact))
            else:
                near = max(faces, key=lambda face: face.size).points if faces else np.full((5, 2), np.nan)
            seen[part].append((picture, np.asarray(near, np.float64)))
    told = {f"faces that dlib finds, share, {half} half": float(np.mean(found[half])) for half in HALVES}
    told |= {f"dlib's landmarks to the truth, eye distances, {half} half": float(np.mean(errors[half]))
             for half in HALVES}
    return told | _distances(entries, seen) | _separations(entries, seen, cache)


def _error(found: Points, exact: NDArray[Any]) -> float:
    """Mean distance of 68 points in eye distances."""
    five = five_of_68(exact)
    return float(np.linalg.norm(found - exact, axis=1).mean() / np.linalg.norm(five[1] - five[0]))


def _distances(entries: list[dict[str, Any]], seen: dict[str, list[tuple[Picture, Points]]]) -> dict[str, float]:
    """Mean Euclidean distances of dlib's descriptors: one person, strangers, and a drifted face to its person."""
    described = {part: np.stack([_descriptor(*one) for one in pictures]) for part, pictures in seen.items()}
    original, other = described["original"], described["held_out"]
    apart = np.linalg.norm(original[:, None] - other[None], axis=-1)
    names = np.array([entry["person"] for entry in entries])
    strangers = (names[:, None] != names[None]) & ~np.isnan(apart)
    nearer = np.diag(apart)[~np.isnan(np.diag(apart)), None] < apart[strangers]
    told = {"dlib's distance, one person": float(np.nanmean(np.diag(apart))),
            "dlib's distance, strangers": float(np.nanmean(apart[strangers])),
            "area under the curve, dlib": float(nearer.mean()),
            "strangers under dlib's limit of 0.6, share": float(np.mean(apart[strangers] < 0.6))}
    drifted = np.linalg.norm(described["drifted"] - original, axis=-1)
    undrifted = np.linalg.norm(described["ideal"] - original, axis=-1)
    told["dlib's distance, photo to an edit without drift"] = float(np.nanmean(undrifted))
    for drift in DRIFTS:
        chosen = [entry["drift"] == drift for entry in entries]
        told[f"dlib's distance, photo to an edit with {drift} drift"] = float(np.nanmean(drifted[chosen]))
    return told


def _descriptor(picture: Picture, near: Points) -> NDArray[np.float64]:
    """dlib's descriptor (128,) of the face at the five places; NaN where no face is known."""
    import dlib

    if np.isnan(near).any():
        return np.full(128, np.nan)
    crop, frame = upright(picture, near)
    dense = DlibLandmarks().find(crop, _within(near, frame))
    box = dlib.rectangle(0, 0, crop.shape[1], crop.shape[0])
    parts = dlib.full_object_detection(box, [dlib.point(round(x), round(y)) for x, y in dense])
    return np.asarray(_recogniser().describe(dlib.get_face_chip(crop, parts, size=150)[None])[0], np.float64)


@cache
def _recogniser() -> DlibNetwork:
    return open_recogniser()


def _within(places: Points, frame: NDArray[np.float64]) -> Points:
    """Places of the picture in a crop whose frame leads from the crop to the picture."""
    return np.linalg.solve(frame[:, :2], (places - frame[:, 2]).T).T


def _separations(entries: list[dict[str, Any]], seen: dict[str, list[tuple[Picture, Points]]],
                 cache: Path) -> dict[str, float]:
    """Area under the curve of same against other people for every judge at hand."""
    told = {}
    for name in opening.usual_judges(cache, "dlib")[0]:
        judge = opening.open_judge(name, cache)
        known = [(entry["person"], one) for part in PERSON for entry, one in zip(entries, seen[part])
                 if not np.isnan(one[1]).any()]
        rows = np.stack([judge.embed(*one) for _, one in known])
        told[f"area under the curve, {name}"] = separation(rows, [person for person, _ in known], judge.centred).auc
    return told
