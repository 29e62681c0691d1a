"""Scenes and table of the benchmark of what stands around the diffusion."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lab.bench import around, around_scenes
from lab.photos.records import Example


def examples(folder: Path, number: int) -> list[Example]:
    found = []
    for i in range(number):
        files = [folder / f"{i}_{part}.png" for part in ("original", "edited")]
        for file, shade in zip(files, (40, 200)):
            Image.new("RGB", (60 + i, 40), (shade, i, 0)).save(file)
        found.append(Example(f"triple {i}", "photo", f"p{i // 2}", (files[0],), files[1]))
    return found


def test_a_portrait_is_large_and_a_group_holds_everybody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert around_scenes.PIXELS == 12_000_000
    monkeypatch.setattr(around_scenes, "PIXELS", 120_000)
    triples = examples(tmp_path, 14)
    assert [one.name for one in around_scenes.one_each(triples)] == [f"triple {i}" for i in range(0, 14, 2)]
    with np.load(around_scenes.portrait(triples[3], tmp_path)) as scene:
        for name, shade in (("original", 40), ("edited", 200)):
            _, height, width, _ = scene[name].shape
            assert abs(height * width / around_scenes.PIXELS - 1) < 0.01 and abs(width / height - 63 / 40) < 0.01
            assert scene[name][0, height // 2, width // 2].tolist() == [shade, 3, 0]
    with np.load(around_scenes.group(triples, tmp_path)) as scene:
        cell = around_scenes.CELL
        assert scene["original"].shape == (14, cell, cell, 3)
        assert scene["edited"].shape == (1, 2 * cell, 7 * cell, 3)
        for i in range(14):
            row, column = divmod(i, around_scenes.COLUMNS)
            middle = scene["edited"][0, (2 * row + 1) * cell // 2, (2 * column + 1) * cell // 2]
            assert middle.tolist() == [200, i, 0], "each where the photo's number says"


def test_a_version_is_summed_up_by_means_and_its_largest_memory() -> None:
    answers = [{"seconds": s, "stages": {"cut": s / 2}, "mib": m, "faces": 14, "accepted": 12}
               for s, m in ((2.0, 100.0), (4.0, None))]
    summary = around._summary(answers)
    assert summary["seconds"] == 3.0 and summary["cut"] == 1.5 and summary["mib"] == 100.0 and summary["runs"] == 2
    assert around.table({"this": {"group": summary}}).splitlines()[2].startswith("| group | this | 3 | 1.5 | 100 |")
