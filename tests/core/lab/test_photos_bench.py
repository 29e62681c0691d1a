"""The benchmark on photographs from a folder to its JSON and sheet, on drawn people with the lab's own analyzer."""
from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("insightface")

from lab.photos import bench, folder, sheet, table
from lab.photos.analyzers import open_analyzer
from lab.photos.landmarks import landmarks_for
from lab.photos.records import Example, load
from lab.photos.store import ROOT, Store
from lab.photos.triples import made_triples

MEASURES = {"whole", "recovery_1", "recovery_2", "landmarks", "psnr", "ghosts", "accepted"}


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory, write_people: Callable[[Path, int, int], None]) -> Path:
    place = tmp_path_factory.mktemp("people")
    write_people(place, 2, 3)
    return place


def test_triples_are_the_same_again_and_drift_part_of_the_way(people: Path, tmp_path: Path) -> None:
    analyzer = open_analyzer("lab")
    names = folder.people(people)
    assert {name: len(photos) for name, photos in names.items()} == {f"p{i:02d}": 3 for i in range(2)}
    first, second = (made_triples(names, analyzer, landmarks_for(analyzer), Store(tmp_path / part), 8)
                     for part in ("a", "b"))
    assert {one.person for one in first} == set(names)
    assert {one.group for one in first} >= {"photo", "kept"}
    for one, again in zip(first, second, strict=True):
        assert one.ideal is not None and again.ideal is not None
        assert np.array_equal(load(one.edited), load(again.edited))
        changed = np.abs(load(one.edited).astype(int) - load(one.ideal)).max(-1)
        assert changed.max() > 20, "the face has drifted"
        assert np.median(changed[0]) <= 2, "nothing but the face has"
        assert not {load(photo).tobytes() for photo in one.held_out} & {load(one.originals[0]).tobytes()}


def test_a_run_over_drawn_people(people: Path, tmp_path: Path) -> None:
    """With one edit without truth. One test, so that the run is made once, whatever workers there are."""
    place = tmp_path / "run"
    place.mkdir()
    edits = people / "edits"
    edits.mkdir(exist_ok=True)
    for name, source in (("00_original", "p00/00.png"), ("00_edited", "p01/01.png")):
        Image.open(people / "people" / source).save(edits / f"{name}.png")
    words = [str(people), "--analyzer", "lab", "--judge", "lab", "--judge", "lab", "--cache", str(place / "cache"),
             "--rows", "60 % blend,gentle", "--variant", "gentle:shape.face_shape=0.5",
             "--set", "crop.size=128", "--seed", "8", "--json", str(place / "out.json"),
             "--sheet", str(place / "sheet.jpg")]
    bench.main(words)
    content = json.loads((place / "out.json").read_text())
    the_json_holds_every_measure_of_every_group(content)
    halves_share_no_person_and_make_up_the_whole(content["rows"])
    sheets_are_written_and_not_into_the_repository(sorted(place.glob("sheet*.jpg")))
    a_second_run_takes_everything_from_the_cache(content, words, tmp_path)


def the_json_holds_every_measure_of_every_group(content: dict) -> None:
    assert "edits" in content["groups"] and len(content["groups"]) >= 2
    for group, methods in content["groups"].items():
        assert {"edit", "gentle", "60 % blend"} <= set(methods)
        for method, values in methods.items():
            assert set(values) >= MEASURES
            for name, value in values.items():
                assert set(value) == {"mean", "low", "high"}, (group, method, name)
                if value["mean"] is not None:
                    assert value["low"] - 1e-9 <= value["mean"] <= value["high"] + 1e-9
    kept = content["groups"]["kept"]
    assert kept["edit"]["whole"]["mean"] == 0.0 and kept["truth"]["psnr"]["mean"] == 60.0
    assert kept["60 % blend"]["ghosts"]["mean"] > 3 * kept["gentle"]["ghosts"]["mean"]
    assert kept["edit"]["accepted"]["mean"] is None and 0 <= kept["gentle"]["accepted"]["mean"] <= 1
    assert content["groups"]["edits"]["gentle"]["whole"]["mean"] is None
    assert content["methods"]["gentle"] == {"crop.size": 128, "shape.face_shape": 0.5}
    assert set(content["not_measured"]) >= {"beard"}
    assert {row["method"] for row in content["rows"]} >= {"edit", "gentle", "truth"}


def halves_share_no_person_and_make_up_the_whole(rows: list[dict]) -> None:
    examples = [Example(row["name"], row["group"], row["person"], (), Path()) for row in rows]
    chosen = folder.tune_people(examples)
    tune, other = table.halves(rows, chosen)
    assert {row["person"] for row in tune}.isdisjoint(row["person"] for row in other)
    assert len(tune) + len(other) == len(rows) and tune and other
    more = [*examples, Example("edit 99", "edits", "edit 99", (), Path())]
    assert folder.tune_people(more) & {row["person"] for row in rows} == chosen


def sheets_are_written_and_not_into_the_repository(sheets: list[Path]) -> None:
    assert sheets and Image.open(sheets[0]).width >= 5 * sheet.SIDE
    with pytest.raises(ValueError, match="lies in the repository"):
        sheet.check_place(ROOT / "docs" / "people.jpg")
    sheet.check_place(ROOT / ".run" / "people.jpg")


def a_second_run_takes_everything_from_the_cache(content: dict, words: list[str], tmp_path: Path) -> None:
    cache = Path(words[words.index("--cache") + 1])
    before = {file: file.stat().st_mtime_ns for file in cache.rglob("*") if file.is_file()}
    again = tmp_path / "again.json"
    bench.main([str(again) if word.endswith("out.json") else word for word in words[:-2]])
    assert {file: file.stat().st_mtime_ns for file in cache.rglob("*") if file.is_file()} == before
    assert json.loads(again.read_text())["groups"] == content["groups"]


def test_what_a_folder_lacks_is_said(people: Path, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="nothing to restore"):
        bench.main([str(tmp_path), "--cache", str(tmp_path)])
    with pytest.raises(SystemExit, match="no setting"):
        bench.main([str(people), "--set", "face_form=1", "--cache", str(tmp_path)])
    (tmp_path / "triples.json").write_text(json.dumps([{"triple": "00", "kind": "painted"}]))
    with pytest.raises(ValueError, match="of the kind"):
        folder.ready_triples(tmp_path)
