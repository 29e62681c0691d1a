"""Rules that hold for every node of the pack: choices are checked, work can be stopped, previews cannot lose a result.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import pytest
import torch

from lab import toys
from lab.checkpoints import CROPS, FILES
from lab.demo_pictures import default_triple
from lab.inprocess import Host

CHOICES = [("EditedIDLoadFaceAnalyzer", "backend"), ("EditedIDLoadFaceAnalyzer", "pack"),
           ("EditedIDLoadFaceAnalyzer", "detector"),
           ("EditedIDDetectFaces", "order"),
           ("EditedIDDetectFaces", "no_face"), ("EditedIDMatchFaces", "photos"), ("EditedIDEntanglement", "donor"),
           ("EditedIDAdaptiveMixingSampler", "mode"), ("EditedIDRestoreIdentity", "mode"),
           ("EditedIDRestoreIdentity", "no_face"), ("EditedIDRestoreIdentity", "photos"),
           ("EditedIDRestoreIdentity", "quality"),
           ("EditedIDLayerProbe", "gate"), ("EditedIDFaceParts", "preset"),
           ("EditedIDLayerProbe", "mode"), ("EditedIDSuperResolveFace", "scale"),
           ("EditedIDSuperResolveFace", "surroundings"), ("EditedIDPlaceFace", "scale"),
           ("EditedIDSamplePictures", "kind")]
SIZES = {"crop_size", "size"}
"""Choices that take any number of pixels as well; `nodes/sizes.py` has their sentence."""
AMOUNTS = {"strength", "freedom", "structure", "detail", "trust"}
"""Choices that take any amount as well; `nodes/amounts.py` has their sentence."""
SETTING_ONLY = {"EditedIDAttentionDisentangle", "EditedIDEntanglement", "EditedIDPromptWords",
                "EditedIDFaceParts", "EditedIDSamplePictures", "EditedIDLoadEditFromFolder"}
"""Nodes that only note a setting, encode one prompt or open a small file: nothing to stop."""


def defaults(node: Any) -> dict[str, Any]:
    """Every required input at its default, None where it has none."""
    return {i.id: getattr(i, "default", None) for i in node.define_schema().inputs if not i.optional}


def test_every_choice_of_every_node_is_known_here(host: Host) -> None:
    found = {(name, i.id) for name in host.node_ids() if name.startswith("EditedID")
             for i in host.node(name).define_schema().inputs
             if getattr(i, "options", None) is not None and i.id not in SIZES | AMOUNTS}
    assert found == set(CHOICES)


@pytest.mark.parametrize("given", [None, "skip", 3])
@pytest.mark.parametrize(("name", "choice"), CHOICES)
def test_a_choice_that_comes_by_link_is_checked_before_anything_else(
    host: Host, name: str, choice: str, given: object
) -> None:
    if choice == "pack" and isinstance(given, str):
        pytest.skip("a pack of another name has a sentence of its own")
    node = host.node(name)
    options = next(i.options for i in node.define_schema().inputs if i.id == choice)
    with pytest.raises(ValueError, match=f"{choice} is ") as told:
        node.execute(**{**defaults(node), choice: given})
    sentence = str(told.value)
    assert repr(given) in sentence and "\n" not in sentence
    assert all(str(option) in sentence for option in options)


@pytest.fixture(scope="module")
def crops_of(work: dict[str, Callable[[], Any]]) -> Callable[[str], dict[str, Any]]:
    """What the calls of `work` give to a node."""
    return lambda name: work[name].given  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def work(host: Host) -> dict[str, Callable[[], Any]]:
    """For every node that works, a call with real inputs."""
    triple = default_triple()
    photo, edit = (torch.from_numpy(shot.image).float()[None] for shot in (triple.original, triple.drifted))
    loader = host.node("EditedIDLoadFaceAnalyzer")
    analyzer = loader.execute("insightface", "lab", 320).result[0]
    model, _, vae = host.node("CheckpointLoaderSimple")().load_checkpoint(FILES["unet"])[:3]

    def call(name: str, **given: Any) -> Callable[[], Any]:
        node = host.node(f"EditedID{name}")

        def run() -> Any:
            return node.execute(**{**defaults(node), **given}).result

        run.given = given  # type: ignore[attr-defined]
        return run

    detect = [call("DetectFaces", image=image, analyzer=analyzer)()[0] for image in (photo, edit)]
    pairs = call("MatchFaces", original=detect[0], edited=detect[1])()[0]
    crops = call("CropFacePairs", original_image=photo, edited_image=edit, pairs=pairs, size=CROPS["unet"])()
    latents = [{"samples": vae.encode(picture)} for picture in crops[:2]]
    sampler = dict(model=model, original_latent=latents[0], edited_latent=latents[1], face_mask=crops[2],
                   element_mask=crops[3], steps=2)
    return {
        "EditedIDLoadFaceAnalyzer": lambda: loader.execute("insightface", "lab", 320),
        "EditedIDDetectFaces": call("DetectFaces", image=photo, analyzer=analyzer),
        "EditedIDMatchFaces": call("MatchFaces", original=detect[0], edited=detect[1]),
        "EditedIDShapeFaces": call("ShapeFaces", edited_image=edit, pairs=pairs),
        "EditedIDSkinTone": call("SkinTone", original_image=photo, edited_image=edit, pairs=pairs),
        "EditedIDCropFacePairs": call("CropFacePairs", original_image=photo, edited_image=edit, pairs=pairs, size=64),
        "EditedIDPasteFaces": call("PasteFaces", edited_image=edit, crops=crops[1], paste=crops[4]),
        "EditedIDFaceSimilarity": call("FaceSimilarity", image=edit, reference=photo, analyzer=analyzer),
        "EditedIDAdaptiveMixingSampler": call("AdaptiveMixingSampler", **sampler),
        "EditedIDReturnDetail": call("ReturnDetail", restored=crops[1], original=crops[0], edited=crops[1],
                                     original_latent=latents[0], edited_latent=latents[1], vae=vae,
                                     face_mask=crops[2], element_mask=crops[3]),
        "EditedIDJudgeFaces": call("JudgeFaces", edited_image=edit, edited=crops[1], crops=crops[1], paste=crops[4],
                                   analyzer=analyzer),
        "EditedIDRestoreIdentity": call("RestoreIdentity", original=photo, edited=edit, analyzer=analyzer,
                                        crop_size=64),
        "EditedIDLayerProbe": call("LayerProbe", **sampler, vae=vae, analyzer=analyzer, together=64),
        "EditedIDSuperResolveFace": call("SuperResolveFace", image=edit, references=photo, analyzer=analyzer,
                                         crop_size=64, scale="8", trust=-1.0),
        "EditedIDPlaceFace": call("PlaceFace", image=edit, references=photo, analyzer=analyzer, scale="8"),
        "EditedIDMeasureDamage": call("MeasureDamage", image=edit, analyzer=analyzer),
        "EditedIDFitIdentity": call("FitIdentity", references=photo, model=model, clip=toys.text_encoder(), vae=vae,
                                    analyzer=analyzer, consent="a drawn person", crop_size=64),
    }


def test_every_node_that_works_is_tried_here(host: Host, work: dict[str, Any]) -> None:
    assert set(work) | SETTING_ONLY == {name for name in host.node_ids() if name.startswith("EditedID")}


def test_every_node_stops_where_its_user_said_so(work: dict[str, Callable[[], Any]]) -> None:
    management = importlib.import_module("comfy.model_management")
    for name, call in work.items():
        management.interrupt_current_processing(True)
        try:
            with torch.inference_mode(), pytest.raises(management.InterruptProcessingException):
                call()
                pytest.fail(f"{name} ran to its end")
        finally:
            management.interrupt_current_processing(False)


STORES = ["EditedIDShapeFaces", "EditedIDSkinTone", "EditedIDCropFacePairs", "EditedIDPasteFaces",
          "EditedIDDetectFaces",
          "EditedIDFaceSimilarity", "EditedIDAdaptiveMixingSampler", "EditedIDRestoreIdentity"]


def test_a_preview_that_cannot_be_stored_loses_no_result(
    work: dict[str, Callable[[], Any]], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: Any, **__: Any) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(importlib.import_module("comfy_api.latest._ui").ImageSaveHelper, "save_images", full)
    for name in STORES:
        caplog.clear()
        with torch.inference_mode(), caplog.at_level("WARNING"):
            assert work[name]()[0] is not None
        assert "could not be stored" in caplog.text, name


def test_grey_pictures_come_back_in_a_form_that_the_host_shows(host: Host) -> None:
    triple = default_triple()
    photo, edit = (torch.from_numpy(shot.image).float()[None].mean(-1, keepdim=True)
                   for shot in (triple.original, triple.drifted))
    analyzer = host.node("EditedIDLoadFaceAnalyzer").execute("insightface", "lab", 320).result[0]

    def call(name: str, **given: Any) -> Any:
        node = host.node(f"EditedID{name}")
        return node.execute(**{**defaults(node), **given}).result

    detect = [call("DetectFaces", image=image, analyzer=analyzer)[0] for image in (photo, edit)]
    pairs = call("MatchFaces", original=detect[0], edited=detect[1], min_similarity=-1.0)[0]
    crops = call("CropFacePairs", original_image=photo, edited_image=edit, pairs=pairs, size=64)
    whole = call("RestoreIdentity", original=photo, edited=edit, analyzer=analyzer, crop_size=64, min_similarity=-1.0)
    results = [call("ShapeFaces", edited_image=edit, pairs=pairs)[0],
               call("SkinTone", original_image=photo, edited_image=edit, pairs=pairs)[0],
               call("PasteFaces", edited_image=edit, crops=crops[1], paste=crops[4])[0], whole[0]]
    for image in results:
        assert image.shape == (*edit.shape[:3], 3)
        assert host.node("PreviewImage")().save_images(image)["ui"]["images"]
    outside = whole[1] == 0
    assert torch.equal(whole[0][outside], edit.expand(-1, -1, -1, 3)[outside])


def test_crops_may_be_grey_or_have_alpha_and_must_be_as_many_as_their_masks(
    host: Host, work: dict[str, Callable[[], Any]], crops_of: Callable[[str], dict[str, Any]]
) -> None:
    for name, pictures in (("EditedIDReturnDetail", ("restored", "original", "edited")),
                           ("EditedIDJudgeFaces", ("edited", "crops"))):
        node, given = host.node(name), {**defaults(host.node(name)), **crops_of(name)}
        for picture in pictures:
            plain = given[picture]
            for form in (plain.mean(-1, keepdim=True), torch.cat([plain, torch.ones_like(plain[..., :1])], -1)):
                with torch.inference_mode():
                    assert node.execute(**{**given, picture: form}).result[0].shape[-1] == 3
            if name.endswith("ReturnDetail"):
                half = {"samples": given["edited_latent"]["samples"][..., :4, :4]}
                with pytest.raises(ValueError, match="^edited_latent decodes to"), torch.inference_mode():
                    node.execute(**{**given, "edited_latent": half})
            else:
                with pytest.raises(ValueError, match="^edited_image has 1 pictures of"), torch.inference_mode():
                    node.execute(**{**given, "edited_image": given["edited_image"][:, :50]})
            for wrong in (plain.repeat(2, 1, 1, 1), plain[:, :32, :32]):
                with pytest.raises(ValueError, match=f"^{picture} holds .*Crop Face Pairs"), torch.inference_mode():
                    node.execute(**{**given, picture: wrong})


def test_the_mask_of_a_picture_without_alpha_is_no_mask(host: Host, work: dict[str, Callable[[], Any]]) -> None:
    triple = default_triple()
    photo, edit = (torch.from_numpy(shot.image).float()[None] for shot in (triple.original, triple.drifted))
    analyzer = host.node("EditedIDLoadFaceAnalyzer").execute("insightface", "lab", 320).result[0]
    node = host.node("EditedIDRestoreIdentity")
    plain, masked = (node.execute(**{**defaults(node), "original": photo, "edited": edit, "analyzer": analyzer,
                                     "crop_size": 64, "face_shape": 0.5, "skin_tone": 0.5, **given}).result[0]
                     for given in ({}, {"element_mask": torch.zeros(1, 64, 64)}))
    assert torch.equal(plain, masked)
