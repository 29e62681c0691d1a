"""The nodes for small faces with a real model in the real host."""

from __future__ import annotations

import importlib
import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from lab.checkpoints import FILES
from lab.inprocess import Host
from lab.portraits import triple_split
from lab.portraits.small_faces import SmallFace, make_small_face


@pytest.fixture(scope="module")
def face() -> SmallFace:
    return make_small_face(triple_split("tune", 1)[0], 16, photos=2, gallery=0)


@pytest.fixture(scope="module")
def given(host: Host, face: SmallFace) -> dict[str, Any]:
    analyzer = host.node("EditedIDLoadFaceAnalyzer").execute("insightface", "lab", 320).result[0]
    photos = torch.from_numpy(np.stack([shot.image for shot in face.photos]))
    return {"image": torch.from_numpy(face.small)[None], "references": photos, "analyzer": analyzer, "scale": "auto"}


def test_it_can_end_a_graph_and_an_older_trust_is_auto(host: Host) -> None:
    node = host.node("EditedIDSuperResolveFace")
    assert node.GET_SCHEMA().is_output_node
    assert node.validate_inputs(trust=-1.0) is True and node.validate_inputs(trust=0.4) is True
    assert node.validate_inputs(trust=1.5) == "trust is 1.5: choose auto or a number from 0 to 1."


def test_a_small_face_comes_back_with_a_model_and_says_so(host: Host, given: dict[str, Any],
                                                          monkeypatch: pytest.MonkeyPatch) -> None:
    model, _, vae = host.node("CheckpointLoaderSimple")().load_checkpoint(FILES["unet"])[:3]
    node = host.node("EditedIDSuperResolveFace")
    values = {i.id: i.default for i in node.define_schema().inputs if getattr(i, "default", None) is not None}
    progress = importlib.import_module(node.__module__.rsplit(".", 2)[0] + ".editedid_core.comfy.progress")
    monkeypatch.setattr(progress, "get_executing_context", lambda: SimpleNamespace(node_id="7"))
    host.events.clear()
    with torch.inference_mode():
        image, mask, text = node.execute(**{**values, **given, "crop_size": 64}, model=model, vae=vae).result
    report = json.loads(text)
    (found,) = report["faces"]
    assert report["mode"] == "two regions" and report["network_evaluations"] == 10
    assert found["accepted"] and found["id_similarity_after"] > 0.4
    assert torch.equal(image[mask == 0], given["image"][mask == 0])
    assert float((mask > 0).float().mean()) > 0.5  # the surroundings were drawn anew as well
    told = [data["text"] for event, data in host.events if event == progress.PROGRESS_EVENT]
    face = [words.removeprefix("face 1 of 1: ") for words in told if words.startswith("face 1 of 1: ")]
    assert face == ["encoding", "loading the model", "sampling", "decoding"]


def test_a_box_says_where_the_face_is_and_damage_is_measured_there(host: Host, given: dict[str, Any],
                                                                   face: SmallFace) -> None:
    low, high = face.truth.dense.min(0), face.truth.dense.max(0)
    brow = 0.25 * (high[1] - low[1])  # the landmarks begin at the brows, a face at the forehead
    box = {"x": low[0], "y": low[1] - brow, "width": high[0] - low[0], "height": high[1] - low[1] + brow}
    faces, preview, spread, explained = host.node("EditedIDPlaceFace").execute(**given, bounding_box=box).result
    eyes = np.linalg.norm(face.truth.landmarks[1] - face.truth.landmarks[0])
    assert np.linalg.norm(faces.faces[0].points - face.truth.landmarks, axis=1).mean() < 0.3 * eyes
    assert preview.shape == (1, 128, 128, 3) and 0 < spread < 0.4 and explained <= 1
    only = {name: given[name] for name in ("image", "analyzer")}
    scale, noise, _, trust, text = host.node("EditedIDMeasureDamage").execute(**only, bounding_box=box).result
    assert 8 < scale < 32 and noise < 0.1 and 0 < trust < 1 and text.startswith("Face 1:")


def test_a_reference_without_a_face_is_named(host: Host, given: dict[str, Any]) -> None:
    blank = torch.full_like(given["references"], 0.5)
    with pytest.raises(ValueError, match="references: no face"):
        host.node("EditedIDPlaceFace").execute(**{**given, "references": blank})
