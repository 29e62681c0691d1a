"""A folder of edits, one a run, as somebody queues it over night: one file is damaged, one picture has no face."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lab.demo_pictures import triple_pictures
from lab.inprocess import Host, HostError

NODE = "EditedIDLoadEditFromFolder"


@pytest.fixture(scope="module")
def folder(host: Host) -> Path:
    """Six files: the edit four times, one that is no picture, one without a face."""
    import folder_paths

    made = Path(folder_paths.get_input_directory(), "over night")
    made.mkdir(parents=True, exist_ok=True)
    photo, edit = triple_pictures()
    photo.save(made.parent / "of_the_person.png")
    for name in ("a", "b", "e", "f"):
        edit.save(made / f"{name}.png")
    (made / "c.png").write_bytes(b"\x89PNG but no more")
    Image.new("RGB", edit.size, "grey").save(made / "d.jpg")
    (made / "notes.txt").write_text("no picture", encoding="utf-8")
    return made


def prompt(host: Host, number: int) -> dict[str, Any]:
    """The template's graph without a model; the result is looked at in place of saved."""
    schema = host.node("EditedIDRestoreIdentity").define_schema().inputs
    widgets = {i.id: i.default for i in schema if getattr(i, "default", None) is not None}
    lab = {"backend": "insightface", "pack": "lab", "detector": "auto", "detection_size": 320}
    return {
        "1": {"class_type": NODE, "inputs": {"folder": "over night", "number": number}},
        "2": {"class_type": "LoadImage", "inputs": {"image": "of_the_person.png"}},
        "3": {"class_type": "EditedIDLoadFaceAnalyzer", "inputs": lab},
        "4": {"class_type": "EditedIDRestoreIdentity",
              "inputs": {**widgets, "no_face": "pass through", "edited": ["1", 0], "original": ["2", 0],
                         "analyzer": ["3", 0]}},
        "5": {"class_type": "SaveImage", "inputs": {"images": ["4", 0], "filename_prefix": ["1", 1]}},
    }


def test_each_picture_has_its_own_run_and_a_damaged_one_stops_no_other(host: Host, folder: Path) -> None:
    told: dict[int, Any] = {}
    for number in range(2, 6):
        try:
            told[number] = host.run(prompt(host, number))
        except HostError as error:
            told[number] = str(error)
    assert isinstance(told[3], str) and "c.png cannot be read as a picture" in told[3]
    good = {number: outputs for number, outputs in told.items() if number != 3}
    names = {number: outputs["5"]["images"][0]["filename"] for number, outputs in good.items()}
    assert [name[0] for name in names.values()] == list("bde")
    lines = {number: outputs["4"]["editedid_lines"] for number, outputs in good.items()}
    assert all(lines[number][0].startswith("Face 1: 0.") for number in (2, 5)), lines
    assert "no face" in json.dumps(good[4]["4"]).lower()


def closed(_: Path) -> Iterator[Path]:
    raise PermissionError(13, "Permission denied")


def test_the_end_another_place_and_an_empty_folder_are_told(host: Host, folder: Path) -> None:
    node = host.node(NODE)
    assert node.validate_inputs("over night", 6) is True
    assert "number 7 is past the last of 6" in node.validate_inputs("over night", 7)
    for outside in ("../secrets", "/etc", "C:\\pictures"):
        assert "is not in ComfyUI" in node.validate_inputs(outside, 1)
    assert "is not there" in node.validate_inputs("no such folder", 1)
    assert "cannot be read" in node.validate_inputs("nul\0", 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "iterdir", closed)
        assert "cannot be read (Permission denied): let" in node.validate_inputs("over night", 1)
    (folder.parent / "empty").mkdir(exist_ok=True)
    with pytest.raises(ValueError, match="holds no picture"):
        node.execute("empty", 1)


def test_a_picture_is_read_upright_and_again_where_it_changed(host: Host, folder: Path) -> None:
    node = host.node(NODE)
    tall = Image.fromarray(np.zeros((8, 4, 3), dtype=np.uint8))
    exif = tall.getexif()
    exif[0x0112] = 6  # turned by the camera
    shutil.rmtree(folder.parent / "turned", ignore_errors=True)
    (folder.parent / "turned").mkdir()
    tall.save(folder.parent / "turned" / "x.jpg", exif=exif)
    picture, name, count = node.execute("turned", 1).result
    assert picture.shape == (1, 4, 8, 3) and (name, count) == ("x", 1)
    before = node.fingerprint_inputs("turned", 1)
    Image.fromarray(np.zeros((8, 8), dtype=np.uint16)).save(folder.parent / "turned" / "a.png")
    assert node.fingerprint_inputs("turned", 1) != before
    assert node.execute("turned", 1).result[0].shape == (1, 8, 8, 3)
