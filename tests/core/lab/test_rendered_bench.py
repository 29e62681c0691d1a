"""The quality benchmark on rendered people: the same stages, judged by what knows photographs."""
from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from editedid_core.config import RestoreConfig
from lab.bench import people, quality, rendered, table, worlds, worth
from lab.bench.methods import Methods
from lab.bench.quality import Truth, judge
from lab.people3d import split
from lab.people3d.people import SPLITS
from lab.photos import foreign_judges
from lab.photos.ghost import LIMIT

FIRST = SPLITS["tune"][0]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> rendered.Rendered:
    return rendered.Rendered(quality.MODELS, tmp_path_factory.mktemp("cache"))


def test_one_that_the_guard_does_not_ask_decides_where_it_is_installed(tmp_path: Path) -> None:
    assert rendered.deciding(tmp_path)["b"] == ["dlib"]
    (tmp_path / "judges").mkdir()
    for source in foreign_judges.SOURCES.values():
        for file in source.files:
            (tmp_path / "judges" / Path(file).name).touch()
    assert rendered.deciding(tmp_path) == {"a": ["dlib"], "b": ["fr", "mfn"]}


def test_half_of_the_triples_are_of_the_hard_half() -> None:
    assert worlds.seeds("people3d", "tune", 3) == [FIRST, FIRST + 7, FIRST + 36]
    assert sorted(worlds.seeds("people3d", "tune", 72)) == [*range(FIRST, FIRST + 72)]
    with pytest.raises(ValueError, match="72 triples"):
        worlds.seeds("people3d", "held-out", 73)


def test_a_run_that_keeps_figures_makes_no_sheet(capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit):
        quality.main(["--resume", "--sheet", "sheet.jpg", "--n", "1"])
    assert "--resume keeps figures and no pictures" in capsys.readouterr().err


def test_stored_truth_lies_on_the_face() -> None:
    places = [rendered.STORED / "tune" / "triples" / f"{number:03d}" for number in range(rendered.COUNT)]
    whole = [(number, place) for number, place in enumerate(places) if split.is_whole(place)]
    assert {number for number, _ in whole} >= {*range(12), *range(36, 48)}
    for number, place in whole:
        triple = rendered.read(place, FIRST + number, hard=number >= 36)
        assert triple.ideal.image.shape[:2] == triple.ideal.masks.face.shape == triple.drifted.elements.shape
        x, y = triple.ideal.landmarks[2].round().astype(int)
        assert 0.005 < triple.ideal.masks.face.mean() < 0.6 and triple.ideal.masks.face[y, x] == 1


def test_rivals_are_judged_by_the_same_stages(world: rendered.Rendered) -> None:
    names = ["drifted", "blend_60"]
    result = quality.run_triple(FIRST + 4, names, Methods("dit", quality.MODELS), world, keep=True)
    edit, blend = (result.figures[name] for name in names)
    assert set(table.MEASURES) <= set(blend) and "half easy" in result.groups
    assert edit["recovery_b"] == 0 and edit["joint_rate"] == 0 and edit["outside_changed"] == 0
    assert blend["recovery_b"] > 0.3
    assert blend["realism_error"] > edit["realism_error"] == LIMIT


def test_a_triple_whose_drift_took_no_likeness_tells_nothing(world: rendered.Rendered) -> None:
    assert np.isnan(world.whole({}, {"recovery_b": float("nan")}))


def test_the_truth_itself_is_whole(world: rendered.Rendered) -> None:
    triple = world.triple(FIRST + 4)
    judges = world.witness(triple)
    truth = Truth.of(triple, judges, world.photo(triple), world.places(triple))
    found = judge(triple.ideal.image, truth, judges)
    assert found["landmark_error"] < 1e-6 and found["recovery_b"] == 1 and found["face_psnr"] == 60
    assert np.isnan(found["element_error"]) or found["element_error"] == 0


def test_every_run_of_bench_worth_is_a_configuration_of_its_own() -> None:
    plain = RestoreConfig()
    made = {name: plain.changed(worth.UNGUARDED | values) for name, values in worth.variants().items()}
    assert made[worth.BASE].engine == "composite" and not any(one.guard.enabled for one in made.values())
    assert len({one.to_json() for one in made.values()}) == len(made)


def test_differences_of_bench_worth_are_paired() -> None:
    found = [{worth.BASE: {"face_psnr": a}, "run": {"face_psnr": a + 1}} for a in (10.0, 30.0)]
    told = worth.compare(found, ["run"])["run"]
    assert told["face_psnr"] == {"mean": [21.0, 11.0, 31.0], "difference": [1.0, 1.0, 1.0]}
    assert told["joint_rate"]["mean"] == [None] * 3


def test_networks_that_know_photographs_tell_rendered_people_apart(tmp_path: Path) -> None:
    chosen = [entry for entry in json.loads((rendered.STORED / "tune" / "triples.json").read_text(encoding="utf-8"))
              if entry["triple"] in ("000", "036")]
    (tmp_path / "triples.json").write_text(json.dumps(chosen), encoding="utf-8")
    (tmp_path / "triples").mkdir()
    for entry in chosen:
        shutil.copytree(rendered.STORED / "tune" / "triples" / entry["triple"], tmp_path / "triples" / entry["triple"])
    told = people.figures(tmp_path, tmp_path / "cache")
    assert told["faces that dlib finds, share, easy half"] > 0.7
    assert told["dlib's landmarks to the truth, eye distances, easy half"] < 0.12
    assert told["dlib's distance, one person"] < told["dlib's distance, strangers"]
    assert told["area under the curve, dlib"] > 0.8
