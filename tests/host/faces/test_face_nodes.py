"""The face nodes in a real host, as a workflow would run them, and their texts."""

from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from lab.inprocess import Host, HostError
from lab.portraits import make_triple, triple_split
from lab.portraits.render import render

ROOT = Path(__file__).resolve().parents[3]
FACE_NODES = ["EditedIDLoadFaceAnalyzer", "EditedIDDetectFaces", "EditedIDMatchFaces", "EditedIDShapeFaces",
              "EditedIDSkinTone", "EditedIDCropFacePairs", "EditedIDPasteFaces", "EditedIDFaceSimilarity"]


def node(kind: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": kind, "inputs": inputs}


def detection(image: list[Any], **changes: Any) -> dict[str, Any]:
    standard = {"threshold": 0.5, "min_size": 0, "order": "left-right", "no_face": "error", "analyzer": ["analyzer", 0]}
    return node("EditedIDDetectFaces", image=image, **{**standard, **changes})


@pytest.fixture(scope="module")
def prompt(host: Host) -> dict[str, Any]:
    """Original and edited portrait to pasted picture and scores; a photograph and its turned copy."""
    pytest.importorskip("dlib")
    folder_paths = __import__("folder_paths")
    photograph = Image.fromarray(pytest.importorskip("skimage.data").astronaut())
    photograph.save(Path(folder_paths.get_input_directory()) / "faces_original.png")
    photograph.resize((600, 600)).rotate(20).save(Path(folder_paths.get_input_directory()) / "faces_edited.png")
    return {
        "original": node("LoadImage", image="faces_original.png"),
        "edited": node("LoadImage", image="faces_edited.png"),
        "analyzer": node("EditedIDLoadFaceAnalyzer", backend="dlib", pack="auto", detection_size=640),
        "faces_original": detection(["original", 0]),
        "faces_edited": detection(["edited", 0], order="reference", reference_image=["original", 0]),
        "pairs": node("EditedIDMatchFaces", original=["faces_original", 0], edited=["faces_edited", 0],
                      min_similarity=0.2, position_weight=0.3, same_person=0.6),
        "shaped": node("EditedIDShapeFaces", edited_image=["edited", 0], pairs=["pairs", 0], face_shape=1.0),
        "crops": node("EditedIDCropFacePairs", original_image=["original", 0], edited_image=["shaped", 0],
                      pairs=["shaped", 1], size=128, relight=1.0, auto_elements=1.0, piecewise=False,
                      keep_elements=True),
        "pasted": node("EditedIDPasteFaces", edited_image=["shaped", 0], crops=["crops", 0], paste=["crops", 4],
                       feather=0.03, colour=0.0),
        "score": node("EditedIDFaceSimilarity", image=["pasted", 0], reference=["original", 0],
                      analyzer=["analyzer", 0], before=["edited", 0]),
    }


def test_the_whole_way(host: Host, prompt: dict[str, Any]) -> None:
    shown = host.run(prompt)
    assert "->" in shown["score"]["text"][0]
    assert shown["score"]["images"]
    assert "CC0" in shown["analyzer"]["text"][0]
    assert "original face 1" in shown["pairs"]["text"][0]
    for name in ("faces_original", "faces_edited", "shaped", "crops", "pasted"):
        assert shown[name]["images"]


def test_no_face_is_a_choice(host: Host, prompt: dict[str, Any]) -> None:
    empty = deepcopy(prompt)
    empty["edited"] = node("EmptyImage", width=96, height=64, batch_size=1, color=7)
    empty["faces_edited"] = detection(["edited", 0])
    del empty["score"]
    empty["save"] = node("PreviewImage", images=["pasted", 0])
    with pytest.raises(HostError, match="image: no face was found"):
        host.run(empty)
    empty["faces_edited"] = detection(["edited", 0], no_face="pass through")
    images = host.run(empty)["save"]["images"]
    folder_paths = __import__("folder_paths")
    with Image.open(Path(folder_paths.get_temp_directory()) / images[0]["filename"]) as picture:
        assert picture.size == (96, 64)
        assert len(np.unique(np.asarray(picture).reshape(-1, 3), axis=0)) == 1


def test_faces_are_shaped_before_they_are_cropped(host: Host) -> None:
    """The nodes one after another on a drawn person, as a graph hands their outputs on."""
    pytest.importorskip("insightface")
    triple = make_triple(triple_split("tune", 3)[2], drift="large")
    photo, edit = (torch.from_numpy(shot.image)[None] for shot in (triple.original, triple.drifted))
    analyzer = host.node("EditedIDLoadFaceAnalyzer").execute("insightface", "lab", 384)[0]
    find, match = host.node("EditedIDDetectFaces"), host.node("EditedIDMatchFaces")
    found = [find.execute(image, 0.5, 0, "left-right", "error", analyzer=analyzer)[0] for image in (photo, edit)]
    pairs = match.execute(*found, -1.0, 0.3, 0.6)[0]
    shape = host.node("EditedIDShapeFaces")
    image, shaped, mask = shape.execute(edit, pairs, 1.0).result
    assert shaped.pairs[0].shaped
    assert bool(mask.any()) and torch.equal(image[mask == 0], edit[mask == 0])
    assert not torch.equal(image, edit)
    crops = host.node("EditedIDCropFacePairs").execute(photo, image, shaped, 128, 1.0, 1.0, False, True)
    pasted, changed = host.node("EditedIDPasteFaces").execute(image, crops[1], crops[4], 0.03, 0.0).result
    assert torch.equal(pasted[changed == 0], image[changed == 0])
    again = find.execute(image, 0.5, 0, "left-right", "error", analyzer=analyzer)[0]
    before, after = (match.execute(found[0], faces, -1.0, 0.3, 0.6)[0].pairs[0].similarity
                     for faces in (found[1], again))
    assert after > before
    untouched, same, nothing = shape.execute(edit, pairs, 0.0).result
    assert untouched is edit and same.pairs == pairs.pairs and not bool(nothing.any())


def test_the_photo_s_skin_tone_comes_back_unless_the_light_is_another(host: Host, caplog: pytest.LogCaptureFixture,
                                                                      ) -> None:
    pytest.importorskip("insightface")
    seed = triple_split("tune", 10)[9]
    triple = make_triple(seed, kind="background")
    person = triple.ideal.identity
    darker = render(replace(person, skin_tone=person.skin_tone - 1.2), triple.ideal.scene, triple.ideal.image.shape[0])
    relit = make_triple(seed, kind="light")
    analyzer = host.node("EditedIDLoadFaceAnalyzer").execute("insightface", "lab", 384)[0]
    find, match, tone = (host.node(f"EditedID{name}") for name in ("DetectFaces", "MatchFaces", "SkinTone"))
    done, before = [], []
    for photo, edit in ((triple.original, darker), (relit.original, relit.ideal)):
        photo, edit = (torch.from_numpy(np.ascontiguousarray(shot.image))[None] for shot in (photo, edit))
        found = [find.execute(image, 0.5, 0, "left-right", "error", analyzer=analyzer)[0] for image in (photo, edit)]
        done.append(tone.execute(photo, edit, match.execute(*found, -1.0, 0.3, 0.6)[0], 1.0).result)
        before.append(edit)
    image, mask = done[0]
    truth = torch.from_numpy(np.ascontiguousarray(triple.ideal.image))[None]
    assert (image - truth).abs().mean() < 0.5 * (before[0] - truth).abs().mean()
    assert torch.equal(image[mask == 0], before[0][mask == 0])
    assert done[1][0] is before[1] and not bool(done[1][1].any())
    assert "tone is kept" in caplog.text


def test_a_missing_pack_is_named(host: Host, prompt: dict[str, Any]) -> None:
    missing = deepcopy(prompt)
    missing["analyzer"]["inputs"]["pack"] = "antelopev9"
    with pytest.raises(HostError, match="'antelopev9' was not found.*unzip it into"):
        host.run(missing)


def test_packs_are_found_wherever_they_were_unzipped(host: Host) -> None:
    folder_paths = __import__("folder_paths")
    root = Path(folder_paths.models_dir) / "insightface"
    for place in ("models/plain", "older", "models/deep/deep"):
        (root / place).mkdir(parents=True, exist_ok=True)
        (root / place / "net.onnx").write_bytes(b"")
    pack = host.node("EditedIDLoadFaceAnalyzer").define_schema().inputs[1]
    assert {"auto", "plain", "older", "deep"} <= set(pack.options)


def test_nothing_connected_is_said(host: Host) -> None:
    detect = host.node("EditedIDDetectFaces")
    with pytest.raises(ValueError, match="connect analyzer"):
        detect.execute(torch.zeros(1, 32, 32, 3), 0.5, 0, "left-right", "error")
